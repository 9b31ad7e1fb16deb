//! What a batch comes to: the rows to write, sealed, and what to publish once they are committed.
use std::collections::BTreeSet;
use std::sync::Arc;

use spike_policy::{Policy, PolicyId, PolicyName};

use super::Batch;
use crate::store::changes::Delta;
use crate::store::ledger::{LedgerChange, Manifest, PlanError, Tracked};
use crate::store::tables::{RowWrite, Table};
use crate::store::{policies, secrets};
use crate::vault::SealError;

/// A transaction ready to be written.
pub(in crate::store) struct Plan {
    pub(in crate::store) rows: Vec<RowWrite>,
    pub(in crate::store) manifest: Manifest,
    pub(in crate::store) put: Vec<Arc<Policy>>,
    pub(in crate::store) removed: Vec<PolicyName>,
    /// Broken policies that are gone or replaced.
    pub(in crate::store) repaired: BTreeSet<PolicyId>,
    pub(in crate::store) deltas: Vec<Delta>,
}

impl Batch<'_> {
    /// Seals every staged row, the ledger and the manifest. `None` when nothing was staged.
    pub(in crate::store) fn plan(self) -> Result<Option<Plan>, PlanError> {
        if self.deltas.is_empty() && self.secrets.is_empty() {
            return Ok(None);
        }
        let mut manifest = self.base.manifest.clone();
        manifest.revision = manifest.revision.saturating_add(1);
        manifest.generation = self.generation;
        let mut ledger = LedgerChange::default();
        let mut rows = Vec::new();
        let (put, removed) = self.seal_policies(manifest.revision, &mut rows, &mut ledger)?;
        self.seal_secrets(manifest.revision, &mut rows, &mut ledger)?;
        rows.extend(ledger.seal(self.base.txn, self.base.vault, &mut manifest)?);
        rows.push(manifest.seal(self.base.vault)?);
        Ok(Some(Plan {
            rows,
            manifest,
            put,
            removed,
            repaired: self.repaired,
            deltas: self.deltas,
        }))
    }

    fn seal_policies(
        &self,
        revision: u64,
        rows: &mut Vec<RowWrite>,
        ledger: &mut LedgerChange,
    ) -> Result<(Vec<Arc<Policy>>, Vec<PolicyName>), SealError> {
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        let mut gone: Vec<PolicyId> = self.repaired.iter().copied().collect();
        for (name, policy) in &self.policies {
            let stored = self.base.set.get(name).map(|stored| stored.id);
            gone.extend(stored.filter(|stored| policy.as_ref().is_none_or(|policy| policy.id != *stored)));
            match policy {
                Some(policy) => put.push(Arc::clone(policy)),
                None => removed.push(name.clone()),
            }
        }
        for id in gone {
            ledger.remove(Tracked::Policy, id.as_bytes());
            rows.push(RowWrite {
                table: Table::Policies,
                key: id.as_bytes().to_vec(),
                value: None,
            });
        }
        for policy in &put {
            ledger.put(Tracked::Policy, policy.id.as_bytes());
            rows.push(policies::seal(self.base.vault, policy, revision)?);
        }
        Ok((put, removed))
    }

    fn seal_secrets(
        &self,
        revision: u64,
        rows: &mut Vec<RowWrite>,
        ledger: &mut LedgerChange,
    ) -> Result<(), SealError> {
        for (path, history) in &self.secrets {
            ledger.put(Tracked::Secret, path.as_str().as_bytes());
            rows.push(secrets::seal_history(self.base.vault, path, history, revision)?);
        }
        for (key, value) in &self.values {
            rows.push(match value {
                Some(value) => secrets::seal_value(self.base.vault, key, value, revision)?,
                None => RowWrite {
                    table: Table::SecretValues,
                    key: key.clone(),
                    value: None,
                },
            });
        }
        Ok(())
    }
}
