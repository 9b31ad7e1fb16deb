//! What the store does with its keys for others: messages of callers, proofs and shares.
use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::handle::{ReadError, Store};
use super::health::Unavailable;
use super::jobs::{Control, Job, WriteError};
use crate::vault::{Allowance, MESSAGE_NONCE, Message, NotAScalar, RootKey, Share, Sharing};

/// What the store needs apart from its vault.
#[derive(Default)]
pub(super) struct Keys {
    /// Nothing while the store is sealed.
    root: OnceLock<Arc<RootKey>>,
    allowance: Allowance,
    /// Held while a reservation is made.
    reserving: Mutex<()>,
}

impl Keys {
    pub(super) fn with(root: Arc<RootKey>) -> Self {
        Self {
            root: OnceLock::from(root),
            ..Self::default()
        }
    }

    /// The key of a store that was sealed. It is set once.
    pub(super) fn set(&self, root: Arc<RootKey>) {
        self.root.get_or_init(|| root);
    }

    fn root(&self) -> Result<&RootKey, Unavailable> {
        self.root.get().map(Arc::as_ref).ok_or(Unavailable::Sealed)
    }
}

/// Why there are no shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharesError {
    /// The root key is none that SPIKE could have made.
    #[error(transparent)]
    RootKey(#[from] NotAScalar),
    /// The store cannot answer now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Store {
    /// Seals a message for a caller. Only now and then, when the reservation is used up, does this write.
    pub async fn seal_message(&self, plaintext: &[u8]) -> Result<Message, WriteError> {
        self.usable()?;
        let keys = self.state.keys();
        let vault = self.state.vault();
        if let Some(invocation) = keys.allowance.take(vault.term()) {
            return Ok(vault.seal_message(invocation, plaintext)?);
        }
        // One reservation at a time: who waits here finds the one that was made meanwhile.
        let turn = keys.reserving.lock().await;
        loop {
            let vault = self.state.vault();
            if let Some(invocation) = keys.allowance.take(vault.term()) {
                drop(turn);
                return Ok(vault.seal_message(invocation, plaintext)?);
            }
            let reserved = self.send(|reply| Job::Control(Control::Reserve { reply })).await?;
            keys.allowance.add(reserved.term, reserved.messages);
        }
    }

    /// Opens a message; [`ReadError::NotFound`] when no key of this store sealed it.
    pub fn open_message(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        self.usable()?;
        self.state
            .vault()
            .open_message(nonce, sealed)
            .ok_or(ReadError::NotFound)
    }

    /// Opens what was sealed under the root key itself; [`ReadError::NotFound`] when it was another key.
    pub fn open_proof(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        self.usable()?;
        self.state
            .keys()
            .root()?
            .open_proof(nonce, sealed)
            .ok_or(ReadError::NotFound)
    }

    /// The shares of the root key: the same ones whenever they are asked for.
    pub fn shares(&self, sharing: Sharing) -> Result<Vec<Share>, SharesError> {
        self.usable()?;
        Ok(self.state.keys().root()?.split(sharing)?)
    }

    fn usable(&self) -> Result<(), Unavailable> {
        self.state.health().borrow().unavailable().map_or(Ok(()), Err)
    }
}
