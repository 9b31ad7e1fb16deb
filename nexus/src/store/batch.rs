//! The writes that share one transaction, worked out in memory before anything is written.
//!
//! Each job first reads and judges, then stages: a job that fails has staged nothing, so every job is all or nothing
//! without a savepoint. Staged changes are seen by the jobs after it. Rows are sealed once, when the batch is planned.
mod import;
mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use redb::ReadTransaction;
use spike_policy::{Generation, Policy, PolicyId, PolicyName, PolicySet, Rule, SecretPath, UnixMillis};

pub(super) use self::plan::Plan;
use super::changes::Delta;
use super::jobs::{Answer, Applied, Deleted, Mode, Put, PutOutcome, Write, WriteError, answer};
use super::ledger::Manifest;
use super::meter::Meter;
use super::policies::BrokenPolicies;
use super::secrets::{self, BrokenSecrets, RowError};
use super::version::{History, SecretVersion, VersionChoice};
use crate::vault::{SealError, SecretValue, Vault, random_bytes};

/// What the last commit left.
pub(super) struct Base<'a> {
    pub(super) txn: &'a ReadTransaction,
    pub(super) vault: &'a Vault,
    pub(super) manifest: &'a Manifest,
    pub(super) set: &'a PolicySet,
    pub(super) broken_policies: &'a BrokenPolicies,
    pub(super) broken_secrets: &'a BrokenSecrets,
    pub(super) max_versions: NonZeroU32,
    pub(super) meter: &'a Meter,
}

/// Changes on top of a [`Base`].
pub(super) struct Batch<'a> {
    base: Base<'a>,
    generation: Generation,
    policies: HashMap<PolicyName, Option<Arc<Policy>>>,
    repaired: BTreeSet<PolicyId>,
    secrets: BTreeMap<SecretPath, History>,
    values: BTreeMap<Vec<u8>, Option<SecretValue>>,
    deltas: Vec<Delta>,
}

/// Why a job staged nothing.
enum JobError {
    /// Its own fault: the others go on.
    Refused(WriteError),
    /// The disk failed: nobody goes on.
    Storage(redb::Error),
}

impl From<WriteError> for JobError {
    fn from(error: WriteError) -> Self {
        Self::Refused(error)
    }
}

impl From<RowError> for JobError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Damaged(_, reason) => {
                tracing::error!(%reason, "a secret's record is damaged");
                Self::Refused(WriteError::Damaged)
            }
            RowError::Storage(error) => Self::Storage(error),
        }
    }
}

impl<'a> Batch<'a> {
    pub(super) fn new(base: Base<'a>) -> Self {
        let generation = base.manifest.generation;
        Self {
            base,
            generation,
            policies: HashMap::new(),
            repaired: BTreeSet::new(),
            secrets: BTreeMap::new(),
            values: BTreeMap::new(),
            deltas: Vec::new(),
        }
    }

    /// Works out one job. The answer waits for the commit; the error is the disk's.
    pub(super) fn run(&mut self, write: Write) -> (Answer, Result<(), redb::Error>) {
        match write {
            Write::PutPolicy { rule, mode, now, reply } => settle(reply, self.put_policy(rule, mode, now)),
            Write::ApplyPolicies { rules, now, reply } => settle(reply, self.apply_policies(rules, now)),
            Write::DeletePolicy { key, reply } => settle(reply, self.delete_policy(&key)),
            Write::PutSecret {
                path,
                value,
                now,
                reply,
            } => settle(reply, self.put_secret(path, value, now)),
            Write::DeleteVersions {
                path,
                versions,
                now,
                reply,
            } => settle(reply, self.delete_versions(path, &versions, now)),
            Write::UndeleteVersions {
                path,
                versions,
                now,
                reply,
            } => settle(reply, self.undelete_versions(path, &versions, now)),
            Write::ImportSecret { import, now, reply } => settle(reply, self.import_secret(*import, now)),
            Write::ImportPolicies {
                policies,
                mode,
                now,
                reply,
            } => settle(reply, self.import_policies(policies, mode, now)),
        }
    }

