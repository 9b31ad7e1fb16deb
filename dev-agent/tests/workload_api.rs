//! The Workload API as the independent `spiffe` crate sees it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures::StreamExt;
use spiffe::workload_api::error::WorkloadApiError;
use spiffe::{WorkloadApiClient, X509Source};
use spike_dev_agent::{Config, DevAgent, Entry, Old, Running, Selector};
use spike_policy::SpiffeId;
use tempfile::TempDir;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

/// No answer in this time is a failure; no test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

const WEB: &str = "spiffe://example.org/workload/web";
const DB: &str = "spiffe://example.org/workload/db";
const FOREIGN: &str = "spiffe://partner.test/workload/web";

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

fn config(directory: &TempDir) -> Config {
    let mut config = Config::new(directory.path().join("run"), "example.org".parse().unwrap())
        .with_socket(id(WEB), "web.sock")
        .with_socket(id(DB), "db.sock")
        .with_socket(id(FOREIGN), "foreign.sock");
    config.federated = vec!["partner.test".parse().unwrap()];
    config
}

async fn client(agent: &Running, spiffe_id: &str) -> WorkloadApiClient {
    WorkloadApiClient::connect_to(agent.endpoint(&id(spiffe_id)).unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn every_socket_gives_its_own_identity_with_all_bundles() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    assert_eq!(agent.sockets().len(), 3);
    for (wanted, own) in [(WEB, "example.org"), (DB, "example.org"), (FOREIGN, "partner.test")] {
        let context = client(&agent, wanted).await.fetch_x509_context().await.unwrap();
        let svid = context.default_svid().expect("an SVID");
        assert_eq!(svid.spiffe_id().to_string(), wanted);
        assert_eq!(context.bundle_set().len(), 2, "own and federated");
        let own = own.parse().unwrap();
        let issuers = context.bundle_set().get(&own).unwrap();
        assert_eq!(issuers.authorities().len(), 1);
    }
    agent.shutdown().await;
    assert_eq!(
        std::fs::read_dir(directory.path().join("run")).unwrap().count(),
        0,
        "no socket is left"
    );
}

#[tokio::test]
async fn a_rotation_is_pushed_and_a_source_follows_it() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let endpoint = agent.endpoint(&id(WEB)).unwrap();
    let source = X509Source::builder().endpoint(&endpoint).build().await.unwrap();
    let mut updates = source.updated();
    let mut serials = vec![source.svid().unwrap().cert_chain().first().unwrap().as_bytes().to_vec()];
    for _ in 0..20 {
        agent.rotate_now().unwrap();
        tokio::time::timeout(PATIENCE, updates.changed())
            .await
            .unwrap()
            .unwrap();
        serials.push(source.svid().unwrap().cert_chain().first().unwrap().as_bytes().to_vec());
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 21, "every rotation was seen, and gave a new certificate");
    source.shutdown().await;
}

#[tokio::test]
async fn an_svid_of_two_seconds_is_renewed_in_time_without_being_asked() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&directory);
    config.svid_ttl = Duration::from_secs(2);
    let agent = DevAgent::start(config).unwrap();
    let mut contexts = client(&agent, WEB).await.stream_x509_contexts().await.unwrap();
    for _ in 0..3 {
        let context = tokio::time::timeout(PATIENCE, contexts.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(context.default_svid().unwrap().spiffe_id().to_string(), WEB);
    }
}

#[tokio::test]
async fn a_new_authority_is_trusted_before_it_signs_and_the_old_one_after() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let mut contexts = client(&agent, WEB).await.stream_x509_contexts().await.unwrap();
    let mut next = async || {
        let context = tokio::time::timeout(PATIENCE, contexts.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let bundle = context.bundle_set().get(&"example.org".parse().unwrap()).unwrap();
        let leaf = context
            .default_svid()
            .unwrap()
            .cert_chain()
            .first()
            .unwrap()
            .as_bytes()
            .to_vec();
        let authorities = bundle
            .authorities()
            .iter()
            .map(|one| one.as_bytes().to_vec())
            .collect::<Vec<_>>();
        (leaf, authorities)
    };
    let (first_leaf, before) = next().await;
    agent.prepare_authority().unwrap();
    let (same_leaf, both) = next().await;
    assert_eq!(same_leaf, first_leaf, "prepared is not in use");
    assert_eq!((before.len(), both.len()), (1, 2));
    agent.replace_authority(Old::Keep).unwrap();
    let (second_leaf, still_both) = next().await;
    assert_ne!(second_leaf, first_leaf);
    assert_eq!(still_both.len(), 2);
    agent.drop_old_authorities();
    let (same_leaf, after) = next().await;
    assert_eq!(same_leaf, second_leaf);
    assert_eq!(after.len(), 1);
    assert!(!after.starts_with(&before));
}

