//! Policies of a Nexus elsewhere, followed over its watch feed.
//!
//! **Owns** the connection to the feed, its reconnection and what is done with each line. **Refuses** to vouch for
//! policies when a line does not fit: it starts again with a snapshot, and until then the lease runs.
//! **Invariant**: the lease is extended only by a line that says that exactly the policies at hand are the current ones.
mod upstream;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spike_policy::Generation;
use spike_runtime::CancellationToken;
use spike_wire::feed::Line;

use super::Lease;
use super::book::{Book, Gap};
use crate::metrics::FeedMetrics;
pub use upstream::{NexusUrl, RemoteNexus};

/// Why a feed ended or could not be opened.
pub type FeedError = Box<dyn std::error::Error + Send + Sync>;

/// How far a follower has come, so that it need not be told everything again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The store, as its snapshot named it.
    pub store: String,
    /// The generation at hand.
    pub generation: Generation,
}

/// Somewhere a feed can be opened.
pub trait Upstream: Send + 'static {
    /// An open feed.
    type Feed: Feed;

    /// Opens a feed. From nothing, or when `from` is not known there, it begins with a snapshot.
    fn open(&mut self, from: Option<Position>) -> impl Future<Output = Result<Self::Feed, FeedError>> + Send;
}

/// An open feed.
pub trait Feed: Send {
    /// The next line; `None` when the other end is done.
    fn next(&mut self) -> impl Future<Output = Option<Result<Line, FeedError>>> + Send;
}

/// The first wait before a feed is opened again; it doubles up to [`LONGEST_WAIT`].
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often Nexus speaks when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Keeps a [`Lease`] filled from an [`Upstream`].
pub struct Follower<U> {
    upstream: U,
    lease: Arc<Lease>,
    metrics: FeedMetrics,
    book: Option<Book>,
    /// A feed that says nothing for this long is opened again.
    patience: Duration,
}

/// How an open feed came to its end.
enum End {
    /// It ended or broke; what is at hand is still good to go on from.
    Broke(Option<FeedError>),
    /// A line did not fit; everything is needed anew.
    Gap(Gap),
}

impl<U: Upstream> Follower<U> {
    /// A follower that has read nothing yet.
    pub fn new(upstream: U, lease: Arc<Lease>, metrics: FeedMetrics) -> Self {
        // A feed that is silent for longer than the lease is of no use: a new connection may be.
        let patience = lease.max_age().max(2 * HEARTBEAT);
        Self {
            upstream,
            lease,
            metrics,
            book: None,
            patience,
        }
    }

    /// Follows until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        let mut wait = SHORTEST_WAIT;
        let mut from_nothing = false;
        loop {
            let position = if from_nothing { None } else { self.position() };
            match self.upstream.open(position).await {
                Ok(mut feed) => {
                    let (lines, end) = self.read(&mut feed).await;
                    if lines > 0 {
                        wait = SHORTEST_WAIT;
                    }
                    from_nothing = matches!(end, End::Gap(_));
                    self.report(&end);
                }
                Err(error) => {
                    tracing::warn!(%error, "the policy feed cannot be opened");
                    self.count("disconnect");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn position(&self) -> Option<Position> {
        let book = self.book.as_ref()?;
        Some(Position {
            store: book.store.clone(),
            generation: book.policies.generation(),
        })
    }

    /// Takes lines over until the feed ends; how many there were, and how it ended.
    async fn read(&mut self, feed: &mut U::Feed) -> (u64, End) {
        let mut lines = 0;
        loop {
            let line = match tokio::time::timeout(self.patience, feed.next()).await {
                Ok(Some(Ok(line))) => line,
                Ok(Some(Err(error))) => return (lines, End::Broke(Some(error))),
                Ok(None) => return (lines, End::Broke(None)),
                Err(_silent) => return (lines, End::Broke(Some("the feed is silent".into()))),
            };
            let seen = self.lease.now();
            if let Err(end) = self.take(line, seen).await {
                return (lines, end);
            }
            lines += 1;
        }
    }

    /// Takes one line over that arrived at `seen`.
    async fn take(&mut self, line: Line, seen: Instant) -> Result<(), End> {
        match line {
            Line::Snapshot(snapshot) => {
                let old = self.book.clone();
                self.announce(&snapshot.store, snapshot.generation);
                let book = off_the_workers(move || Book::open(snapshot, old.as_ref())).await?;
                self.put(book, seen, "snapshot");
                Ok(())
            }
            Line::Delta(delta) => {
                let Some(book) = self.book.clone() else {
                    return Err(End::Gap(Gap {
                        from: 0,
                        to: delta.generation,
                    }));
                };
                let next = off_the_workers(move || book.turn(delta)).await?.map_err(End::Gap)?;
                self.put(next, seen, "delta");
                Ok(())
            }
            Line::Heartbeat(heartbeat) => {
                let at_hand = self.book.as_ref().map(|book| book.policies.generation().0);
                if at_hand != Some(heartbeat.generation) {
                    return Err(End::Gap(Gap {
                        from: at_hand.unwrap_or_default(),
                        to: heartbeat.generation,
                    }));
                }
                self.count("heartbeat");
                self.lease.confirm(seen);
                Ok(())
            }
        }
    }

    fn put(&mut self, book: Book, seen: Instant, event: &'static str) {
        self.count(event);
        self.metrics
            .damaged
            .set(i64::try_from(book.damaged.len()).unwrap_or(i64::MAX));
        self.lease.hold(Arc::clone(&book.policies), seen);
        self.book = Some(book);
    }

    /// A snapshot that is not simply a later one of the same store is worth a line in the log.
    fn announce(&self, store: &str, generation: u64) {
        let Some(book) = &self.book else { return };
        let at_hand = book.policies.generation().0;
        if book.store != store {
            tracing::warn!(
                was = book.store,
                now = store,
                generation,
                "the policy feed is of another store now"
            );
        } else if generation < at_hand {
            tracing::warn!(
                was = at_hand,
                now = generation,
                "the store went back to an earlier generation"
            );
        }
    }

    fn report(&self, end: &End) {
        match end {
            End::Broke(Some(error)) => {
                self.count("disconnect");
                tracing::warn!(%error, "the policy feed broke");
            }
            End::Broke(None) => {
                self.count("disconnect");
                tracing::info!("the policy feed ended");
            }
            End::Gap(gap) => {
                self.count("gap");
                tracing::warn!(%gap, "the policy feed starts again with a snapshot");
            }
        }
    }

    fn count(&self, event: &'static str) {
        self.metrics.events.get_or_create(&[("event", event)]).inc();
    }
}

/// Compiles patterns on a thread that may take its time.
async fn off_the_workers<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, End> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| End::Broke(Some("compiling the policies panicked".into())))
}

#[cfg(test)]
mod tests;