    fn put_policy(&mut self, rule: Rule, mode: Mode, now: UnixMillis) -> Result<Put, JobError> {
        if mode == Mode::CreateOnly && self.named(&rule.name).is_some() {
            return Err(WriteError::Exists(rule.name).into());
        }
        let (policy, outcome) = self.work_out(rule, now)?;
        self.stage_policies(&[(Arc::clone(&policy), outcome)]);
        Ok(Put {
            policy,
            outcome,
            generation: self.generation,
        })
    }

    fn apply_policies(&mut self, rules: Vec<Rule>, now: UnixMillis) -> Result<Applied, JobError> {
        let mut names = HashSet::new();
        if let Some(twice) = rules.iter().find(|rule| !names.insert(&rule.name)) {
            return Err(WriteError::Repeated(twice.name.clone()).into());
        }
        let policies = rules
            .into_iter()
            .map(|rule| self.work_out(rule, now))
            .collect::<Result<Vec<_>, _>>()?;
        self.stage_policies(&policies);
        Ok(Applied {
            policies,
            generation: self.generation,
        })
    }

    /// The policy that a put of this rule leaves. Stages nothing.
    fn work_out(&self, rule: Rule, now: UnixMillis) -> Result<(Arc<Policy>, PutOutcome), JobError> {
        match self.named(&rule.name) {
            Some(policy) if policy.rule == rule => Ok((Arc::clone(policy), PutOutcome::Unchanged)),
            Some(policy) => {
                // Strictly later than before, whatever the clock does: a reader can tell the two apart.
                let updated_at = now.max(UnixMillis(policy.updated_at.0.saturating_add(1)));
                let policy = Policy {
                    id: policy.id,
                    rule,
                    created_at: policy.created_at,
                    updated_at,
                };
                Ok((Arc::new(policy), PutOutcome::Updated))
            }
            None => {
                let bytes = random_bytes().map_err(|error| WriteError::Seal(SealError::Random(error)))?;
                let policy = Policy {
                    id: PolicyId::from_random_bytes(bytes),
                    rule,
                    created_at: now,
                    updated_at: now,
                };
                Ok((Arc::new(policy), PutOutcome::Created))
            }
        }
    }

    fn stage_policies(&mut self, policies: &[(Arc<Policy>, PutOutcome)]) {
        let changed = policies.iter().filter(|(_, outcome)| *outcome != PutOutcome::Unchanged);
        let put: Vec<_> = changed.map(|(policy, _)| Arc::clone(policy)).collect();
        if put.is_empty() {
            return;
        }
        for policy in &put {
            self.repaired.extend(self.broken_named(&policy.rule.name));
            self.policies.insert(policy.rule.name.clone(), Some(Arc::clone(policy)));
        }
        self.next_generation(put, Vec::new());
    }

    /// By name, or else by id. A broken record can be deleted too.
    fn delete_policy(&mut self, key: &str) -> Result<Deleted, JobError> {
        let id = key.parse::<PolicyId>().ok();
        let named = key
            .parse::<PolicyName>()
            .ok()
            .and_then(|name| self.named(&name).cloned());
        if let Some(policy) = named.or_else(|| self.with_id(id?)) {
            let name = policy.rule.name.clone();
            self.policies.insert(name.clone(), None);
            self.next_generation(Vec::new(), vec![name.clone()]);
            return Ok(Deleted {
                name: Some(name),
                id: policy.id,
                generation: self.generation,
            });
        }
        let broken = self.base.broken_policies.iter().find(|(broken, (name, _))| {
            !self.repaired.contains(*broken)
                && (Some(**broken) == id || name.as_ref().is_some_and(|name| name.as_str() == key))
        });
        let (id, name) = broken
            .map(|(id, (name, _))| (*id, name.clone()))
            .ok_or(WriteError::NotFound)?;
        self.repaired.insert(id);
        self.next_generation(Vec::new(), Vec::new());
        Ok(Deleted {
            name,
            id,
            generation: self.generation,
        })
    }

