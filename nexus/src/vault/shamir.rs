//! Shares of the root key, as SPIKE makes them (`spike.md` §7.5): Shamir's scheme over the integers modulo the order of
//! P-256's group, so that shares of official tools and ours are interchangeable.
//!
//! The polynomial's constant term is the root key; share `i` is its value at `i`. The other coefficients are drawn from
//! SHA-256 chained over the root key: the same key always gives the same shares, so the ones that Keepers hold, the
//! ones in recovery files and the ones made after a restart agree. **Source**: `secretsharing` of circl 1.6.3,
//! `crypto/rand.Int` of Go.
use crypto_bigint::U256;
use crypto_bigint::modular::ConstMontyForm;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::key::RootKey;

mod order {
    crypto_bigint::const_monty_params!(
        Order,
        crypto_bigint::U256,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "The order of P-256's group, a prime. **Source**: NIST SP 800-186 §3.2.1.3."
    );
}

/// A number modulo the group's order.
type Scalar = ConstMontyForm<order::Order, { U256::LIMBS }>;

/// How many shares there are, and how many of them give the key back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    shares: u16,
    threshold: u16,
}

/// Numbers of shares that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{threshold} of {shares} shares: give 1 to {most} shares, and a threshold from 1 to their number", most = Sharing::MOST)]
pub struct InvalidSharing {
    shares: u64,
    threshold: u64,
}

impl Sharing {
    /// SPIKE's `SPIKE_NEXUS_SHAMIR_MAX_SHARE_COUNT`.
    pub const MOST: u16 = 1000;

    /// This many shares, of which this many are needed.
    pub fn new(shares: u64, threshold: u64) -> Result<Self, InvalidSharing> {
        let refused = |_| InvalidSharing { shares, threshold };
        let sharing = Self {
            shares: u16::try_from(shares).map_err(refused)?,
            threshold: u16::try_from(threshold).map_err(refused)?,
        };
        let sensible = (1..=Self::MOST).contains(&sharing.shares) && (1..=sharing.shares).contains(&sharing.threshold);
        sensible.then_some(sharing).ok_or(InvalidSharing { shares, threshold })
    }

    /// How many there are.
    pub fn shares(self) -> u16 {
        self.shares
    }

    /// How many give the key back.
    pub fn threshold(self) -> u16 {
        self.threshold
    }
}

impl Default for Sharing {
    /// SPIKE's: two of three.
    fn default() -> Self {
        Self {
            shares: 3,
            threshold: 2,
        }
    }
}

/// One share of the root key. Its value is wiped when it is dropped and never printed.
#[derive(Clone)]
pub struct Share {
    /// Where the polynomial was evaluated: from 1.
    pub id: u16,
    /// Its value there: 32 bytes, big-endian.
    pub value: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({})", self.id)
    }
}

/// The number is 0, or not below the order of P-256's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the root key is not below the order of P-256's group (as one in 2^32 random keys is not), so it has no shares: keep \
     a copy of the key file instead"
)]
pub struct NotAScalar;

/// Why shares give no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// None at all.
    #[error("there are no shares")]
    None,
    /// A share's number is 0 or too large, or two have the same.
    #[error("share {0} is given twice, or its number is not from 1 to 1000")]
    Number(u16),
    /// A share's value is none that a polynomial takes.
    #[error("share {0} is not below the order of P-256's group")]
    Value(u16),
    /// They fit together, but to nothing that is a key.
    #[error("the shares give no key")]
    NoKey,
}

impl RootKey {
    /// Whether [`RootKey::split`] can succeed.
    pub(super) fn has_shares(&self) -> bool {
        scalar(self.expose_secret()).is_some_and(|key| *key != Scalar::ZERO)
    }

    /// The shares of this key, always the same.
    pub fn split(&self, sharing: Sharing) -> Result<Vec<Share>, NotAScalar> {
        let polynomial = self.polynomial(sharing)?;
        let share = |id: u16| Share {
            id,
            value: bytes(&evaluate(&polynomial, id)),
        };
        Ok((1..=sharing.shares).map(share).collect())
    }

