//! Sealing old records again under the current term, and giving up the terms that no record uses any more.
//!
//! The writer does this while nobody waits for it, a small transaction at a time, so it goes on by itself after every
//! start. It walks all rows three times: to count what is old, to seal it again, and to see that nothing is old any
//! more; only then are the old terms' record keys dropped. A row keeps its revision, so the ledger stands as it is, and
//! a row that was written meanwhile is under the current term anyway.
use std::ops::{Bound, ControlFlow};

use redb::ReadTransaction;
use spike_audit::{Journal, Outcome};

use super::jobs::WriteError;
use super::tables::{Row, RowWrite, Table, seal_row};
use super::writer::{Failure, Writer};
use crate::vault::{KeyTerm, SealError, Vault};

/// Rows that one step looks at.
const LOOKS: usize = 4096;
/// Rows, and bytes of rows, that one step seals again: what a writer may have to wait for.
const ROWS: usize = 64;
const BYTES: usize = 256 << 10;
/// Under load, one step follows this many transactions.
const TURNS: u32 = 8;
/// After a failure, the next step waits for transactions that succeed: for so many, twice as many, and so on to 2^this.
const PATIENCE: u32 = 10;

/// Everything but `meta`, whose one sealed row is written by every transaction.
const TABLES: [Table; 4] = [Table::Ledger, Table::Policies, Table::Secrets, Table::SecretValues];

/// How far the re-encryption is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReEncryption {
    /// What is being done.
    pub stage: Stage,
    /// Records that are known to be under an old term.
    pub waiting: u64,
}

/// What the re-encryption is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nothing: every record is under the current term, and there is no other.
    #[default]
    Done,
    /// Counting the records under old terms.
    Counting,
    /// Sealing them again.
    Sealing,
    /// Waiting for a change of the root key to end; then the old terms can go.
    Rekey,
    /// What is left does not open, so the old terms stay.
    Stuck,
}

impl Stage {
    /// The word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Counting => "counting",
            Self::Sealing => "sealing",
            Self::Rekey => "waiting_for_rekey",
            Self::Stuck => "stuck",
        }
    }
}

/// What the writer has in mind about it.
#[derive(Default)]
pub(super) struct Reseal {
    pub(super) now: ReEncryption,
    cursor: Cursor,
    /// Rows under an old term that did not open.
    unreadable: u64,
    turns: u32,
    failures: u32,
    /// Transactions to wait for after a failure.
    held_back: u32,
}

#[derive(Default)]
struct Cursor {
    table: usize,
    after: Option<Vec<u8>>,
}

impl Reseal {
    /// From the start, if there are old terms: a rotation that the last process did not bring to its end goes on.
    pub(super) fn of(vault: &Vault, audit: &Journal) -> Self {
        let mut reseal = Self::default();
        reseal.restart(vault);
        if reseal.now.stage != Stage::Done {
            audit.happened("rotation_resumed", &data_key(vault), Outcome::Ok);
        }
        reseal
    }

    /// From the start, after a rotation or when the store was reopened.
    pub(super) fn restart(&mut self, vault: &Vault) {
        let stage = if vault.old_terms().is_empty() {
            Stage::Done
        } else {
            Stage::Counting
        };
        self.begin(stage, 0);
    }

    /// A change of the root key is over.
    pub(super) fn resume(&mut self) {
        if self.now.stage == Stage::Rekey {
            self.begin(Stage::Counting, 0);
        }
    }

    fn begin(&mut self, stage: Stage, waiting: u64) {
        self.now = ReEncryption { stage, waiting };
        self.cursor = Cursor::default();
        if stage != Stage::Stuck {
            self.unreadable = 0;
        }
    }

    pub(super) fn has_work(&self) -> bool {
        let works = match self.now.stage {
            Stage::Counting | Stage::Sealing => true,
            Stage::Done | Stage::Rekey | Stage::Stuck => false,
        };
        works && self.held_back == 0
    }

    /// A transaction succeeded.
    pub(super) fn committed(&mut self) {
        self.held_back = self.held_back.saturating_sub(1);
        self.turns = self.turns.saturating_add(1);
    }

    /// Whether writers have had their turns.
    pub(super) fn is_due(&self) -> bool {
        self.has_work() && self.turns >= TURNS
    }

    /// A step failed: not again until the disk has shown that it takes writes.
    pub(super) fn failed(&mut self) {
        self.held_back = 1 << self.failures.min(PATIENCE);
        self.failures = self.failures.saturating_add(1);
    }
}

/// What one step found.
#[derive(Default)]
struct Piece {
    old: u64,
    unreadable: u64,
    rows: Vec<RowWrite>,
    bytes: usize,
}

impl Writer {
    /// One small step.
    pub(super) fn reseal_step(&mut self) -> Result<(), Failure> {
        self.reseal.turns = 0;
        let done = match self.reseal.now.stage {
            Stage::Counting => self.count_step(),
            Stage::Sealing => self.seal_step(),
            Stage::Done | Stage::Rekey | Stage::Stuck => Ok(()),
        };
        match &done {
            Ok(()) => self.reseal.failures = 0,
            Err(_) => self.reseal.failed(),
        }
        self.state.set_progress(self.reseal.now);
        done
    }

    fn count_step(&mut self) -> Result<(), Failure> {
        let (txn, vault) = self.begin_step()?;
        let mut old = 0;
        let next = walk(&txn, &self.reseal.cursor, |_, _, value| {
            old += u64::from(old_row(&vault, value).is_some());
            Ok(ControlFlow::Continue(()))
        })?;
        self.reseal.now.waiting += old;
        match next {
            Some(cursor) => {
                self.reseal.cursor = cursor;
                Ok(())
            }
            None => self.counted(),
        }
    }

