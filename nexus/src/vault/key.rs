//! The root key, key terms, and the keys derived from them.
use std::fmt;
use std::num::NonZeroU32;

use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::random::{RandomError, RandomSource};

/// The key that every other key hangs from: 32 bytes, wiped when dropped, never printed, never stored in a database.
#[derive(Debug)]
pub struct RootKey(SecretBox<[u8; 32]>);

impl RootKey {
    /// Takes the bytes and wipes the place they came from.
    pub fn take(bytes: &mut [u8; 32]) -> Self {
        let key = Self(SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            key.copy_from_slice(bytes);
        }));
        bytes.zeroize();
        key
    }

    /// A new random key, of those that have shares (`spike.md` §7.5): all but one in 2³² of the 32-byte texts.
    pub fn generate() -> Result<Self, RandomError> {
        loop {
            let mut bytes = super::random::random_bytes::<32>()?;
            let key = Self::take(&mut bytes);
            if key.has_shares() {
                return Ok(key);
            }
        }
    }

    /// The key, for the one who has to put it where it comes from.
    pub fn copy(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.expose_secret())
    }

    pub(super) fn derive(&self, store: &Uuid, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        derive(self.0.expose_secret(), store, purpose)
    }

    pub(super) fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

/// Which data key sealed a record: 1, 2, 3 … A rotation starts the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyTerm(NonZeroU32);

impl KeyTerm {
    /// The first term of every store.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The term after this one. `None` after 2³² - 1 rotations.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// A number that is no term: 0 marks the keyring record itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("0 is not a key term")]
pub struct InvalidKeyTerm;

impl TryFrom<u32> for KeyTerm {
    type Error = InvalidKeyTerm;
    fn try_from(number: u32) -> Result<Self, InvalidKeyTerm> {
        NonZeroU32::new(number).map(Self).ok_or(InvalidKeyTerm)
    }
}

impl fmt::Display for KeyTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The random secret of one term. It never encrypts anything itself: each use has its own derived key.
pub(super) struct TermSecret(SecretBox<[u8; 32]>);

impl Clone for TermSecret {
    fn clone(&self) -> Self {
        Self::from(self.expose_secret())
    }
}

impl TermSecret {
    pub(super) fn draw(random: RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut_slice())?;
        Ok(Self::from(&*bytes))
    }

    pub(super) fn derive(&self, store: &Uuid, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        derive(self.0.expose_secret(), store, purpose)
    }

    pub(super) fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl From<&[u8; 32]> for TermSecret {
    fn from(bytes: &[u8; 32]) -> Self {
        Self(SecretBox::init_with_mut(|secret: &mut [u8; 32]| {
            secret.copy_from_slice(bytes);
        }))
    }
}

/// What a derived key is for. One key, one use: their labels never change once released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// From the root key: seals the keyring.
    Keyring,
    /// From the root key: tells a wrong key from a damaged keyring.
    KeyCheck,
    /// From a term secret: seals records.
    Records,
    /// From a term secret: seals messages of callers.
    Messages,
    /// From the root key: seals messages of callers where no terms are kept.
    LiteMessages,
    /// From a term secret: authenticates archives.
    Backups,
    /// From a term secret: authenticates the anchor.
    Anchor,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Keyring => b"spike-nexus/v1/keyring",
            Self::KeyCheck => b"spike-nexus/v1/key-check",
            Self::Records => b"spike-nexus/v1/records",
            Self::Messages => b"spike-nexus/v1/messages",
            Self::LiteMessages => b"spike-nexus/v1/lite-messages",
            Self::Backups => b"spike-nexus/v1/backups",
            Self::Anchor => b"spike-nexus/v1/anchor",
        }
    }
}

/// HKDF-SHA256 with the store's UUID as salt, so that one root key used for two stores gives unrelated keys.
/// **Source**: RFC 5869.
#[expect(
    clippy::expect_used,
    reason = "32 bytes are fewer than the 8,160 that HKDF-SHA256 can give"
)]
fn derive(secret: &[u8; 32], store: &Uuid, purpose: Purpose) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(store.as_bytes()), secret)
        .expand(purpose.label(), key.as_mut_slice())
        .expect("32 bytes are within HKDF's limit");
    key
}

#[cfg(test)]
mod tests;
