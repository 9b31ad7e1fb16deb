//! Opening and creating the database, without touching anything that is not ours.
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, ReadTransaction, StorageBackend, TableError};
use spike_policy::PolicySet;
use uuid::Uuid;

use super::anchor::AnchorError;
use super::broken::BrokenRecord;
use super::held::Held;
use super::ledger::{Manifest, Roll, Tracked};
use super::policies::{self, LoadedPolicies};
use super::secrets;
use super::slots::{Slot, Slots};
use super::state::Broken;
use super::tables::{
    self, KEYRING_KEY, KEYRING_NEXT_KEY, MANIFEST_KEY, META, RowWrite, SCHEMA, SCHEMA_KEY, STORE_KEY, Table,
};
use super::unfinished::StrayKey;
use crate::vault::{KeyFileError, RandomError, RootKey, SealError, SealLimits, UnlockError, Vault, random_bytes};

/// Why a store did not open. Nothing on disk was changed, unless it is [`OpenError::Io`] while creating it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No root key.
    #[error(transparent)]
    RootKey(#[from] KeyFileError),
    /// Operators bring the key of a database, and there is none.
    #[error("database `{0}`: there is none whose root key operators could bring; create it with a key file first")]
    NothingToUnseal(PathBuf),
    /// Another process has it open.
    #[error("database `{0}`: another process has it open")]
    AlreadyOpen(PathBuf),
    /// Its name leads elsewhere.
    #[error("database `{0}`: it is a symbolic link; name the file itself")]
    Symlink(PathBuf),
    /// It exists and holds nothing. It is not taken for a new database: that would hide a loss.
    #[error("database `{0}`: it is empty; remove it to start a new database, or restore a backup")]
    Empty(PathBuf),
    /// A file, but no database of ours.
    #[error("database `{path}`: {what}")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// Written by a newer version of this program.
    #[error("database `{path}`: it has schema {found}; this version reads up to {known}: use a newer one")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest that we read.
        known: u32,
    },
    /// The root key belongs to another database.
    #[error("database `{0}`: wrong key: it was created with another root key")]
    WrongKey(PathBuf),
    /// Its checksums, its keyring or its manifest do not hold.
    #[error("database `{path}`: it is damaged: {what}; restore a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Others may replace the file.
    #[error("database `{path}`: the mode {mode:04o} of its directory lets others replace it; run chmod 700 on it")]
    Directory {
        /// The file.
        path: PathBuf,
        /// The directory's mode.
        mode: u32,
    },
    /// The operating system refused.
    #[error("database `{path}`: could not {action}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The writer's thread did not start.
    #[error("could not start the store's writer")]
    Thread(#[source] io::Error),
    /// A key file lies there that no change of the root key leaves behind.
    #[error(transparent)]
    StrayKey(#[from] StrayKey),
    /// It may not be the newest copy.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// A new database could not be sealed.
    #[error("could not create a database")]
    Seal(#[from] SealError),
}

impl From<RandomError> for OpenError {
    fn from(error: RandomError) -> Self {
        Self::Seal(error.into())
    }
}

/// A store that was opened and checked.
pub(super) struct Opened {
    pub(super) db: Database,
    pub(super) vault: Vault,
    /// Its keyring records, and which of them the root key opened.
    pub(super) slots: Slots,
    pub(super) slot: Slot,
    pub(super) manifest: Manifest,
    pub(super) set: Arc<PolicySet>,
    pub(super) broken: Broken,
}

const CACHE: usize = 8 << 20;

/// Says whether a database whose rows are known to be ours may be opened. Nothing is written before it agreed.
pub(super) type Judge<'a> = dyn Fn(&Vault, &Manifest) -> Result<(), OpenError> + 'a;

pub(super) fn open_checked(
    (path, backend): (&Path, Box<dyn StorageBackend>),
    root: &RootKey,
    limits: SealLimits,
    judge: &Judge<'_>,
) -> Result<Opened, OpenError> {
    let held = Held::new(backend).map_err(|source| failed(path, "read it", source))?;
    let db = builder()
        .create_with_backend(held.clone())
        .map_err(|error| refusal(path, error))?;
    let txn = tables::begin_read(&db).map_err(|error| storage(path, error))?;
    let slots = read_head(path, &txn)?;
    let (vault, slot) = slots.unlock(root, limits).map_err(|error| match error {
        UnlockError::WrongKey => OpenError::WrongKey(path.to_owned()),
        UnlockError::Damaged => damaged(path, error),
    })?;
    let manifest = meta(&txn, MANIFEST_KEY).map_err(|error| storage(path, error))?;
    let manifest = manifest.ok_or_else(|| damaged(path, "the manifest is gone"))?;
    let manifest = Manifest::open(&vault, &manifest).map_err(|error| damaged(path, error))?;
    vault.count_from(manifest.seals);
    judge(&vault, &manifest)?;
    let (set, broken) = load(&txn, &vault, &manifest).map_err(|error| storage(path, error))?;
    drop(txn);
    held.release().map_err(|source| failed(path, "recover it", source))?;
    Ok(Opened {
        db,
        vault,
        slots,
        slot,
        manifest,
        set,
        broken,
    })
}

/// The keyring records of a database. The file is not changed.
pub(super) fn peek_slots(path: &Path, backend: Box<dyn StorageBackend>) -> Result<Slots, OpenError> {
    // Never released, as below.
    let held = Held::new(backend).map_err(|source| failed(path, "read it", source))?;
    let db = builder()
        .create_with_backend(held)
        .map_err(|error| refusal(path, error))?;
    let txn = tables::begin_read(&db).map_err(|error| storage(path, error))?;
    read_head(path, &txn)
}

/// What a database says about itself: its UUID, and its manifest if the root key opens it. The file is not changed.
pub(super) fn peek(
    path: &Path,
    backend: Box<dyn StorageBackend>,
    root: &RootKey,
    limits: SealLimits,
) -> Result<(Uuid, Option<Manifest>), OpenError> {
    // Never released: what redb writes on opening stays in memory.
    let held = Held::new(backend).map_err(|source| failed(path, "read it", source))?;
    let db = builder()
        .create_with_backend(held)
        .map_err(|error| refusal(path, error))?;
    let txn = tables::begin_read(&db).map_err(|error| storage(path, error))?;
    let slots = read_head(path, &txn)?;
    let manifest = meta(&txn, MANIFEST_KEY).map_err(|error| storage(path, error))?;
    let vault = slots.unlock(root, limits).ok();
    let manifest = vault
        .zip(manifest)
        .and_then(|((vault, _), row)| Manifest::open(&vault, &row).ok());
    Ok((slots.store, manifest))
}

/// Opens every row and holds it against the ledger.
fn load(txn: &ReadTransaction, vault: &Vault, manifest: &Manifest) -> Result<(Arc<PolicySet>, Broken), redb::Error> {
    let mut roll = Roll::read(txn, vault, manifest)?;
    let LoadedPolicies {
        set,
        broken: mut policies,
    } = policies::load(txn, vault, manifest.generation, &mut roll)?;
    let mut secrets = secrets::check_all(txn, vault, &mut roll)?;
    policies::add_missing(&mut policies, roll.missing(Tracked::Policy));
    secrets::add_missing(&mut secrets, roll.missing(Tracked::Secret));
    let ledger = roll.damaged().map(BrokenRecord::ledger).collect();
    Ok((
        set,
        Broken {
            policies,
            secrets,
            ledger,
        },
    ))
}

/// Opens every policy as the last commit left it.
pub(super) fn load_policies(txn: &ReadTransaction, vault: &Vault) -> Result<Option<LoadedPolicies>, redb::Error> {
    let Some(manifest) = meta(txn, MANIFEST_KEY)?.and_then(|row| Manifest::open(vault, &row).ok()) else {
        return Ok(None);
    };
    let mut roll = Roll::read(txn, vault, &manifest)?;
    policies::load(txn, vault, manifest.generation, &mut roll).map(Some)
}

/// The schema is judged before anything else is read: a newer one may mean anything by it.
fn read_head(path: &Path, txn: &ReadTransaction) -> Result<Slots, OpenError> {
    let not_ours = || OpenError::NotOurs {
        path: path.to_owned(),
        what: "a redb database of another program",
    };
    let schema = match txn.open_table(META) {
        Ok(_) => meta(txn, SCHEMA_KEY)
            .map_err(|error| storage(path, error))?
            .ok_or_else(not_ours)?,
        Err(TableError::Storage(error)) => return Err(storage(path, error.into())),
        Err(_) => return Err(not_ours()),
    };
    let found = schema
        .as_slice()
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| not_ours())?;
    if found > SCHEMA {
        return Err(OpenError::NewerSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        });
    }
    let store = meta(txn, STORE_KEY).map_err(|error| storage(path, error))?;
    let store = store.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let store = store.ok_or_else(|| damaged(path, "its UUID is gone"))?;
    let keyring = meta(txn, KEYRING_KEY).map_err(|error| storage(path, error))?;
    Ok(Slots {
        store,
        current: keyring.ok_or_else(|| damaged(path, "the keyring record is gone"))?,
        next: meta(txn, KEYRING_NEXT_KEY).map_err(|error| storage(path, error))?,
    })
}