    /// All rows were looked at.
    fn counted(&mut self) -> Result<(), Failure> {
        let (waiting, unreadable) = (self.reseal.now.waiting, self.reseal.unreadable);
        if waiting == 0 {
            return self.retire();
        }
        if waiting == unreadable {
            tracing::error!(
                records = waiting,
                "records under an old key do not open; the old key is kept"
            );
            let why = format!("{waiting} records under an old data key do not open; it is kept");
            let subject = data_key(&self.state.vault());
            self.tuning
                .audit
                .happened("rotation_finished", &subject, Outcome::Failed(&why));
            self.reseal.begin(Stage::Stuck, waiting);
        } else {
            self.reseal.begin(Stage::Sealing, waiting);
        }
        Ok(())
    }

    fn seal_step(&mut self) -> Result<(), Failure> {
        let (txn, vault) = self.begin_step()?;
        let mut piece = Piece::default();
        let next = walk(&txn, &self.reseal.cursor, |table, key, value| {
            let Some(row) = old_row(&vault, value) else {
                return Ok(ControlFlow::Continue(()));
            };
            piece.old += 1;
            let Ok(plain) = row.open(&vault, table, key) else {
                piece.unreadable += 1;
                self.state.meter().refused(table);
                return Ok(ControlFlow::Continue(()));
            };
            let value = seal_row(&vault, (table, key, row.revision), row.clear, &plain)?;
            piece.bytes += value.len();
            piece.rows.push(RowWrite {
                table,
                key: key.to_vec(),
                value: Some(value),
            });
            let enough = piece.rows.len() >= ROWS || piece.bytes >= BYTES;
            Ok(if enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        drop(txn);
        if !piece.rows.is_empty() {
            self.commit_keyring(&vault, piece.rows)?;
        }
        self.reseal.unreadable += piece.unreadable;
        let sealed = piece.old - piece.unreadable;
        if let Some(cursor) = next {
            self.reseal.cursor = cursor;
            self.reseal.now.waiting = self.reseal.now.waiting.saturating_sub(sealed);
        } else {
            // Counted again: what is dropped next cannot be had back.
            let unreadable = self.reseal.unreadable;
            self.reseal.begin(Stage::Counting, 0);
            self.reseal.unreadable = unreadable;
        }
        Ok(())
    }

    /// No record uses the old terms: their record keys go.
    fn retire(&mut self) -> Result<(), Failure> {
        let before = self.state.vault();
        let (vault, keyrings) = match before.retired() {
            Ok(retired) => retired,
            Err(SealError::RekeyPending) => {
                self.reseal.begin(Stage::Rekey, 0);
                return Ok(());
            }
            Err(error) => return Err(Failure::Refused(error.into())),
        };
        if let Some(anchor) = &mut self.anchor {
            anchor.secure();
        }
        self.commit_keyring(&before, super::slots::keyring_rows(&keyrings))?;
        // Published after the commit: whoever reads what was there before has the vault of then.
        self.publish_vault(vault);
        self.reseal.begin(Stage::Done, 0);
        self.tuning
            .audit
            .happened("rotation_finished", &data_key(&before), Outcome::Ok);
        tracing::info!(term = %before.term(), "every record is sealed under the current data key; the old ones are gone");
        Ok(())
    }

    fn begin_step(&self) -> Result<(ReadTransaction, std::sync::Arc<Vault>), Failure> {
        match self.state.begin_read() {
            Ok(Ok(reading)) => Ok(reading),
            Ok(Err(error)) => Err(Failure::Storage(error)),
            Err(why) => Err(Failure::Unavailable(why)),
        }
    }
}

/// The data key that a rotation leads to, for the audit.
pub(super) fn data_key(vault: &Vault) -> String {
    format!("data key {}", vault.term())
}

/// The row, if its record is under a term before the current one.
fn old_row<'a>(vault: &Vault, value: &'a [u8]) -> Option<Row<'a>> {
    let row = Row::parse(value).ok()?;
    let term: KeyTerm = Vault::term_of(row.record)?;
    (term < vault.term()).then_some(row)
}

type Visited = Result<ControlFlow<()>, SealError>;

/// Visits the rows behind a cursor until the visitor has enough, or enough were looked at. Where it stopped; `None` at
/// the end of the last table.
fn walk(
    txn: &ReadTransaction,
    from: &Cursor,
    mut visit: impl FnMut(Table, &[u8], &[u8]) -> Visited,
) -> Result<Option<Cursor>, Failure> {
    let mut looks = 0;
    let mut after = from.after.clone();
    for (number, table) in TABLES.into_iter().enumerate().skip(from.table) {
        let storage = |error: redb::Error| Failure::Storage(error);
        let rows = txn
            .open_table(table.definition())
            .map_err(|error| storage(error.into()))?;
        let start = match &after {
            Some(key) => Bound::Excluded(key.as_slice()),
            None => Bound::Unbounded,
        };
        let range = rows.range::<&[u8]>((start, Bound::Unbounded));
        for entry in range.map_err(|error| storage(error.into()))? {
            let (key, value) = entry.map_err(|error| storage(error.into()))?;
            let flow =
                visit(table, key.value(), value.value()).map_err(|error| Failure::Refused(WriteError::from(error)))?;
            looks += 1;
            if flow.is_break() || looks >= LOOKS {
                return Ok(Some(Cursor {
                    table: number,
                    after: Some(key.value().to_vec()),
                }));
            }
        }
        after = None;
    }
    Ok(None)
}