    fn put_secret(&mut self, path: SecretPath, value: SecretValue, now: UnixMillis) -> Result<SecretVersion, JobError> {
        let revision = self.base.manifest.revision.saturating_add(1);
        let history = self.history(&path)?;
        let mut history = history.unwrap_or_else(|| History::new(self.base.max_versions, now));
        let (number, pruned) = history.put(revision, now).ok_or(WriteError::NoVersionLeft)?;
        self.values.insert(secrets::value_key(&path, number), Some(value));
        for number in pruned {
            self.values.insert(secrets::value_key(&path, number), None);
        }
        self.secrets.insert(path, history);
        Ok(number)
    }

    fn delete_versions(
        &mut self,
        path: SecretPath,
        versions: &[VersionChoice],
        now: UnixMillis,
    ) -> Result<(), JobError> {
        let before = self.history(&path)?.ok_or(WriteError::NotFound)?;
        let mut history = before.clone();
        history.delete(versions, now);
        if history != before {
            self.secrets.insert(path, history);
        }
        Ok(())
    }

    fn undelete_versions(
        &mut self,
        path: SecretPath,
        versions: &[VersionChoice],
        now: UnixMillis,
    ) -> Result<(), JobError> {
        let mut history = self.history(&path)?.ok_or(WriteError::NotFound)?;
        if !history.undelete(versions, now) {
            return Err(WriteError::NotFound.into());
        }
        self.secrets.insert(path, history);
        Ok(())
    }

    fn named(&self, name: &PolicyName) -> Option<&Arc<Policy>> {
        match self.policies.get(name) {
            Some(staged) => staged.as_ref(),
            None => self.base.set.get(name),
        }
    }

    fn with_id(&self, id: PolicyId) -> Option<Arc<Policy>> {
        let staged = self
            .policies
            .values()
            .filter_map(Option::as_ref)
            .find(|policy| policy.id == id);
        let stored = || {
            self.base
                .set
                .get_by_id(id)
                .filter(|policy| !self.policies.contains_key(&policy.rule.name))
        };
        staged.or_else(stored).cloned()
    }

    fn broken_named(&self, name: &PolicyName) -> Vec<PolicyId> {
        let broken = self.base.broken_policies.iter();
        broken
            .filter(|(_, (other, _))| other.as_ref() == Some(name))
            .map(|(id, _)| *id)
            .collect()
    }

    fn history(&self, path: &SecretPath) -> Result<Option<History>, JobError> {
        if let Some(staged) = self.secrets.get(path) {
            return Ok(Some(staged.clone()));
        }
        if self.base.broken_secrets.contains_key(path.as_str().as_bytes()) {
            return Err(WriteError::Damaged.into());
        }
        let history = secrets::history(self.base.txn, self.base.vault, path);
        Ok(history.inspect_err(|error| self.base.meter.refused_row(error))?)
    }

    fn next_generation(&mut self, put: Vec<Arc<Policy>>, removed: Vec<PolicyName>) {
        self.generation = Generation(self.generation.0.saturating_add(1));
        self.deltas.push(Delta {
            generation: self.generation,
            put,
            removed,
        });
    }
}

fn settle<T: Send + 'static>(
    reply: super::jobs::Reply<T>,
    result: Result<T, JobError>,
) -> (Answer, Result<(), redb::Error>) {
    match result {
        Ok(done) => (answer(reply, Ok(done)), Ok(())),
        Err(JobError::Refused(error)) => (answer(reply, Err(error)), Ok(())),
        // The transaction's error will stand in for this one.
        Err(JobError::Storage(error)) => (answer(reply, Err(WriteError::NotFound)), Err(error)),
    }
}
