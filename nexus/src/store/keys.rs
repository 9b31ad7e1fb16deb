//! What the store does with its keys for others: messages of callers, proofs and shares.
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::handle::{ReadError, Store};
use super::health::Unavailable;
use super::jobs::{Control, Job, WriteError};
use crate::vault::{Allowance, LiteCipher, MESSAGE_NONCE, Message, NotAScalar, RootKey, Share, Sharing};

/// What the store needs apart from its vault.
#[derive(Default)]
pub(super) struct Keys {
    /// Nothing while the store is sealed.
    root: ArcSwapOption<RootKey>,
    allowance: Allowance,
    lite: OnceLock<LiteCipher>,
    /// Held while a reservation is made.
    reserving: Mutex<()>,
}

impl Keys {
    pub(super) fn with(root: Arc<RootKey>) -> Self {
        Self {
            root: ArcSwapOption::from(Some(root)),
            ..Self::default()
        }
    }

    /// The key of a store that was sealed, or a new one.
    pub(super) fn set(&self, root: Arc<RootKey>) {
        self.root.store(Some(root));
    }

    pub(super) fn root(&self) -> Result<Arc<RootKey>, Unavailable> {
        self.root.load_full().ok_or(Unavailable::Sealed)
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

    /// Opens what was sealed under the root key itself, as SPIKE does it; [`ReadError::NotFound`] when it was another
    /// key.
    pub fn open_as_spike(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        self.usable()?;
        self.state
            .keys()
            .root()?
            .open_as_spike(nonce, sealed)
            .ok_or(ReadError::NotFound)
    }

    /// Seals a message where nothing is kept: under a key that follows from the root key alone.
    pub fn seal_lite_message(&self, plaintext: &[u8]) -> Result<Message, WriteError> {
        Ok(self.lite()?.seal(plaintext)?)
    }

    /// Opens what [`Store::seal_lite_message`] sealed, here or in another Nexus with this root key.
    pub fn open_lite_message(
        &self,
        nonce: &[u8; MESSAGE_NONCE],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        self.lite()?.open(nonce, sealed).ok_or(ReadError::NotFound)
    }

    fn lite(&self) -> Result<&LiteCipher, Unavailable> {
        self.usable()?;
        let keys = self.state.keys();
        let root = keys.root()?;
        Ok(keys.lite.get_or_init(|| LiteCipher::of(&root)))
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
