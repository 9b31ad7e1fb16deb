//! As if reloaded on every request: no Check that starts after a change was acknowledged is answered by older policies.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spike_integration::{Checker, Mesh, MeshOptions};
use spike_policy::PolicyDocument;

const WEB: &str = "spiffe://example.org/workload/web";
const CYCLES: u64 = 1_000;
const CHECKERS: usize = 4;

fn policy() -> PolicyDocument {
    PolicyDocument {
        name: "toggled".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/workload/web$".to_owned(),
        path_pattern: "^services/orders/.*$".to_owned(),
        permissions: vec!["read".to_owned()],
    }
}

/// What the writer has been told so far: the number of acknowledged changes (odd: the policy is there), and how many
/// it has begun.
#[derive(Debug, Default)]
struct Acknowledged {
    begun: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
}

/// Checks without a pause; a verdict is wrong when no state that held during the Check explains it.
async fn watch(mut checker: Checker, acknowledged: Arc<Acknowledged>) -> (u64, u64) {
    let (mut checks, mut decisive) = (0, 0);
    while !acknowledged.stop.load(Ordering::SeqCst) {
        let before = acknowledged.done.load(Ordering::SeqCst);
        let decision = checker
            .check(WEB, "GET", "/services/orders/7")
            .await
            .expect("an answer");
        let after = acknowledged.begun.load(Ordering::SeqCst);
        checks += 1;
        if before == after {
            decisive += 1;
            assert_eq!(
                decision.allowed,
                before % 2 == 1,
                "after {before} acknowledged changes: {decision:?}"
            );
        }
    }
    (checks, decisive)
}

async fn cycles(settings: &str, count: u64) -> (u64, u64) {
    let mesh = Mesh::start(MeshOptions::without_envoy().with_settings(settings))
        .await
        .unwrap();
    let client = mesh.client("pilot").await.unwrap();
    let mut own = Checker::connect(&mesh.check_socket()).await.unwrap();
    let acknowledged = Arc::new(Acknowledged::default());
    let mut watchers = Vec::new();
    for _ in 0..CHECKERS {
        let checker = Checker::connect(&mesh.check_socket()).await.unwrap();
        watchers.push(tokio::spawn(watch(checker, Arc::clone(&acknowledged))));
    }
    for cycle in 0..count {
        acknowledged.begun.fetch_add(1, Ordering::SeqCst);
        client.policies().put(&policy()).await.unwrap();
        acknowledged.done.fetch_add(1, Ordering::SeqCst);
        let decision = own.check(WEB, "GET", "/services/orders/7").await.unwrap();
        assert!(
            decision.allowed,
            "cycle {cycle}: the applied policy is in force: {decision:?}"
        );
        acknowledged.begun.fetch_add(1, Ordering::SeqCst);
        client.policies().delete("toggled").await.unwrap();
        acknowledged.done.fetch_add(1, Ordering::SeqCst);
        let decision = own.check(WEB, "GET", "/services/orders/7").await.unwrap();
        assert!(
            !decision.allowed,
            "cycle {cycle}: the deleted policy is gone: {decision:?}"
        );
    }
    acknowledged.stop.store(true, Ordering::SeqCst);
    let mut sum = (0, 0);
    for watcher in watchers {
        let (checks, decisive) = watcher.await.unwrap();
        sum = (sum.0 + checks, sum.1 + decisive);
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_changes_are_each_in_force_for_the_next_check() {
    let (checks, decisive) = cycles("", CYCLES).await;
    assert!(
        checks > CYCLES * 2,
        "only {checks} concurrent Checks: the cycles were not under load"
    );
    assert!(
        decisive > CYCLES / 10,
        "only {decisive} of {checks} Checks lay between two changes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_cache_the_verdicts_are_the_same() {
    let (checks, _) = cycles("cache: {ttl: 0s}\n", CYCLES / 10).await;
    assert!(checks > 0);
    let cached = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let fresh = Mesh::start(MeshOptions::without_envoy().with_settings("cache: {ttl: 0s}\n"))
        .await
        .unwrap();
    let mut asked = 0;
    let mut checkers = Vec::new();
    for mesh in [&cached, &fresh] {
        let policies: Vec<PolicyDocument> = (0..40)
            .map(|at| PolicyDocument {
                name: format!("p{at}"),
                spiffeid_pattern: format!(r"^spiffe://example\.org/ns/{}/", at % 7),
                path_pattern: format!("^services/{}(/[0-9]+)?$", at % 5),
                permissions: ["read", "write", "super"]
                    .iter()
                    .skip(at % 3)
                    .take(1)
                    .map(|word| (*word).to_owned())
                    .collect(),
            })
            .collect();
        mesh.client("pilot")
            .await
            .unwrap()
            .policies()
            .apply(&policies)
            .await
            .unwrap();
        checkers.push(Checker::connect(&mesh.check_socket()).await.unwrap());
    }
    let [mut cached, mut fresh] = <[Checker; 2]>::try_from(checkers).unwrap();
    for who in 0..8 {
        for path in 0..6 {
            for method in ["GET", "PUT", "LIST", "BREW"] {
                let principal = format!("spiffe://example.org/ns/{who}/sa/app");
                let target = format!("/services/{path}/7");
                let one = cached.check(&principal, method, &target).await.unwrap();
                let other = fresh.check(&principal, method, &target).await.unwrap();
                assert_eq!(
                    (one.allowed, &one.reason),
                    (other.allowed, &other.reason),
                    "{principal} {method} {target}"
                );
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 192);
}
