//! The handle that the rest of Nexus holds.
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::JoinHandle;

use redb::ReadTransaction;
use spike_policy::{Generation, Policy, PolicyId, PolicyName, PolicySet, Rule, SecretPath, UnixMillis};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::broken::BrokenRecord;
use super::changes::CatchUp;
use super::health::{Health, Unavailable};
use super::jobs::{Applied, Control, Deleted, Job, Mode, Put, Reply, Write, WriteError};
use super::meter::Meter;
use super::open::load_policies;
use super::reseal::ReEncryption;
use super::secrets::{self, RowError};
use super::state::{State, Stats};
use super::version::{History, SecretVersion, Version, VersionChoice};
use crate::vault::{KeyTerm, SecretValue, Vault};

/// A handle on the open store: cheap to clone, usable from every thread. Dropping the last one closes the store and
/// waits for its writer.
#[derive(Clone, Debug)]
pub struct Store {
    // Dropped before the thread is waited for: the writer ends when nobody can send to it.
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) state: Arc<State>,
    _thread: Arc<WriterThread>,
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No such path, no such version, or the version is deleted.
    #[error("not found")]
    NotFound,
    /// The record does not open: damaged or tampered with. The log says which and how; a client should not know.
    #[error("a stored record is damaged")]
    Damaged,
    /// The store cannot answer now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// One version with its values.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretRead {
    /// Which.
    pub version: SecretVersion,
    /// When it was put.
    pub created_at: UnixMillis,
    /// The values.
    pub value: SecretValue,
}

/// What is known about a secret, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMetadata {
    /// The highest version that is not deleted, or none.
    pub current: Option<SecretVersion>,
    /// The lowest version that is not deleted, or none.
    pub oldest: Option<SecretVersion>,
    /// First put.
    pub created_at: UnixMillis,
    /// Last change of the current version.
    pub updated_at: UnixMillis,
    /// How many versions are kept.
    pub max_versions: NonZeroU32,
    /// Every kept version, deleted ones included, ascending.
    pub versions: Vec<VersionMetadata>,
}

/// One version, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMetadata {
    /// Its number.
    pub version: SecretVersion,
    /// When it was put.
    pub created_at: UnixMillis,
    /// When it was deleted, if it is.
    pub deleted_at: Option<UnixMillis>,
}

impl Store {
    pub(super) fn of(jobs: mpsc::Sender<Job>, state: Arc<State>, thread: JoinHandle<()>) -> Self {
        Self {
            jobs,
            state,
            _thread: Arc::new(WriterThread(Mutex::new(Some(thread)))),
        }
    }

    /// Waits for queued writes, then closes the file. Later calls answer [`Unavailable::Closed`].
    pub async fn close(&self) -> Result<(), Unavailable> {
        let (reply, answer) = oneshot::channel();
        // Waits for a place in the queue: closing must not be refused because there is work.
        if self.jobs.send(Job::Control(Control::Close { reply })).await.is_err() {
            return Err(self.state.why_closed());
        }
        answer.await.map_or(Err(self.state.why_closed()), |_| Ok(()))
    }

    /// This store's UUID, drawn when it was created.
    pub fn id(&self) -> Uuid {
        self.state.store()
    }

    /// Creates or updates one policy. The future may be dropped; the write happens all the same.
    pub async fn put_policy(&self, rule: Rule, mode: Mode, now: UnixMillis) -> Result<Put, WriteError> {
        self.write(|reply| Write::PutPolicy { rule, mode, now, reply }).await
    }

    /// Creates or updates all of these, or none of them: one transaction, one generation.
    pub async fn apply_policies(&self, rules: Vec<Rule>, now: UnixMillis) -> Result<Applied, WriteError> {
        self.write(|reply| Write::ApplyPolicies { rules, now, reply }).await
    }

    /// Deletes the policy with this name, or else with this id. A broken record can be deleted too.
    pub async fn delete_policy(&self, key: &str) -> Result<Deleted, WriteError> {
        let key = key.to_owned();
        self.write(|reply| Write::DeletePolicy { key, reply }).await
    }

