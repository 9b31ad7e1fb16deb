//! Secret rows: their bytes, reading one, and checking all of them.
//!
//! ```text
//! secrets        key path                     plaintext  0x01 | created u64 | updated u64 | max versions u32 |
//!                                                        per version: number u32 | created u64 | deleted u64
//!                                                        (0: not deleted, else time + 1) | revision u64
//!                                                        (0: deleted, and without values)
//! secret_values  key path | 0x00 | number u32 plaintext  the values (vault)
//! ```
//! The ledger vouches for the `secrets` row, the `secrets` row for the revision of each of its values.
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use redb::{ReadTransaction, ReadableTable};
use spike_policy::{SecretPath, UnixMillis};

use super::broken::BrokenRecord;
use super::ledger::{Roll, Tracked};
use super::tables::{Row, RowWrite, Table, read, seal_row};
use super::version::{History, SecretVersion, Version};
use crate::vault::{SealError, SecretValue, Vault};

const FORMAT: u8 = 1;
const VERSION_BYTES: usize = 28;

/// Secrets that are not served, by the bytes of their path.
pub(super) type BrokenSecrets = BTreeMap<Vec<u8>, BrokenRecord>;

/// Why a secret row gave nothing.
#[derive(Debug)]
pub(super) enum RowError {
    /// It does not open or does not parse: of which table, and why.
    Damaged(Table, String),
    /// The disk failed.
    Storage(redb::Error),
}

impl From<redb::Error> for RowError {
    fn from(error: redb::Error) -> Self {
        Self::Storage(error)
    }
}

/// Opens every `secrets` row (not the values), ticking it off the roll. Gives those that must not be served.
pub(super) fn check_all(txn: &ReadTransaction, vault: &Vault, roll: &mut Roll) -> Result<BrokenSecrets, redb::Error> {
    let mut broken = BrokenSecrets::new();
    let table = txn.open_table(Table::Secrets.definition())?;
    for entry in table.iter()? {
        let (key, value) = entry?;
        if let Err(reason) = check(vault, roll, key.value(), value.value()) {
            broken.insert(key.value().to_vec(), BrokenRecord::secret(key.value(), reason));
        }
    }
    Ok(broken)
}

/// Adds the secrets that the roll lists and the table does not have.
pub(super) fn add_missing(broken: &mut BrokenSecrets, missing: impl Iterator<Item = Vec<u8>>) {
    for key in missing {
        let record = BrokenRecord::secret(&key, "the row is gone".to_owned());
        broken.entry(key).or_insert(record);
    }
}

fn check(vault: &Vault, roll: &mut Roll, key: &[u8], value: &[u8]) -> Result<(), String> {
    let row = Row::parse(value).map_err(|error| error.to_string())?;
    let standing = roll.tick(Tracked::Secret, key, row.revision);
    let plain = row
        .open(vault, Table::Secrets, key)
        .map_err(|error| error.to_string())?;
    standing.check()?;
    let path = std::str::from_utf8(key).map_err(|_| "its path is no text")?;
    path.parse::<SecretPath>()
        .map_err(|_| "its path is no longer accepted")?;
    decode(&plain).ok_or("its plaintext does not parse")?;
    Ok(())
}

/// The versions of a path that was put.
pub(super) fn history(txn: &ReadTransaction, vault: &Vault, path: &SecretPath) -> Result<Option<History>, RowError> {
    let key = path.as_str().as_bytes();
    let Some(value) = read(txn, Table::Secrets, key)? else {
        return Ok(None);
    };
    let open = || {
        let plain = Row::parse(&value)?.open(vault, Table::Secrets, key)?;
        Ok::<_, crate::vault::UnsealError>(decode(&plain))
    };
    match open() {
        Ok(Some(history)) => Ok(Some(history)),
        Ok(None) => Err(RowError::Damaged(
            Table::Secrets,
            "its plaintext does not parse".to_owned(),
        )),
        Err(error) => Err(RowError::Damaged(Table::Secrets, error.to_string())),
    }
}

