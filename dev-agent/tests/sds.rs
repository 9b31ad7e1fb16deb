//! SDS as a proxy sees it: names, versions, nonces, ACK and NACK.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::{BuildVersion, DataSource, Node, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, SpiffeCertValidatorConfig, secret::Type};
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use envoy_types::pb::google::rpc::Status as RpcStatus;
use prost::Message;
use spike_dev_agent::{Config, DevAgent, Old, Running};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

const TYPE_URL: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const EDGE: &str = "spiffe://example.org/envoy/edge";
/// No answer in this time is a failure; no test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

type Client = SecretDiscoveryServiceClient<Channel>;

async fn agent() -> (TempDir, Running, Client) {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(directory.path(), "example.org".parse().unwrap())
        .with_socket(EDGE.parse().unwrap(), "edge.sock")
        .with_socket("spiffe://example.org/other".parse().unwrap(), "other.sock");
    config.federated = vec!["partner.test".parse().unwrap()];
    let agent = DevAgent::start(config).unwrap();
    let endpoint = Endpoint::try_from(agent.endpoint(&EDGE.parse().unwrap()).unwrap()).unwrap();
    let client = SecretDiscoveryServiceClient::new(endpoint.connect().await.unwrap());
    (directory, agent, client)
}

fn envoy() -> Node {
    let version = SemanticVersion {
        major_number: 1,
        minor_number: 40,
        patch: 0,
    };
    let build = BuildVersion {
        version: Some(version),
        metadata: None,
    };
    let version = UserAgentVersionType::UserAgentBuildVersion(build);
    Node {
        id: "edge".to_owned(),
        user_agent_version_type: Some(version),
        ..Node::default()
    }
}

fn request(names: &[&str]) -> DiscoveryRequest {
    DiscoveryRequest {
        node: Some(envoy()),
        type_url: TYPE_URL.to_owned(),
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DiscoveryRequest::default()
    }
}

/// What Envoy sends after it took a response.
fn ack(response: &DiscoveryResponse, names: &[&str]) -> DiscoveryRequest {
    DiscoveryRequest {
        node: None,
        version_info: response.version_info.clone(),
        response_nonce: response.nonce.clone(),
        ..request(names)
    }
}

struct Conversation {
    requests: mpsc::UnboundedSender<DiscoveryRequest>,
    responses: Streaming<DiscoveryResponse>,
}

impl Conversation {
    async fn open(client: &mut Client, first: DiscoveryRequest) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        requests.send(first).unwrap();
        let responses = client
            .stream_secrets(UnboundedReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        Self { requests, responses }
    }

    fn send(&self, request: DiscoveryRequest) {
        self.requests.send(request).unwrap();
    }

    async fn next(&mut self) -> Result<DiscoveryResponse, Status> {
        let message = tokio::time::timeout(PATIENCE, self.responses.message())
            .await
            .expect("an answer in time");
        message.map(|message| message.expect("the stream goes on"))
    }
}

fn secrets(response: &DiscoveryResponse) -> Vec<Secret> {
    let open = |resource: &envoy_types::pb::google::protobuf::Any| {
        assert_eq!(resource.type_url, TYPE_URL);
        Secret::decode(resource.value.as_slice()).unwrap()
    };
    response.resources.iter().map(open).collect()
}

