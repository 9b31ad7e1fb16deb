//! The one thread that seals and writes.
//!
//! It takes what is queued in one go and then sleeps a moment: while it sleeps, nobody has to wake it, so a queued
//! line costs its caller no system call.
mod batch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spike_runtime::logging::LIFECYCLE;

use crate::chain::{ChainId, Hash, Head, Seal};
use crate::file::{FileError, Found, LogFile, Opened};
use crate::key::KeyError;
use crate::queue::{Program, Sent, Shared};
use crate::settings::{Settings, Target};
use crate::sink::Sink;
use batch::{Batch, Begin, Why};

/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_millis(5);

/// How often an idle writer looks whether it should do anything else.
const IDLE: Duration = Duration::from_millis(100);

/// How long to wait before writing again what could not be written.
const RETRY: Duration = Duration::from_millis(100);

/// How often that is tried once the program ends.
const LAST_TRIES: u32 = 5;

/// How often the log of the program says where the chain stands.
const ANCHOR_TIME: Duration = Duration::from_secs(600);
const ANCHOR_LINES: u64 = 100_000;

/// Why an audit cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error("cannot open the audit log {target}: {reason}")]
    Target {
        /// `audit.to`
        target: String,
        /// What the system says.
        reason: String,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No thread, or no random bytes.
    #[error("cannot start the audit: {0}")]
    System(#[from] std::io::Error),
}

/// The writing thread's handle.
#[derive(Debug)]
#[must_use = "nothing is written any more when this is dropped"]
pub struct Writer {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Writer {
    pub(crate) fn start(
        settings: &Settings,
        program: Program,
        (shared, queue): (Arc<Shared>, Receiver<Sent>),
    ) -> Result<Option<Self>, OpenError> {
        let seal = settings.key.as_deref().map_or(Ok(Seal::Plain), Seal::from_file)?;
        let (sink, found) = match &settings.to {
            Target::Off => return Ok(None),
            Target::Stdout => (Sink::Stdout(std::io::stdout()), Found::default()),
            Target::Stderr => (Sink::Stderr(std::io::stderr()), Found::default()),
            Target::Memory(memory) => (Sink::Memory(memory.clone()), Found::default()),
            Target::File(path) => open(path, settings, &shared).map_err(|error| OpenError::Target {
                target: settings.to.to_string(),
                reason: error.to_string(),
            })?,
        };
        let chain = ChainId::draw().map_err(|error| OpenError::System(std::io::Error::other(error)))?;
        let begin = Begin {
            why: if found.tail.is_some() { Why::Start } else { Why::New },
            previous: found.tail.map(|tail| tail.head),
            unsealed: found.tail.and_then(|tail| tail.unsealed),
            set_aside: found.set_aside,
        };
        let before = found
            .tail
            .map_or((Hash::NONE, 0), |tail| (tail.head.hash, tail.head.seq));
        if let Some(tail) = found.tail {
            tracing::info!(target: LIFECYCLE, anchor = %tail.head, "the audit goes on behind");
        }
        let head = Head {
            chain,
            seq: before.1,
            hash: before.0,
        };
        let run = Run {
            anchored: (head.seq, shared.clock.monotonic()),
            batch: Batch::new(head, (seal, program), begin),
            queue,
            sink,
            last_tries: LAST_TRIES,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || run.until_told())?;
        Ok(Some(Self {
            thread: Some(thread),
            shared,
        }))
    }

    /// Writes what is queued and ends the thread; dropping it does the same. Lines queued later are lost and counted.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit thread had panicked");
        }
    }
}

fn open(path: &Path, settings: &Settings, shared: &Shared) -> Result<(Sink, Found), FileError> {
    Ok(match LogFile::open(path, settings.rotate, shared.clock.now())? {
        Opened::Stream(file) => (Sink::Stream(file), Found::default()),
        Opened::File(opened) => {
            let (file, found) = *opened;
            (Sink::File(Box::new(file)), found)
        }
    })
}

struct Run {
    queue: Receiver<Sent>,
    sink: Sink,
    batch: Batch,
    shared: Arc<Shared>,
    /// The number that the program's log last told, and when.
    anchored: (u64, Instant),
    /// How often what cannot be written is tried again once the program ends.
    last_tries: u32,
}