fn meta(txn: &ReadTransaction, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    tables::read(txn, Table::Meta, key)
}

/// Writes the first transaction of a new store.
pub(super) fn fill(
    path: &Path,
    backend: Box<dyn StorageBackend>,
    root: &RootKey,
    limits: SealLimits,
) -> Result<(), OpenError> {
    let held = Held::new(backend).and_then(|held| held.release().map(|()| held));
    let held = held.map_err(|source| failed(path, "create it", source))?;
    let db = builder()
        .create_with_backend(held)
        .map_err(|error| refusal(path, error))?;
    let store = uuid::Builder::from_random_bytes(random_bytes()?).into_uuid();
    let (vault, keyring) = Vault::create(root, store, limits)?;
    let row = |key: &[u8], value: &[u8]| RowWrite {
        table: Table::Meta,
        key: key.to_vec(),
        value: Some(value.to_vec()),
    };
    let rows = [
        row(SCHEMA_KEY, &SCHEMA.to_be_bytes()),
        row(STORE_KEY, store.as_bytes()),
        row(KEYRING_KEY, keyring.as_bytes()),
        Manifest::new(vault.term()).seal(&vault)?,
    ];
    tables::write(&db, &rows).map_err(|failure| match failure {
        tables::WriteFailure::NothingWritten(error) | tables::WriteFailure::Unknown(error) => storage(path, error),
    })?;
    db.close().map_err(|error| refusal(path, error))
}

/// 8 MiB of cache instead of redb's 1 GiB: policies are served from memory, and what was read lately is in the system's. Checksums of the whole file are verified
/// on open, because redb trusts what it reads later.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

pub(super) fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::AlreadyOpen(path.to_owned())
        }
        DatabaseError::UpgradeRequired(_) => OpenError::NotOurs {
            path: path.to_owned(),
            what: "a database in a file format older than ours",
        },
        other => storage(path, other.into()),
    }
}

pub(super) fn storage(path: &Path, error: redb::Error) -> OpenError {
    match error {
        redb::Error::Io(source) => match source.kind() {
            io::ErrorKind::InvalidData => damaged(path, source),
            io::ErrorKind::UnexpectedEof => damaged(path, "it ends too early"),
            _ => failed(path, "read it", source),
        },
        redb::Error::PreviousIo => failed(path, "read it", io::Error::other("an earlier disk error")),
        other => damaged(path, other),
    }
}

pub(super) fn damaged(path: &Path, what: impl fmt::Display) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        what: what.to_string(),
    }
}

pub(super) fn failed(path: &Path, action: &'static str, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
