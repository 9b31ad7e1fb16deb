//! The one thread that writes audit lines.
//!
//! It takes what is queued in one go and then sleeps a moment: while it sleeps, nobody has to wake it, so a queued
//! line costs a Check no system call.
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Entry, Sink};

/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_millis(5);

/// How often an idle writer looks whether it should end.
const IDLE: Duration = Duration::from_millis(100);

/// The most bytes written at once.
const BATCH: usize = 256 * 1024;

/// Where audit lines go.
#[derive(Clone, Debug)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to this file, created with mode 0640.
    File(PathBuf),
    /// A buffer, for tests.
    Memory(Sink),
}

enum Open {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(std::fs::File),
    Memory(Sink),
}

impl Open {
    fn target(target: &Target) -> io::Result<Self> {
        Ok(match target {
            Target::Stdout => Self::Stdout(io::stdout()),
            Target::Stderr => Self::Stderr(io::stderr()),
            Target::File(path) => Self::File(OpenOptions::new().append(true).create(true).mode(0o640).open(path)?),
            Target::Memory(sink) => Self::Memory(Arc::clone(sink)),
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::Stderr(out) => out.lock().write_all(lines),
            Self::File(out) => out.write_all(lines),
            Self::Memory(sink) => {
                sink.lock()
                    .map_err(|_| io::Error::other("the sink is poisoned"))?
                    .extend_from_slice(lines);
                Ok(())
            }
        }
    }
}

/// The writing thread's handle.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<()>,
    ending: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(target: &Target, queue: Receiver<Entry>, dropped: Counter) -> io::Result<Self> {
        let open = Open::target(target)?;
        let ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ending);
        let batch = Vec::with_capacity(BATCH);
        let run = Run {
            queue,
            open,
            dropped,
            batch,
            failing: false,
        };
        let run = move || run.until(&seen);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(run)?;
        Ok(Self { thread, ending })
    }

    /// Writes what is queued and ends the thread. Lines queued later are dropped and counted.
    pub fn finish(self) {
        self.ending.store(true, Ordering::Release);
        if self.thread.join().is_err() {
            tracing::error!("the audit thread had panicked");
        }
    }
}

struct Run {
    queue: Receiver<Entry>,
    open: Open,
    dropped: Counter,
    batch: Vec<u8>,
    failing: bool,
}

impl Run {
    fn until(mut self, ending: &AtomicBool) {
        loop {
            match self.queue.recv_timeout(IDLE) {
                Ok(entry) => {
                    self.write(entry);
                    if !ending.load(Ordering::Acquire) {
                        std::thread::sleep(GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) if ending.load(Ordering::Acquire) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes this entry and everything queued behind it, up to a batch.
    fn write(&mut self, first: Entry) {
        self.batch.clear();
        let mut lines = 0;
        let mut next = Some(first);
        while let Some(entry) = next {
            stamp(&mut self.batch, entry.at);
            self.batch.extend_from_slice(&entry.rest);
            lines += 1;
            next = if self.batch.len() < BATCH {
                self.queue.try_recv().ok()
            } else {
                None
            };
        }
        match self.open.write(&self.batch) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.dropped.inc_by(lines);
                if !self.failing {
                    tracing::error!(%error, "audit lines cannot be written and are dropped");
                }
                self.failing = true;
            }
        }
    }
}

fn stamp(out: &mut Vec<u8>, at: SystemTime) {
    out.extend_from_slice(b"{\"time\":\"");
    if OffsetDateTime::from(at).format_into(out, &Rfc3339).is_err() {
        out.extend_from_slice(b"-");
    }
    out.push(b'"');
}
