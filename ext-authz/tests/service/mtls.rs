//! The listener for Envoys on other machines.
use std::time::Duration;

use prost::Message;
use spike_identity::authority::TestAuthority;
use spike_identity::{Expect, Identity};
use tokio::net::TcpStream;

use crate::harness::{Memory, Raw, Service, get, policies};

async fn connect(service: &Service, identity: &Identity, alpn: &[&[u8]]) -> Option<Raw> {
    let expect = Expect::Exactly(vec!["spiffe://example.org/spike/ext-authz".parse().unwrap()]);
    let tcp = TcpStream::connect(service.mtls).await.unwrap();
    let (stream, _) = identity.connector(expect).with_alpn(alpn).connect(tcp).await.ok()?;
    Some(Raw::over(stream).await)
}

/// With TLS 1.3 a client learns of a refusal only when it reads.
async fn may_ask(service: &Service, identity: &Identity) -> bool {
    let Some(mut raw) = connect(service, identity, &[b"h2"]).await else {
        return false;
    };
    match raw.send(&get("/orders/7").encode_to_vec()).await {
        Ok(answered) => {
            assert_eq!(answered.verdict(), (Ok(()), "policy".into()));
            true
        }
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_envoys_of_the_list_may_ask() {
    let service = Service::start(Memory::new(policies(1)));
    let of = |path: &str| service.authority.identity(path).unwrap();
    assert!(may_ask(&service, &of("/envoy/edge")).await);
    for path in [
        "/envoy",
        "/envoy/",
        "/web",
        "/x/envoy/edge",
        "/envoy/edge/x",
        "/spike/pilot/role/superuser",
    ] {
        let Ok(identity) = service.authority.identity(path) else {
            continue;
        };
        assert!(!may_ask(&service, &identity).await, "{path}");
    }
    let stranger = TestAuthority::new("example.org").unwrap();
    let svid = stranger.svid("/envoy/edge").unwrap().material().unwrap();
    let foreign = Identity::from_material(&svid, service.authority.bundles().unwrap());
    assert!(!may_ask(&service, &foreign).await, "another authority's SVID");
    let lines = service.stop().await;
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["listener"], &lines[0]["caller"]),
        (&"mtls".into(), &"spiffe://example.org/envoy/edge".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_is_not_spoken() {
    let service = Service::start(Memory::new(policies(1)));
    let identity = service.authority.identity("/envoy/edge").unwrap();
    assert!(connect(&service, &identity, &[b"http/1.1"]).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_svid() {
    let service = Service::start(Memory::new(policies(1)));
    let svid = service
        .authority
        .svid_for("/envoy/edge", Duration::from_secs(2))
        .unwrap()
        .material()
        .unwrap();
    let identity = Identity::from_material(&svid, service.authority.bundles().unwrap());
    let mut raw = connect(&service, &identity, &[b"h2"]).await.unwrap();
    assert_eq!(
        raw.send(&get("/orders/7").encode_to_vec()).await.unwrap().verdict().0,
        Ok(())
    );
    let ended = async { while raw.send(&get("/orders/7").encode_to_vec()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .expect("asked to leave before the SVID ends");
}
