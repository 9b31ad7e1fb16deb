//! The policies of a remote Nexus, and until when they may be believed.
//!
//! **Owns** the one pointer that Checks read and the moment of the last confirmation. **Refuses** policies that nobody
//! has confirmed for longer than `feed.max_age`, by the monotonic clock: a stopped process that wakes up finds its lease
//! over. **Invariant**: the policies are put in place before they are called confirmed, and read after the confirmation
//! was read, so no reader pairs old policies with a new confirmation.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use spike_policy::PolicySet;
use spike_runtime::SharedClock;
use spike_runtime::metrics::Counter;

use super::{Source, Unavailable};

/// What happens to Checks when the feed has been silent for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStale {
    /// They are denied with `policies_stale`.
    Deny,
    /// They are decided by the policies at hand, and counted.
    Serve,
}

/// A [`Source`] that a feed fills.
#[derive(Debug)]
pub struct Lease {
    policies: ArcSwapOption<PolicySet>,
    /// Nanoseconds after `start` of the last confirmation.
    confirmed: AtomicU64,
    start: Instant,
    max_age: Duration,
    on_stale: OnStale,
    served_stale: Counter,
    clock: SharedClock,
}

impl Lease {
    /// A lease on nothing yet.
    pub fn new(max_age: Duration, on_stale: OnStale, served_stale: Counter, clock: SharedClock) -> Self {
        Self {
            policies: ArcSwapOption::empty(),
            confirmed: AtomicU64::new(0),
            start: clock.monotonic(),
            max_age,
            on_stale,
            served_stale,
            clock,
        }
    }

    /// Puts policies in force that were current at `seen`.
    pub(super) fn hold(&self, policies: Arc<PolicySet>, seen: Instant) {
        self.policies.store(Some(policies));
        self.confirm(seen);
    }

    /// The policies in force were current at `seen`.
    pub(super) fn confirm(&self, seen: Instant) {
        let nanoseconds = u64::try_from(seen.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        self.confirmed.store(nanoseconds, Ordering::Release);
    }

    /// The policies, if they may be used, and whether they are stale. The age is read first.
    fn judge(&self) -> Result<(Arc<PolicySet>, bool), Unavailable> {
        let stale = self.age() > self.max_age;
        let policies = self.policies.load_full().ok_or(Unavailable::NotLoaded)?;
        match (stale, self.on_stale) {
            (false, _) | (true, OnStale::Serve) => Ok((policies, stale)),
            (true, OnStale::Deny) => Err(Unavailable::Stale),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    pub(super) fn max_age(&self) -> Duration {
        self.max_age
    }
}

impl Source for Lease {
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable> {
        let (policies, stale) = self.judge()?;
        if stale {
            self.served_stale.inc();
        }
        Ok(policies)
    }

    fn look(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.judge().map(|(policies, _)| policies)
    }

    fn age(&self) -> Duration {
        let confirmed = Duration::from_nanos(self.confirmed.load(Ordering::Acquire));
        self.now()
            .saturating_duration_since(self.start)
            .saturating_sub(confirmed)
    }
}