    /// Puts a new version of a secret: one above the highest there ever was.
    pub async fn put_secret(
        &self,
        path: SecretPath,
        value: SecretValue,
        now: UnixMillis,
    ) -> Result<SecretVersion, WriteError> {
        self.write(|reply| Write::PutSecret {
            path,
            value,
            now,
            reply,
        })
        .await
    }

    /// Soft-deletes versions (none given: the current one). Unknown ones are skipped; an unknown path is `NotFound`.
    pub async fn delete_versions(
        &self,
        path: SecretPath,
        versions: Vec<VersionChoice>,
        now: UnixMillis,
    ) -> Result<(), WriteError> {
        self.write(|reply| Write::DeleteVersions {
            path,
            versions,
            now,
            reply,
        })
        .await
    }

    /// Restores deleted versions (none given, or current: the newest one if it is deleted). Nothing restored is
    /// `NotFound`.
    pub async fn undelete_versions(
        &self,
        path: SecretPath,
        versions: Vec<VersionChoice>,
        now: UnixMillis,
    ) -> Result<(), WriteError> {
        self.write(|reply| Write::UndeleteVersions {
            path,
            versions,
            now,
            reply,
        })
        .await
    }

    /// Starts a new data key. Older records are sealed again under it when nobody waits for the writer; see
    /// [`Store::re_encryption`].
    pub async fn rotate(&self) -> Result<KeyTerm, WriteError> {
        self.send(|reply| Job::Control(Control::Rotate { reply })).await
    }

    /// How far the records under old data keys are on their way to the current one.
    pub fn re_encryption(&self) -> watch::Receiver<ReEncryption> {
        self.state.progress()
    }

    /// One version of a secret. Blocks for a disk read: call it off the async workers.
    pub fn get_secret(&self, path: &SecretPath, version: VersionChoice) -> Result<SecretRead, ReadError> {
        self.read(path, |txn, vault, history| {
            let Some((number, version)) = history.readable(version) else {
                return Ok(None);
            };
            let value = secrets::value(txn, vault, &secrets::value_key(path, number), version)?;
            Ok(Some(SecretRead {
                version: number,
                created_at: version.created_at,
                value,
            }))
        })
    }

    /// A secret's metadata, behind the same gate as [`Store::get_secret`]: the chosen version must be there. Blocks.
    pub fn secret_metadata(&self, path: &SecretPath, version: VersionChoice) -> Result<SecretMetadata, ReadError> {
        self.read(path, |_, _, history| {
            Ok(history.readable(version).map(|_| SecretMetadata::from(history)))
        })
    }

    /// Every path ever put, in byte order, but not those of broken records. Blocks.
    pub fn list_secret_paths(&self) -> Result<Vec<SecretPath>, Unavailable> {
        let broken = self.state.broken();
        let (txn, _) = self.state.begin_read()?.map_err(|error| self.suspect(&error))?;
        secrets::paths(&txn, &broken.secrets).map_err(|error| self.suspect(&error))
    }

    /// The published policies: one atomic load, for every check.
    pub fn policies(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.state.policies()
    }

    /// Reads and decrypts the policies from disk, in one read transaction, as SPIKE does for every request. Blocks.
    /// At least as new as what [`Store::policies`] gave before the call.
    pub fn reload_policies(&self) -> Result<Arc<PolicySet>, Unavailable> {
        // While a commit is in doubt, the disk may still say what will not last.
        self.state.policies()?;
        let (txn, vault) = self.state.begin_read()?.map_err(|error| self.suspect(&error))?;
        let loaded = load_policies(&txn, &vault).map_err(|error| self.suspect(&error))?;
        loaded
            .map(|loaded| {
                let broken = loaded.broken.values().map(|(_, record)| record);
                self.state.meter().refused_all(broken);
                loaded.set
            })
            .ok_or_else(|| self.suspect(&redb::Error::Corrupted("manifest".to_owned())))
    }

