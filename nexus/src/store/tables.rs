//! The tables of the database and the bytes of their rows.
//!
//! All numbers are big-endian; `lp(x)` is `length u16 | x`. Every value but `schema`, `store` and the keyrings is a row:
//!
//! ```text
//! row           0x01 | revision u64 | lp(clear columns) | sealed record (vault)
//!
//! table         key                        clear columns                        plaintext of the record
//! meta          "schema"                   the value is: version u32 (1)
//!               "store"                    the value is: UUID 16
//!               "keyring"                  the value is: a keyring record (vault)
//!               "keyring-next"             the value is: the same under the root key that is to come, if one is
//!               "manifest"                 -                                    see `ledger`
//! ledger        shard u16                  -                                    see `ledger`
//! policies      id 16                      created u64 | updated u64 | name     see `policies`
//! secrets       path                       -                                    see `secrets`
//! secret_values path | 0x00 | version u32  -                                    values (vault)
//! ```
//!
//! The revision is the number of the transaction that wrote the row. Table name, key, version, clear columns and
//! revision are authenticated with the record, so none of them can be edited and no row can be moved.
use redb::{ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use zeroize::Zeroizing;

use crate::vault::{RowId, SealError, UnsealError, Vault};

/// Keys and values are plain bytes: redb calls its own decoders without a way to fail, so ours run after it.
pub(super) type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const META: Bytes = TableDefinition::new("meta");

/// The schema that this code writes, and the newest it reads.
pub(super) const SCHEMA: u32 = 1;
pub(super) const SCHEMA_KEY: &[u8] = b"schema";
pub(super) const STORE_KEY: &[u8] = b"store";
pub(super) const KEYRING_KEY: &[u8] = b"keyring";
pub(super) const KEYRING_NEXT_KEY: &[u8] = b"keyring-next";
pub(super) const MANIFEST_KEY: &[u8] = b"manifest";

/// A table of sealed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    Meta,
    Ledger,
    Policies,
    Secrets,
    SecretValues,
}

impl Table {
    pub(super) const ALL: [Self; 5] = [
        Self::Meta,
        Self::Ledger,
        Self::Policies,
        Self::Secrets,
        Self::SecretValues,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Ledger => "ledger",
            Self::Policies => "policies",
            Self::Secrets => "secrets",
            Self::SecretValues => "secret_values",
        }
    }

    pub(super) fn definition(self) -> Bytes {
        TableDefinition::new(self.name())
    }
}

/// One row to write: `None` removes it.
pub(super) struct RowWrite {
    pub(super) table: Table,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// A stored row, taken apart but not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) revision: u64,
    pub(super) clear: &'a [u8],
    pub(super) record: &'a [u8],
}

const ROW_VERSION: u8 = 1;

impl<'a> Row<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, UnsealError> {
        Self::split(value).ok_or(UnsealError::Unparsable)
    }

    fn split(value: &'a [u8]) -> Option<Self> {
        let (version, rest) = value.split_first()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (clear, record) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let row = Self {
            revision: u64::from_be_bytes(*revision),
            clear,
            record,
        };
        (*version == ROW_VERSION).then_some(row)
    }

    /// Opens the record as the row of this table and key.
    pub(super) fn open(&self, vault: &Vault, table: Table, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        vault.open(&row_id(table, key, self.clear, self.revision), self.record)
    }
}

/// A row as it will be stored, sealed for this table, key, clear columns and revision.
pub(super) fn seal_row(
    vault: &Vault,
    at: (Table, &[u8], u64),
    clear: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (table, key, revision) = at;
    let sealed = vault.seal(&row_id(table, key, clear, revision), plaintext)?;
    let length = u16::try_from(clear.len()).unwrap_or(u16::MAX);
    let mut value = Vec::with_capacity(11 + clear.len() + sealed.as_bytes().len());
    value.push(ROW_VERSION);
    value.extend_from_slice(&revision.to_be_bytes());
    value.extend_from_slice(&length.to_be_bytes());
    value.extend_from_slice(clear);
    value.extend_from_slice(sealed.as_bytes());
    Ok(value)
}

fn row_id<'a>(table: Table, key: &'a [u8], clear: &'a [u8], revision: u64) -> RowId<'a> {
    let version = match table {
        Table::SecretValues => key.last_chunk::<4>().map_or(0, |version| u32::from_be_bytes(*version)),
        Table::Meta | Table::Ledger | Table::Policies | Table::Secrets => 0,
    };
    RowId {
        table: table.name(),
        key,
        version: version.into(),
        clear,
        revision,
    }
}

/// The value of one row, copied out of the database.
pub(super) fn read(txn: &ReadTransaction, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(txn
        .open_table(table.definition())?
        .get(key)?
        .map(|value| value.value().to_vec()))
}

/// Writes rows and commits them durably in two phases. An error of the commit itself leaves the outcome open.
pub(super) fn write(db: &redb::Database, rows: &[RowWrite]) -> Result<(), WriteFailure> {
    let txn = prepare(db, rows).map_err(WriteFailure::NothingWritten)?;
    txn.commit().map_err(|error| WriteFailure::Unknown(error.into()))
}

/// How a transaction failed.
#[derive(Debug)]
pub(super) enum WriteFailure {
    /// Before the commit began.
    NothingWritten(redb::Error),
    /// During the commit: it may turn out durable.
    Unknown(redb::Error),
}

fn prepare(db: &redb::Database, rows: &[RowWrite]) -> Result<WriteTransaction, redb::Error> {
    let mut txn = db.begin_write()?;
    txn.set_two_phase_commit(true);
    for name in Table::ALL {
        let mut table = txn.open_table(name.definition())?;
        for row in rows.iter().filter(|row| row.table == name) {
            match &row.value {
                Some(value) => drop(table.insert(row.key.as_slice(), value.as_slice())?),
                None => drop(table.remove(row.key.as_slice())?),
            }
        }
    }
    Ok(txn)
}

/// A read transaction.
pub(super) fn begin_read(db: &redb::Database) -> Result<ReadTransaction, redb::Error> {
    Ok(db.begin_read()?)
}
