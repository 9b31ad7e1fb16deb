//! Design §6: no Check that starts after a change was acknowledged is answered by the older policies.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spike_ext_authz::feed::embedded::Embedded;
use spike_identity::authority::TestAuthority;
use spike_policy::{Generation, PolicyDocument, PolicySet};
use spike_runtime::CancellationToken;
use spike_sdk::Client;

use crate::harness::{Memory, Node, Options, Service, ask, check, document, get, policy};

/// Even generations allow, odd ones do not.
fn generation(number: u64) -> PolicySet {
    let allow = policy("orders", r"^spiffe://example\.org/web$", "^orders/.*$", &["read"]);
    PolicySet::new(Generation(number), number.is_multiple_of(2).then(|| Arc::new(allow)))
}

/// Checks all the time. One that ran while no change was under way must agree with the last acknowledged generation;
/// how many of those there were.
async fn watch(service: &Service, acknowledged: &AtomicU64, begun: &AtomicU64, done: &AtomicBool) -> u64 {
    let mut client = service.over_uds().await;
    let mut checks = 0;
    while !done.load(Ordering::SeqCst) {
        let from = acknowledged.load(Ordering::SeqCst);
        let (verdict, reason) = check(&mut client, get("/orders/7")).await;
        let to = begun.load(Ordering::SeqCst);
        if from == to {
            assert_eq!(verdict.is_ok(), from.is_multiple_of(2), "generation {from}: {reason}");
            checks += 1;
        }
    }
    checks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_changes_in_memory_are_each_in_force_for_the_next_check() {
    let source = Memory::new(generation(0));
    let service = Arc::new(Service::start(source.clone()));
    let shared = Arc::new((AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false)));
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let (service, shared) = (Arc::clone(&service), Arc::clone(&shared));
            tokio::spawn(async move { watch(&service, &shared.0, &shared.1, &shared.2).await })
        })
        .collect();
    let mut client = service.over_uds().await;
    for number in 1..=1_000 {
        shared.1.store(number, Ordering::SeqCst);
        source.set(Ok(generation(number)));
        shared.0.store(number, Ordering::SeqCst);
        let (verdict, reason) = check(&mut client, get("/orders/7")).await;
        assert_eq!(
            verdict.is_ok(),
            number.is_multiple_of(2),
            "generation {number}: {reason}"
        );
    }
    shared.2.store(true, Ordering::SeqCst);
    let mut checks = 0;
    for watcher in watchers {
        checks += watcher.await.unwrap();
    }
    assert!(checks > 200, "{checks} concurrent Checks are too few to show anything");
}

fn orders() -> PolicyDocument {
    document("orders", "^orders/.*$")
}

async fn change(client: &Client, number: u64) {
    if number.is_multiple_of(2) {
        client.policies().apply(&[orders()]).await.unwrap();
    } else {
        client.policies().delete("orders").await.unwrap();
    }
}

/// A Nexus in memory: its policies as a co-located service sees them, and a client that may do everything.
fn nexus(stop: &CancellationToken) -> (Embedded, Client) {
    let (policies, node) = Node::start(&TestAuthority::new("example.org").unwrap(), 0, stop);
    (Embedded::new(policies), node.client("/spike/pilot/role/superuser"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_changes_through_nexus_are_each_in_force_once_they_are_acknowledged() {
    let stop = CancellationToken::new();
    let (source, operator) = nexus(&stop);
    change(&operator, 0).await;
    let service = Arc::new(Service::start(Arc::new(source)));
    let shared = Arc::new((AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false)));
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let (service, shared) = (Arc::clone(&service), Arc::clone(&shared));
            tokio::spawn(async move { watch(&service, &shared.0, &shared.1, &shared.2).await })
        })
        .collect();
    let mut client = service.over_uds().await;
    for number in 1..=1_000 {
        shared.1.store(number, Ordering::SeqCst);
        change(&operator, number).await;
        shared.0.store(number, Ordering::SeqCst);
        let (verdict, reason) = check(&mut client, get("/orders/7")).await;
        assert_eq!(
            verdict.is_ok(),
            number.is_multiple_of(2),
            "generation {number}: {reason}"
        );
    }
    shared.2.store(true, Ordering::SeqCst);
    let mut checks = 0;
    for watcher in watchers {
        checks += watcher.await.unwrap();
    }
    assert!(checks > 200, "{checks} concurrent Checks are too few to show anything");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_the_store_for_every_check_gives_the_same_verdicts_as_the_cache() {
    let stop = CancellationToken::new();
    let (source, operator) = nexus(&stop);
    let cached = Service::start(Arc::new(source.clone()));
    let fresh = Service::with(
        Arc::new(source),
        Options {
            more: "cache: {ttl: 0s}\n",
            ..Options::default()
        },
    );
    let (mut cached_client, mut fresh_client) = (cached.over_uds().await, fresh.over_uds().await);
    let mut tried = 0;
    for number in 0..20 {
        change(&operator, number).await;
        for who in ["web", "batch", "spike/pilot/role/superuser"] {
            for (method, path) in [
                ("GET", "/orders/7"),
                ("PUT", "/orders/7"),
                ("GET", "/stock/1"),
                ("GET", "/a/../b"),
            ] {
                let request = ask(&format!("spiffe://example.org/{who}"), method, path);
                let cached = check(&mut cached_client, request.clone()).await;
                assert_eq!(
                    check(&mut fresh_client, request).await,
                    cached,
                    "{number} {who} {method} {path}"
                );
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 240);
    stop.cancel();
}

#[tokio::test]
async fn a_closed_nexus_is_a_denial() {
    let stop = CancellationToken::new();
    let (source, _operator) = nexus(&stop);
    let service = Service::start(Arc::new(source));
    let mut client = service.over_uds().await;
    stop.cancel();
    loop {
        let (verdict, reason) = check(&mut client, get("/orders/7")).await;
        match reason.as_str() {
            "identity_unmatched" => assert_eq!(verdict, Err(403)),
            other => {
                assert_eq!((verdict, other), (Err(503), "policies_not_loaded"));
                break;
            }
        }
    }
}
