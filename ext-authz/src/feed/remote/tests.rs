#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use std::sync::Mutex;
use std::time::SystemTime;

use spike_runtime::clock::{Clock, FakeClock};
use spike_runtime::metrics::{Counter, Registry};
use spike_wire::feed::{Delta, Heartbeat};
use tokio::sync::mpsc;

use super::*;
use crate::feed::book::tests::{allows, policy, snapshot};
use crate::feed::{OnStale, Source, Unavailable};

type Lines = mpsc::UnboundedReceiver<Result<Line, FeedError>>;

/// Feeds prepared by the test, and where each was asked to begin.
struct Prepared {
    feeds: mpsc::UnboundedReceiver<Lines>,
    asked: Arc<Mutex<Vec<Option<Position>>>>,
}

impl Feed for Lines {
    async fn next(&mut self) -> Option<Result<Line, FeedError>> {
        self.recv().await
    }
}

impl Upstream for Prepared {
    type Feed = Lines;

    async fn open(&mut self, from: Option<Position>) -> Result<Lines, FeedError> {
        self.asked.lock().unwrap().push(from);
        match self.feeds.recv().await {
            Some(feed) => Ok(feed),
            None => std::future::pending().await,
        }
    }
}

struct Fixture {
    lease: Arc<Lease>,
    metrics: FeedMetrics,
    clock: FakeClock,
    feeds: mpsc::UnboundedSender<Lines>,
    asked: Arc<Mutex<Vec<Option<Position>>>>,
    stop: CancellationToken,
    served_stale: Counter,
}

fn follow(on_stale: OnStale) -> Fixture {
    follow_for(on_stale, Duration::from_secs(60))
}

fn follow_for(on_stale: OnStale, patience: Duration) -> Fixture {
    let clock = FakeClock::at(SystemTime::UNIX_EPOCH);
    let metrics = FeedMetrics::register(&Registry::new("test", "0"));
    let served_stale = metrics.served_stale.clone();
    let lease = Arc::new(Lease::new(
        Duration::from_secs(5),
        on_stale,
        served_stale.clone(),
        clock.shared(),
    ));
    let (feeds, opened) = mpsc::unbounded_channel();
    let asked = Arc::default();
    let upstream = Prepared {
        feeds: opened,
        asked: Arc::clone(&asked),
    };
    let stop = CancellationToken::new();
    let follower = Follower {
        patience,
        ..Follower::new(upstream, Arc::clone(&lease), metrics.clone())
    };
    tokio::spawn(follower.run(stop.clone()));
    Fixture {
        lease,
        metrics,
        clock,
        feeds,
        asked,
        stop,
        served_stale,
    }
}

impl Fixture {
    fn open(&self) -> mpsc::UnboundedSender<Result<Line, FeedError>> {
        let (lines, feed) = mpsc::unbounded_channel();
        self.feeds.send(feed).unwrap();
        lines
    }

    /// Waits until the follower has counted that many of an event.
    async fn until(&self, event: &'static str, count: u64) {
        let counter = Counter::clone(&self.metrics.events.get_or_create(&[("event", event)]));
        while counter.get() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn allows(&self, path: &str) -> bool {
        allows(&self.lease.load().unwrap(), path)
    }
}

fn all(store: &str, generation: u64, names: &[&str]) -> Line {
    Line::Snapshot(snapshot(
        store,
        generation,
        names.iter().map(|name| policy(name, name)).collect(),
    ))
}

fn beat(generation: u64) -> Line {
    Line::Heartbeat(Heartbeat { generation })
}

fn change(generation: u64, put: &[&str], removed: &[&str]) -> Line {
    let put = put.iter().map(|name| policy(name, name)).collect();
    Line::Delta(Delta {
        generation,
        put,
        removed: removed.iter().map(|name| (*name).to_owned()).collect(),
    })
}

#[tokio::test]
async fn snapshots_and_deltas_are_in_force_as_they_arrive() {
    let fixture = follow(OnStale::Deny);
    assert_eq!(fixture.lease.load().unwrap_err(), Unavailable::NotLoaded);
    let lines = fixture.open();
    lines.send(Ok(all("s", 3, &["a"]))).unwrap();
    fixture.until("snapshot", 1).await;
    assert!(fixture.allows("a") && !fixture.allows("b"));
    lines.send(Ok(change(4, &["b"], &["a"]))).unwrap();
    fixture.until("delta", 1).await;
    assert!(fixture.allows("b") && !fixture.allows("a"));
    fixture.stop.cancel();
}

#[tokio::test]
async fn silence_makes_the_policies_stale_and_a_heartbeat_of_their_generation_makes_them_good_again() {
    let fixture = follow(OnStale::Deny);
    let lines = fixture.open();
    lines.send(Ok(all("s", 3, &["a"]))).unwrap();
    fixture.until("snapshot", 1).await;
    fixture.clock.advance(Duration::from_secs(5));
    assert!(fixture.allows("a"));
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.lease.load().unwrap_err(), Unavailable::Stale);
    assert_eq!(fixture.lease.age(), Duration::from_millis(5_001));
    fixture.clock.set_wall(SystemTime::UNIX_EPOCH);
    assert_eq!(
        fixture.lease.load().unwrap_err(),
        Unavailable::Stale,
        "the wall clock does not count"
    );
    lines.send(Ok(beat(3))).unwrap();
    fixture.until("heartbeat", 1).await;
    assert!(fixture.allows("a"));
}

