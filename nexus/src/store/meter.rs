//! What a store counts about itself, in atomics: whoever shows it reads them.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spike_runtime::metrics::Durations;
use spike_runtime::names;

use super::broken::BrokenRecord;
use super::jobs::WriteError;
use super::secrets::RowError;
use super::tables::Table;

/// The counts of one store, from its opening to its end, reopenings included.
#[derive(Debug)]
pub struct Meter {
    commits: Durations,
    jobs: [AtomicU64; Outcome::ALL.len()],
    refused: [AtomicU64; Table::ALL.len()],
    bytes: AtomicU64,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done and durable, or there was nothing to change.
    Committed,
    /// Nothing was written, and the disk is not to blame.
    Refused,
    /// Nothing was written, because the store cannot.
    Failed,
    /// Nobody knows.
    Unknown,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Committed, Self::Refused, Self::Failed, Self::Unknown];

    fn of<T>(result: &Result<T, WriteError>) -> Self {
        match result {
            Ok(_) => Self::Committed,
            Err(
                WriteError::NotFound
                | WriteError::Exists(_)
                | WriteError::Repeated(_)
                | WriteError::Damaged
                | WriteError::NoVersionLeft
                | WriteError::Busy
                | WriteError::Rekey(_)
                | WriteError::Seal(_),
            ) => Self::Refused,
            Err(WriteError::Unavailable(_)) => Self::Failed,
            Err(WriteError::OutcomeUnknown) => Self::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Meter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            commits: Durations::new(names::MILLI_SECONDS),
            jobs: Default::default(),
            refused: Default::default(),
            bytes: AtomicU64::new(0),
        })
    }

    /// Seconds of each transaction that committed, fsyncs included. Writes that waited together share one.
    pub fn commits(&self) -> &Durations {
        &self.commits
    }

    /// How many writes and key changes were answered, by outcome.
    pub fn jobs(&self) -> [(&'static str, u64); Outcome::ALL.len()] {
        shown(Outcome::ALL.map(Outcome::as_str), &self.jobs)
    }

    /// How often a stored record was found unusable when it was read, by its table.
    pub fn refused_records(&self) -> [(&'static str, u64); Table::ALL.len()] {
        shown(Table::ALL.map(Table::name), &self.refused)
    }

    /// The size of the file, or of the memory in its place, after the last commit.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn committed(&self, took: Duration, bytes: Option<u64>) {
        self.commits.observe(took);
        self.sized(bytes);
    }

    /// Notes a size, if it is known.
    pub(super) fn sized(&self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.bytes.store(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn answered<T>(&self, result: &Result<T, WriteError>) {
        count(&Outcome::ALL, &self.jobs, Outcome::of(result));
    }

    pub(super) fn refused(&self, table: Table) {
        count(&Table::ALL, &self.refused, table);
    }

    pub(super) fn refused_all<'a>(&self, records: impl Iterator<Item = &'a BrokenRecord>) {
        for record in records {
            self.refused(record.table);
        }
    }

    /// Counts a row that is damaged; the disk's errors are none of the row's.
    pub(super) fn refused_row(&self, error: &RowError) {
        match error {
            RowError::Damaged(table, _) => self.refused(*table),
            RowError::Storage(_) => {}
        }
    }
}

fn shown<const N: usize>(words: [&'static str; N], counts: &[AtomicU64; N]) -> [(&'static str, u64); N] {
    let mut counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    words.map(|word| (word, counts.next().unwrap_or_default()))
}

fn count<K: Copy + PartialEq, const N: usize>(keys: &[K; N], counts: &[AtomicU64; N], key: K) {
    for (_, count) in keys.iter().zip(counts).filter(|(other, _)| **other == key) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
