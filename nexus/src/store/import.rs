//! Bringing in what another Nexus had: secrets with their history, policies with their times.
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use spike_policy::{Policy, Rule, SecretPath, UnixMillis};

use super::handle::Store;
use super::jobs::{Write, WriteError};
use super::version::{History, SecretVersion};
use crate::vault::SecretValue;

/// What to do about what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Add what is new and what continues what is there.
    Add,
    /// Replace what differs.
    Overwrite,
    /// Change nothing: only say what [`ImportMode::Add`] would do.
    Compare,
}

/// What became of something that was to be brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is new here.
    Created,
    /// It was here already, the same.
    Identical,
    /// What was here is a beginning of it.
    Updated,
    /// Something else was here.
    Replaced,
    /// Something else is here, and stays.
    Conflict,
}

impl Imported {
    /// Whether there is something to write in this mode.
    pub(super) fn writes(self, mode: ImportMode) -> bool {
        let differs = match self {
            Self::Created | Self::Updated | Self::Replaced => true,
            Self::Identical | Self::Conflict => false,
        };
        differs && mode != ImportMode::Compare
    }
}

/// A secret with all its versions.
#[derive(Debug)]
pub struct SecretImport {
    /// Where.
    pub path: SecretPath,
    /// First put, if known.
    pub created_at: Option<UnixMillis>,
    /// Last change of the current version, if known.
    pub updated_at: Option<UnixMillis>,
    /// How many versions to keep; `None` for as many as of a new secret.
    pub max_versions: Option<NonZeroU32>,
    /// Its versions.
    pub versions: BTreeMap<SecretVersion, VersionImport>,
    /// What to do about a path that is there.
    pub mode: ImportMode,
}

/// One version of it.
#[derive(Debug)]
pub struct VersionImport {
    /// When it was put, if known.
    pub created_at: Option<UnixMillis>,
    /// Whether it is deleted, and when, if known.
    pub deleted: Option<Option<UnixMillis>>,
    /// Its values. A version that is not deleted must have them; without, a deleted one cannot be undeleted.
    pub value: Option<SecretValue>,
}

/// A policy with its times.
#[derive(Clone, Debug)]
pub struct PolicyImport {
    /// What it says.
    pub rule: Rule,
    /// First put, if known.
    pub created_at: Option<UnixMillis>,
    /// Last put, if known.
    pub updated_at: Option<UnixMillis>,
}

impl SecretImport {
    /// When the path was first put: as it is said, or else as its earliest version says.
    pub(super) fn since(&self, now: UnixMillis) -> UnixMillis {
        let earliest = || self.versions.values().filter_map(|version| version.created_at).min();
        self.created_at.or_else(earliest).unwrap_or(now)
    }

    /// When it last changed, which is not before it was first put.
    pub(super) fn until(&self, now: UnixMillis) -> UnixMillis {
        let latest = || self.versions.values().filter_map(|version| version.created_at).max();
        let until = self.updated_at.or_else(latest).unwrap_or(now);
        until.max(self.since(now))
    }

    /// How versions that are the same on both sides make the whole the same, or newer there.
    pub(super) fn against_times_of(&self, history: &History) -> Imported {
        let other_start = self
            .created_at
            .is_some_and(|at| at != history.created_at && !self.versions.is_empty());
        if other_start {
            Imported::Conflict
        } else if self.updated_at.is_some_and(|at| at > history.updated_at) {
            Imported::Updated
        } else {
            Imported::Identical
        }
    }
}

impl Store {
    /// Brings in a secret whole, or leaves everything as it is.
    pub async fn import_secret(&self, import: SecretImport, now: UnixMillis) -> Result<Imported, WriteError> {
        let import = Box::new(import);
        self.write(|reply| Write::ImportSecret { import, now, reply }).await
    }

    /// Brings in policies, those that do not conflict in one transaction; one entry per policy, in the order given.
    pub async fn import_policies(
        &self,
        policies: Vec<PolicyImport>,
        mode: ImportMode,
        now: UnixMillis,
    ) -> Result<Vec<(Arc<Policy>, Imported)>, WriteError> {
        self.write(|reply| Write::ImportPolicies {
            policies,
            mode,
            now,
            reply,
        })
        .await
    }
}
