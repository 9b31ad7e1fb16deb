//! Records that are not served, and why.
use std::fmt;

use spike_policy::{PolicyId, PolicyName};

use super::tables::Table;

/// A stored record that is not served: damaged, moved, rolled back, removed, or no longer acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRecord {
    /// Where it is, for a person: ``policy `name` (id)``, ``secret `path` `` or `ledger shard 7`.
    pub record: String,
    /// Why it is not served, for the operator's log. Not for clients.
    pub reason: String,
    /// The table that it is of.
    pub(super) table: Table,
}

impl BrokenRecord {
    pub(super) fn policy(id: PolicyId, name: Option<&PolicyName>, reason: String) -> Self {
        let record = match name {
            Some(name) => format!("policy `{name}` ({id})"),
            None => format!("policy ({id})"),
        };
        Self {
            record,
            reason,
            table: Table::Policies,
        }
    }

    pub(super) fn ledger(shard: u16) -> Self {
        let reason = "it does not open or is of another revision: rows that it lists are refused, or may be gone";
        Self {
            record: format!("ledger shard {shard}"),
            reason: reason.to_owned(),
            table: Table::Ledger,
        }
    }

    pub(super) fn secret(path: &[u8], reason: String) -> Self {
        Self {
            record: format!("secret `{}`", path.escape_ascii()),
            reason,
            table: Table::Secrets,
        }
    }
}

impl fmt::Display for BrokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.record, self.reason)
    }
}
