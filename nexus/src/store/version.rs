//! The versions of one secret: numbers, soft deletion, restoring, pruning (`spike.md` §4, design D16). No disk here.
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use spike_policy::UnixMillis;

/// The number of a secret's version, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretVersion(NonZeroU32);

impl SecretVersion {
    /// The first version of every secret.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// A number that no version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("0 is not a version")]
pub struct InvalidVersion;

impl TryFrom<u32> for SecretVersion {
    type Error = InvalidVersion;
    fn try_from(number: u32) -> Result<Self, InvalidVersion> {
        NonZeroU32::new(number).map(Self).ok_or(InvalidVersion)
    }
}

impl fmt::Display for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A version as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionChoice {
    /// 0: the current one.
    Current,
    /// This one.
    Number(SecretVersion),
    /// A number that no version can have (negative, too large).
    Absent,
}

impl From<i64> for VersionChoice {
    fn from(wire: i64) -> Self {
        match u32::try_from(wire).map(SecretVersion::try_from) {
            Ok(Ok(number)) => Self::Number(number),
            Ok(Err(InvalidVersion)) => Self::Current,
            Err(_) => Self::Absent,
        }
    }
}

/// What is kept of one version apart from its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) created_at: UnixMillis,
    pub(super) deleted_at: Option<UnixMillis>,
    /// The transaction that wrote the values.
    pub(super) revision: u64,
}

impl Version {
    /// The revision of a deleted version that was brought in without values, because nobody could read them any more.
    /// No transaction has this number.
    pub(super) const WITHOUT_VALUES: u64 = 0;

    pub(super) fn has_values(self) -> bool {
        self.revision != Self::WITHOUT_VALUES
    }
}

/// The versions of one secret. The current one is the highest that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    pub(super) created_at: UnixMillis,
    pub(super) updated_at: UnixMillis,
    pub(super) max_versions: NonZeroU32,
    pub(super) versions: BTreeMap<SecretVersion, Version>,
}

impl History {
    /// Of a path that was never put.
    pub(super) fn new(max_versions: NonZeroU32, now: UnixMillis) -> Self {
        Self {
            created_at: now,
            updated_at: now,
            max_versions,
            versions: BTreeMap::new(),
        }
    }

    pub(super) fn current(&self) -> Option<SecretVersion> {
        self.versions
            .iter()
            .rev()
            .find(|(_, version)| version.deleted_at.is_none())
            .map(|(number, _)| *number)
    }

    pub(super) fn oldest(&self) -> Option<SecretVersion> {
        self.versions
            .iter()
            .find(|(_, version)| version.deleted_at.is_none())
            .map(|(number, _)| *number)
    }

    /// The version that a reader means, if it is there and not deleted.
    pub(super) fn readable(&self, choice: VersionChoice) -> Option<(SecretVersion, Version)> {
        let number = match choice {
            VersionChoice::Current => self.current()?,
            VersionChoice::Number(number) => number,
            VersionChoice::Absent => return None,
        };
        let version = *self.versions.get(&number)?;
        version.deleted_at.is_none().then_some((number, version))
    }

    /// Adds a version after the highest there ever was, and drops the lowest beyond the limit. Gives both; `None` when
    /// the numbers are used up.
    pub(super) fn put(&mut self, revision: u64, now: UnixMillis) -> Option<(SecretVersion, Vec<SecretVersion>)> {
        let number = match self.versions.last_key_value() {
            Some((highest, _)) => highest.next()?,
            None => SecretVersion::FIRST,
        };
        self.touch(now);
        self.versions.insert(
            number,
            Version {
                created_at: self.updated_at,
                deleted_at: None,
                revision,
            },
        );
        let limit = usize::try_from(self.max_versions.get()).unwrap_or(usize::MAX);
        let excess = self.versions.len().saturating_sub(limit);
        let pruned: Vec<_> = self.versions.keys().take(excess).copied().collect();
        self.versions.retain(|number, _| !pruned.contains(number));
        Some((number, pruned))
    }

    /// Marks versions deleted (none named: the current one). Unknown ones are skipped, deleted ones get a new time.
    pub(super) fn delete(&mut self, choices: &[VersionChoice], now: UnixMillis) {
        let before = self.current();
        for choice in or_current(choices) {
            let number = match choice {
                VersionChoice::Current => before,
                VersionChoice::Number(number) => Some(*number),
                VersionChoice::Absent => None,
            };
            if let Some(version) = number.and_then(|number| self.versions.get_mut(&number)) {
                version.deleted_at = Some(now);
            }
        }
        if self.current() != before {
            self.touch(now);
        }
    }

    /// Restores versions that have values. None named, or the current one: the newest version, if that one is deleted, so that a plain
    /// undelete takes back a plain delete. Says whether anything was restored.
    pub(super) fn undelete(&mut self, choices: &[VersionChoice], now: UnixMillis) -> bool {
        let before = self.current();
        let newest = self.versions.last_key_value().map(|(number, _)| *number);
        let mut restored = false;
        for choice in or_current(choices) {
            let number = match choice {
                VersionChoice::Current => newest,
                VersionChoice::Number(number) => Some(*number),
                VersionChoice::Absent => None,
            };
            let version = number.and_then(|number| self.versions.get_mut(&number));
            if let Some(version) = version.filter(|version| version.has_values()) {
                restored |= version.deleted_at.take().is_some();
            }
        }
        if self.current() != before {
            self.touch(now);
        }
        restored
    }

    /// Time never runs backwards within a secret, whatever the clock does.
    fn touch(&mut self, now: UnixMillis) {
        self.updated_at = self.updated_at.max(now);
    }
}

fn or_current(choices: &[VersionChoice]) -> &[VersionChoice] {
    if choices.is_empty() {
        &[VersionChoice::Current]
    } else {
        choices
    }
}

#[cfg(test)]
mod tests;
