//! The ledger: which rows there are, and at which revision. It shows what no single record can: that a row was
//! removed, added, or replaced by an older copy of itself.
//!
//! Rows are spread over 512 shards by a hash of their key. A shard lists its rows with their revisions; the manifest
//! lists the shards with theirs. Shard, manifest and row are written by one transaction, so a copy of any proper
//! subset of them does not fit the rest. (An older copy of the *whole* file fits: that needs an anchor outside it.)
//!
//! ```text
//! manifest  generation u64 | term u32 | seals u64 | 512 x revision u64 (0: no such shard) | reserved u64 (absent: 0)
//!           | anchored u8 (absent: 0, else 1)
//! shard     per row: table u8 | key lp | revision u64
//! ```
use std::collections::{BTreeMap, HashMap};

use redb::ReadTransaction;
use sha2::{Digest, Sha256};
use spike_policy::Generation;

use super::tables::{MANIFEST_KEY, Row, RowWrite, Table, read, seal_row};
use crate::vault::{KeyTerm, SealError, Vault};

const SHARDS: u16 = 512;

/// What the ledger keeps count of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Tracked {
    Policy,
    Secret,
}

impl Tracked {
    fn code(self) -> u8 {
        match self {
            Self::Policy => 1,
            Self::Secret => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Policy, Self::Secret]
            .into_iter()
            .find(|tracked| tracked.code() == code)
    }
}

/// The head of the ledger, and the counters that live and die with a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The transaction that wrote it: the last one.
    pub(super) revision: u64,
    /// The policies' generation.
    pub(super) generation: Generation,
    /// The term that seals, and how many records it has sealed.
    pub(super) term: KeyTerm,
    pub(super) seals: u64,
    /// How many messages of callers have been reserved under that term.
    pub(super) reserved: u64,
    /// Whether there is an anchor outside (see `anchor`): one that is gone is missed then.
    pub(super) anchored: bool,
    shards: BTreeMap<u16, u64>,
}

/// The manifest does not open: nothing in the store can be trusted to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is damaged")]
pub(super) struct ManifestDamaged;

impl Manifest {
    /// Of a store without rows.
    pub(super) fn new(term: KeyTerm) -> Self {
        Self {
            revision: 0,
            generation: Generation(0),
            term,
            seals: 0,
            reserved: 0,
            anchored: false,
            shards: BTreeMap::new(),
        }
    }

    pub(super) fn open(vault: &Vault, value: &[u8]) -> Result<Self, ManifestDamaged> {
        let row = Row::parse(value).map_err(|_| ManifestDamaged)?;
        let plain = row
            .open(vault, Table::Meta, MANIFEST_KEY)
            .map_err(|_| ManifestDamaged)?;
        Self::decode(row.revision, &plain).ok_or(ManifestDamaged)
    }

    /// The row of this manifest. Its own seal is in its count.
    pub(super) fn seal(&mut self, vault: &Vault) -> Result<RowWrite, SealError> {
        if self.term != vault.term() {
            self.term = vault.term();
            self.reserved = 0;
        }
        self.seals = vault.seals().saturating_add(1);
        let mut plain = Vec::with_capacity(28 + usize::from(SHARDS) * 8);
        plain.extend_from_slice(&self.generation.0.to_be_bytes());
        plain.extend_from_slice(&self.term.get().to_be_bytes());
        plain.extend_from_slice(&self.seals.to_be_bytes());
        for shard in 0..SHARDS {
            plain.extend_from_slice(&self.shards.get(&shard).copied().unwrap_or(0).to_be_bytes());
        }
        if self.reserved != 0 || self.anchored {
            plain.extend_from_slice(&self.reserved.to_be_bytes());
        }
        if self.anchored {
            plain.push(1);
        }
        let value = seal_row(vault, (Table::Meta, MANIFEST_KEY, self.revision), &[], &plain)?;
        Ok(RowWrite {
            table: Table::Meta,
            key: MANIFEST_KEY.to_vec(),
            value: Some(value),
        })
    }

