//! The data keys by term, and the record that holds them.
//!
//! While the root key is being changed there are two such records, one under each key, with the same terms.
use std::collections::BTreeMap;

use aes_gcm::aead::KeyInit;
use aes_gcm::{Aes256Gcm, Key};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::{KeyTerm, Purpose, RootKey, TermSecret};
use super::random::{RandomError, RandomSource};
use super::seal::{Aad, SealError, UnsealError, seal_with, unseal_with};

/// A keyring as it is stored.
///
/// **Shape**: `version | key check 16 | 0x01 | 0 u32be | nonce 12 | ciphertext | tag 16`. The key check is derived from
/// the root key and the store's UUID. The plaintext is `count u32be`, then per term, in version 1,
/// `term u32be | secret 32`; in version 2, `term u32be | kind u8 | secret 32`, where kind 1 is a term's secret and
/// kind 2 only its key of callers' messages. Version 1 is written as long as there is no term of kind 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringRecord(Vec<u8>);

const CHECK: usize = 16;
const WHOLE: u8 = 1;
const MESSAGES_ONLY: u8 = 2;

impl KeyringRecord {
    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The records of one keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyrings {
    /// Under the root key.
    pub current: KeyringRecord,
    /// Under the root key that is to come, if there is one.
    pub next: Option<KeyringRecord>,
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

/// All terms of a store. The highest one seals; every one opens, until it is retired.
pub(super) struct Keyring {
    store: Uuid,
    wrap: Wrap,
    next: Next,
    terms: BTreeMap<KeyTerm, Term>,
    current: KeyTerm,
}

/// What a root key does for one store: says that it is the right one, and seals the keyring.
#[derive(Clone)]
struct Wrap {
    check: [u8; CHECK],
    cipher: Aes256Gcm,
}

/// The root key that is to come.
#[derive(Clone)]
enum Next {
    None,
    Known(Box<Wrap>),
    /// There is one, but only people have it: this keyring cannot be sealed for it, so it must not change.
    Unknown,
}

#[derive(Clone)]
struct Term {
    /// The term's secret; of a retired term, its key of messages.
    secret: TermSecret,
    /// `None`: retired.
    records: Option<Aes256Gcm>,
    messages: Aes256Gcm,
}

/// The two forms of the record's plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Two,
}

impl Keyring {
    /// A keyring with its first term.
    pub(super) fn create(root: &RootKey, store: Uuid, random: RandomSource) -> Result<Self, RandomError> {
        let mut keyring = Self::empty(Wrap::of(root, &store), store);
        keyring.add(KeyTerm::FIRST, TermSecret::draw(random)?);
        Ok(keyring)
    }

    /// The keyring that [`Keyring::seal`] wrote.
    pub(super) fn open(root: &RootKey, store: Uuid, record: &[u8]) -> Result<Self, UnlockError> {
        let (version, rest) = record.split_first().ok_or(UnlockError::Damaged)?;
        let (check, sealed) = rest.split_at_checked(CHECK).ok_or(UnlockError::Damaged)?;
        let form = Form::of(*version).ok_or(UnlockError::Damaged)?;
        let mut keyring = Self::empty(Wrap::of(root, &store), store);
        if !bool::from(keyring.wrap.check.ct_eq(check)) {
            return Err(UnlockError::WrongKey);
        }
        let plain = unseal_with(&keyring.wrap.cipher, &form.aad(&store), sealed).map_err(|_| UnlockError::Damaged)?;
        keyring.read_terms(form, &plain).ok_or(UnlockError::Damaged)?;
        Ok(keyring)
    }

    /// This keyring and one more term, which seals from then on.
    pub(super) fn rotated(&self, random: RandomSource) -> Result<Self, SealError> {
        let next = self.current.next().ok_or(SealError::LastTerm(self.current))?;
        let mut keyring = self.copy();
        keyring.add(next, TermSecret::draw(random)?);
        Ok(keyring)
    }