#[tokio::test]
async fn a_removed_identity_ends_its_streams_and_nobody_elses() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let web = client(&agent, WEB).await;
    let mut contexts = web.stream_x509_contexts().await.unwrap();
    contexts.next().await.unwrap().unwrap();
    assert!(agent.remove_entry(&id(WEB)));
    let ended = tokio::time::timeout(PATIENCE, contexts.next()).await.unwrap().unwrap();
    assert!(matches!(ended, Err(WorkloadApiError::NoIdentityIssued)), "{ended:?}");
    assert!(web.fetch_x509_svid().await.is_err());
    assert!(client(&agent, DB).await.fetch_x509_svid().await.is_ok());
    assert!(!agent.remove_entry(&id(WEB)));
}

#[tokio::test]
async fn an_identity_can_be_added_while_running() {
    let directory = tempfile::tempdir().unwrap();
    let mut agent = DevAgent::start(config(&directory)).unwrap();
    let late = "spiffe://example.org/workload/late";
    agent.add_entry(Entry::behind_socket(id(late), "late.sock")).unwrap();
    let svid = client(&agent, late).await.fetch_x509_svid().await.unwrap();
    assert_eq!(svid.spiffe_id().to_string(), late);
}

#[tokio::test]
async fn callers_of_the_common_socket_are_told_apart_by_what_the_kernel_says() {
    let directory = tempfile::tempdir().unwrap();
    let own_uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let program = std::fs::read_link("/proc/self/exe").unwrap();
    let mut config = Config::new(directory.path().join("run"), "example.org".parse().unwrap());
    config.socket = Some("agent.sock".into());
    let is_me = || vec![Selector::Uid(own_uid), Selector::Path(program.clone())];
    config.entries = vec![
        Entry::selected(id("spiffe://example.org/stranger"), vec![Selector::Uid(own_uid + 1)]),
        Entry::selected(id(DB), is_me()),
        Entry::selected(id(WEB), is_me()),
        Entry::selected(
            id("spiffe://example.org/half"),
            vec![Selector::Uid(own_uid), Selector::Path("/bin/no".into())],
        ),
    ];
    let agent = DevAgent::start(config).unwrap();
    let endpoint = format!("unix://{}", agent.common_socket().unwrap().display());
    let client = WorkloadApiClient::connect_to(&endpoint).await.unwrap();
    let ids: Vec<_> = client
        .fetch_all_x509_svids()
        .await
        .unwrap()
        .iter()
        .map(|svid| svid.spiffe_id().to_string())
        .collect();
    assert_eq!(
        ids,
        [DB, WEB],
        "in the order of the configuration, the first one is the default"
    );
    assert!(agent.remove_entry(&id(DB)) && agent.remove_entry(&id(WEB)));
    let refused = client.fetch_x509_svid().await;
    assert!(
        matches!(refused, Err(WorkloadApiError::NoIdentityIssued)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_jwt_svid_is_issued_and_validated() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let web = client(&agent, WEB).await;
    let svid = web.fetch_jwt_svid(["nexus", "db"], None).await.unwrap();
    assert_eq!(svid.spiffe_id().to_string(), WEB);
    assert_eq!(svid.audience(), ["nexus", "db"]);
    let db = client(&agent, DB).await;
    let seen = db.validate_jwt_token("db", svid.token()).await.unwrap();
    assert_eq!(seen.spiffe_id().to_string(), WEB);
    assert!(db.validate_jwt_token("other", svid.token()).await.is_err());
    let bundles = db.fetch_jwt_bundles().await.unwrap();
    assert_eq!(bundles.len(), 2);
    let own = bundles.get(&"example.org".parse().unwrap()).unwrap();
    assert!(own.find_jwt_authority(svid.key_id()).is_some());
    agent.replace_authority(Old::Drop).unwrap();
    assert!(
        db.validate_jwt_token("db", svid.token()).await.is_err(),
        "its key is not trusted any more"
    );

    let other = spiffe::SpiffeId::new(DB).unwrap();
    assert!(
        web.fetch_jwt_svid(["db"], Some(&other)).await.is_err(),
        "not its identity"
    );
    assert!(web.fetch_jwt_svid([""], None).await.is_err(), "no audience");
}

#[tokio::test]
async fn a_paused_agent_lets_svids_expire_and_goes_on_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&directory);
    config.svid_ttl = Duration::from_secs(2);
    let agent = DevAgent::start(config).unwrap();
    agent.pause_rotation(true);
    let mut contexts = client(&agent, WEB).await.stream_x509_contexts().await.unwrap();
    contexts.next().await.unwrap().unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(3), contexts.next()).await;
    assert!(quiet.is_err(), "nothing is renewed");
    agent.pause_rotation(false);
    assert!(
        tokio::time::timeout(PATIENCE, contexts.next())
            .await
            .unwrap()
            .unwrap()
            .is_ok()
    );
}