    fn decode(revision: u64, plain: &[u8]) -> Option<Self> {
        let (generation, rest) = plain.split_first_chunk::<8>()?;
        let (term, rest) = rest.split_first_chunk::<4>()?;
        let (seals, rest) = rest.split_first_chunk::<8>()?;
        let (revisions, rest) = rest.split_at_checked(usize::from(SHARDS) * 8)?;
        let (reserved, anchored) = match rest.split_first_chunk::<8>() {
            None if rest.is_empty() => (0, false),
            Some((reserved, [])) => (u64::from_be_bytes(*reserved), false),
            Some((reserved, [1])) => (u64::from_be_bytes(*reserved), true),
            None | Some(_) => return None,
        };
        let (revisions, _) = revisions.as_chunks::<8>();
        let shards = (0..SHARDS).zip(revisions.iter().map(|revision| u64::from_be_bytes(*revision)));
        Some(Self {
            revision,
            generation: Generation(u64::from_be_bytes(*generation)),
            term: KeyTerm::try_from(u32::from_be_bytes(*term)).ok()?,
            seals: u64::from_be_bytes(*seals),
            reserved,
            anchored,
            shards: shards.filter(|(_, revision)| *revision != 0).collect(),
        })
    }
}

type Entries = BTreeMap<(Tracked, Vec<u8>), u64>;

/// The rows that should be there, read once, ticked off one by one.
pub(super) struct Roll {
    store: uuid::Uuid,
    policies: Listed,
    secrets: Listed,
    damaged: Vec<u16>,
}

/// Keys of rows and their revisions.
type Listed = HashMap<Box<[u8]>, u64>;

/// What the ledger says about a row that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it should be.
    Listed,
    /// An older copy, or edited.
    OtherRevision,
    /// Not written by us.
    Unlisted,
    /// Its shard does not open.
    ShardDamaged,
}

impl Roll {
    /// Reads every shard that the manifest lists. Damaged ones are remembered, not fatal: their rows are refused.
    pub(super) fn read(txn: &ReadTransaction, vault: &Vault, manifest: &Manifest) -> Result<Self, redb::Error> {
        let mut roll = Self {
            store: *vault.store(),
            policies: Listed::new(),
            secrets: Listed::new(),
            damaged: Vec::new(),
        };
        let table = txn.open_table(Table::Ledger.definition())?;
        for (shard, revision) in &manifest.shards {
            let value = table.get(shard.to_be_bytes().as_slice())?;
            match value.and_then(|value| open_shard(vault, *shard, *revision, value.value())) {
                Some(entries) => {
                    for (tracked, key, revision) in entries {
                        roll.listed_mut(tracked).insert(key, revision);
                    }
                }
                None => roll.damaged.push(*shard),
            }
        }
        Ok(roll)
    }

    /// Ticks off a row that was found.
    pub(super) fn tick(&mut self, tracked: Tracked, key: &[u8], revision: u64) -> Standing {
        match self.listed_mut(tracked).remove(key) {
            Some(listed) if listed == revision => Standing::Listed,
            Some(_) => Standing::OtherRevision,
            None if self.damaged.contains(&shard_of(&self.store, tracked, key)) => Standing::ShardDamaged,
            None => Standing::Unlisted,
        }
    }

    /// The shards that do not open.
    pub(super) fn damaged(&self) -> impl Iterator<Item = u16> {
        self.damaged.iter().copied()
    }

    /// The listed rows of a table that were not found.
    pub(super) fn missing(&self, of: Tracked) -> impl Iterator<Item = Vec<u8>> {
        let listed = match of {
            Tracked::Policy => &self.policies,
            Tracked::Secret => &self.secrets,
        };
        listed.keys().map(|key| key.to_vec())
    }

    fn listed_mut(&mut self, of: Tracked) -> &mut Listed {
        match of {
            Tracked::Policy => &mut self.policies,
            Tracked::Secret => &mut self.secrets,
        }
    }
}

/// Changes to the ledger that belong to one transaction.
#[derive(Default)]
pub(super) struct LedgerChange {
    rows: Vec<(Tracked, Vec<u8>, bool)>,
}

impl LedgerChange {
    pub(super) fn put(&mut self, tracked: Tracked, key: &[u8]) {
        self.rows.push((tracked, key.to_vec(), true));
    }

