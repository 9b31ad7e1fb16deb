//! The record: one plaintext, one nonce, one AEAD call, bound to the row it belongs to.
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::{KeyTerm, RootKey};
use super::keyring::{Keyring, KeyringRecord, Keyrings, UnlockError};
use super::random::{RandomError, RandomSource, operating_system};

/// Which row a record belongs to. All of it is authenticated: change one byte and the record does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowId<'a> {
    /// The table's name.
    pub table: &'static str,
    /// The row's key in the table.
    pub key: &'a [u8],
    /// The version, for a row that has one; else 0.
    pub version: u64,
    /// The columns that are stored in clear beside the record.
    pub clear: &'a [u8],
    /// Rises with every write of the store: tells this write of the row from an earlier one.
    pub revision: u64,
}

/// A sealed record.
///
/// **Shape**: `0x01 | term u32be | nonce 12 | ciphertext | tag 16`; the plaintext is padded with `0x80 0x00 …` to a
/// multiple of 64 bytes, so that the length says little about a pattern or a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEADER: usize = 1 + 4 + NONCE;
const BLOCK: usize = 64;
const LABEL: &[u8] = b"spike-nexus/row/v1";

impl Sealed {
    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// How many records one term may seal. NIST SP 800-38D §8.3 allows 2³² with random nonces; we stay far below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealLimits {
    /// From here on the writer starts a new term before its next transaction.
    pub rotate: u64,
    /// From here on the term seals nothing more.
    pub refuse: u64,
}

impl Default for SealLimits {
    fn default() -> Self {
        Self {
            rotate: 1 << 30,
            refuse: 1 << 31,
        }
    }
}

/// Why a record was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No random bytes, no nonce.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The term has sealed as many records as it may. Rotate.
    #[error("key term {0} has sealed as many records as it may: rotate the data key")]
    Exhausted(KeyTerm),
    /// All 2³² - 1 terms are used up.
    #[error("there is no key term after {0}")]
    LastTerm(KeyTerm),
    /// The keyring must not change while a root key is to come that only people have.
    #[error("the root key is being changed: confirm or cancel that first")]
    RekeyPending,
}

/// Why a record did not open. Never shown to a client: it would tell a forger how far he got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// Too short, an unknown version, or a wrong padding.
    #[error("it is not a sealed record")]
    Unparsable,
    /// Sealed under a key that this store does not have.
    #[error("it was sealed under key term {0}, which the keyring does not hold")]
    UnknownTerm(KeyTerm),
    /// The tag does not fit: altered, or moved from another row, version or store.
    #[error("it was altered or does not belong to this row")]
    Unauthentic,
}

/// The open vault of one store.
pub struct Vault {
    pub(super) keyring: Keyring,
    limits: SealLimits,
    seals: AtomicU64,
    pub(super) random: RandomSource,
}

impl Vault {
    /// A vault for a new store, and the keyring record to store with it.
    pub fn create(root: &RootKey, store: Uuid, limits: SealLimits) -> Result<(Self, KeyringRecord), SealError> {
        let keyring = Keyring::create(root, store, operating_system)?;
        let record = keyring.seal(operating_system)?.current;
        let vault = Self {
            keyring,
            limits,
            seals: AtomicU64::new(0),
            random: operating_system,
        };
        Ok((vault, record))
    }

    /// The vault of an existing store. [`Vault::count_from`] must follow once the counter has been read.
    pub fn unlock(root: &RootKey, store: Uuid, record: &[u8], limits: SealLimits) -> Result<Self, UnlockError> {
        let keyring = Keyring::open(root, store, record)?;
        Ok(Self {
            keyring,
            limits,
            seals: AtomicU64::new(0),
            random: operating_system,
        })
    }

    /// This vault with a new data key, and the keyring records that must be durable before the new vault seals.
    pub fn rotated(&self) -> Result<(Self, Keyrings), SealError> {
        let keyring = self.keyring.rotated(self.random)?;
        let records = keyring.seal(self.random)?;
        let vault = Self {
            seals: AtomicU64::new(0),
            ..self.with_keyring(keyring)
        };
        Ok((vault, records))
    }