    /// This keyring without the record keys of all terms but the current one. Their keys of messages stay: callers
    /// keep what was sealed under them for as long as they like.
    pub(super) fn retired(&self) -> Self {
        let mut keyring = self.copy();
        for (term, key) in &mut keyring.terms {
            if *term != self.current && key.records.take().is_some() {
                let messages = key.secret.derive(&self.store, Purpose::Messages);
                key.secret = TermSecret::from(&*messages);
            }
        }
        keyring
    }

    /// This keyring, to be sealed under a second root key as well.
    pub(super) fn with_next(&self, root: &RootKey) -> Self {
        Self {
            next: Next::Known(Box::new(Wrap::of(root, &self.store))),
            ..self.copy()
        }
    }

    /// This keyring, for which there is a second record that we cannot write.
    pub(super) fn with_unknown_next(self) -> Self {
        Self {
            next: Next::Unknown,
            ..self
        }
    }

    /// This keyring under its one root key.
    pub(super) fn without_next(&self) -> Self {
        Self {
            next: Next::None,
            ..self.copy()
        }
    }

    /// Whether there is a second root key.
    pub(super) fn has_next(&self) -> bool {
        !matches!(self.next, Next::None)
    }

    /// Whether both hold the same terms and keys.
    pub(super) fn same_terms(&self, other: &Self) -> bool {
        let same = |(term, key): (&KeyTerm, &Term)| {
            other.terms.get(term).is_some_and(|theirs| {
                key.records.is_some() == theirs.records.is_some()
                    && bool::from(key.secret.expose_secret().ct_eq(theirs.secret.expose_secret()))
            })
        };
        self.terms.len() == other.terms.len() && self.terms.iter().all(same)
    }

    /// The records to store, each under a fresh nonce.
    pub(super) fn seal(&self, random: RandomSource) -> Result<Keyrings, SealError> {
        Ok(Keyrings {
            current: self.seal_under(&self.wrap, random)?,
            next: match &self.next {
                Next::None => None,
                Next::Known(wrap) => Some(self.seal_under(wrap, random)?),
                Next::Unknown => return Err(SealError::RekeyPending),
            },
        })
    }

    fn seal_under(&self, wrap: &Wrap, random: RandomSource) -> Result<KeyringRecord, RandomError> {
        let retired = self.terms.values().any(|key| key.records.is_none());
        let form = if retired { Form::Two } else { Form::One };
        let mut plain = Zeroizing::new(Vec::with_capacity(4 + self.terms.len() * 37));
        plain.extend_from_slice(&u32::try_from(self.terms.len()).unwrap_or(u32::MAX).to_be_bytes());
        for (term, key) in &self.terms {
            plain.extend_from_slice(&term.get().to_be_bytes());
            if form == Form::Two {
                plain.push(if key.records.is_some() { WHOLE } else { MESSAGES_ONLY });
            }
            plain.extend_from_slice(key.secret.expose_secret());
        }
        let sealed = seal_with(&wrap.cipher, &form.aad(&self.store), &plain, random)?;
        let mut record = vec![form.version()];
        record.extend_from_slice(&wrap.check);
        record.extend_from_slice(&sealed);
        Ok(KeyringRecord(record))
    }

    pub(super) fn store(&self) -> &Uuid {
        &self.store
    }

    pub(super) fn current(&self) -> KeyTerm {
        self.current
    }

    /// The terms before the current one whose record keys are still here, ascending.
    pub(super) fn old_terms(&self) -> impl Iterator<Item = KeyTerm> {
        let whole = self.terms.iter().filter(|(_, key)| key.records.is_some());
        whole.map(|(term, _)| *term).filter(|term| *term != self.current)
    }

