//! Threads that do not share their work: what begins on one of them ends there.
//!
//! **Owns** the threads, and the choice of the one that has least to do. **Refuses** to move what runs: a set of
//! workers that steal from each other wakes one of them for nearly every request, which for a small request costs as
//! much as a good part of the answer ([`Threads`](crate::threads::Threads) is such a set). **Invariant**: a thread ends
//! only with the [`Lanes`].
use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One thread for each processor. For tasks that live long, each about as busy as the others, such as connections.
/// Dropping them waits for nothing; what still runs there is cut off.
#[derive(Debug)]
pub struct Lanes {
    first: Lane,
    others: Vec<Lane>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Lane {
    handle: Handle,
    /// As many others as there are tasks.
    tasks: Arc<()>,
}

/// A place on a lane, kept for as long as its task runs.
#[derive(Debug)]
pub struct Place {
    handle: Handle,
    _task: Arc<()>,
}

impl Place {
    /// Where the task belongs.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Lanes {
    /// Starts the threads, all of this name.
    ///
    /// # Errors
    /// When the system gives no threads or no poll handle.
    pub fn start(name: &str) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let stop = CancellationToken::new();
        // If a later lane cannot be started, dropping this ends those that were.
        let guard = stop.clone().drop_guard();
        let lane = || Lane::start(name, stop.clone());
        Ok(Self {
            first: lane()?,
            others: (1..count).map(|_| lane()).collect::<io::Result<_>>()?,
            _stop: guard,
        })
    }

    /// A place on the lane that has the fewest tasks.
    pub fn place(&self) -> Place {
        let fewer = |best, lane| {
            if Lane::tasks(lane) < Lane::tasks(best) {
                lane
            } else {
                best
            }
        };
        let lane = self.others.iter().fold(&self.first, fewer);
        Place {
            handle: lane.handle.clone(),
            _task: Arc::clone(&lane.tasks),
        }
    }
}

impl Lane {
    fn start(name: &str, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name(name).build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(stop.cancelled());
            runtime.shutdown_background();
        })?;
        Ok(Self {
            handle,
            tasks: Arc::new(()),
        })
    }

    fn tasks(&self) -> usize {
        Arc::strong_count(&self.tasks) - 1
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn places_are_shared_out_evenly_and_given_back() {
        let lanes = Lanes::start("lane").unwrap();
        let all: Vec<_> = std::iter::once(&lanes.first).chain(&lanes.others).collect();
        let count = all.len();
        let taken = || all.iter().map(|lane| lane.tasks()).collect::<Vec<_>>();
        let places: Vec<_> = (0..3 * count).map(|_| lanes.place()).collect();
        assert_eq!(taken(), vec![3; count]);
        drop(places);
        assert_eq!(taken(), vec![0; count]);
    }

    #[tokio::test]
    async fn work_runs_where_its_place_is_and_ends_with_the_lanes() {
        let lanes = Lanes::start("lane").unwrap();
        let place = lanes.place();
        let thread = || async { (thread::current().name().map(str::to_owned), thread::current().id()) };
        let first = place.handle().spawn(thread()).await.unwrap();
        let second = place.handle().spawn(thread()).await.unwrap();
        assert_eq!(first.0.as_deref(), Some("lane"));
        assert_eq!(first, second);
        let endless = place.handle().spawn(std::future::pending::<()>());
        drop(lanes);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
