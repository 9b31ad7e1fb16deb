//! Changing the root key of an open store: the database opens with both keys first, and with one of them at the end.
//!
//! What happens to the key itself in between, wherever it is kept, is not known here.
use std::sync::Arc;

use super::handle::Store;
use super::health::Unavailable;
use super::jobs::{Control, Job, Reply, WriteError};
use super::slots::{gone, keyring_rows, put};
use super::tables::{self, KEYRING_KEY, KEYRING_NEXT_KEY, RowWrite, Table};
use super::writer::{Failure, Writer};
use crate::vault::{RootKey, UnlockError, Vault};

/// One step of a change of the root key.
pub(super) enum Rekey {
    /// The database opens with this key as well.
    Begin { new: Arc<RootKey>, reply: Reply<()> },
    /// The database opens with this key alone.
    Finish { new: Arc<RootKey>, reply: Reply<()> },
    /// The database opens with the old key alone.
    Undo { reply: Reply<()> },
}

/// Why a step of a change of the root key was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RekeyRefused {
    /// One change at a time.
    #[error("the root key is being changed already")]
    Pending,
    /// There is no change to finish or to take back.
    #[error("the root key is not being changed")]
    NotPending,
    /// It is not the key that was begun with.
    #[error("this is not the root key that is to come")]
    OtherKey,
}

/// How far a change of the root key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RekeyPhase {
    /// There is none.
    None,
    /// The database opens with both keys.
    Pending,
}

impl RekeyPhase {
    /// The word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
        }
    }
}

impl Store {
    /// How far a change of the root key is.
    pub fn rekey_phase(&self) -> RekeyPhase {
        if self.state.vault().has_next_root() {
            RekeyPhase::Pending
        } else {
            RekeyPhase::None
        }
    }

    /// Makes the database open with this key as well. The old one stays in force.
    pub async fn begin_rekey(&self, new: Arc<RootKey>) -> Result<(), WriteError> {
        self.rekey(|reply| Rekey::Begin { new, reply }).await
    }

    /// Makes the database open with this key alone: the one that [`Store::begin_rekey`] was given, whenever that was.
    pub async fn finish_rekey(&self, new: Arc<RootKey>) -> Result<(), WriteError> {
        self.rekey(|reply| Rekey::Finish { new, reply }).await
    }

    /// Makes the database open with the old key alone.
    pub async fn undo_rekey(&self) -> Result<(), WriteError> {
        self.rekey(|reply| Rekey::Undo { reply }).await
    }

    /// The root key in force.
    pub fn root_key(&self) -> Result<Arc<RootKey>, Unavailable> {
        self.state.keys().root()
    }

    async fn rekey(&self, step: impl FnOnce(Reply<()>) -> Rekey) -> Result<(), WriteError> {
        self.send(|reply| Job::Control(Control::Rekey(step(reply)))).await
    }
}

impl Writer {
    pub(super) fn begin_rekey(&mut self, new: &Arc<RootKey>) -> Result<(), Failure> {
        let before = self.state.vault();
        if before.has_next_root() {
            return Err(refused(RekeyRefused::Pending));
        }
        let (vault, keyrings) = before.rekeying(new).map_err(|error| Failure::Refused(error.into()))?;
        // Known before it is written: after a failed commit the store may be found with both keys.
        self.next = Some(Arc::clone(new));
        self.commit_keyring(&before, keyring_rows(&keyrings))?;
        self.publish_vault(vault);
        Ok(())
    }

    pub(super) fn finish_rekey(&mut self, new: &Arc<RootKey>) -> Result<(), Failure> {
        let before = self.state.vault();
        let record = self.next_record()?.ok_or_else(|| refused(RekeyRefused::NotPending))?;
        let vault = before.rekeyed(new, &record).map_err(|error| match error {
            UnlockError::WrongKey => refused(RekeyRefused::OtherKey),
            UnlockError::Damaged => Failure::Refused(WriteError::Damaged),
        })?;
        self.next = Some(Arc::clone(new));
        self.commit_keyring(&before, vec![put(KEYRING_KEY, &record), gone(KEYRING_NEXT_KEY)])?;
        self.publish_vault(vault);
        self.take_root(Arc::clone(new));
        self.reseal.resume();
        Ok(())
    }

    pub(super) fn undo_rekey(&mut self) -> Result<(), Failure> {
        let before = self.state.vault();
        if !before.has_next_root() {
            return Err(refused(RekeyRefused::NotPending));
        }
        self.commit_keyring(&before, vec![gone(KEYRING_NEXT_KEY)])?;
        self.publish_vault(before.without_next_root());
        self.next = None;
        self.reseal.resume();
        Ok(())
    }

    /// From here on this is the root key.
    pub(super) fn take_root(&mut self, root: Arc<RootKey>) {
        self.next = None;
        self.state.keys().set(Arc::clone(&root));
        self.root = root;
    }

    /// Commits keyring records, in a transaction that the manifest counts.
    pub(super) fn commit_keyring(&mut self, vault: &Vault, mut rows: Vec<RowWrite>) -> Result<(), Failure> {
        let mut manifest = self.committed.manifest.clone();
        manifest.revision = manifest.revision.saturating_add(1);
        rows.push(manifest.seal(vault).map_err(|error| Failure::Refused(error.into()))?);
        self.write(&rows, &manifest)?;
        self.committed.manifest = manifest;
        Ok(())
    }

    /// Publishes a vault of the same term.
    pub(super) fn publish_vault(&self, vault: Vault) {
        vault.count_from(self.state.vault().seals());
        self.state.set_vault(Arc::new(vault));
    }

    /// The second keyring record, as it is on the disk.
    fn next_record(&self) -> Result<Option<Vec<u8>>, Failure> {
        let (txn, _) = match self.state.begin_read() {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => return Err(Failure::Storage(error)),
            Err(why) => return Err(Failure::Unavailable(why)),
        };
        tables::read(&txn, Table::Meta, KEYRING_NEXT_KEY).map_err(Failure::Storage)
    }
}

fn refused(why: RekeyRefused) -> Failure {
    Failure::Refused(WriteError::Rekey(why))
}