    /// This vault without the record keys of its old terms, and the keyring records to store before it is used. Only
    /// when no record is sealed under those terms any more.
    pub fn retired(&self) -> Result<(Self, Keyrings), SealError> {
        let keyring = self.keyring.retired();
        let records = keyring.seal(self.random)?;
        Ok((self.with_keyring(keyring), records))
    }

    /// This vault for two root keys, and the keyring records to store before that is relied on.
    pub fn rekeying(&self, new: &RootKey) -> Result<(Self, Keyrings), SealError> {
        let keyring = self.keyring.with_next(new);
        let records = keyring.seal(self.random)?;
        Ok((self.with_keyring(keyring), records))
    }

    /// This vault under a new root key alone, if `record` is what [`Vault::rekeying`] gave for it.
    pub fn rekeyed(&self, new: &RootKey, record: &[u8]) -> Result<Self, UnlockError> {
        let keyring = Keyring::open(new, *self.store(), record)?;
        if keyring.same_terms(&self.keyring) {
            Ok(self.with_keyring(keyring))
        } else {
            Err(UnlockError::Damaged)
        }
    }

    /// This vault for two root keys, whose records are stored already.
    #[must_use]
    pub fn with_next_root(&self, new: &RootKey) -> Self {
        self.with_keyring(self.keyring.with_next(new))
    }

    /// This vault under its own root key alone.
    #[must_use]
    pub fn without_next_root(&self) -> Self {
        self.with_keyring(self.keyring.without_next())
    }

    /// This vault, whose second keyring record is under a root key that is not here.
    #[must_use]
    pub fn with_unknown_next_root(self) -> Self {
        Self {
            keyring: self.keyring.with_unknown_next(),
            ..self
        }
    }

    /// Whether the root key is being changed.
    pub fn has_next_root(&self) -> bool {
        self.keyring.has_next()
    }

    /// The terms before the current one that still open records, ascending.
    pub fn old_terms(&self) -> Vec<KeyTerm> {
        self.keyring.old_terms().collect()
    }

    /// The same count of seals and the same random source, for the same or a later keyring.
    fn with_keyring(&self, keyring: Keyring) -> Self {
        Self {
            keyring,
            limits: self.limits,
            seals: AtomicU64::new(self.seals()),
            random: self.random,
        }
    }

    /// Seals a plaintext for a row. The nonce is drawn here and nowhere else.
    pub fn seal(&self, row: &RowId<'_>, plaintext: &[u8]) -> Result<Sealed, SealError> {
        let term = self.term();
        self.seals
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seals| {
                (seals < self.limits.refuse).then_some(seals + 1)
            })
            .map_err(|_| SealError::Exhausted(term))?;
        let cipher = self.keyring.cipher(term).map_err(|_| SealError::Exhausted(term))?;
        Ok(Sealed(seal_with(cipher, &self.aad(row, term), plaintext, self.random)?))
    }

    /// The term that a record says it is sealed under. Not checked: only opening it shows whether that is true.
    pub fn term_of(record: &[u8]) -> Option<KeyTerm> {
        KeyTerm::try_from(record_term(record)?).ok()
    }

    /// Opens the record of a row.
    pub fn open(&self, row: &RowId<'_>, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let term = Self::term_of(record).ok_or(UnsealError::Unparsable)?;
        unseal_with(self.keyring.cipher(term)?, &self.aad(row, term), record)
    }

    /// The store that this vault belongs to.
    pub fn store(&self) -> &Uuid {
        self.keyring.store()
    }

    /// The term that seals.
    pub fn term(&self) -> KeyTerm {
        self.keyring.current()
    }

    /// How many records the current term has sealed.
    pub fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Takes over a stored counter. It never goes down: a rolled back transaction has used its nonces all the same.
    pub fn count_from(&self, stored: u64) {
        self.seals.fetch_max(stored, Ordering::Relaxed);
    }

    /// Whether the next transaction should run under a new term.
    pub fn wants_rotation(&self) -> bool {
        self.seals() >= self.limits.rotate
    }

    /// How many records or messages one term may seal.
    pub fn limits(&self) -> SealLimits {
        self.limits
    }

    fn aad(&self, row: &RowId<'_>, term: KeyTerm) -> Aad {
        Aad::new(LABEL)
            .field(row.table.as_bytes())
            .field(self.keyring.store().as_bytes())
            .field(row.key)
            .number(row.version)
            .field(row.clear)
            .number(row.revision)
            .term(term.get())
    }

    #[cfg(test)]
    pub(crate) fn with_random(mut self, random: RandomSource) -> Self {
        self.random = random;
        self
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault(term {})", self.term())
    }
}