    pub(super) fn remove(&mut self, tracked: Tracked, key: &[u8]) {
        self.rows.push((tracked, key.to_vec(), false));
    }

    /// The shards to write for the transaction `manifest.revision`, entered into the manifest as well.
    pub(super) fn seal(
        self,
        txn: &ReadTransaction,
        vault: &Vault,
        manifest: &mut Manifest,
    ) -> Result<Vec<RowWrite>, PlanError> {
        let mut shards: BTreeMap<u16, Entries> = BTreeMap::new();
        for (tracked, key, put) in self.rows {
            let shard = shard_of(vault.store(), tracked, &key);
            let entries = match shards.entry(shard) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(current_entries(txn, vault, manifest, shard)?)
                }
            };
            if put {
                entries.insert((tracked, key), manifest.revision);
            } else {
                entries.remove(&(tracked, key));
            }
        }
        let mut writes = Vec::with_capacity(shards.len());
        for (shard, entries) in shards {
            writes.push(seal_shard(vault, shard, manifest.revision, &entries)?);
            manifest.shards.insert(shard, manifest.revision);
        }
        Ok(writes)
    }
}

/// Why a transaction could not be prepared. Nothing was written.
#[derive(Debug)]
pub(super) enum PlanError {
    /// Sealing was refused.
    Seal(SealError),
    /// The disk failed.
    Storage(redb::Error),
}

impl From<SealError> for PlanError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl From<redb::Error> for PlanError {
    fn from(error: redb::Error) -> Self {
        Self::Storage(error)
    }
}

/// What a shard lists now. A damaged shard counts as empty: its rows stay refused until each is put again.
fn current_entries(
    txn: &ReadTransaction,
    vault: &Vault,
    manifest: &Manifest,
    shard: u16,
) -> Result<Entries, redb::Error> {
    let Some(revision) = manifest.shards.get(&shard) else {
        return Ok(Entries::new());
    };
    let value = read(txn, Table::Ledger, &shard.to_be_bytes())?;
    Ok(value
        .and_then(|value| open_shard(vault, shard, *revision, &value))
        .unwrap_or_default()
        .into_iter()
        .map(|(tracked, key, revision)| ((tracked, key.into_vec()), revision))
        .collect())
}

/// The rows that a shard lists, with their revisions.
type Shard = Vec<(Tracked, Box<[u8]>, u64)>;

fn open_shard(vault: &Vault, shard: u16, revision: u64, value: &[u8]) -> Option<Shard> {
    let row = Row::parse(value).ok().filter(|row| row.revision == revision)?;
    let plain = row.open(vault, Table::Ledger, &shard.to_be_bytes()).ok()?;
    let mut rest = plain.as_slice();
    let mut entries = Shard::new();
    while let Some((code, after)) = rest.split_first() {
        let (length, after) = after.split_first_chunk::<2>()?;
        let (key, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (revision, after) = after.split_first_chunk::<8>()?;
        let tracked = Tracked::from_code(*code)?;
        entries.push((tracked, key.into(), u64::from_be_bytes(*revision)));
        rest = after;
    }
    Some(entries)
}

fn seal_shard(vault: &Vault, shard: u16, revision: u64, entries: &Entries) -> Result<RowWrite, SealError> {
    let mut plain = Vec::new();
    for ((tracked, key), revision) in entries {
        plain.push(tracked.code());
        plain.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
        plain.extend_from_slice(key);
        plain.extend_from_slice(&revision.to_be_bytes());
    }
    let key = shard.to_be_bytes();
    let value = seal_row(vault, (Table::Ledger, &key, revision), &[], &plain)?;
    Ok(RowWrite {
        table: Table::Ledger,
        key: key.to_vec(),
        value: Some(value),
    })
}

/// Where a row is listed. Salted with the store's UUID, so that nobody can aim many secrets at one shard.
fn shard_of(store: &uuid::Uuid, tracked: Tracked, key: &[u8]) -> u16 {
    let digest = Sha256::new()
        .chain_update(store.as_bytes())
        .chain_update([tracked.code()])
        .chain_update(key)
        .finalize();
    let (head, _) = digest.as_slice().as_chunks::<2>();
    head.first().map_or(0, |head| u16::from_be_bytes(*head)) % SHARDS
}
