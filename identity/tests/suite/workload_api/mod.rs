//! The Workload API: what the wait for an identity says when there is none to be had, and what every change of the
//! agent's mind does to ours.

mod agent;

use crate::ends::meet;
use crate::trust::{NEXUS, WEB, bundles_of, identity_of, new_authority};
use agent::{Agent, Answer, Entry, response};
use spike_identity::authority::{TestAuthority, TestSvid};
use spike_identity::{AcceptError, Expect, Identity, NoIdentity, Refusal, ServerOptions, SourceError, Standing};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};
use tokio::net::UnixListener;

/// For what is refused: all of it is waited for.
const SHORT: Option<Duration> = Some(Duration::from_secs(1));
/// For what happens soon: it only bounds a hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn cause(endpoint: &str) -> NoIdentity {
    match Identity::from_workload_api(Some(endpoint), SHORT).await {
        Err(SourceError::Unavailable { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_socket_is_called_missing_in_both_spellings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    for endpoint in [format!("unix://{}", path.display()), format!("unix:{}", path.display())] {
        assert_eq!(cause(&endpoint).await, NoIdentity::NoSocket);
        let text = Identity::from_workload_api(Some(&endpoint), SHORT)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            text.contains(&endpoint) && text.contains("SPIFFE_ENDPOINT_SOCKET"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(
        cause(&format!("unix://{}", path.display())).await,
        NoIdentity::NobodyListens
    );
}

#[tokio::test]
async fn a_silent_agent_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(cause(&format!("unix://{}", path.display())).await, NoIdentity::Silent);
}

#[tokio::test]
async fn a_socket_that_may_not_be_opened_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The super user may open anything; then the agent is merely silent.
    let allowed = std::os::unix::net::UnixStream::connect(&path).is_ok();
    let expected = if allowed {
        NoIdentity::Silent
    } else {
        NoIdentity::SocketForbidden
    };
    assert_eq!(cause(&format!("unix://{}", path.display())).await, expected);
}

#[tokio::test]
async fn what_is_no_address_is_refused_at_once() {
    for endpoint in [
        "",
        "/tmp/api.sock",
        "unix:api.sock",
        "unix://host/api.sock",
        "http://localhost",
        "tcp://host:1",
    ] {
        match Identity::from_workload_api(Some(endpoint), None).await {
            Err(error @ SourceError::Address { .. }) => assert!(error.to_string().contains("unix:///"), "{error}"),
            other => panic!("{endpoint}: {other:?}"),
        }
    }
}

const PERMISSION_DENIED: u32 = 7;
const UNAVAILABLE: u32 = 14;
const NOT_REGISTERED: Answer = Answer::Refusal(PERMISSION_DENIED, "no identity issued");

/// An SVID as the agent tells it, with the bundle of its trust domain.
fn entry<'a>(id: &'a str, svid: &'a TestSvid, bundle: &'a [u8]) -> Entry<'a> {
    Entry {
        id,
        chain: &svid.chain[0],
        key: &svid.key,
        bundle,
    }
}

fn issued(authority: &TestAuthority, path: &str) -> Answer {
    let svid = authority.svid(path).unwrap();
    response(
        &[entry(&format!("spiffe://example.org{path}"), &svid, &authority.der())],
        &[],
    )
}

async fn identity_from(agent: &Agent) -> Identity {
    Identity::from_workload_api(Some(&agent.endpoint()), Some(PATIENCE))
        .await
        .unwrap()
}

/// An authority, an agent that issues us one of its SVIDs, and the identity that came of it.
async fn registered() -> (TestAuthority, Agent, Identity) {
    let authority = new_authority();
    let agent = Agent::start(issued(&authority, NEXUS));
    let identity = identity_from(&agent).await;
    (authority, agent, identity)
}

async fn soon(what: impl Future<Output = ()>) {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long");
}