    /// The published policy with this name, or else with this id.
    pub fn policy(&self, key: &str) -> Result<Option<Arc<Policy>>, Unavailable> {
        let set = self.state.policies()?;
        let named = key.parse::<PolicyName>().ok().and_then(|name| set.get(&name));
        let with_id = || key.parse::<PolicyId>().ok().and_then(|id| set.get_by_id(id));
        Ok(named.or_else(with_id).cloned())
    }

    /// The published generation. Also says "changed" when policies are withdrawn: look at [`Store::policies`] again.
    pub fn changes(&self) -> watch::Receiver<Generation> {
        self.state.changes()
    }

    /// What a follower at `generation` of this store needs. Its generation must come from this process (from
    /// [`Store::changes`], [`CatchUp`] or [`Store::policies`]): an older backup may have used the same numbers.
    pub fn catch_up(&self, generation: Generation) -> Result<CatchUp, Unavailable> {
        // The set first: the log then reaches at least as far.
        let set = self.state.policies()?;
        Ok(self.state.log().catch_up(generation, &set))
    }

    /// Records that are not served. Empty in a healthy store.
    pub fn broken(&self) -> Vec<BrokenRecord> {
        self.state.broken().records().cloned().collect()
    }

    /// Whether the store can be used.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.state.health()
    }

    /// What this store counts.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.state.meter())
    }

    /// Figures for metrics and for operators.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) async fn write<T>(&self, write: impl FnOnce(Reply<T>) -> Write) -> Result<T, WriteError> {
        self.send(|reply| Job::Write(write(reply))).await
    }

    pub(super) async fn send<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, WriteError> {
        let (reply, answer) = Reply::new(self.state.meter());
        let result = match self.jobs.try_send(job(reply)) {
            Ok(()) => match answer.await {
                Ok(answered) => return answered,
                // No answer at all: the writer died with the job in hand.
                Err(_) => Err(WriteError::OutcomeUnknown),
            },
            Err(TrySendError::Full(_)) => Err(WriteError::Busy),
            Err(TrySendError::Closed(_)) => Err(self.state.why_closed().into()),
        };
        self.state.meter().answered(&result);
        result
    }

    fn read<T>(
        &self,
        path: &SecretPath,
        read: impl FnOnce(&ReadTransaction, &Vault, &History) -> Result<Option<T>, RowError>,
    ) -> Result<T, ReadError> {
        if self.state.broken().secrets.contains_key(path.as_str().as_bytes()) {
            return Err(ReadError::Damaged);
        }
        let (txn, vault) = self.state.begin_read()?.map_err(|error| self.suspect(&error))?;
        let found = secrets::history(&txn, &vault, path).and_then(|history| match history {
            Some(history) => read(&txn, &vault, &history),
            None => Ok(None),
        });
        match found {
            Ok(found) => found.ok_or(ReadError::NotFound),
            Err(RowError::Damaged(table, reason)) => {
                self.state.meter().refused(table);
                tracing::error!(%path, %reason, "a secret's record is damaged");
                Err(ReadError::Damaged)
            }
            Err(RowError::Storage(error)) => Err(self.suspect(&error).into()),
        }
    }

    /// Has the store reopened after a disk error.
    pub(super) fn suspect(&self, error: &redb::Error) -> Unavailable {
        self.state.suspect(error);
        // When the queue is full the writer is awake anyway and looks before its next transaction.
        drop(self.jobs.try_send(Job::Control(Control::Recover)));
        Unavailable::Recovering
    }
}

impl From<&History> for SecretMetadata {
    fn from(history: &History) -> Self {
        let version = |(number, version): (&SecretVersion, &Version)| VersionMetadata {
            version: *number,
            created_at: version.created_at,
            deleted_at: version.deleted_at,
        };
        Self {
            current: history.current(),
            oldest: history.oldest(),
            created_at: history.created_at,
            updated_at: history.updated_at,
            max_versions: history.max_versions,
            versions: history.versions.iter().map(version).collect(),
        }
    }
}

/// Waits for the writer when the last handle is gone, so that the file is closed by then.
#[derive(Debug)]
struct WriterThread(Mutex<Option<JoinHandle<()>>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the store's writer panicked");
        }
    }
}