fn text(source: Option<&DataSource>) -> String {
    match source.and_then(|source| source.specifier.as_ref()) {
        Some(Specifier::InlineBytes(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("only inline bytes, never a file or a variable of the proxy's host: {other:?}"),
    }
}

/// Names of trust domains and the number of certificates of each, of the SPIFFE validator.
fn trust_domains(secret: &Secret) -> Vec<(String, usize)> {
    let Some(Type::ValidationContext(context)) = &secret.r#type else {
        panic!("not a validation context: {secret:?}")
    };
    let typed = context
        .custom_validator_config
        .as_ref()
        .and_then(|config| config.typed_config.as_ref())
        .unwrap();
    let config = SpiffeCertValidatorConfig::decode(typed.value.as_slice()).unwrap();
    let count = |pem: String| pem.matches("BEGIN CERTIFICATE").count();
    let domains = config.trust_domains.iter();
    domains
        .map(|domain| (domain.name.clone(), count(text(domain.trust_bundle.as_ref()))))
        .collect()
}

#[tokio::test]
async fn every_name_of_a_spire_agent_is_served_under_that_name() {
    let (_directory, _agent, mut client) = agent().await;
    let own = ("example.org".to_owned(), 1);
    let partner = ("partner.test".to_owned(), 1);
    for name in ["default", EDGE] {
        let response = client.fetch_secrets(request(&[name])).await.unwrap().into_inner();
        let secrets = secrets(&response);
        let [secret] = secrets.as_slice() else {
            panic!("one secret: {secrets:?}")
        };
        assert_eq!(secret.name, name);
        let Some(Type::TlsCertificate(certificate)) = &secret.r#type else {
            panic!("not a certificate")
        };
        assert!(text(certificate.certificate_chain.as_ref()).starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert!(text(certificate.private_key.as_ref()).starts_with("-----BEGIN PRIVATE KEY-----\n"));
    }
    for (name, domains) in [
        ("ALL", vec![own.clone(), partner.clone()]),
        ("ROOTCA", vec![own.clone()]),
        ("spiffe://example.org", vec![own]),
        ("spiffe://partner.test", vec![partner]),
    ] {
        let response = client.fetch_secrets(request(&[name])).await.unwrap().into_inner();
        let secrets = secrets(&response);
        let [secret] = secrets.as_slice() else {
            panic!("one secret: {secrets:?}")
        };
        assert_eq!((secret.name.as_str(), trust_domains(secret)), (name, domains));
    }
}

#[tokio::test]
async fn a_client_that_is_no_recent_envoy_gets_plain_certificates() {
    let (_directory, _agent, mut client) = agent().await;
    let plain = DiscoveryRequest {
        node: None,
        ..request(&["ROOTCA"])
    };
    let response = client.fetch_secrets(plain).await.unwrap().into_inner();
    let secrets = secrets(&response);
    let Some(Type::ValidationContext(context)) = secrets.first().and_then(|secret| secret.r#type.clone()) else {
        panic!("not a validation context")
    };
    assert!(context.custom_validator_config.is_none());
    assert_eq!(
        text(context.trusted_ca.as_ref()).matches("BEGIN CERTIFICATE").count(),
        1
    );
}

#[tokio::test]
async fn no_names_mean_everything_that_the_caller_may_have() {
    let (_directory, _agent, mut client) = agent().await;
    let response = client.fetch_secrets(request(&[])).await.unwrap().into_inner();
    let names: Vec<_> = secrets(&response).into_iter().map(|secret| secret.name).collect();
    assert_eq!(
        names,
        [
            "ALL",
            "ROOTCA",
            "default",
            "spiffe://example.org",
            EDGE,
            "spiffe://partner.test"
        ]
    );
}

#[tokio::test]
async fn what_is_not_the_callers_is_refused_by_name() {
    let (_directory, _agent, mut client) = agent().await;
    for name in [
        "spiffe://example.org/other",
        "spiffe://example.org/none",
        "spiffe://nowhere.test",
        "Default",
        "x",
    ] {
        let refused = client.fetch_secrets(request(&["default", name])).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}");
        assert!(refused.message().contains(name), "{}", refused.message());
        let mut conversation = Conversation::open(&mut client, request(&[name])).await;
        assert_eq!(
            conversation.next().await.unwrap_err().code(),
            Code::InvalidArgument,
            "{name}"
        );
    }
}

