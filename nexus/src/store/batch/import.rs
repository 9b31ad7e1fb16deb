//! Imports as jobs: first compared with what is there, then staged if they may be.
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use spike_policy::{Policy, PolicyId, SecretPath, UnixMillis};

use super::{Batch, JobError};
use crate::store::import::{ImportMode, Imported, PolicyImport, SecretImport, VersionImport};
use crate::store::jobs::{PutOutcome, WriteError};
use crate::store::secrets;
use crate::store::version::{History, SecretVersion, Version};
use crate::vault::{SealError, SecretValue, random_bytes};

/// How the versions that are there compare with those that come.
struct Comparison {
    /// Numbers on both sides, the same.
    same: BTreeSet<SecretVersion>,
    outcome: Imported,
}

impl Batch<'_> {
    pub(super) fn import_secret(&mut self, import: SecretImport, now: UnixMillis) -> Result<Imported, JobError> {
        let Some(before) = self.history(&import.path)? else {
            if import.mode != ImportMode::Compare {
                let limit = import.max_versions.unwrap_or(self.base.max_versions);
                let nothing = History::new(limit, import.since(now));
                self.stage_import(import, &nothing, &BTreeSet::new(), now);
            }
            return Ok(Imported::Created);
        };
        let Comparison { same, outcome } = self.compare(&import, &before)?;
        let outcome = match (outcome, import.mode) {
            (Imported::Conflict, ImportMode::Overwrite) => Imported::Replaced,
            (outcome, _) => outcome,
        };
        if outcome.writes(import.mode) {
            self.stage_import(import, &before, &same, now);
        }
        Ok(outcome)
    }

    fn compare(&self, import: &SecretImport, before: &History) -> Result<Comparison, JobError> {
        let mut same = BTreeSet::new();
        for (number, version) in &import.versions {
            if let Some(there) = before.versions.get(number)
                && self.is_same(&import.path, (*number, *there), version)?
            {
                same.insert(*number);
            }
        }
        // Versions below all that come were pruned there since. Any other one that is only here and holds something is
        // in the way.
        let lowest = import.versions.keys().next();
        let is_pruned = |number: &SecretVersion| lowest.is_some_and(|lowest| number < lowest);
        let mut only_here = before.versions.iter().filter(|(number, _)| !same.contains(*number));
        let conflict = only_here
            .any(|(number, there)| import.versions.contains_key(number) || (there.has_values() && !is_pruned(number)));
        let outcome = if conflict {
            Imported::Conflict
        } else if import.versions.len() > same.len() || before.versions.keys().any(is_pruned) {
            Imported::Updated
        } else {
            import.against_times_of(before)
        };
        Ok(Comparison { same, outcome })
    }

    /// Whether a stored version is the one that comes, as far as that says.
    fn is_same(
        &self,
        path: &SecretPath,
        (number, there): (SecretVersion, Version),
        comes: &VersionImport,
    ) -> Result<bool, JobError> {
        let times = comes.created_at.is_none_or(|at| at == there.created_at)
            && match (comes.deleted, there.deleted_at) {
                (None, None) | (Some(None), Some(_)) => true,
                (Some(Some(comes)), Some(there)) => comes == there,
                (None, Some(_)) | (Some(_), None) => false,
            };
        match &comes.value {
            Some(value) if times => self.holds(path, (number, there), value),
            Some(_) | None => Ok(times),
        }
    }

    fn holds(
        &self,
        path: &SecretPath,
        (number, there): (SecretVersion, Version),
        value: &SecretValue,
    ) -> Result<bool, JobError> {
        let key = secrets::value_key(path, number);
        if !there.has_values() {
            return Ok(false);
        }
        match self.values.get(&key) {
            Some(staged) => Ok(staged.as_ref() == Some(value)),
            None => Ok(secrets::value(self.base.txn, self.base.vault, &key, there)? == *value),
        }
    }

    /// Stages the history that comes. What is the same keeps its values; all other values that were there go.
    fn stage_import(
        &mut self,
        import: SecretImport,
        before: &History,
        same: &BTreeSet<SecretVersion>,
        now: UnixMillis,
    ) {
        let revision = self.base.manifest.revision.saturating_add(1);
        let (since, until) = (import.since(now), import.until(now));
        let mut versions = BTreeMap::new();
        for (number, there) in before.versions.iter().filter(|(number, _)| !same.contains(*number)) {
            if there.has_values() {
                self.values.insert(secrets::value_key(&import.path, *number), None);
            } else {
                // A number that was given out once is not given out again.
                versions.insert(*number, *there);
            }
        }
        for (number, comes) in import.versions {
            if let Some(kept) = before.versions.get(&number).filter(|_| same.contains(&number)) {
                versions.insert(number, *kept);
                continue;
            }
            let created_at = comes.created_at.unwrap_or(since);
            let version = Version {
                created_at,
                deleted_at: comes.deleted.map(|at| at.unwrap_or(until).max(created_at)),
                revision: comes.value.as_ref().map_or(Version::WITHOUT_VALUES, |_| revision),
            };
            if comes.value.is_some() {
                let key = secrets::value_key(&import.path, number);
                self.values.insert(key, comes.value);
            }
            versions.insert(number, version);
        }
        let history = History {
            created_at: since,
            updated_at: until,
            max_versions: import.max_versions.unwrap_or(before.max_versions),
            versions,
        };
        self.secrets.insert(import.path, history);
    }

    pub(super) fn import_policies(
        &mut self,
        policies: Vec<PolicyImport>,
        mode: ImportMode,
        now: UnixMillis,
    ) -> Result<Vec<(Arc<Policy>, Imported)>, JobError> {
        let mut names = HashSet::new();
        if let Some(twice) = policies.iter().find(|policy| !names.insert(&policy.rule.name)) {
            return Err(WriteError::Repeated(twice.rule.name.clone()).into());
        }
        let imported = policies
            .into_iter()
            .map(|policy| self.work_out_import(policy, mode, now))
            .collect::<Result<Vec<_>, _>>()?;
        let written: Vec<_> = imported
            .iter()
            .filter(|(_, outcome)| outcome.writes(mode))
            .map(|(policy, _)| (Arc::clone(policy), PutOutcome::Created))
            .collect();
        self.stage_policies(&written);
        Ok(imported)
    }

    /// The policy that an import leaves. Stages nothing.
    fn work_out_import(
        &self,
        import: PolicyImport,
        mode: ImportMode,
        now: UnixMillis,
    ) -> Result<(Arc<Policy>, Imported), JobError> {
        let created_at = import.created_at.unwrap_or(now);
        let updated_at = import.updated_at.unwrap_or(created_at).max(created_at);
        let (id, outcome) = match (self.named(&import.rule.name), mode) {
            (Some(there), _) if there.rule == import.rule => return Ok((Arc::clone(there), Imported::Identical)),
            (Some(there), ImportMode::Overwrite) => (there.id, Imported::Replaced),
            (Some(there), ImportMode::Add | ImportMode::Compare) => return Ok((Arc::clone(there), Imported::Conflict)),
            (None, _) => {
                let bytes = random_bytes().map_err(|error| WriteError::Seal(SealError::Random(error)))?;
                (PolicyId::from_random_bytes(bytes), Imported::Created)
            }
        };
        let policy = Policy {
            id,
            rule: import.rule,
            created_at,
            updated_at,
        };
        Ok((Arc::new(policy), outcome))
    }
}
