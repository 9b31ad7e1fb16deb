//! Policy rows: their bytes, and reading all of them.
//!
//! ```text
//! key            id 16
//! clear columns  created u64 | updated u64 | name
//! plaintext      0x01 | permissions u8 | identity pattern lp | path pattern
//! ```
//! `permissions` has bit 0 for read, 1 write, 2 list, 3 execute, 4 super. One record, one nonce, one AEAD call: the
//! fields of a policy can only be replaced together.
mod load;

use std::collections::BTreeMap;
use std::sync::Arc;

use spike_policy::{Permission, Permissions, Policy, PolicyId, PolicyName, PolicySet, Prepared, Rule, UnixMillis};

pub(super) use self::load::load;
use super::broken::BrokenRecord;
use super::ledger::Standing;
use super::tables::{RowWrite, Table, seal_row};
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

/// The policy of a row's plaintext; `policy` makes it of the rule.
fn decode(name: PolicyName, plain: &[u8], policy: impl FnOnce(Rule) -> Policy) -> Result<Prepared, String> {
    let (bits, identity, path) = split(plain).ok_or("its plaintext does not parse")?;
    let words = Permission::ALL
        .into_iter()
        .filter(|permission| bits & bit(*permission) != 0);
    let permissions = Permissions::parse(words.map(Permission::as_str)).map_err(|error| error.to_string())?;
    let prepared = Prepared::read(identity, path, |spiffe_id, path| {
        policy(Rule {
            name,
            spiffe_id,
            path,
            permissions,
        })
    });
    // Not the text: what is sealed on the disk is not written into a log.
    prepared.map_err(|_| "one of its patterns is no longer accepted".to_owned())
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
