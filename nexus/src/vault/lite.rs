//! Messages of callers where no database keeps key terms (`spike.md` §7.2, backend `lite`).
//!
//! The key is derived from the root key alone, so every Nexus with that root key opens what another one sealed, now and
//! after a restart. Nothing is kept, so nothing can count: one key seals at most 2³² messages in its life (NIST
//! SP 800-38D §8.3), and here one process at a time is held to that.
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::aead::KeyInit;
use aes_gcm::{Aes256Gcm, Key};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::cipher::{MESSAGE_NONCE, Message, open, seal};
use super::key::{KeyTerm, Purpose, RootKey};
use super::random::{RandomSource, operating_system};
use super::seal::SealError;

/// How many messages one process seals.
const MOST: u64 = 1 << 32;

/// Seals and opens messages under one root key.
pub struct LiteCipher {
    cipher: Aes256Gcm,
    sealed: AtomicU64,
    random: RandomSource,
}

impl LiteCipher {
    /// Under this root key.
    pub fn of(root: &RootKey) -> Self {
        let key = root.derive(&Uuid::nil(), Purpose::LiteMessages);
        Self {
            cipher: Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&*key)),
            sealed: AtomicU64::new(0),
            random: operating_system,
        }
    }

    /// Seals a message. The nonce is drawn here and nowhere else.
    ///
    /// # Errors
    /// When there are no random bytes, and after 2³² messages.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Message, SealError> {
        if self.sealed.fetch_add(1, Ordering::Relaxed) >= MOST {
            return Err(SealError::Exhausted(KeyTerm::FIRST));
        }
        Ok(seal(&self.cipher, plaintext, self.random)?)
    }

    /// Opens a message; `None` when it was sealed under another key, or altered.
    pub fn open(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.cipher, nonce, sealed)
    }
}

impl std::fmt::Debug for LiteCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiteCipher").finish_non_exhaustive()
    }
}
