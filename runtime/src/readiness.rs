//! Whether the program may be sent work.
//!
//! **Owns** the latches that hold readiness back. **Refuses** to be told "ready": that is what no latch left means.
//! **Invariant**: ready = every [`Latch`] is dropped and no drain has begun. A forgotten part keeps its latch and the
//! program stays not ready; it cannot lie by an early `true`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What readiness waits for. Clones share one state.
#[derive(Clone, Debug)]
pub struct Readiness {
    shared: Arc<Shared>,
}

/// Holds readiness back until it is dropped.
#[derive(Debug)]
#[must_use = "dropping a latch says that what it stands for is ready"]
pub struct Latch {
    shared: Arc<Shared>,
    id: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    latches: BTreeMap<u64, &'static str>,
    draining: bool,
}

impl Readiness {
    /// Not ready, with the first latch: drop it when every other part has taken its own.
    pub fn new() -> (Self, Latch) {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ready: watch::Sender::new(false),
        });
        let readiness = Self { shared };
        let startup = readiness.latch("startup");
        (readiness, startup)
    }

    /// One more reason not to be ready, such as `svid` or `vault`; also while running (an expired SVID).
    pub fn latch(&self, waits_for: &'static str) -> Latch {
        let mut state = self.shared.lock();
        let id = state.next;
        state.next += 1;
        state.latches.insert(id, waits_for);
        self.shared.publish(&state);
        drop(state);
        Latch {
            shared: Arc::clone(&self.shared),
            id,
        }
    }

    /// From now on never ready again.
    pub fn begin_drain(&self) {
        let mut state = self.shared.lock();
        state.draining = true;
        self.shared.publish(&state);
    }

    /// Whether the program may be sent work.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// What is being waited for, in the order of the latches; `drain` first when draining. Empty when ready.
    pub fn waits_for(&self) -> Vec<&'static str> {
        let state = self.shared.lock();
        let drain = state.draining.then_some("drain");
        drain.into_iter().chain(state.latches.values().copied()).collect()
    }

    /// Changes of [`Readiness::is_ready`].
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    /// Completes when ready.
    pub async fn ready(&self) {
        // The sender lives in `self`, so the channel cannot close while waiting.
        drop(self.changes().wait_for(|ready| *ready).await);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &State) {
        let now = state.latches.is_empty() && !state.draining;
        self.ready
            .send_if_modified(|ready| std::mem::replace(ready, now) != now);
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.latches.remove(&self.id);
        self.shared.publish(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_latch_is_dropped() {
        let (readiness, startup) = Readiness::new();
        let svid = readiness.latch("svid");
        let vault = readiness.latch("vault");
        drop(startup);
        assert_eq!(readiness.waits_for(), ["svid", "vault"]);
        drop(svid);
        assert!(!readiness.is_ready());
        drop(vault);
        assert!(readiness.is_ready());
        assert!(readiness.waits_for().is_empty());
    }

    #[test]
    fn a_latch_taken_later_makes_it_not_ready_again() {
        let (readiness, startup) = Readiness::new();
        drop(startup);
        assert!(readiness.is_ready());
        let expired = readiness.latch("svid expired");
        assert!(!readiness.is_ready());
        drop(expired);
        assert!(readiness.is_ready());
    }

    #[test]
    fn a_drain_is_for_ever() {
        let (readiness, startup) = Readiness::new();
        drop(startup);
        readiness.begin_drain();
        assert!(!readiness.is_ready());
        drop(readiness.latch("svid"));
        assert!(!readiness.is_ready());
        assert_eq!(readiness.waits_for(), ["drain"]);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (readiness, startup) = Readiness::new();
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        drop(startup);
        assert!(waiting.await.is_ok());
    }
}
