//! Messages that Nexus seals for its callers (encryption as a service, `spike.md` §1.5), and the proof that it holds
//! the root key (§1.7).
//!
//! A message is AES-256-GCM without additional data and without padding: its form belongs to SPIKE's clients. So its
//! key is never a key of our own records, and its random nonces are counted apart from theirs ([`Allowance`]).
use std::sync::{Mutex, PoisonError};

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};
use zeroize::Zeroizing;

use super::key::{KeyTerm, RootKey};
use super::random::{RandomError, RandomSource};
use super::seal::{SealError, Vault};

/// Bytes of a message's nonce.
pub const MESSAGE_NONCE: usize = 12;
const TAG: usize = 16;

/// A sealed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Drawn for this message alone.
    pub nonce: [u8; MESSAGE_NONCE],
    /// The ciphertext and its tag of 16 bytes.
    pub sealed: Vec<u8>,
}

/// The right to seal one message under one term. Not `Clone`: each is counted before it is handed out.
#[derive(Debug)]
pub struct Invocation(KeyTerm);

/// How many messages this process may still seal, out of what the database has reserved for it. Reserved first, used
/// afterwards: a crash loses some of the reservation, and never counts a nonce too few.
#[derive(Debug, Default)]
pub struct Allowance(Mutex<Option<(KeyTerm, u64)>>);

impl Allowance {
    /// Adds a reservation that is durable. One of another term takes the place of what was left.
    pub fn add(&self, term: KeyTerm, messages: u64) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = match *left {
            Some((same, before)) if same == term => Some((term, before.saturating_add(messages))),
            Some(_) | None => Some((term, messages)),
        };
    }

    /// Takes one for this term; `None` when a reservation must be made first.
    pub fn take(&self, term: KeyTerm) -> Option<Invocation> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (same, before) = (*left)?;
        if same != term {
            return None;
        }
        *left = Some((term, before.checked_sub(1)?));
        Some(Invocation(term))
    }
}

impl Vault {
    /// Seals a message. The nonce is drawn here and nowhere else.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an invocation is used up, so that none seals twice"
    )]
    pub fn seal_message(&self, invocation: Invocation, plaintext: &[u8]) -> Result<Message, SealError> {
        let Invocation(term) = invocation;
        let cipher = self.keyring.message_cipher(term).ok_or(SealError::Exhausted(term))?;
        Ok(seal(cipher, plaintext, self.random)?)
    }

    /// Opens a message of any term: its form has no room to name one. `None` when none of them sealed it.
    pub fn open_message(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.keyring
            .message_ciphers()
            .find_map(|cipher| open(cipher, nonce, sealed))
    }
}

impl RootKey {
    /// Opens what was sealed under the root key itself: by SPIKE Bootstrap, to see whether the key has arrived, or by
    /// the cipher of SPIKE's own Nexus, which has no other key for its callers' messages.
    pub fn open_as_spike(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let cipher = Aes256Gcm::new(<&Key<Aes256Gcm>>::from(self.expose_secret()));
        open(&cipher, nonce, sealed)
    }
}

pub(super) fn seal(cipher: &Aes256Gcm, plaintext: &[u8], random: RandomSource) -> Result<Message, RandomError> {
    let mut nonce = [0; MESSAGE_NONCE];
    random(&mut nonce)?;
    let mut sealed = Vec::with_capacity(plaintext.len() + TAG);
    sealed.extend_from_slice(plaintext);
    let tag = encrypt(cipher, &nonce, &mut sealed);
    sealed.extend_from_slice(&tag);
    Ok(Message { nonce, sealed })
}

#[expect(
    clippy::expect_used,
    reason = "AES-GCM refuses only plaintexts over 64 GiB, which no process here can hold"
)]
fn encrypt(cipher: &Aes256Gcm, nonce: &[u8; MESSAGE_NONCE], body: &mut [u8]) -> Tag {
    cipher
        .encrypt_inout_detached(<&Nonce<_>>::from(nonce), &[], body.into())
        .expect("a message is under 64 GiB")
}

pub(super) fn open(cipher: &Aes256Gcm, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (body, tag) = sealed.split_last_chunk::<TAG>()?;
    let mut plain = Zeroizing::new(body.to_vec());
    cipher
        .decrypt_inout_detached(
            <&Nonce<_>>::from(nonce),
            &[],
            plain.as_mut_slice().into(),
            <&Tag>::from(tag),
        )
        .ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests;