#[tokio::test]
async fn another_type_is_refused() {
    let (_directory, _agent, mut client) = agent().await;
    for type_url in ["", "type.googleapis.com/envoy.config.cluster.v3.Cluster", "Secret"] {
        let other = || DiscoveryRequest {
            type_url: type_url.to_owned(),
            ..request(&["default"])
        };
        assert_eq!(
            client.fetch_secrets(other()).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{type_url}"
        );
        let mut conversation = Conversation::open(&mut client, other()).await;
        assert_eq!(
            conversation.next().await.unwrap_err().code(),
            Code::InvalidArgument,
            "{type_url}"
        );
    }
}

#[tokio::test]
async fn a_rotation_is_pushed_under_a_new_version_and_an_ack_is_not_answered() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    let mut last = conversation.next().await.unwrap();
    for _ in 0..5 {
        conversation.send(ack(&last, &["default"]));
        agent.rotate_now().unwrap();
        let next = conversation.next().await.unwrap();
        assert_ne!(next.version_info, last.version_info);
        assert_ne!(next.nonce, last.nonce);
        assert_ne!(next.resources, last.resources);
        last = next;
    }
}

#[tokio::test]
async fn a_rotation_does_not_disturb_who_asked_for_the_bundle() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["ALL"])).await;
    let first = conversation.next().await.unwrap();
    conversation.send(ack(&first, &["ALL"]));
    agent.rotate_now().unwrap();
    agent.replace_authority(Old::Keep).unwrap();
    let second = conversation.next().await.unwrap();
    assert_eq!(
        trust_domains(secrets(&second).first().unwrap()),
        [("example.org".to_owned(), 2), ("partner.test".to_owned(), 2)]
    );
}

#[tokio::test]
async fn a_rejected_content_is_not_sent_again_and_the_next_one_is() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    let first = conversation.next().await.unwrap();
    let error = RpcStatus {
        code: 13,
        message: "KEY_VALUES_MISMATCH".to_owned(),
        ..RpcStatus::default()
    };
    conversation.send(DiscoveryRequest {
        version_info: String::new(),
        error_detail: Some(error),
        ..ack(&first, &["default"])
    });
    // The bundle changes, the rejected SVID does not: nothing to send on this stream.
    agent.prepare_authority().unwrap();
    agent.rotate_now().unwrap();
    let second = conversation.next().await.unwrap();
    assert_ne!(second.version_info, first.version_info);
}

#[tokio::test]
async fn a_stale_nonce_is_ignored_unless_other_names_are_asked_for() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    let first = conversation.next().await.unwrap();
    agent.rotate_now().unwrap();
    let second = conversation.next().await.unwrap();
    conversation.send(ack(&first, &["default"]));
    conversation.send(ack(&first, &["ROOTCA"]));
    let third = conversation.next().await.unwrap();
    assert_eq!(
        secrets(&third).first().unwrap().name,
        "ROOTCA",
        "the first of the two was not answered"
    );
    assert_ne!(third.nonce, second.nonce);
    assert_eq!(
        trust_domains(secrets(&third).first().unwrap()).len(),
        1,
        "the node of the first message still counts"
    );
}

#[tokio::test]
async fn later_messages_may_leave_the_type_out() {
    let (_directory, _agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    let first = conversation.next().await.unwrap();
    conversation.send(DiscoveryRequest {
        type_url: String::new(),
        ..ack(&first, &["ALL"])
    });
    assert_eq!(
        secrets(&conversation.next().await.unwrap()).first().unwrap().name,
        "ALL"
    );
}

#[tokio::test]
async fn a_removed_identity_ends_the_stream() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    conversation.next().await.unwrap();
    assert!(agent.remove_entry(&EDGE.parse().unwrap()));
    assert_eq!(conversation.next().await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_stopping_agent_ends_its_streams_at_once() {
    let (_directory, agent, mut client) = agent().await;
    let mut conversation = Conversation::open(&mut client, request(&["default"])).await;
    conversation.next().await.unwrap();
    agent.shutdown().await;
    let ended = conversation.next().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
}

#[tokio::test]
async fn the_delta_protocol_is_unimplemented_as_with_spire() {
    let (_directory, _agent, mut client) = agent().await;
    let refused = client.delta_secrets(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
