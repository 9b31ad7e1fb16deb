//! Policy rows: their bytes, and reading all of them.
//!
//! ```text
//! key            id 16
//! clear columns  created u64 | updated u64 | name
//! plaintext      0x01 | permissions u8 | identity pattern lp | path pattern
//! ```
//! `permissions` has bit 0 for read, 1 write, 2 list, 3 execute, 4 super. One record, one nonce, one AEAD call: the
//! fields of a policy can only be replaced together.
use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use spike_policy::{Generation, Permission, Permissions, Policy, PolicyId, PolicyName, PolicySet, Rule, UnixMillis};

use super::broken::BrokenRecord;
use super::ledger::{Roll, Standing, Tracked};
use super::tables::{Row, RowWrite, Table, seal_row};
use crate::vault::{SealError, Vault};

const FORMAT: u8 = 1;

/// All policies of a store: those that serve, and those that do not.
#[derive(Clone, Debug)]
pub(super) struct LoadedPolicies {
    pub(super) set: Arc<PolicySet>,
    pub(super) broken: BrokenPolicies,
}

/// Rows that are listed or present, but not served: by id, with the name that stands beside them in clear.
pub(super) type BrokenPolicies = BTreeMap<PolicyId, (Option<PolicyName>, BrokenRecord)>;

/// Reads and opens every policy, ticking it off the roll.
pub(super) fn load(
    txn: &ReadTransaction,
    vault: &Vault,
    generation: Generation,
    roll: &mut Roll,
) -> Result<LoadedPolicies, redb::Error> {
    let mut policies = Vec::new();
    let mut broken = BrokenPolicies::new();
    let table = txn.open_table(Table::Policies.definition())?;
    for entry in table.iter()? {
        let (key, value) = entry?;
        match open(vault, roll, key.value(), value.value()) {
            Ok(policy) => policies.push(Arc::new(policy)),
            Err(reason) => {
                let id = id_of(key.value());
                let name = Row::parse(value.value())
                    .ok()
                    .and_then(|row| columns_of(row.clear))
                    .map(|(_, _, name)| name);
                broken.insert(id, (name.clone(), BrokenRecord::policy(id, name.as_ref(), reason)));
            }
        }
    }
    Ok(LoadedPolicies {
        set: Arc::new(PolicySet::new(generation, policies)),
        broken,
    })
}

/// Adds the policies that the roll lists and the table does not have.
pub(super) fn add_missing(broken: &mut BrokenPolicies, missing: impl Iterator<Item = Vec<u8>>) {
    for key in missing {
        let id = id_of(&key);
        // A row that is there but does not parse could not be ticked off; what was found out about it stands.
        broken
            .entry(id)
            .or_insert_with(|| (None, BrokenRecord::policy(id, None, "the row is gone".to_owned())));
    }
}

/// The row of a policy for the transaction `revision`.
pub(super) fn seal(vault: &Vault, policy: &Policy, revision: u64) -> Result<RowWrite, SealError> {
    let key = policy.id.as_bytes();
    let value = seal_row(
        vault,
        (Table::Policies, key, revision),
        &columns(policy),
        &encode(&policy.rule),
    )?;
    Ok(RowWrite {
        table: Table::Policies,
        key: key.to_vec(),
        value: Some(value),
    })
}

fn open(vault: &Vault, roll: &mut Roll, key: &[u8], value: &[u8]) -> Result<Policy, String> {
    let row = Row::parse(value).map_err(|error| error.to_string())?;
    // Ticked off even when it does not open: a damaged row is not also a missing one.
    let standing = roll.tick(Tracked::Policy, key, row.revision);
    let plain = row
        .open(vault, Table::Policies, key)
        .map_err(|error| error.to_string())?;
    standing.check()?;
    let (created_at, updated_at, name) = columns_of(row.clear).ok_or("its clear columns do not parse")?;
    let id = key.first_chunk::<16>().ok_or("its key is no policy id")?;
    let rule = decode(name, &plain)?;
    Ok(Policy {
        id: PolicyId::from_bytes(*id),
        rule,
        created_at,
        updated_at,
    })
}

fn columns(policy: &Policy) -> Vec<u8> {
    let name = policy.rule.name.as_str().as_bytes();
    let mut clear = Vec::with_capacity(16 + name.len());
    clear.extend_from_slice(&policy.created_at.0.to_be_bytes());
    clear.extend_from_slice(&policy.updated_at.0.to_be_bytes());
    clear.extend_from_slice(name);
    clear
}

fn columns_of(clear: &[u8]) -> Option<(UnixMillis, UnixMillis, PolicyName)> {
    let (created, rest) = clear.split_first_chunk::<8>()?;
    let (updated, name) = rest.split_first_chunk::<8>()?;
    let name = std::str::from_utf8(name).ok()?.parse().ok()?;
    Some((
        UnixMillis(u64::from_be_bytes(*created)),
        UnixMillis(u64::from_be_bytes(*updated)),
        name,
    ))
}

fn encode(rule: &Rule) -> Vec<u8> {
    let (identity, path) = (rule.spiffe_id.as_str().as_bytes(), rule.path.as_str().as_bytes());
    let mut plain = Vec::with_capacity(4 + identity.len() + path.len());
    plain.push(FORMAT);
    plain.push(
        rule.permissions
            .iter()
            .fold(0, |bits, permission| bits | bit(permission)),
    );
    plain.extend_from_slice(&u16::try_from(identity.len()).unwrap_or(u16::MAX).to_be_bytes());
    plain.extend_from_slice(identity);
    plain.extend_from_slice(path);
    plain
}

fn decode(name: PolicyName, plain: &[u8]) -> Result<Rule, String> {
    let (bits, identity, path) = split(plain).ok_or("its plaintext does not parse")?;
    let words = Permission::ALL
        .into_iter()
        .filter(|permission| bits & bit(*permission) != 0);
    let permissions = Permissions::parse(words.map(Permission::as_str)).map_err(|error| error.to_string())?;
    Ok(Rule {
        name,
        spiffe_id: identity
            .parse()
            .map_err(|_| "its SPIFFE ID pattern is no longer accepted")?,
        path: path.parse().map_err(|_| "its path pattern is no longer accepted")?,
        permissions,
    })
}

fn split(plain: &[u8]) -> Option<(u8, &str, &str)> {
    let [FORMAT, bits, rest @ ..] = plain else { return None };
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (identity, path) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((
        *bits,
        std::str::from_utf8(identity).ok()?,
        std::str::from_utf8(path).ok()?,
    ))
}

/// The stored bit. Part of the format, so it does not follow the order of the enum.
fn bit(permission: Permission) -> u8 {
    match permission {
        Permission::Read => 1,
        Permission::Write => 1 << 1,
        Permission::List => 1 << 2,
        Permission::Execute => 1 << 3,
        Permission::Super => 1 << 4,
    }
}

/// The id in a row's key; of a key that is none, whatever identifies it best.
fn id_of(key: &[u8]) -> PolicyId {
    let mut id = [0; 16];
    id.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    PolicyId::from_bytes(id)
}

impl Standing {
    /// Whether the ledger vouches for a row; else why not.
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Listed => Ok(()),
            Self::OtherRevision => Err("the ledger lists another revision of it: it was rolled back".to_owned()),
            Self::Unlisted => Err("the ledger does not list it: it was put there by someone else".to_owned()),
            Self::ShardDamaged => Err("the ledger shard that lists it is damaged".to_owned()),
        }
    }
}
