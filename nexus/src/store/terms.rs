//! Key terms as they are used up: the next data key, and messages of callers that are counted in advance.
use std::sync::Arc;

use spike_audit::Outcome;

use super::jobs::Reserved;
use super::reseal::data_key;
use super::slots::keyring_rows;
use super::writer::{Failure, Writer};
use crate::vault::{KeyTerm, SealError};

/// How many messages of callers are counted in advance. As many may be lost to the count when the process ends: with
/// 2³⁰ to a term that is 16,384 starts.
const MESSAGES: u64 = 1 << 16;

impl Writer {
    /// Counts messages before they are sealed, in a transaction of their own.
    pub(super) fn reserve(&mut self) -> Result<Reserved, Failure> {
        if self.committed.manifest.reserved.saturating_add(MESSAGES) > self.state.vault().limits().rotate
            && self.may_rotate()
        {
            self.rotate()?;
        }
        let vault = self.state.vault();
        if self.committed.manifest.reserved.saturating_add(MESSAGES) > vault.limits().refuse {
            return Err(Failure::Refused(SealError::Exhausted(vault.term()).into()));
        }
        let mut manifest = self.committed.manifest.clone();
        manifest.revision = manifest.revision.saturating_add(1);
        manifest.reserved = manifest.reserved.saturating_add(MESSAGES);
        let row = manifest.seal(&vault).map_err(|error| Failure::Refused(error.into()))?;
        self.write(&[row], &manifest)?;
        self.committed.manifest = manifest;
        Ok(Reserved {
            term: vault.term(),
            messages: MESSAGES,
        })
    }

    /// Starts a new term: keyring and manifest in one transaction of their own, before anything else uses the key.
    pub(super) fn rotate(&mut self) -> Result<KeyTerm, Failure> {
        let before = self.state.vault();
        let refused = |error: crate::vault::SealError| Failure::Refused(error.into());
        let (vault, keyrings) = before.rotated().map_err(refused)?;
        let mut manifest = self.committed.manifest.clone();
        manifest.revision = manifest.revision.saturating_add(1);
        let mut rows = keyring_rows(&keyrings);
        rows.push(manifest.seal(&vault).map_err(refused)?);
        let term = vault.term();
        // Published before the commit: a reader must never see a record whose key it does not have.
        self.state.set_vault(Arc::new(vault));
        match self.write(&rows, &manifest) {
            Ok(()) => {
                self.committed.manifest = manifest;
                self.reseal.restart(&self.state.vault());
                self.state.set_progress(self.reseal.now);
                let subject = data_key(&self.state.vault());
                self.tuning.audit.happened("rotation_begun", &subject, Outcome::Ok);
                tracing::info!(%term, "started a new data key");
                Ok(term)
            }
            Err(failure) => {
                self.state.set_vault(before);
                Err(failure)
            }
        }
    }

    /// The keyring cannot be written while a root key is to come that only people have.
    pub(super) fn may_rotate(&self) -> bool {
        !self.state.vault().has_next_root() || self.next.is_some()
    }

    /// A term may seal twice as much as makes it want rotation, so there is time for a change of the root key to end.
    pub(super) fn wants_rotation(&self) -> bool {
        self.state.vault().wants_rotation() && self.may_rotate()
    }
}
