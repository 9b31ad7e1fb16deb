//! One JSON line per decision, written off the request path.
//!
//! **Owns** the shape of the line, the bounded queue and the one thread that writes. **Refuses** to block or fail a
//! Check: when the queue is full the line is dropped and counted. No header value and no body ever gets here, and every
//! text is escaped and capped.
//! **Invariant**: a line is whole or absent, lines stand in the order they were queued, and what is counted as dropped
//! is exactly what is missing.
mod line;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;

pub(crate) use line::Line;
pub use writer::{Target, Writer};

/// One finished line: when, and the rest of the JSON object behind the time.
pub(crate) struct Entry {
    at: SystemTime,
    rest: Vec<u8>,
}

/// The sending end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    queue: Option<SyncSender<Entry>>,
    dropped: Counter,
}

impl Audit {
    /// An audit log that writes nothing: `audit.to: off`.
    pub fn off() -> Self {
        Self {
            queue: None,
            dropped: Counter::default(),
        }
    }

    /// Opens the target and starts the writing thread. `queue` is the number of lines that may wait.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or the thread cannot be started.
    pub fn open(target: &Target, queue: usize, dropped: Counter) -> std::io::Result<(Self, Writer)> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(queue);
        let writer = Writer::start(target, receiver, dropped.clone())?;
        Ok((
            Self {
                queue: Some(sender),
                dropped,
            },
            writer,
        ))
    }

    /// Queues a line, or counts it as dropped.
    pub(crate) fn record(&self, at: SystemTime, line: &Line<'_>) {
        let Some(queue) = &self.queue else { return };
        match queue.try_send(Entry { at, rest: line.json() }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.inc();
            }
        }
    }
}

/// Where lines end up in a test: a buffer that outlives the writer.
pub type Sink = Arc<std::sync::Mutex<Vec<u8>>>;

#[cfg(test)]
mod tests;