/// Waits until something about the identity is so, on the signal of its own rotations.
async fn until(identity: &Identity, so: impl Fn(&Identity) -> bool) {
    let mut rotations = identity.rotations();
    soon(async {
        while !so(identity) {
            assert!(rotations.changed().await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_the_agent_is_told_in_words_that_help() {
    let agent = Agent::start(NOT_REGISTERED);
    let table = [
        (NOT_REGISTERED, NoIdentity::NotRegistered),
        (
            Answer::Refusal(PERMISSION_DENIED, "not you"),
            NoIdentity::Denied("not you".to_owned()),
        ),
    ];
    for (answer, expected) in table {
        agent.say(answer);
        assert_eq!(cause(&agent.endpoint()).await, expected);
    }
    let text = Identity::from_workload_api(Some(&agent.endpoint()), SHORT)
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("not you"), "{text}");
    agent.say(Answer::Refusal(UNAVAILABLE, "starting"));
    assert!(matches!(cause(&agent.endpoint()).await, NoIdentity::Other(text) if text.contains("starting")));
    assert!(agent.asked() > 4, "it asks again while it waits");
}

#[tokio::test]
async fn an_identity_that_comes_late_is_waited_for() {
    let authority = new_authority();
    let agent = Agent::start(NOT_REGISTERED);
    let endpoint = agent.endpoint();
    let waiting = tokio::spawn(async move { Identity::from_workload_api(Some(&endpoint), None).await });
    soon(async {
        while agent.asked() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    agent.say(issued(&authority, NEXUS));
    let identity = waiting.await.unwrap().unwrap();
    assert_eq!(identity.spiffe_id().as_str(), "spiffe://example.org/spike/nexus");
    assert_eq!(identity.trust_domains(), ["example.org"]);
    assert_eq!(identity.standing(SystemTime::now()), Standing::Good);
}

#[tokio::test]
async fn the_first_of_several_svids_is_ours_and_federated_bundles_count() {
    let (ours, partner) = (new_authority(), TestAuthority::new("partner.org").unwrap());
    let (first, second) = (ours.svid(NEXUS).unwrap(), ours.svid("/other").unwrap());
    let bundle = ours.der();
    let entries = [
        entry("spiffe://example.org/spike/nexus", &first, &bundle),
        entry("spiffe://example.org/other", &second, &bundle),
    ];
    let answer = response(&entries, &[("spiffe://partner.org", &partner.der())]);
    let agent = Agent::start(answer);
    let identity = identity_from(&agent).await;
    assert_eq!(identity.spiffe_id().path(), NEXUS);
    assert_eq!(identity.trust_domains(), ["example.org", "partner.org"]);

    let guest = identity_of(&partner, WEB, &bundles_of(&[&ours, &partner]));
    let server = identity.acceptor(ServerOptions::new(&[]));
    let client = guest.connector(Expect::Any);
    assert_eq!(
        meet(&client, &server).await.1.unwrap().id().as_str(),
        "spiffe://partner.org/web"
    );
    agent.say(response(&entries, &[]));
    until(&identity, |identity| identity.trust_domains() == ["example.org"]).await;
    let refused = meet(&client, &server).await.1.unwrap_err();
    assert!(
        matches!(refused, AcceptError::Refused(Refusal::UnknownTrustDomain(_))),
        "{refused}"
    );
}

#[tokio::test]
async fn every_rotation_of_the_agent_reaches_the_next_handshake() {
    let (authority, agent, identity) = registered().await;
    let server = identity.acceptor(ServerOptions::new(&[]));
    let client = authority.identity(WEB).unwrap().connector(Expect::Any);
    for round in 0..20 {
        let path = format!("/spike/nexus/{round}");
        agent.say(issued(&authority, &path));
        until(&identity, |identity| identity.spiffe_id().path() == path).await;
        let (seen, accepted) = meet(&client, &server).await;
        accepted.unwrap();
        assert_eq!(seen.unwrap().id().path(), path);
    }
    assert_eq!(identity.revision(), 20);
}

#[tokio::test]
async fn an_agent_that_changes_its_mind_takes_our_identity_away_and_gives_it_back() {
    let (authority, agent, identity) = registered().await;
    let server = identity.acceptor(ServerOptions::new(&[]));
    let client = authority.identity(WEB).unwrap().connector(Expect::Any);
    meet(&client, &server).await.1.unwrap();
    agent.say(NOT_REGISTERED);
    until(&identity, |identity| {
        identity.standing(SystemTime::now()) == Standing::Withdrawn
    })
    .await;
    assert!(matches!(
        meet(&client, &server).await.1,
        Err(AcceptError::NoIdentity(Standing::Withdrawn))
    ));
    agent.say(issued(&authority, NEXUS));
    until(&identity, |identity| {
        identity.standing(SystemTime::now()) == Standing::Good
    })
    .await;
    meet(&client, &server).await.1.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_gone_is_outlived_and_found_again_within_two_seconds() {
    let (authority, mut agent, identity) = registered().await;
    let server = identity.acceptor(ServerOptions::new(&[]));
    let client = authority.identity(WEB).unwrap().connector(Expect::Any);
    agent.stop().await;
    for _ in 0..3 {
        meet(&client, &server).await.1.unwrap();
    }
    agent.say(issued(&authority, "/spike/nexus/again"));
    agent.restart();
    until(&identity, |identity| {
        identity.spiffe_id().path() == "/spike/nexus/again"
    })
    .await;
    meet(&client, &server).await.1.unwrap();
}

#[tokio::test]
async fn an_svid_that_cannot_be_used_changes_the_bundles_but_not_us() {
    let (old, agent, identity) = registered().await;
    let new = new_authority();
    let before = identity.not_after();
    let mixed = TestSvid {
        key: new.svid("/x").unwrap().key,
        ..new.svid_for("/x", Duration::from_secs(9)).unwrap()
    };
    agent.say(response(&[entry("spiffe://example.org/x", &mixed, &new.der())], &[]));
    until(&identity, |identity| identity.revision() == 1).await;
    assert_eq!((identity.not_after(), identity.spiffe_id().path()), (before, NEXUS));
    let server = identity.acceptor(ServerOptions::new(&[]));
    let refused = meet(&old.identity(WEB).unwrap().connector(Expect::Any), &server)
        .await
        .1;
    assert!(
        matches!(refused, Err(AcceptError::Refused(Refusal::Untrusted(_)))),
        "the old authority is gone"
    );
}

#[tokio::test]
async fn dropping_the_identity_ends_the_feed() {
    let (_authority, _agent, identity) = registered().await;
    let mut rotations = identity.rotations();
    drop(identity);
    soon(async { while rotations.changed().await {} }).await;
}
