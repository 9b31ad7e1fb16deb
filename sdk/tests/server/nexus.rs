//! The client against a real Nexus over mutual TLS.
use std::time::Duration;

use spike_identity::authority::TestAuthority;
use spike_nexus::{Config, Context, Nexus};
use spike_policy::{Policy, Roles};
use spike_runtime::metrics::Registry;
use spike_runtime::{Readiness, SystemClock};
use spike_sdk::{Client, Error, Filter, PolicyDocument, Position, TrustRoots, Versions, Watch};
use spike_wire::feed::{Line, Snapshot};
use spike_wire::policies::Outcome;

use crate::harness::{PATIENT, client};

const PATH: &str = "tenants/acme/db/creds";

/// A Nexus in memory, served until the test ends.
struct Served {
    authority: TestAuthority,
    url: String,
}

impl Served {
    fn start() -> Self {
        let authority = TestAuthority::new("example.org").unwrap();
        let root = || TrustRoots::parse("example.org").unwrap();
        let roles = Roles {
            pilot: root(),
            nexus: root(),
            ..Roles::default()
        };
        let context = Context {
            clock: SystemClock::shared(),
            registry: Registry::new("spike-nexus", "test"),
            readiness: Readiness::new().0,
            audit: spike_nexus::Journal::off(),
        };
        let identity = authority.identity("/spike/nexus").unwrap();
        let nexus = Nexus::open(Config::in_memory(roles), identity, context).unwrap();
        let url = format!("https://{}", nexus.address());
        tokio::spawn(nexus.run(std::future::pending()));
        Self { authority, url }
    }

    async fn client(&self, path: &str) -> Client {
        client(&self.url, self.authority.identity(path).unwrap(), PATIENT).await
    }

    async fn pilot(&self) -> Client {
        self.client("/spike/pilot/role/superuser").await
    }
}