    /// The record cipher of a term.
    pub(super) fn cipher(&self, term: KeyTerm) -> Result<&Aes256Gcm, UnsealError> {
        self.terms
            .get(&term)
            .and_then(|key| key.records.as_ref())
            .ok_or(UnsealError::UnknownTerm(term))
    }

    /// Another key of a term that is not retired.
    pub(super) fn derived(&self, term: KeyTerm, purpose: Purpose) -> Option<Zeroizing<[u8; 32]>> {
        let key = self.terms.get(&term).filter(|key| key.records.is_some())?;
        Some(key.secret.derive(&self.store, purpose))
    }

    /// The message cipher of a term.
    pub(super) fn message_cipher(&self, term: KeyTerm) -> Option<&Aes256Gcm> {
        self.terms.get(&term).map(|key| &key.messages)
    }

    /// The message ciphers of all terms, the newest first.
    pub(super) fn message_ciphers(&self) -> impl Iterator<Item = &Aes256Gcm> {
        self.terms.values().rev().map(|key| &key.messages)
    }

    fn empty(wrap: Wrap, store: Uuid) -> Self {
        Self {
            store,
            wrap,
            next: Next::None,
            terms: BTreeMap::new(),
            current: KeyTerm::FIRST,
        }
    }

    fn copy(&self) -> Self {
        Self {
            store: self.store,
            wrap: self.wrap.clone(),
            next: self.next.clone(),
            terms: self.terms.clone(),
            current: self.current,
        }
    }

    fn add(&mut self, term: KeyTerm, secret: TermSecret) {
        let key = Term {
            records: Some(cipher(&secret.derive(&self.store, Purpose::Records))),
            messages: cipher(&secret.derive(&self.store, Purpose::Messages)),
            secret,
        };
        self.terms.insert(term, key);
        self.current = self.current.max(term);
    }

    fn add_retired(&mut self, term: KeyTerm, messages: &[u8; 32]) {
        let key = Term {
            secret: TermSecret::from(messages),
            records: None,
            messages: Aes256Gcm::new(<&Key<Aes256Gcm>>::from(messages)),
        };
        self.terms.insert(term, key);
    }

    fn read_terms(&mut self, form: Form, plain: &[u8]) -> Option<()> {
        let (count, mut rest) = plain.split_first_chunk::<4>()?;
        for _ in 0..u32::from_be_bytes(*count) {
            let (term, after) = rest.split_first_chunk::<4>()?;
            let term = KeyTerm::try_from(u32::from_be_bytes(*term)).ok()?;
            let (kind, after) = match form {
                Form::One => (WHOLE, after),
                Form::Two => after.split_first().map(|(kind, after)| (*kind, after))?,
            };
            let (secret, after) = after.split_first_chunk::<32>()?;
            match kind {
                WHOLE => self.add(term, TermSecret::from(secret)),
                MESSAGES_ONLY => self.add_retired(term, secret),
                _ => return None,
            }
            rest = after;
        }
        let (newest, key) = self.terms.last_key_value()?;
        (rest.is_empty() && *newest == self.current && key.records.is_some()).then_some(())
    }
}

impl Wrap {
    fn of(root: &RootKey, store: &Uuid) -> Self {
        let mut check = [0; CHECK];
        let derived = root.derive(store, Purpose::KeyCheck);
        check.iter_mut().zip(derived.iter()).for_each(|(to, from)| *to = *from);
        Self {
            check,
            cipher: cipher(&root.derive(store, Purpose::Keyring)),
        }
    }
}

impl Form {
    fn of(version: u8) -> Option<Self> {
        [Self::One, Self::Two]
            .into_iter()
            .find(|form| form.version() == version)
    }

    fn version(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    fn aad(self, store: &Uuid) -> Aad {
        let label: &[u8] = match self {
            Self::One => b"spike-nexus/keyring/v1",
            Self::Two => b"spike-nexus/keyring/v2",
        };
        Aad::new(label).field(store.as_bytes()).term(0)
    }
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&**key))
}
