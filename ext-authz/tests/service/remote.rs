//! Apart from Nexus: changes over the feed, staleness when it falls silent, recovery when it is back.
use std::sync::Arc;
use std::time::{Duration, Instant};

use spike_ext_authz::feed::remote::{Follower, RemoteNexus};
use spike_ext_authz::feed::{Lease, OnStale};
use spike_ext_authz::metrics::FeedMetrics;
use spike_identity::authority::TestAuthority;
use spike_policy::TrustRoots;
use spike_runtime::metrics::Registry;
use spike_runtime::{CancellationToken, Clock, SystemClock};

use crate::harness::{Node, Service, Verdict, check, document, get};

const MAX_AGE: Duration = Duration::from_secs(2);
const PILOT: &str = "/spike/pilot/role/superuser";

/// A service that follows this Nexus.
fn follow(node: &Node, stop: &CancellationToken) -> Service {
    let metrics = FeedMetrics::register(&Registry::new("test", "0"));
    let clock = SystemClock::shared();
    let lease = Arc::new(Lease::new(MAX_AGE, OnStale::Deny, metrics.served_stale.clone(), clock));
    let roots = TrustRoots::parse("example.org").unwrap();
    let upstream = RemoteNexus::new(node.url(), roots, node.identity("/spike/ext-authz"));
    tokio::spawn(Follower::new(upstream, Arc::clone(&lease), metrics).run(stop.clone()));
    Service::start(lease)
}

/// Checks until the verdict is as wanted; how long that took.
async fn until(service: &Service, path: &str, wanted: impl Fn(&Verdict) -> bool) -> Duration {
    let mut client = service.over_uds().await;
    let start = now();
    loop {
        let verdict = check(&mut client, get(path)).await;
        if wanted(&verdict) {
            return now() - start;
        }
        assert!(now() - start < Duration::from_secs(20), "{path}: still {verdict:?}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

fn now() -> Instant {
    SystemClock.monotonic()
}

fn allowed(verdict: &Verdict) -> bool {
    verdict.0.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_arrive_within_moments() {
    let stop = CancellationToken::new();
    let (_, node) = Node::start(&TestAuthority::new("example.org").unwrap(), 0, &stop);
    let service = follow(&node, &stop);
    let operator = node.client(PILOT);
    let mut waits = Vec::new();
    for number in 0..100 {
        let name = format!("p{number}");
        operator
            .policies()
            .apply(&[document(&name, &format!("^orders/{number}$"))])
            .await
            .unwrap();
        waits.push(until(&service, &format!("/orders/{number}"), allowed).await);
        operator.policies().delete(&name).await.unwrap();
        waits.push(until(&service, &format!("/orders/{number}"), |verdict| !allowed(verdict)).await);
    }
    waits.sort_unstable();
    let (median, p99) = (waits[100], waits[197]);
    assert!(
        median < Duration::from_millis(50),
        "visible after {median:?} (median), {p99:?} (p99)"
    );
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_nexus_that_is_gone_makes_the_policies_stale_and_its_successor_makes_them_good() {
    let authority = TestAuthority::new("example.org").unwrap();
    let (stop, first) = (CancellationToken::new(), CancellationToken::new());
    let (_, node) = Node::start(&authority, 0, &first);
    let service = follow(&node, &stop);
    node.client(PILOT)
        .policies()
        .apply(&[document("a", "^orders/7$")])
        .await
        .unwrap();
    until(&service, "/orders/7", allowed).await;

    first.cancel();
    let stale = (Err(503), "policies_stale".to_owned());
    let took = until(&service, "/orders/7", |verdict| *verdict == stale).await;
    assert!(took <= MAX_AGE + Duration::from_secs(3), "{took:?}");
    let mut client = service.over_uds().await;
    for _ in 0..100 {
        assert_eq!(
            check(&mut client, get("/orders/7")).await,
            stale,
            "no allow comes back by itself"
        );
    }

    // Another store, in memory: its generations begin anew, and it knows nothing of the old policy.
    let (_, successor) = Node::start(&authority, node.port, &stop);
    until(&service, "/orders/7", |verdict| verdict.1 == "identity_unmatched").await;
    successor
        .client(PILOT)
        .policies()
        .apply(&[document("b", "^orders/8$")])
        .await
        .unwrap();
    until(&service, "/orders/8", allowed).await;
    assert_eq!(
        check(&mut client, get("/orders/7")).await,
        (Err(403), "path_unmatched".into())
    );
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_nexus_is_not_followed() {
    let authority = TestAuthority::new("example.org").unwrap();
    let stop = CancellationToken::new();
    let (_, node) = Node::start(&TestAuthority::new("example.org").unwrap(), 0, &stop);
    let service = follow(&node.to_others(&authority), &stop);
    let mut client = service.over_uds().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        check(&mut client, get("/orders/7")).await,
        (Err(503), "policies_not_loaded".into())
    );
    stop.cancel();
}
