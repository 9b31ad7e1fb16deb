//! The authorities of one trust domain over time: the one that signs, the next, and those that are still trusted.
//!
//! **Owns** their succession. **Refuses** to sign with an authority that is not in the bundle yet. **Invariant**: what
//! signs is always part of [`Domain::bundle`].

use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use spike_policy::TrustDomain;

use crate::authority::{Anchor, Authority, IssueError, X509Svid};
use crate::config::Entry;
use crate::jwt::{self, JwtKey, JwtPublic};
use crate::keep::{Keep, KeepError};

/// What becomes of the authority that signed until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// It stays trusted until it expires or is dropped.
    Keep,
    /// It is not trusted any more, from the same moment on.
    Drop,
}

/// What others need to trust a trust domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) x509: Vec<CertificateDer<'static>>,
    pub(crate) jwt: Vec<JwtPublic>,
}

impl Bundle {
    /// The certificates one after the other, DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.x509
            .iter()
            .flat_map(|certificate| certificate.iter().copied())
            .collect()
    }

    /// The JWT keys as a JWKS document.
    pub(crate) fn key_set(&self) -> String {
        jwt::key_set(&self.jwt)
    }
}

#[derive(Debug)]
pub(crate) struct Domain {
    name: TrustDomain,
    ttl: Duration,
    keep: Option<Keep>,
    current: Authority,
    next: Option<Authority>,
    old: Vec<Anchor>,
}

impl Domain {
    /// Opens the stored authority, or makes one.
    pub(crate) fn open(
        name: TrustDomain,
        ttl: Duration,
        keep: Option<Keep>,
        now: SystemTime,
    ) -> Result<Self, KeepError> {
        let stored = match &keep {
            Some(keep) => keep.load(&name, now)?,
            None => None,
        };
        let current = match stored {
            Some(authority) => authority,
            None => Authority::generate(&name, now, ttl)?,
        };
        let domain = Self {
            name,
            ttl,
            keep,
            current,
            next: None,
            old: Vec::new(),
        };
        domain.save()?;
        Ok(domain)
    }

    pub(crate) fn name(&self) -> &TrustDomain {
        &self.name
    }

    pub(crate) fn bundle(&self) -> Bundle {
        let next = self.next.as_ref().map(Authority::anchor);
        let anchors = || [self.current.anchor()].into_iter().chain(next).chain(&self.old);
        Bundle {
            x509: anchors().map(|anchor| anchor.certificate.clone()).collect(),
            jwt: anchors().map(|anchor| anchor.jwt.clone()).collect(),
        }
    }

    pub(crate) fn sign(&self, entry: &Entry, now: SystemTime, ttl: Duration) -> Result<X509Svid, IssueError> {
        self.current.sign(entry, now, ttl)
    }

    pub(crate) fn jwt(&self) -> &JwtKey {
        self.current.jwt()
    }

    /// Puts the next authority into the bundle; it does not sign yet.
    pub(crate) fn prepare(&mut self, now: SystemTime) -> Result<(), IssueError> {
        if self.next.is_none() {
            self.next = Some(Authority::generate(&self.name, now, self.ttl)?);
        }
        Ok(())
    }

    /// Lets the next authority sign, preparing it if nobody did.
    pub(crate) fn activate(&mut self, old: Old, now: SystemTime) -> Result<(), KeepError> {
        self.prepare(now)?;
        if let Some(next) = self.next.take() {
            let previous = std::mem::replace(&mut self.current, next);
            match old {
                Old::Keep => self.old.push(previous.anchor().clone()),
                Old::Drop => self.old.clear(),
            }
        }
        self.save()
    }

    /// Stops trusting every authority but the current and the next one; says whether there was any.
    pub(crate) fn drop_old(&mut self) -> bool {
        let some = !self.old.is_empty();
        self.old.clear();
        some
    }

    /// What time demands: SPIRE's schedule (prepare at half of the life, activate at five sixths, drop at the end).
    /// Says whether the bundle or the signer changed.
    pub(crate) fn age(&mut self, now: SystemTime) -> Result<Aged, KeepError> {
        let before = self.old.len();
        self.old.retain(|anchor| anchor.not_after > now);
        let mut aged = if self.old.len() < before {
            Aged::Bundle
        } else {
            Aged::Nothing
        };
        if now >= self.current.point(1, 2) && self.next.is_none() {
            self.prepare(now)?;
            aged = Aged::Bundle;
        }
        if now >= self.current.point(5, 6) {
            self.activate(Old::Keep, now)?;
            aged = Aged::Signer;
        }
        Ok(aged)
    }

    /// When [`Domain::age`] will have something to do.
    pub(crate) fn due(&self) -> SystemTime {
        let own = if self.next.is_none() {
            self.current.point(1, 2)
        } else {
            self.current.point(5, 6)
        };
        self.old
            .iter()
            .map(|anchor| anchor.not_after)
            .fold(own, SystemTime::min)
    }

    fn save(&self) -> Result<(), KeepError> {
        self.keep
            .as_ref()
            .map_or(Ok(()), |keep| keep.save(&self.name, &self.current))
    }
}

/// What passing time changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aged {
    Nothing,
    /// The bundle.
    Bundle,
    /// The bundle and who signs.
    Signer,
}

#[cfg(test)]
mod tests;
