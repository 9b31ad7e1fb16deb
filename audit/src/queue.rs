//! What lies between those who leave lines and the one who writes them.
//!
//! **Owns** the bounded queue, its places and what is counted about it. **Refuses** to wait, and to know what becomes of a
//! line. **Invariant**: a line that was not taken is counted.
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use spike_runtime::metrics::{Counter, Gauge, Registry};
use spike_runtime::{SharedClock, names};
use tokio::sync::oneshot;

use crate::line::Line;
use crate::settings::{Settings, WhenFull};

/// What goes to the writer, in this order.
pub(crate) enum Sent {
    Line(Entry),
    /// To be told when nothing that was sent before is left to write.
    Mark(oneshot::Sender<()>),
}

/// One line.
pub(crate) struct Entry {
    pub(crate) at: SystemTime,
    pub(crate) rest: Vec<u8>,
    /// Whether it has one of the counted places.
    pub(crate) placed: bool,
}

/// Room beyond the counted places, for what happens without a call: there is nobody whom one could refuse.
const RESERVED: usize = 64;

/// Which program writes a log.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// What the sending ends and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: SyncSender<Sent>,
    /// Places in the queue, and how many are taken; counted only where a line must not be lost.
    limit: usize,
    taken: AtomicUsize,
    pub(crate) when_full: WhenFull,
    /// Lines that did not fit and that the log has not told about yet.
    pub(crate) lost: AtomicU64,
    /// Nothing can be written at the moment.
    pub(crate) failing: AtomicBool,
    pub(crate) reopen: AtomicBool,
    pub(crate) ending: AtomicBool,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) written: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failing: Gauge,
}

/// A line was not taken: the queue is full, or the writer has ended. It was counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit line was lost")]
pub struct Lost;

impl Metrics {
    fn new(registry: &Registry) -> Self {
        Self {
            written: registry.counter(names::AUDIT_LINES, "Audit lines that were written"),
            dropped: registry.counter(names::AUDIT_LINES_DROPPED, "Audit lines that were not written"),
            failing: registry.gauge(names::AUDIT_FAILING, "1 while audit lines cannot be written"),
        }
    }
}

impl Shared {
    /// Both ends of an empty queue.
    pub(crate) fn open(settings: &Settings, clock: SharedClock, registry: &Registry) -> (Self, Receiver<Sent>) {
        let reserved = if settings.when_full.is_strict() { RESERVED } else { 0 };
        let (queue, taken_out) = sync_channel(settings.queue + reserved);
        let shared = Self {
            queue,
            limit: settings.queue,
            taken: AtomicUsize::new(0),
            when_full: settings.when_full,
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            reopen: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            clock,
            metrics: Metrics::new(registry),
        };
        (shared, taken_out)
    }

    /// Whether a line must not be lost.
    pub(crate) fn is_strict(&self) -> bool {
        self.when_full.is_strict()
    }

    /// Takes a place, if one is free.
    pub(crate) fn take_place(&self) -> bool {
        let free = |taken: usize| (taken < self.limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, free)
            .is_ok()
    }

    /// So many places are free again.
    pub(crate) fn give_back(&self, places: usize) {
        self.taken.fetch_sub(places, Ordering::AcqRel);
    }

    /// Sends a line, in a place of its own where places are counted.
    pub(crate) fn send(&self, at: SystemTime, line: Line) -> Result<(), Lost> {
        let placed = self.is_strict();
        if placed && !self.take_place() {
            return Err(self.lose(1));
        }
        self.push(at, line, placed)
    }

    /// Sends a line in a place that was taken for it.
    pub(crate) fn send_in_place(&self, at: SystemTime, line: Line) -> Result<(), Lost> {
        self.push(at, line, true)
    }

    /// Sends a line in the reserved room.
    pub(crate) fn send_reserved(&self, at: SystemTime, line: Line) -> Result<(), Lost> {
        self.push(at, line, false)
    }

    fn push(&self, at: SystemTime, line: Line, placed: bool) -> Result<(), Lost> {
        let rest = line.into_bytes();
        let entry = Entry { at, rest, placed };
        self.queue.try_send(Sent::Line(entry)).map_err(|_| self.lose(1))
    }

    /// Whether somebody will be told when nothing that was sent before is left to write.
    pub(crate) fn mark(&self, settled: oneshot::Sender<()>) -> bool {
        self.queue.try_send(Sent::Mark(settled)).is_ok()
    }

    /// Counts lines that the log will have to tell about.
    pub(crate) fn lose(&self, lines: u64) -> Lost {
        self.lost.fetch_add(lines, Ordering::AcqRel);
        self.metrics.dropped.inc_by(lines);
        Lost
    }
}
