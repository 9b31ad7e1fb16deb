//! Nexus and ext-authz apart: the policy feed, its lease, and Envoy reaching ext-authz over mTLS.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use spike_integration::{Checker, Decision, Mesh, MeshOptions};
use spike_policy::PolicyDocument;

const WEB: &str = "spiffe://example.org/workload/web";
const CHANGES: usize = 100;
const LIMIT: Duration = Duration::from_secs(20);

fn policy(path: &str) -> PolicyDocument {
    PolicyDocument {
        name: "web-reads".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/workload/web$".to_owned(),
        path_pattern: path.to_owned(),
        permissions: vec!["read".to_owned()],
    }
}

/// Asks until the answer is as wanted; how long that took.
async fn until(checker: &mut Checker, path: &str, wanted: impl Fn(&Decision) -> bool) -> Duration {
    let started = Instant::now();
    loop {
        let decision = checker
            .check(WEB, "GET", path)
            .await
            .expect("an answer, whatever happens to Nexus");
        if wanted(&decision) {
            return started.elapsed();
        }
        assert!(started.elapsed() < LIMIT, "still {decision:?}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_a_separate_ext_authz_within_milliseconds() {
    let mesh = Mesh::start(MeshOptions::without_envoy().apart()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    let mut delays = Vec::new();
    for change in 0..CHANGES {
        client
            .policies()
            .put(&policy(&format!("^services/{change}$")))
            .await
            .unwrap();
        delays.push(
            until(&mut checker, &format!("/services/{change}"), |decision| {
                decision.allowed
            })
            .await,
        );
        let stale = checker
            .check(WEB, "GET", &format!("/services/{}", change + 1))
            .await
            .unwrap();
        assert!(!stale.allowed);
    }
    delays.sort_unstable();
    let median = delays[CHANGES / 2];
    assert!(
        median <= Duration::from_millis(50),
        "half of the changes took longer than {median:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nexus_dies_checks_are_denied_as_stale_and_recover_by_themselves() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy().apart()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    client.policies().put(&policy("^services/1$")).await.unwrap();
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    until(&mut checker, "/services/1", |decision| decision.allowed).await;
    mesh.separate_nexus().unwrap().kill().unwrap();
    let lasted = until(&mut checker, "/services/1", |decision| !decision.allowed).await;
    let decision = checker.check(WEB, "GET", "/services/1").await.unwrap();
    assert_eq!(decision.reason, "policies_stale");
    // The lease is 5 s and was renewed by the last heartbeat before the death; the rest is for a machine that is busy.
    assert!(
        lasted <= Duration::from_secs(8),
        "served for {lasted:?} without a heartbeat"
    );
    mesh.restart_separate_nexus().unwrap();
    until(&mut checker, "/services/1", |decision| decision.allowed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_reaches_a_remote_ext_authz_over_mutual_tls() {
    let mesh = Mesh::start(MeshOptions::default().with_envoy("edge-remote-mtls.yaml").apart())
        .await
        .unwrap();
    let client = mesh.client("pilot").await.unwrap();
    client.policies().put(&policy("^services/orders/1$")).await.unwrap();
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    until(&mut checker, "/services/orders/1", |decision| decision.allowed).await;
    let to = mesh.envoy_address().unwrap();
    let web = mesh.caller("web").await.unwrap();
    assert_eq!(web.get(to, "/1").await.unwrap().status, 200);
    assert_eq!(web.get(to, "/2").await.unwrap().status, 403);
    assert_eq!(
        mesh.caller("db").await.unwrap().get(to, "/1").await.unwrap().status,
        403
    );
    assert_eq!(mesh.upstream().targets(), [b"/1".to_vec()]);
    let line = mesh.decisions().unwrap().pop().unwrap();
    assert_eq!(line["listener"], "mtls", "{line}");

    // Only Envoys may ask: a workload that reaches the port is refused before it can ask anything.
    let stranger = web.h2(
        mesh.check_mtls_address().unwrap(),
        "POST",
        "/envoy.service.auth.v3.Authorization/Check",
        &[],
    );
    assert!(stranger.await.is_err(), "a workload spoke to the Check port");
}