fn document(name: &str, path: &str, permissions: &[&str]) -> PolicyDocument {
    PolicyDocument {
        name: name.to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/app$".to_owned(),
        path_pattern: path.to_owned(),
        permissions: permissions.iter().map(|word| (*word).to_owned()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_reads_a_secret_from_the_moment_a_policy_allows_it() -> Result<(), Error> {
    let nexus = Served::start();
    let (pilot, app) = (nexus.pilot().await, nexus.client("/app").await);
    pilot
        .put_secret(PATH, [("user", "app"), ("password", "grün\n\u{0}<&>\u{2028}")])
        .await?;
    assert!(matches!(app.get_secret(PATH).await, Err(Error::Denied)));
    pilot
        .policies()
        .create(&document("db", "^tenants/acme/db/creds$", &["read"]))
        .await?;
    assert_eq!(&app.get_secret(PATH).await?.data["password"], "grün\n\u{0}<&>\u{2028}");
    assert!(matches!(
        app.put_secret(PATH, [("user", "x")]).await,
        Err(Error::Denied)
    ));
    pilot.policies().delete("db").await?;
    assert!(matches!(app.get_secret(PATH).await, Err(Error::Denied)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_come_and_go() -> Result<(), Error> {
    let nexus = Served::start();
    let client = nexus.pilot().await;
    for version in ["1", "2", "3"] {
        client.put_secret(PATH, [("k", version)]).await?;
    }
    assert_eq!(&client.get_secret_version(PATH, 2).await?.data["k"], "2");
    client.delete_secret(PATH).await?;
    assert_eq!(&client.get_secret(PATH).await?.data["k"], "2");
    client.undelete_secret(PATH).await?;
    assert_eq!(&client.get_secret(PATH).await?.data["k"], "3");
    client.secrets().delete(PATH, &Versions::from_iter([1, 2, 3])).await?;
    assert!(matches!(client.get_secret(PATH).await, Err(Error::NotFound)));
    client.secrets().undelete(PATH, &Versions::from_iter([1])).await?;
    let metadata = client.secret_metadata(PATH).await?;
    assert_eq!((metadata.metadata.current_version, metadata.versions.len()), (1, 3));
    assert_eq!(client.list_secrets().await?, [PATH]);
    assert!(matches!(client.get_secret("no/such").await, Err(Error::NotFound)));
    assert!(matches!(
        client.get_secret("not a path").await,
        Err(Error::BadRequest { .. })
    ));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_policies_are_applied_all_or_none() -> Result<(), Error> {
    let nexus = Served::start();
    let client = nexus.pilot().await;
    let policies = client.policies();
    let bad = [document("a", "^a$", &["read"]), document("b", "/b", &["read"])];
    let Err(Error::BadRequest { detail }) = policies.apply(&bad).await else {
        unreachable!("it must be refused")
    };
    assert!(
        detail
            .iter()
            .any(|text| text.contains("Paths are namespaces, remove leading slash: \"b\"")),
        "{detail:?}"
    );
    assert!(policies.list(&Filter::All).await?.is_empty(), "none of them is there");

    policies.put(&document("a", "^a$", &["read"])).await?;
    let good = [document("a", "^a$", &["read"]), document("b", "^b$", &["read", "list"])];
    let answer = policies.apply(&good).await?;
    let outcomes: Vec<_> = answer
        .applied
        .unwrap_or_default()
        .iter()
        .map(|applied| applied.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Created]);

    let by_name = policies.get("b").await?;
    assert_eq!(policies.get(&by_name.id).await?, by_name);
    assert_eq!(policies.list(&Filter::PathPattern("^b$".to_owned())).await?.len(), 1);
    assert!(matches!(policies.create(&good[1]).await, Err(Error::AlreadyExists)));
    policies.delete(&by_name.id).await?;
    for error in [
        policies.get("b").await.unwrap_err(),
        policies.delete(&by_name.id).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotFound), "{error}");
    }
    let Err(Error::BadRequest { detail }) = policies.put(&document("", "^a$", &["reed"])).await else {
        unreachable!("it must be refused")
    };
    assert_eq!(detail.len(), 2, "{detail:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_sealed_and_opened_in_one_piece_and_in_parts() -> Result<(), Error> {
    let nexus = Served::start();
    let client = nexus.pilot().await;
    let cipher = client.cipher();
    let piece = cipher.seal(b"attack at dawn").await?;
    assert_eq!(**cipher.open(&piece).await?, *b"attack at dawn");
    let parts = cipher.encrypt(b"attack at dawn", "").await?;
    assert_eq!(**cipher.decrypt(&parts, "").await?, *b"attack at dawn");
    let joined = [vec![parts.version], parts.nonce, parts.ciphertext].concat();
    assert_eq!(**cipher.open(&joined).await?, *b"attack at dawn");
    for error in [
        cipher.open(b"\x01too short").await.unwrap_err(),
        cipher.seal(&vec![0; 65_521]).await.unwrap_err(),
        cipher.decrypt(&spike_sdk::Ciphertext::default(), "").await.unwrap_err(),
        client.operator().recover().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::BadRequest { .. }), "{error}");
    }
    let app = nexus.client("/app").await;
    assert!(matches!(app.cipher().seal(b"x").await, Err(Error::Denied)));
    Ok(())
}

/// The next line that is no heartbeat.
async fn change(watch: &mut Watch) -> Line {
    loop {
        match watch.next().await.unwrap().unwrap() {
            Line::Heartbeat(_) => {}
            line @ (Line::Snapshot(_) | Line::Delta(_)) => return line,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_a_snapshot_then_every_change_and_signs_of_life() -> Result<(), Error> {
    let nexus = Served::start();
    let client = nexus.pilot().await;
    let policies = client.policies();
    policies.put(&document("a", "^a$", &["read"])).await?;
    let mut watch = policies.watch(None).await?;
    let Some(Ok(Line::Snapshot(Snapshot {
        store,
        generation,
        policies: all,
    }))) = watch.next().await
    else {
        unreachable!("a follower without a past begins with a snapshot")
    };
    assert_eq!(all.len(), 1);
    let policy = Policy::try_from(all[0].clone()).unwrap();
    assert_eq!((policy.rule.name.as_str(), policy.rule.path.as_str()), ("a", "^a$"));

    policies.put(&document("b", "^b$", &["read"])).await?;
    assert!(matches!(change(&mut watch).await, Line::Delta(delta)
        if delta.generation > generation && delta.put.len() == 1 && delta.put[0].name == "b"));
    policies.delete("a").await?;
    let Line::Delta(delta) = change(&mut watch).await else {
        unreachable!("a change is a delta")
    };
    assert_eq!((delta.put.len(), delta.removed), (0, vec!["a".to_owned()]));
    let beat = tokio::time::timeout(PATIENT, watch.next()).await.unwrap().unwrap()?;
    assert!(matches!(beat, Line::Heartbeat(beat) if beat.generation == delta.generation));

    let position = Position {
        store,
        generation: spike_sdk::Generation(delta.generation),
    };
    let mut again = policies.watch(Some(&position)).await?;
    assert!(
        !matches!(again.next().await, Some(Ok(Line::Snapshot(_))) | None),
        "it goes on where it was"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_follow_the_policies_can() -> Result<(), Error> {
    let nexus = Served::start();
    let (pilot, app) = (nexus.pilot().await, nexus.client("/app").await);
    assert!(matches!(app.policies().watch(None).await, Err(Error::Denied)));
    pilot
        .policies()
        .put(&document("feed", "^spike/system/acl$", &["read", "list"]))
        .await?;
    assert!(app.policies().watch(None).await.is_ok());
    assert!(
        nexus
            .client("/spike/ext-authz")
            .await
            .policies()
            .watch(None)
            .await
            .is_ok()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_all_come_back() {
    let nexus = Served::start();
    let client = nexus.pilot().await;
    client.put_secret(PATH, [("k", "v")]).await.unwrap();
    let calls = (0..100).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.get_secret(PATH).await.map(|secret| secret.data.len()) })
    });
    let mut came_back = 0;
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(60), call)
                .await
                .unwrap()
                .unwrap()
                .unwrap(),
            1
        );
        came_back += 1;
    }
    assert_eq!(came_back, 100);
}