#[tokio::test]
async fn svid_files_can_be_fetched_for_tools() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let socket = agent
        .sockets()
        .into_iter()
        .find(|socket| socket.spiffe_id == id(WEB))
        .unwrap();
    let fetched = spike_dev_agent::fetch(&socket.path).await.unwrap();
    assert_eq!(fetched.spiffe_id, WEB);
    let files = directory.path().join("files");
    fetched.write(&files).unwrap();
    for (name, label) in [
        ("svid.pem", "CERTIFICATE"),
        ("key.pem", "PRIVATE KEY"),
        ("bundle.pem", "CERTIFICATE"),
    ] {
        let text = std::fs::read_to_string(files.join(name)).unwrap();
        assert!(text.starts_with(&format!("-----BEGIN {label}-----\n")), "{name}");
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(files.join("key.pem")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!format!("{fetched:?}").contains("BEGIN"));
    let nobody = spike_dev_agent::fetch(&directory.path().join("none.sock")).await;
    assert!(matches!(nobody, Err(spike_dev_agent::FetchError::Connect { .. })));
}

#[tokio::test]
async fn a_call_without_the_security_header_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let agent = DevAgent::start(config(&directory)).unwrap();
    let channel = Endpoint::try_from(agent.endpoint(&id(WEB)).unwrap())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let call = async |method: &'static str, header: Option<&'static str>| {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(());
        if let Some(value) = header {
            request
                .metadata_mut()
                .insert("workload.spiffe.io", MetadataValue::from_static(value));
        }
        let codec: ProstCodec<(), ()> = ProstCodec::default();
        let answer = client
            .server_streaming(request, PathAndQuery::from_static(method), codec)
            .await;
        answer.map_or_else(|status| status.code(), |_| tonic::Code::Ok)
    };
    let methods = [
        "/SpiffeWorkloadAPI/FetchX509SVID",
        "/SpiffeWorkloadAPI/FetchX509Bundles",
        "/SpiffeWorkloadAPI/FetchJWTSVID",
        "/SpiffeWorkloadAPI/FetchJWTBundles",
        "/SpiffeWorkloadAPI/ValidateJWTSVID",
    ];
    for method in methods {
        for header in [None, Some("false"), Some("TRUE"), Some("")] {
            assert_eq!(
                call(method, header).await,
                tonic::Code::InvalidArgument,
                "{method} {header:?}"
            );
        }
    }
    assert_eq!(
        call("/SpiffeWorkloadAPI/FetchX509SVID", Some("true")).await,
        tonic::Code::Ok
    );
    assert_eq!(
        call("/SpiffeWorkloadAPI/FetchX509Bundles", Some("true")).await,
        tonic::Code::Ok
    );
    assert_eq!(
        call("/SpiffeWorkloadAPI/FetchAll", Some("true")).await,
        tonic::Code::Unimplemented
    );
}