    /// Whether these are shares of this key. They all follow from the key, so a key that was rebuilt from shares which
    /// do not belong together fails this (unless one share is enough: then nothing can be told).
    pub fn made(&self, shares: &[Share], sharing: Sharing) -> bool {
        self.polynomial(sharing).is_ok_and(|polynomial| {
            let own = |share: &Share| bytes(&evaluate(&polynomial, share.id)).ct_eq(&*share.value);
            shares.iter().all(|share| bool::from(own(share)))
        })
    }

    fn polynomial(&self, sharing: Sharing) -> Result<Zeroizing<Vec<Scalar>>, NotAScalar> {
        let constant = scalar(self.expose_secret()).filter(|key| **key != Scalar::ZERO);
        let mut chain = Chain::of(self.expose_secret());
        let mut polynomial = Zeroizing::new(Vec::with_capacity(sharing.threshold.into()));
        polynomial.push(*constant.ok_or(NotAScalar)?);
        for _ in 1..sharing.threshold {
            polynomial.push(*chain.scalar());
        }
        Ok(polynomial)
    }

    /// The key that these shares belong to. Too few of them, or wrong ones, give another key and no error: hold it
    /// against the store before it is used.
    pub fn combine(shares: &[Share]) -> Result<Self, CombineError> {
        let mut key = Zeroizing::new(Scalar::ZERO);
        for (at, share) in shares.iter().enumerate() {
            let twice = shares.iter().take(at).any(|other| other.id == share.id);
            if twice || !(1..=Sharing::MOST).contains(&share.id) {
                return Err(CombineError::Number(share.id));
            }
            let value = scalar(&share.value).ok_or(CombineError::Value(share.id))?;
            *key += *value * weight(share.id, shares);
        }
        match shares {
            [] => Err(CombineError::None),
            _ if *key == Scalar::ZERO => Err(CombineError::NoKey),
            _ => Ok(Self::take(&mut bytes(&key))),
        }
    }
}

/// Lagrange's weight of a share at 0. Share numbers are public, so the time it takes may depend on them.
fn weight(id: u16, shares: &[Share]) -> Scalar {
    let (mut above, mut below) = (Scalar::ONE, Scalar::ONE);
    for other in shares.iter().filter(|share| share.id != id) {
        above *= small(other.id);
        below *= small(other.id) - small(id);
    }
    // Numbers below the order that differ never give 0.
    above * below.invert_vartime().unwrap_or(Scalar::ZERO)
}

/// Horner's rule.
fn evaluate(polynomial: &[Scalar], at: u16) -> Zeroizing<Scalar> {
    let mut value = Zeroizing::new(Scalar::ZERO);
    for coefficient in polynomial.iter().rev() {
        *value = *value * small(at) + coefficient;
    }
    value
}

fn small(number: u16) -> Scalar {
    Scalar::new(&U256::from(number))
}

/// `None` for a number that is not below the order: it is never reduced silently.
fn scalar(big_endian: &[u8; 32]) -> Option<Zeroizing<Scalar>> {
    let mut number = U256::from_be_slice(big_endian);
    let scalar = Zeroizing::new(Scalar::new(&number));
    let same = scalar.retrieve() == number;
    number.zeroize();
    same.then_some(scalar)
}

fn bytes(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
    let mut number = scalar.retrieve();
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(number.to_be_bytes().as_ref());
    number.zeroize();
    bytes
}

/// SPIKE's deterministic source of coefficients: SHA-256 of the seed, then of what came before.
struct Chain(Zeroizing<[u8; 32]>);

impl Chain {
    fn of(seed: &[u8; 32]) -> Self {
        Self(digest(seed))
    }

    /// Go's `rand.Int` below the order: 32 bytes at a time, until they are below it.
    fn scalar(&mut self) -> Zeroizing<Scalar> {
        loop {
            let drawn = scalar(&self.0);
            self.0 = digest(&self.0);
            if let Some(drawn) = drawn {
                return drawn;
            }
        }
    }
}

fn digest(bytes: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