#[tokio::test]
async fn an_operator_may_choose_to_serve_stale_policies_and_it_is_counted() {
    let fixture = follow(OnStale::Serve);
    let lines = fixture.open();
    lines.send(Ok(all("s", 3, &["a"]))).unwrap();
    fixture.until("snapshot", 1).await;
    assert!(fixture.allows("a"));
    assert_eq!(fixture.served_stale.get(), 0);
    fixture.clock.advance(Duration::from_secs(60));
    assert!(fixture.allows("a"));
    assert_eq!(fixture.served_stale.get(), 1);
    assert!(fixture.lease.look().is_ok(), "whoever only looks is not counted");
    assert_eq!(fixture.served_stale.get(), 1);
}

#[tokio::test]
async fn a_broken_feed_goes_on_where_it_was() {
    let fixture = follow(OnStale::Deny);
    let lines = fixture.open();
    lines.send(Ok(all("s", 3, &["a"]))).unwrap();
    lines.send(Err("cut".into())).unwrap();
    fixture.until("disconnect", 1).await;
    let lines = fixture.open();
    lines.send(Ok(change(4, &["b"], &[]))).unwrap();
    fixture.until("delta", 1).await;
    assert!(fixture.allows("a") && fixture.allows("b"));
    let asked = fixture.asked.lock().unwrap().clone();
    let at_3 = Position {
        store: "s".to_owned(),
        generation: Generation(3),
    };
    assert_eq!(asked, [None, Some(at_3)]);
}

#[tokio::test]
async fn a_line_that_does_not_fit_leads_to_a_new_snapshot_and_does_not_extend_the_lease() {
    for misfit in [beat(9), beat(2), change(3, &["x"], &[]), change(1, &["x"], &[])] {
        let fixture = follow(OnStale::Deny);
        let lines = fixture.open();
        lines.send(Ok(all("s", 3, &["a"]))).unwrap();
        fixture.until("snapshot", 1).await;
        fixture.clock.advance(Duration::from_secs(4));
        lines.send(Ok(misfit)).unwrap();
        fixture.until("gap", 1).await;
        assert_eq!(fixture.lease.age(), Duration::from_secs(4));
        assert!(!fixture.allows("x"));
        let lines = fixture.open();
        lines.send(Ok(all("s", 9, &["b"]))).unwrap();
        fixture.until("snapshot", 2).await;
        assert!(fixture.allows("b") && !fixture.allows("a"));
        assert_eq!(
            fixture.asked.lock().unwrap().last().unwrap(),
            &None,
            "everything is asked for anew"
        );
    }
}

#[tokio::test]
async fn a_delta_before_any_snapshot_is_refused() {
    let fixture = follow(OnStale::Deny);
    fixture.open().send(Ok(change(1, &["a"], &[]))).unwrap();
    fixture.until("gap", 1).await;
    assert_eq!(fixture.lease.load().unwrap_err(), Unavailable::NotLoaded);
}

#[tokio::test]
async fn another_store_may_begin_at_an_earlier_generation() {
    let fixture = follow(OnStale::Deny);
    let lines = fixture.open();
    lines.send(Ok(all("s", 300, &["a"]))).unwrap();
    lines.send(Ok(all("t", 1, &["b"]))).unwrap();
    fixture.until("snapshot", 2).await;
    assert!(fixture.allows("b") && !fixture.allows("a"));
    assert_eq!(fixture.lease.load().unwrap().generation(), Generation(1));
}

#[tokio::test]
async fn a_feed_that_falls_silent_is_opened_again() {
    let fixture = follow_for(OnStale::Deny, Duration::from_millis(20));
    let silent = fixture.open();
    silent.send(Ok(all("s", 3, &["a"]))).unwrap();
    fixture.until("disconnect", 1).await;
    fixture.open().send(Ok(change(4, &["b"], &[]))).unwrap();
    fixture.until("delta", 1).await;
    let Some(Some(position)) = fixture.asked.lock().unwrap().get(1).cloned() else {
        panic!("not opened again")
    };
    assert_eq!(position.generation, Generation(3));
    drop(silent);
}

#[tokio::test]
async fn policies_that_cannot_be_used_are_shown_in_metrics() {
    let fixture = follow(OnStale::Deny);
    let mut broken = policy("broken", "x");
    broken.spiffeid_pattern = "nobody".to_owned();
    let line = Line::Snapshot(snapshot("s", 1, vec![broken, policy("a", "a")]));
    fixture.open().send(Ok(line)).unwrap();
    fixture.until("snapshot", 1).await;
    assert_eq!(fixture.metrics.damaged.get(), 1);
    assert!(fixture.allows("a"));
}

#[tokio::test]
async fn waits_grow_between_failed_attempts_and_end_when_told_to() {
    struct Closed(mpsc::UnboundedSender<tokio::time::Instant>, Arc<dyn Clock>);
    impl Upstream for Closed {
        type Feed = Lines;
        async fn open(&mut self, _: Option<Position>) -> Result<Lines, FeedError> {
            self.0.send(self.1.timer()).unwrap();
            Err("closed".into())
        }
    }
    let clock = spike_runtime::SystemClock::shared();
    let lease = Arc::new(Lease::new(
        Duration::from_secs(5),
        OnStale::Deny,
        Counter::default(),
        Arc::clone(&clock),
    ));
    let metrics = FeedMetrics::register(&Registry::new("test", "0"));
    let stop = CancellationToken::new();
    let (tell, mut attempts) = mpsc::unbounded_channel();
    let follower = Follower::new(Closed(tell, clock), lease, metrics);
    let task = tokio::spawn(follower.run(stop.clone()));
    let mut last = attempts.recv().await.unwrap();
    for wait in [50, 100, 200, 400] {
        let next = attempts.recv().await.unwrap();
        assert!(next.duration_since(last) >= Duration::from_millis(wait), "{wait}");
        last = next;
    }
    stop.cancel();
    task.await.unwrap();
}
