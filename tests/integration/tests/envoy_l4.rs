//! Connections that are not HTTP, through the real Envoy: identity and SNI decide, and a denied one never opens the
//! upstream.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use spike_identity::Expect;
use spike_integration::{Mesh, MeshOptions};
use spike_policy::PolicyDocument;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connects as `identity`, naming `sni`, says something and returns what comes back.
async fn talk(mesh: &Mesh, identity: &str, sni: &str) -> Vec<u8> {
    let tcp = TcpStream::connect(mesh.envoy_address().unwrap()).await.unwrap();
    let tls = mesh.caller(identity).await.unwrap().identity().connector(Expect::Any);
    let (mut stream, _) = tls.connect_to(sni, tcp).await.unwrap();
    let mut answer = Vec::new();
    // A denied connection is closed with an alert, which may come while we still write or read: nothing comes back.
    let sent = stream.write_all(b"PING HTTP/1.1\r\n\r\n").await;
    if sent.is_ok() {
        let mut chunk = [0; 1024];
        if let Ok(read) = stream.read(&mut chunk).await {
            answer.extend_from_slice(chunk.get(..read).unwrap());
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_and_sni_decide_a_connection() {
    let mesh = Mesh::start(MeshOptions::default().with_envoy("l4.yaml")).await.unwrap();
    let policy = PolicyDocument {
        name: "web-reaches-db".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/workload/web$".to_owned(),
        path_pattern: r"^tcp/orders\.db$".to_owned(),
        permissions: vec!["execute".to_owned()],
    };
    mesh.client("pilot")
        .await
        .unwrap()
        .policies()
        .put(&policy)
        .await
        .unwrap();
    for (identity, sni, allowed, reason) in [
        ("web", "orders.db", true, ""),
        ("web", "users.db", false, "path_unmatched"),
        ("batch", "orders.db", false, "identity_unmatched"),
    ] {
        let answer = talk(&mesh, identity, sni).await;
        assert_eq!(
            answer.starts_with(b"HTTP/1.1 200"),
            allowed,
            "{identity} {sni}: {answer:?}"
        );
        let line = mesh.decision(mesh.decisions().unwrap().len() - 1).unwrap();
        assert_eq!(line["resource"], format!("tcp/{sni}"), "{line}");
        assert_eq!(line["permission"], "execute", "{line}");
        if !allowed {
            assert_eq!(line["reason"], reason, "{line}");
        }
    }
    assert_eq!(
        mesh.upstream().heads().len(),
        1,
        "only the allowed connection reached the upstream"
    );
}