/// The values of one version, which must have been written by the transaction that the history names.
pub(super) fn value(
    txn: &ReadTransaction,
    vault: &Vault,
    key: &[u8],
    version: Version,
) -> Result<SecretValue, RowError> {
    let damaged = |reason: &str| RowError::Damaged(Table::SecretValues, reason.to_owned());
    let value = read(txn, Table::SecretValues, key)?.ok_or_else(|| damaged("its values are gone"))?;
    let row = Row::parse(&value).map_err(|error| damaged(&error.to_string()))?;
    let plain = row
        .open(vault, Table::SecretValues, key)
        .map_err(|error| damaged(&error.to_string()))?;
    if row.revision != version.revision {
        return Err(damaged("its values are of another revision"));
    }
    SecretValue::decode(&plain).map_err(|error| damaged(&error.to_string()))
}

/// Every path in byte order, except those in `hidden`.
pub(super) fn paths(txn: &ReadTransaction, hidden: &BrokenSecrets) -> Result<Vec<SecretPath>, redb::Error> {
    let mut paths = Vec::new();
    let table = txn.open_table(Table::Secrets.definition())?;
    for entry in table.iter()? {
        let (key, _) = entry?;
        let path = std::str::from_utf8(key.value()).ok().and_then(|path| path.parse().ok());
        paths.extend(path.filter(|_| !hidden.contains_key(key.value())));
    }
    Ok(paths)
}

/// The key of one version's values. No path holds a zero byte.
pub(super) fn value_key(path: &SecretPath, number: SecretVersion) -> Vec<u8> {
    let mut key = path.as_str().as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(&number.get().to_be_bytes());
    key
}

pub(super) fn seal_history(
    vault: &Vault,
    path: &SecretPath,
    history: &History,
    revision: u64,
) -> Result<RowWrite, SealError> {
    let key = path.as_str().as_bytes();
    let value = seal_row(vault, (Table::Secrets, key, revision), &[], &encode(history))?;
    Ok(RowWrite {
        table: Table::Secrets,
        key: key.to_vec(),
        value: Some(value),
    })
}

pub(super) fn seal_value(vault: &Vault, key: &[u8], value: &SecretValue, revision: u64) -> Result<RowWrite, SealError> {
    let value = seal_row(vault, (Table::SecretValues, key, revision), &[], &value.encode())?;
    Ok(RowWrite {
        table: Table::SecretValues,
        key: key.to_vec(),
        value: Some(value),
    })
}

fn encode(history: &History) -> Vec<u8> {
    let mut plain = Vec::with_capacity(21 + history.versions.len() * VERSION_BYTES);
    plain.push(FORMAT);
    plain.extend_from_slice(&history.created_at.0.to_be_bytes());
    plain.extend_from_slice(&history.updated_at.0.to_be_bytes());
    plain.extend_from_slice(&history.max_versions.get().to_be_bytes());
    for (number, version) in &history.versions {
        let deleted = version.deleted_at.map_or(0, |time| time.0.saturating_add(1));
        plain.extend_from_slice(&number.get().to_be_bytes());
        plain.extend_from_slice(&version.created_at.0.to_be_bytes());
        plain.extend_from_slice(&deleted.to_be_bytes());
        plain.extend_from_slice(&version.revision.to_be_bytes());
    }
    plain
}

fn decode(plain: &[u8]) -> Option<History> {
    let [FORMAT, rest @ ..] = plain else { return None };
    let (created, rest) = take_u64(rest)?;
    let (updated, rest) = take_u64(rest)?;
    let (max_versions, rest) = rest.split_first_chunk::<4>()?;
    let (versions, rest) = rest.as_chunks::<VERSION_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    Some(History {
        created_at: UnixMillis(created),
        updated_at: UnixMillis(updated),
        max_versions: NonZeroU32::new(u32::from_be_bytes(*max_versions))?,
        versions: versions
            .iter()
            .map(|version| decode_version(version))
            .collect::<Option<_>>()?,
    })
}

fn decode_version(bytes: &[u8]) -> Option<(SecretVersion, Version)> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    let (created, rest) = take_u64(rest)?;
    let (deleted, rest) = take_u64(rest)?;
    let (revision, _) = take_u64(rest)?;
    let deleted_at = deleted.checked_sub(1).map(UnixMillis);
    let number = SecretVersion::try_from(u32::from_be_bytes(*number)).ok()?;
    Some((
        number,
        Version {
            created_at: UnixMillis(created),
            deleted_at,
            revision,
        },
    ))
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes
        .split_first_chunk::<8>()
        .map(|(number, rest)| (u64::from_be_bytes(*number), rest))
}