impl Run {
    fn until_told(mut self) {
        // The first line is written before anything happens, so that a log that cannot be written is known early.
        self.turn(None);
        loop {
            match self.queue.recv_timeout(IDLE) {
                Ok(sent) => {
                    self.turn(Some(sent));
                    if !self.is_ending() {
                        std::thread::sleep(GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.is_ending() => break,
                Err(RecvTimeoutError::Timeout) => self.turn(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.end();
    }

    fn is_ending(&self) -> bool {
        self.shared.ending.load(Ordering::Acquire)
    }

    /// Writes this line and everything queued behind it, up to a batch; changes files before that if it is time.
    fn turn(&mut self, first: Option<Sent>) {
        if self.batch.is_written() {
            self.change_files(matches!(first, Some(Sent::Line(_))));
        }
        let now = self.shared.clock.now();
        self.batch.begin(now);
        let lost = self.shared.lost.swap(0, Ordering::AcqRel);
        self.batch.lost(now, lost);
        let mut next = first;
        let mut taken = 0;
        let mut waiting = Vec::new();
        while let Some(sent) = next {
            match sent {
                Sent::Line(entry) => {
                    taken += usize::from(entry.placed);
                    self.batch.entry(&entry);
                }
                Sent::Mark(settled) => waiting.push(settled),
            }
            next = if self.batch.is_full() {
                None
            } else {
                self.queue.try_recv().ok()
            };
        }
        self.shared.give_back(taken);
        self.write();
        for settled in waiting {
            let _nobody_waits = settled.send(());
        }
        self.anchor(false);
    }

    /// Writes the batch. Where no line may be lost, this goes on until it is written or the program ends.
    fn write(&mut self) {
        while !self.batch.is_written() {
            match self.sink.write(self.batch.bytes()) {
                Ok(()) => {
                    self.shared.metrics.written.inc_by(self.batch.written());
                    self.fail(None);
                    return;
                }
                Err((written, error)) => {
                    self.shared.metrics.written.inc_by(self.batch.wrote(written));
                    self.fail(Some(&error));
                }
            }
            self.last_tries = self.last_tries.saturating_sub(u32::from(self.is_ending()));
            if !self.shared.is_strict() || self.last_tries == 0 {
                let given_up = self.batch.give_up();
                self.shared.lose(given_up.entries);
                self.shared.lost.fetch_add(given_up.told, Ordering::AcqRel);
                return;
            }
            std::thread::sleep(RETRY);
        }
    }

    fn fail(&mut self, error: Option<&std::io::Error>) {
        let failing = error.is_some();
        let before = self.shared.failing.swap(failing, Ordering::AcqRel);
        if before == failing {
            return;
        }
        self.shared.metrics.failing.set(i64::from(failing));
        if let Some(error) = error {
            tracing::error!(target: LIFECYCLE, %error, "audit lines cannot be written");
        } else {
            tracing::info!(target: LIFECYCLE, "audit lines can be written again");
        }
    }

    /// A file is finished only when there is a line for the next one: an idle program makes no files.
    fn change_files(&mut self, more: bool) {
        let now = self.shared.clock.now();
        let reopen = self.shared.reopen.swap(false, Ordering::AcqRel);
        let Some(file) = self.sink.file() else { return };
        let mut why = None;
        if reopen {
            match file.reopen(now) {
                Ok(changed) => why = changed.then_some(Why::Reopened),
                Err(error) => tracing::error!(target: LIFECYCLE, %error, "the audit log cannot be opened again"),
            }
        }
        if more && file.is_due(now) {
            match file.rotate(now) {
                Ok(()) => {
                    why = Some(Why::Rotation);
                    if let Err(error) = file.prune() {
                        tracing::error!(target: LIFECYCLE, %error, "finished audit logs cannot be removed");
                    }
                }
                Err(error) => tracing::error!(target: LIFECYCLE, %error, "the audit log cannot be rotated"),
            }
        }
        if let Some(why) = why {
            self.anchor(true);
            self.batch.change_files(why);
        }
    }

    /// Tells the log of the program where the chain stands: whoever cuts the end off the audit would have to change
    /// that, too.
    fn anchor(&mut self, now: bool) {
        let head = self.batch.head();
        let (seq, since) = self.anchored;
        let new = head.seq.saturating_sub(seq);
        let time = self.shared.clock.monotonic();
        let due = time.saturating_duration_since(since) >= ANCHOR_TIME || new >= ANCHOR_LINES || now;
        if new > 0 && due && self.batch.is_written() {
            tracing::info!(target: LIFECYCLE, anchor = %head, "the audit stands at");
            self.anchored = (head.seq, time);
        }
    }

    fn end(&mut self) {
        while let Ok(sent) = self.queue.try_recv() {
            self.turn(Some(sent));
        }
        let now = self.shared.clock.now();
        self.batch.begin(now);
        let lost = self.shared.lost.swap(0, Ordering::AcqRel);
        self.batch.lost(now, lost);
        self.batch.end(now);
        self.write();
        self.anchor(true);
        if let Some(file) = self.sink.file()
            && let Err(error) = file.sync()
        {
            tracing::error!(target: LIFECYCLE, %error, "the audit log may not be on the disk");
        }
    }
}

#[cfg(test)]
mod tests;
