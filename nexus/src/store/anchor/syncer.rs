//! Has the anchor synced within a second of being written, without anyone waiting for it.
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::volume::Sheet;

const PAUSE: Duration = Duration::from_secs(1);

/// The thread that syncs. Dropped, it syncs a last time and ends.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    dirty: bool,
    ending: bool,
}

impl Syncer {
    pub(super) fn start(file: Arc<dyn Sheet>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("store-anchor".to_owned())
            .spawn(move || theirs.run(&*file))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Says that the file was written.
    pub(super) fn wake(&self) {
        let mut state = self.shared.state();
        if !std::mem::replace(&mut state.dirty, true) {
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, file: &dyn Sheet) {
        loop {
            let idle = self
                .changed
                .wait_while(self.state(), |state| !state.dirty && !state.ending);
            let mut state = idle.unwrap_or_else(PoisonError::into_inner);
            state.dirty = false;
            let ending = state.ending;
            drop(state);
            if let Err(error) = file.sync_lazily() {
                tracing::warn!(%error, "could not sync the anchor");
            }
            if ending {
                return;
            }
            // At most one sync in a second, however much is written.
            drop(
                self.changed
                    .wait_timeout_while(self.state(), PAUSE, |state| !state.ending),
            );
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.state().ending = true;
        self.shared.changed.notify_all();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that syncs the anchor panicked");
        }
    }
}
