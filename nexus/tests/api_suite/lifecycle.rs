//! Opening, running and stopping a Nexus.
use spike_identity::authority::TestAuthority;
use spike_nexus::{Config, Context, Journal, Nexus, OpenError};
use spike_runtime::clock::FakeClock;
use spike_runtime::config::{Environment, Layers};
use spike_runtime::metrics::Registry;
use spike_runtime::{Readiness, SystemClock};
use std::path::Path;
use std::time::SystemTime;

use crate::harness::{Row, SECRETS, START, World, roles};

fn context() -> Context {
    let (readiness, _) = Readiness::new();
    Context {
        clock: SystemClock::shared(),
        registry: Registry::new("test", "0"),
        readiness,
        audit: Journal::off(),
    }
}

#[tokio::test]
async fn only_a_nexus_may_be_one() {
    let authority = TestAuthority::new("example.org").unwrap();
    for path in ["/web", "/spike/nexusx", "/spike/keeper", "/spike"] {
        let identity = authority.identity(path).unwrap();
        let error = Nexus::open(Config::in_memory(roles()), identity, context()).unwrap_err();
        let OpenError::NotANexus { .. } = &error else {
            panic!("{path}: {error}")
        };
        let text = error.to_string();
        assert!(
            text.contains(&format!("spiffe://example.org{path}`")) && text.contains("SPIKE_TRUST_ROOT_NEXUS"),
            "{text}"
        );
    }
    for path in ["/spike/nexus", "/spike/nexus/instance/1"] {
        let identity = authority.identity(path).unwrap();
        assert!(
            Nexus::open(Config::in_memory(roles()), identity, context()).is_ok(),
            "{path}"
        );
    }
    let foreign = TestAuthority::new("other.org")
        .unwrap()
        .identity("/spike/nexus")
        .unwrap();
    assert!(Nexus::open(Config::in_memory(roles()), foreign, context()).is_err());
}

#[tokio::test]
async fn a_second_nexus_on_the_same_port_says_so() {
    let world = World::new();
    let mut config = Config::in_memory(roles());
    config.listen = world.address;
    let identity = world.authority.identity("/spike/nexus").unwrap();
    let error = Nexus::open(config, identity, context()).unwrap_err().to_string();
    assert!(error.contains(&world.address.to_string()), "{error}");
}

#[tokio::test]
async fn a_nexus_is_ready_while_it_can_serve() {
    let mut world = World::with(|_| {}, &FakeClock::at(SystemTime::now()));
    world.readiness.ready().await;
    let mut changes = world.readiness.changes();
    world.identity.withdraw("entry deleted");
    changes.wait_for(|ready| !ready).await.unwrap();
    assert_eq!(world.readiness.waits_for(), ["svid"]);
    let own = world.authority.svid("/spike/nexus").unwrap().material().unwrap();
    world.identity.replace(&own, world.authority.bundles().unwrap());
    changes.wait_for(|ready| *ready).await.unwrap();
    let stray = world.authority.svid("/web").unwrap().material().unwrap();
    world.identity.replace(&stray, world.authority.bundles().unwrap());
    changes.wait_for(|ready| !ready).await.unwrap();
    world.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopping_nexus_ends_feeds_and_connections_and_then_itself() {
    let mut world = World::new();
    let mut feed = world.connect("authz").await;
    feed.write("POST /v1/acl/policy?action=watch HTTP/1.1", "", b"{}").await;
    assert_eq!(feed.head().await.unwrap().status, 200);
    let mut idle = world.connect("pilot").await;
    idle.write("POST /v1/store/secrets?action=list HTTP/1.1", "", b"{}")
        .await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let policies = world.policies.clone();
    world.stop().await.unwrap();
    while feed.line().await.is_some() {}
    assert!(idle.is_closed().await);
    assert!(policies.current().is_err(), "a closed store vouches for no policies");
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn what_is_stored_on_disk_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("listen: 127.0.0.1:0\nstore:\n  dir: {}\n", directory.path().display());
    let change = |config: &mut Config| {
        let layers = Layers::from_text("nexus.yaml", &text, Environment::default(), &[]);
        let read = Config::read(&layers.root(), None);
        layers.finish().unwrap();
        (config.listen, config.backend) = (read.listen, read.backend);
    };
    let mut first = World::with(change, &FakeClock::at_unix(START));
    first.grant("web", "/web", "^app/", "read").await;
    first
        .check(&[Row(
            "pilot",
            SECRETS,
            r#"{"path":"app/a","values":{"k":"canary"}}"#,
            200,
            "{}",
        )])
        .await;
    first.stop().await.unwrap();
    drop(first);
    let second = World::with(change, &FakeClock::at_unix(START));
    let get = "/v1/store/secrets?action=get";
    second
        .check(&[Row(
            "/web",
            get,
            r#"{"path":"app/a"}"#,
            200,
            r#"{"data":{"k":"canary"}}"#,
        )])
        .await;
    assert_eq!(second.policies.current().unwrap().generation().0, 1);
    assert_eq!(second.policies.reload().unwrap().len(), 1);
}

#[test]
fn the_sample_configuration_is_read_without_a_fault() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/nexus.yaml");
    let layers = Layers::load(Some(&file), Environment::default(), &[]);
    let root = layers.root();
    let config = Config::read(&root.section("nexus"), None);
    for section in ["identity", "admin", "drain", "log"] {
        let section = root.section(section);
        for key in ["socket", "wait", "listen", "notice", "deadline", "level", "format"] {
            drop(section.key(key).string().optional());
        }
    }
    drop(spike_audit::Settings::read(
        &root.section("audit"),
        spike_audit::Target::Stderr,
    ));
    let effective = layers.finish().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.listen.port(), Config::PORT);
    assert!(
        effective
            .values()
            .iter()
            .any(|value| value.key == "nexus.store.backend")
    );
}

#[tokio::test]
async fn what_the_store_does_shows_in_the_metrics() {
    let world = World::new();
    world.grant("reads", "/web", "^a$", "read").await;
    let refused = world
        .post("pilot", "/v1/acl/policy?action=delete", r#"{"id":"nobody"}"#)
        .await;
    assert_ne!(refused.status, 200);
    let metrics = world.registry.encode().unwrap();
    for line in [
        "spike_store_commit_seconds_count 1",
        r#"spike_store_jobs_total{outcome="committed"} 1"#,
        r#"spike_store_jobs_total{outcome="refused"} 1"#,
        r#"spike_store_jobs_total{outcome="failed"} 0"#,
        r#"spike_store_jobs_total{outcome="unknown"} 0"#,
        r#"spike_records_refused_total{table="policies"} 0"#,
        r#"spike_records_refused_total{table="secret_values"} 0"#,
    ] {
        assert!(
            metrics.lines().any(|have| have == line),
            "`{line}` is missing in\n{metrics}"
        );
    }
    for name in ["spike_store_bytes ", "spike_seals_total "] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        assert!(value.parse::<f64>().unwrap() > 0.0, "{name}{value}");
    }
}
