//! The data keys by term, and the one record that holds them.
use std::collections::BTreeMap;

use aes_gcm::aead::KeyInit;
use aes_gcm::{Aes256Gcm, Key};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::{KeyTerm, Purpose, RootKey, TermSecret};
use super::random::{RandomError, RandomSource};
use super::seal::{Aad, UnsealError, seal_with, unseal_with};

/// The keyring as it is stored.
///
/// **Shape**: `0x01 | key check 16 | 0x01 | 0 u32be | nonce 12 | ciphertext | tag 16`. The key check is derived from
/// the root key and the store's UUID; the plaintext is `count u32be`, then per term `term u32be | secret 32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringRecord(Vec<u8>);

const VERSION: u8 = 1;
const CHECK: usize = 16;
const LABEL: &[u8] = b"spike-nexus/keyring/v1";

impl KeyringRecord {
    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a keyring record did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The root key is not the one that this store was created with.
    #[error("wrong key: this root key does not belong to this database")]
    WrongKey,
    /// The key is right, the record is damaged.
    #[error("the keyring record is damaged")]
    Damaged,
}

/// All terms of a store. The highest one seals; every one opens.
pub(super) struct Keyring {
    store: Uuid,
    check: [u8; CHECK],
    wrap: Aes256Gcm,
    terms: BTreeMap<KeyTerm, Term>,
    current: KeyTerm,
}

struct Term {
    secret: TermSecret,
    cipher: Aes256Gcm,
    messages: Aes256Gcm,
}

impl Keyring {
    /// A keyring with its first term.
    pub(super) fn create(root: &RootKey, store: Uuid, random: RandomSource) -> Result<Self, RandomError> {
        let mut keyring = Self::empty(root, store);
        keyring.add(KeyTerm::FIRST, TermSecret::draw(random)?);
        Ok(keyring)
    }

    /// The keyring that [`Keyring::seal`] wrote.
    pub(super) fn open(root: &RootKey, store: Uuid, record: &[u8]) -> Result<Self, UnlockError> {
        let (version, rest) = record.split_first().ok_or(UnlockError::Damaged)?;
        let (check, sealed) = rest.split_at_checked(CHECK).ok_or(UnlockError::Damaged)?;
        if *version != VERSION {
            return Err(UnlockError::Damaged);
        }
        let mut keyring = Self::empty(root, store);
        if !bool::from(keyring.check.ct_eq(check)) {
            return Err(UnlockError::WrongKey);
        }
        let plain = unseal_with(&keyring.wrap, &aad(&store), sealed).map_err(|_| UnlockError::Damaged)?;
        keyring.read_terms(&plain).ok_or(UnlockError::Damaged)?;
        Ok(keyring)
    }

    /// This keyring and one more term, which seals from then on.
    pub(super) fn rotated(&self, random: RandomSource) -> Result<Option<Self>, RandomError> {
        let Some(next) = self.current.next() else {
            return Ok(None);
        };
        let mut keyring = Self {
            store: self.store,
            check: self.check,
            wrap: self.wrap.clone(),
            terms: BTreeMap::new(),
            current: self.current,
        };
        for (term, key) in &self.terms {
            keyring.add(*term, TermSecret::from(key.secret.expose_secret()));
        }
        keyring.add(next, TermSecret::draw(random)?);
        Ok(Some(keyring))
    }

    /// The record to store, under a fresh nonce.
    pub(super) fn seal(&self, random: RandomSource) -> Result<KeyringRecord, RandomError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(4 + self.terms.len() * 36));
        plain.extend_from_slice(&u32::try_from(self.terms.len()).unwrap_or(u32::MAX).to_be_bytes());
        for (term, key) in &self.terms {
            plain.extend_from_slice(&term.get().to_be_bytes());
            plain.extend_from_slice(key.secret.expose_secret());
        }
        let sealed = seal_with(&self.wrap, &aad(&self.store), &plain, random)?;
        let mut record = vec![VERSION];
        record.extend_from_slice(&self.check);
        record.extend_from_slice(&sealed);
        Ok(KeyringRecord(record))
    }

    pub(super) fn store(&self) -> &Uuid {
        &self.store
    }

    pub(super) fn current(&self) -> KeyTerm {
        self.current
    }

    /// The record cipher of a term.
    pub(super) fn cipher(&self, term: KeyTerm) -> Result<&Aes256Gcm, UnsealError> {
        self.terms
            .get(&term)
            .map(|key| &key.cipher)
            .ok_or(UnsealError::UnknownTerm(term))
    }

    /// The message cipher of a term.
    pub(super) fn message_cipher(&self, term: KeyTerm) -> Option<&Aes256Gcm> {
        self.terms.get(&term).map(|key| &key.messages)
    }

    /// The message ciphers of all terms, the newest first.
    pub(super) fn message_ciphers(&self) -> impl Iterator<Item = &Aes256Gcm> {
        self.terms.values().rev().map(|key| &key.messages)
    }

    fn empty(root: &RootKey, store: Uuid) -> Self {
        let mut check = [0; CHECK];
        let derived = root.derive(&store, Purpose::KeyCheck);
        check.iter_mut().zip(derived.iter()).for_each(|(to, from)| *to = *from);
        let wrap = cipher(&root.derive(&store, Purpose::Keyring));
        Self {
            store,
            check,
            wrap,
            terms: BTreeMap::new(),
            current: KeyTerm::FIRST,
        }
    }

    fn add(&mut self, term: KeyTerm, secret: TermSecret) {
        let messages = cipher(&secret.derive(&self.store, Purpose::Messages));
        let cipher = cipher(&secret.derive(&self.store, Purpose::Records));
        self.terms.insert(
            term,
            Term {
                secret,
                cipher,
                messages,
            },
        );
        self.current = self.current.max(term);
    }

    fn read_terms(&mut self, plain: &[u8]) -> Option<()> {
        let (count, mut rest) = plain.split_first_chunk::<4>()?;
        for _ in 0..u32::from_be_bytes(*count) {
            let (term, after) = rest.split_first_chunk::<4>()?;
            let (secret, after) = after.split_first_chunk::<32>()?;
            self.add(
                KeyTerm::try_from(u32::from_be_bytes(*term)).ok()?,
                TermSecret::from(secret),
            );
            rest = after;
        }
        (rest.is_empty() && !self.terms.is_empty()).then_some(())
    }
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&**key))
}

fn aad(store: &Uuid) -> Aad {
    Aad::new(LABEL).field(store.as_bytes()).term(0)
}
