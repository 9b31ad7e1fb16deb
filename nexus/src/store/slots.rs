//! The keyring records of a database, and which of them a root key opens.
//!
//! There is one, under the root key. While the root key is being changed there are two with the same terms, under the
//! old key and under the new one; the change ends by dropping one of them.
use uuid::Uuid;

use super::open::Opened;
use super::tables::{self, KEYRING_KEY, KEYRING_NEXT_KEY, RowWrite, Table, WriteFailure};
use crate::vault::{Keyrings, RootKey, SealLimits, UnlockError, Vault};

/// The keyring records as they are stored.
pub(super) struct Slots {
    pub(super) store: Uuid,
    pub(super) current: Vec<u8>,
    pub(super) next: Option<Vec<u8>>,
}

/// Which record a root key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The one that is in force.
    Current,
    /// The one of the root key that is to come.
    Next,
}

impl Slots {
    /// The vault that a root key opens, and by which record.
    pub(super) fn unlock(&self, root: &RootKey, limits: SealLimits) -> Result<(Vault, Slot), UnlockError> {
        match (Vault::unlock(root, self.store, &self.current, limits), &self.next) {
            (Ok(vault), None) => Ok((vault, Slot::Current)),
            (Ok(vault), Some(_)) => Ok((vault.with_unknown_next_root(), Slot::Current)),
            (Err(UnlockError::WrongKey), Some(next)) => {
                // The old key is not here, so this keyring must not change either until the change is finished.
                let vault = Vault::unlock(root, self.store, next, limits)?;
                Ok((vault.with_unknown_next_root(), Slot::Next))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Which record a root key opens, if any.
    pub(super) fn fit(&self, root: &RootKey) -> Option<Slot> {
        self.unlock(root, SealLimits::default()).ok().map(|(_, slot)| slot)
    }
}

impl Opened {
    /// Whether the root key is being changed.
    pub(super) fn is_rekeying(&self) -> bool {
        self.slots.next.is_some()
    }

    /// Ends a change of the root key that was cut off: from here on only `new`, which opens the second record, fits.
    pub(super) fn finish_rekey(&mut self, new: &RootKey) -> Result<(), FinishError> {
        let Some(next) = self.slots.next.take() else {
            return Ok(());
        };
        let vault = self.vault.rekeyed(new, &next)?;
        self.write_keyring(vec![put(KEYRING_KEY, &next), gone(KEYRING_NEXT_KEY)])?;
        vault.count_from(self.vault.seals());
        self.vault = vault;
        self.slots.current = next;
        Ok(())
    }

    /// Takes a change of the root key back that was cut off: from here on only the key that opened this fits.
    pub(super) fn undo_rekey(&mut self) -> Result<(), FinishError> {
        if self.slots.next.take().is_some() {
            self.write_keyring(vec![gone(KEYRING_NEXT_KEY)])?;
            self.vault = self.vault.without_next_root();
        }
        Ok(())
    }

    /// Makes the root key that is to come known, so that the keyring may change meanwhile. Without effect for a key
    /// that does not open the second record.
    pub(super) fn hold_next(&mut self, next: &RootKey) -> bool {
        let fits = |record: &Vec<u8>| self.vault.rekeyed(next, record).is_ok();
        if !self.slots.next.as_ref().is_some_and(fits) {
            return false;
        }
        self.vault = self.vault.with_next_root(next);
        true
    }

    fn write_keyring(&mut self, mut rows: Vec<RowWrite>) -> Result<(), FinishError> {
        self.manifest.revision = self.manifest.revision.saturating_add(1);
        rows.push(self.manifest.seal(&self.vault).map_err(FinishError::Seal)?);
        tables::write(&self.db, &rows).map_err(|failure| match failure {
            WriteFailure::NothingWritten(error) | WriteFailure::Unknown(error) => FinishError::Storage(error),
        })
    }
}

/// Why an unfinished change of the root key could be neither finished nor taken back.
#[derive(Debug)]
pub(super) enum FinishError {
    Unlock(UnlockError),
    Seal(crate::vault::SealError),
    Storage(redb::Error),
}

impl From<UnlockError> for FinishError {
    fn from(error: UnlockError) -> Self {
        Self::Unlock(error)
    }
}

/// The rows of these keyring records.
pub(super) fn keyring_rows(keyrings: &Keyrings) -> Vec<RowWrite> {
    let next = keyrings.next.as_ref();
    std::iter::once(put(KEYRING_KEY, keyrings.current.as_bytes()))
        .chain(next.map(|next| put(KEYRING_NEXT_KEY, next.as_bytes())))
        .collect()
}

/// A keyring record to store.
pub(super) fn put(key: &[u8], record: &[u8]) -> RowWrite {
    RowWrite {
        table: Table::Meta,
        key: key.to_vec(),
        value: Some(record.to_vec()),
    }
}

/// A keyring record to drop.
pub(super) fn gone(key: &[u8]) -> RowWrite {
    RowWrite {
        table: Table::Meta,
        key: key.to_vec(),
        value: None,
    }
}