/// Authenticated data in the making: every field of variable length carries its length, so no two rows share it.
pub(super) struct Aad {
    bytes: Vec<u8>,
}

impl Aad {
    pub(super) fn new(label: &[u8]) -> Self {
        Self {
            bytes: Vec::with_capacity(256),
        }
        .field(label)
    }

    pub(super) fn field(mut self, field: &[u8]) -> Self {
        self.bytes
            .extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.bytes.extend_from_slice(field);
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// The term comes last and is the one that the record's header names.
    pub(super) fn term(mut self, term: u32) -> Self {
        self.bytes.extend_from_slice(&term.to_be_bytes());
        self
    }

    fn term_bytes(&self) -> &[u8] {
        self.bytes.last_chunk::<4>().map_or(&[], <[u8; 4]>::as_slice)
    }
}

/// The one place that calls AES-GCM to encrypt what is stored.
pub(super) fn seal_with(
    cipher: &Aes256Gcm,
    aad: &Aad,
    plaintext: &[u8],
    random: RandomSource,
) -> Result<Vec<u8>, RandomError> {
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    let padded = (plaintext.len() / BLOCK + 1) * BLOCK;
    // Reserved in one go: a growing buffer would leave copies of the plaintext behind.
    let mut record = Vec::with_capacity(HEADER + padded + TAG);
    record.push(VERSION);
    record.extend_from_slice(aad.term_bytes());
    record.extend_from_slice(&nonce);
    record.extend_from_slice(plaintext);
    record.push(0x80);
    record.resize(HEADER + padded, 0);
    let body = record.split_at_mut(HEADER).1;
    let tag = encrypt(cipher, &nonce, &aad.bytes, body);
    record.extend_from_slice(&tag);
    Ok(record)
}

#[expect(
    clippy::expect_used,
    reason = "AES-GCM refuses only plaintexts over 64 GiB, which no process here can hold"
)]
fn encrypt(cipher: &Aes256Gcm, nonce: &[u8; NONCE], aad: &[u8], body: &mut [u8]) -> Tag {
    cipher
        .encrypt_inout_detached(<&Nonce<_>>::from(nonce), aad, body.into())
        .expect("a record is under 64 GiB")
}

/// The one place that calls AES-GCM to decrypt what is stored.
pub(super) fn unseal_with(cipher: &Aes256Gcm, aad: &Aad, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let (version, rest) = record.split_first().ok_or(UnsealError::Unparsable)?;
    let (term, rest) = rest.split_first_chunk::<4>().ok_or(UnsealError::Unparsable)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(UnsealError::Unparsable)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(UnsealError::Unparsable)?;
    if *version != VERSION || term != aad.term_bytes() || body.is_empty() {
        return Err(UnsealError::Unparsable);
    }
    let mut plain = Zeroizing::new(body.to_vec());
    cipher
        .decrypt_inout_detached(
            <&Nonce<_>>::from(nonce),
            &aad.bytes,
            plain.as_mut_slice().into(),
            <&Tag>::from(tag),
        )
        .map_err(|_| UnsealError::Unauthentic)?;
    let end = plain
        .iter()
        .rposition(|byte| *byte != 0)
        .ok_or(UnsealError::Unparsable)?;
    if plain.get(end) != Some(&0x80) {
        return Err(UnsealError::Unparsable);
    }
    plain.truncate(end);
    Ok(plain)
}

fn record_term(record: &[u8]) -> Option<u32> {
    record
        .get(1..)?
        .first_chunk::<4>()
        .map(|term| u32::from_be_bytes(*term))
}
