//! Limits and the life of connections.
use std::time::{Duration, SystemTime};

use spike_identity::Identity;
use spike_identity::authority::TestAuthority;
use spike_runtime::clock::FakeClock;

use crate::harness::{Row, SECRETS, START, World};

const LIST: &str = "POST /v1/store/secrets?action=list HTTP/1.1";

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let world = World::new();
    let mut connection = world.connect("pilot").await;
    for _ in 0..50 {
        connection.write(LIST, "", b"{}").await;
        assert_eq!(connection.answer().await.unwrap().text(), r#"{"keys":[]}"#);
    }
    let metrics = world.registry.encode().unwrap();
    assert!(
        metrics.contains(r#"spike_api_requests_total{route="secret.list",status="200"} 50"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"spike_tls_handshakes_total{outcome="ok"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"spike_connections{listener="nexus"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_live_connection_ends_with_the_certificate() {
    let clock = FakeClock::at(SystemTime::now());
    let world = World::with(|_| {}, &clock);
    let mut connection = world.connect("pilot").await;
    connection.write(LIST, "", b"{}").await;
    assert_eq!(connection.answer().await.unwrap().status, 200);
    clock.advance(Duration::from_secs(2 * 3600));
    connection.write(LIST, "", b"{}").await;
    assert!(
        connection.answer().await.is_none(),
        "an expired certificate was answered"
    );
}

#[tokio::test]
async fn an_idle_connection_ends_with_the_certificate_too() {
    let world = World::new();
    let svid = world.authority.svid_for("/web", Duration::from_secs(3)).unwrap();
    let identity = Identity::from_material(&svid.material().unwrap(), world.authority.bundles().unwrap());
    let mut connection = world.connect_as(&identity).await.unwrap();
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_live_connection_ends_when_its_authority_leaves_the_bundle() {
    // A changed bundle has certificates verified again, so this Nexus must live when they are valid.
    let world = World::with(|_| {}, &FakeClock::at(SystemTime::now()));
    let other = TestAuthority::new("example.org").unwrap();
    let mut both = world.authority.bundles().unwrap();
    other.join(&mut both).unwrap();
    let own = world.authority.svid("/spike/nexus").unwrap().material().unwrap();
    world.identity.replace(&own, both.clone());
    let stays = world.identity_of("pilot");
    let svid = other.svid("/spike/pilot/ada").unwrap();
    let goes = Identity::from_material(&svid.material().unwrap(), both);
    let (mut staying, mut going) = (
        world.connect_as(&stays).await.unwrap(),
        world.connect_as(&goes).await.unwrap(),
    );
    for connection in [&mut staying, &mut going] {
        connection.write(LIST, "", b"{}").await;
        assert_eq!(connection.answer().await.unwrap().status, 200);
    }
    world.identity.replace(&own, world.authority.bundles().unwrap());
    going.write(LIST, "", b"{}").await;
    assert!(
        going.answer().await.is_none(),
        "an identity of a removed authority was answered"
    );
    staying.write(LIST, "", b"{}").await;
    assert_eq!(staying.answer().await.unwrap().status, 200);
    assert!(world.connect_as(&goes).await.is_err() || new_connection_is_refused(&world, &goes).await);
}

/// With TLS 1.3 a client learns of its refusal only when it reads.
async fn new_connection_is_refused(world: &World, identity: &Identity) -> bool {
    match world.connect_as(identity).await {
        Err(_) => true,
        Ok(mut connection) => connection.is_closed().await,
    }
}

#[tokio::test]
async fn foreign_and_expired_identities_get_no_connection() {
    let world = World::new();
    let foreign = TestAuthority::new("example.org").unwrap();
    let expired = world
        .authority
        .svid_for("/spike/pilot/role/superuser", Duration::ZERO)
        .unwrap();
    let bundles = world.authority.bundles().unwrap();
    let foreign = foreign.svid("/spike/pilot/role/superuser").unwrap();
    for svid in [foreign, expired] {
        let identity = Identity::from_material(&svid.material().unwrap(), bundles.clone());
        assert!(new_connection_is_refused(&world, &identity).await);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_bad_request() {
    let small = |config: &mut spike_nexus::Config| config.limits.body_bytes = 4096;
    let world = World::with(small, &FakeClock::at_unix(START));
    let body = |size: usize| {
        let frame = r#"{"path":"a","values":{"k":""}}"#.len();
        format!(r#"{{"path":"a","values":{{"k":"{}"}}}}"#, "v".repeat(size - frame))
    };
    let rows = [
        Row("pilot", SECRETS, &body(4096), 200, "{}"),
        Row("pilot", SECRETS, &body(4097), 400, r#"{"err":"api_bad_request"}"#),
        Row("pilot", SECRETS, &body(100_000), 400, r#"{"err":"api_bad_request"}"#),
    ];
    assert_eq!(world.check(&rows).await, 3);
    // Without an announced length the limit counts what comes.
    let mut connection = world.connect("pilot").await;
    let head = format!("POST {SECRETS} HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n");
    connection.write_raw(head.as_bytes()).await;
    connection.write_raw(&[b' '; 0x1000]).await;
    connection.write_raw(b"\r\n1\r\n \r\n0\r\n\r\n").await;
    assert_eq!(connection.answer().await.unwrap().status, 400);
}

#[tokio::test]
async fn a_chunked_body_is_read_whole() {
    let world = World::new();
    let mut connection = world.connect("pilot").await;
    let head = format!("POST {SECRETS}?action=list HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.write_raw(head.as_bytes()).await;
    connection.write_raw(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").await;
    assert_eq!(connection.answer().await.unwrap().text(), r#"{"keys":[]}"#);
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_do_not_hold_a_connection() {
    let hasty = |config: &mut spike_nexus::Config| {
        config.limits.header = Duration::from_secs(1);
        config.limits.body = Duration::from_secs(1);
    };
    let world = World::with(hasty, &FakeClock::at_unix(START));
    let mut slow_head = world.connect("pilot").await;
    slow_head.write_raw(b"POST /v1").await;
    let mut silent = world.connect("pilot").await;
    let mut slow_body = world.connect("pilot").await;
    slow_body
        .write_raw(format!("POST {SECRETS} HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\n{{").as_bytes())
        .await;
    let answer = slow_body.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, r#"{"err":"api_bad_request"}"#)
    );
    assert!(silent.is_closed().await);
    // A head that never ends is told so (408) or just closed.
    assert!(slow_head.answer().await.is_none_or(|answer| answer.status == 408));
}

#[tokio::test]
async fn one_peer_has_only_so_many_connections_and_all_have_only_so_many() {
    let few = |config: &mut spike_nexus::Config| {
        config.limits.connections_per_peer = 2;
        config.limits.connections = 4;
    };
    let world = World::with(few, &FakeClock::at_unix(START));
    let works = async |who: &str| {
        let Ok(mut connection) = world.connect_as(&world.identity_of(who)).await else {
            return None;
        };
        connection.write(LIST, "", b"{}").await;
        connection.answer().await.map(|_| connection)
    };
    let feed = async || {
        let mut connection = world.connect("pilot").await;
        connection
            .write("POST /v1/acl/policy?action=watch HTTP/1.1", "", b"{}")
            .await;
        assert_eq!(connection.head().await.unwrap().status, 200);
        connection
    };
    let first = feed().await;
    let mut idle = works("pilot").await.unwrap();
    let newer = works("pilot").await.unwrap();
    assert!(
        idle.is_closed().await,
        "the idle connection gives way to a third one of the same peer"
    );
    drop(newer);
    let second = feed().await;
    assert!(works("pilot").await.is_none(), "what is in use does not give way");
    let (third, fourth) = (works("ada").await, works("/web").await);
    assert!(third.is_some() && fourth.is_some());
    assert!(works("/other").await.is_none(), "a fifth connection in all");
    drop((first, second, third));
    // The places come back when the server has seen the connections end.
    let mut again = None;
    for _ in 0..200 {
        again = works("/other").await;
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(again.is_some(), "places are given back");
}

#[tokio::test]
async fn http_2_is_served_to_those_who_offer_it() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let world = World::new();
    let expect = spike_identity::Expect::Nexus(spike_policy::TrustRoots::parse("example.org").unwrap());
    let tls = world.identity_of("pilot").connector(expect).with_alpn(&[b"h2"]);
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(tls.https());
    for _ in 0..3 {
        let request = http::Request::post(format!("https://{}/v1/store/secrets?action=list", world.address))
            .body(Full::from("{}"))
            .unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (200, http::Version::HTTP_2)
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], br#"{"keys":[]}"#);
    }
    let metrics = world.registry.encode().unwrap();
    assert!(
        metrics.contains(r#"spike_tls_handshakes_total{outcome="ok"} 1"#),
        "{metrics}"
    );
}
