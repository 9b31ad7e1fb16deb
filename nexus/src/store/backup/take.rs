//! Taking a backup: every row of one read transaction, while writes go on.
use redb::{ReadTransaction, ReadableTable};
use spike_policy::UnixMillis;
use spike_wire::backup::{Header, encode_end, encode_row, encode_table};

use crate::store::handle::Store;
use crate::store::health::Unavailable;
use crate::store::ledger::Manifest;
use crate::store::tables::{MANIFEST_KEY, Table, read};
use crate::vault::{Code, Coded, Vault};

/// Bytes that are handed over at a time, if no single row is larger.
const CHUNK: usize = 64 << 10;
/// How often a read transaction is begun again, when the key changed in the very moment it began.
const ATTEMPTS: u32 = 3;

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The head of the archive.
    pub header: Header,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of the whole archive.
    pub bytes: u64,
}

/// Why no backup was taken. The store serves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Whoever takes the bytes takes no more.
    #[error("nobody takes the bytes any more")]
    Cut,
    /// The store cannot answer now, or its disk failed meanwhile.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Store {
    /// Hands over an archive of everything that is committed now, piece by piece. Writes go on meanwhile, and are not
    /// in it. No record is opened, and memory holds one piece at a time. Blocks, for as long as `to` does: call it off
    /// the async workers.
    ///
    /// # Errors
    /// [`BackupError`]; what was handed over by then is no whole archive, and shows it.
    pub fn backup(
        &self,
        taken_at: UnixMillis,
        to: &mut dyn FnMut(Vec<u8>) -> Result<(), BackupError>,
    ) -> Result<Taken, BackupError> {
        let (txn, vault, manifest) = self.snapshot()?;
        let header = Header {
            store: *vault.store().as_bytes(),
            generation: manifest.generation.0,
            revision: manifest.revision,
            term: manifest.term.get(),
            taken_at: taken_at.0,
        };
        let code = vault
            .code(manifest.term, Coded::Backup)
            .ok_or(Unavailable::Recovering)?;
        drop(vault);
        let mut archive = Archive {
            code,
            pending: Vec::with_capacity(2 * CHUNK),
            rows: 0,
            bytes: 0,
            to,
        };
        header.encode(&mut archive.pending);
        for table in Table::ALL {
            archive.table(self, &txn, table)?;
        }
        archive.end()?;
        Ok(Taken {
            header,
            rows: archive.rows,
            bytes: archive.bytes,
        })
    }

    /// What is committed now, with the vault and the manifest that belong to it.
    fn snapshot(&self) -> Result<(ReadTransaction, std::sync::Arc<Vault>, Manifest), BackupError> {
        for _ in 0..ATTEMPTS {
            let (txn, vault) = self.state.begin_read()?.map_err(|error| self.suspect(&error))?;
            let row = read(&txn, Table::Meta, MANIFEST_KEY).map_err(|error| self.suspect(&error))?;
            let open = |row: Vec<u8>| Manifest::open(&vault, &row).ok();
            if let Some(manifest) = row.and_then(open) {
                return Ok((txn, vault, manifest));
            }
        }
        Err(self.suspect(&redb::Error::Corrupted("manifest".to_owned())).into())
    }
}

/// An archive in the making.
struct Archive<'a> {
    code: Code,
    /// Not handed over yet, and not in the code either.
    pending: Vec<u8>,
    rows: u64,
    bytes: u64,
    to: &'a mut dyn FnMut(Vec<u8>) -> Result<(), BackupError>,
}

impl Archive<'_> {
    fn table(&mut self, store: &Store, txn: &ReadTransaction, table: Table) -> Result<(), BackupError> {
        let failed = |error: redb::Error| BackupError::from(store.suspect(&error));
        encode_table(table.name(), &mut self.pending);
        let rows = txn
            .open_table(table.definition())
            .map_err(|error| failed(error.into()))?;
        for row in rows.iter().map_err(|error| failed(error.into()))? {
            let (key, value) = row.map_err(|error| failed(error.into()))?;
            encode_row(key.value(), value.value(), &mut self.pending);
            self.rows += 1;
            if self.pending.len() >= CHUNK {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), BackupError> {
        encode_end(self.rows, &mut self.pending);
        self.code.update(&self.pending);
        let mac = self.code.clone().finish();
        let mut last = std::mem::take(&mut self.pending);
        last.extend_from_slice(&mac);
        self.give(last)
    }

    fn hand_over(&mut self) -> Result<(), BackupError> {
        self.code.update(&self.pending);
        let piece = std::mem::replace(&mut self.pending, Vec::with_capacity(2 * CHUNK));
        self.give(piece)
    }

    fn give(&mut self, piece: Vec<u8>) -> Result<(), BackupError> {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        (self.to)(piece)
    }
}
