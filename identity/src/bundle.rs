//! Trust bundles: which authorities speak for which trust domain.
//!
//! **Owns** the authorities by trust domain, each with its own time of life.
//! **Refuses** an authority for any trust domain but the one whose bundle it came in: there is no common pool.
//! **Invariant**: whatever is in here may sign certificates and can be read; an authority that is not usable never
//! gets in, so a bundle of nothing but broken authorities admits nobody.

use crate::leaf;
use crate::refusal::Refusal;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use spike_policy::TrustDomain;
use std::collections::BTreeMap;
use std::time::SystemTime;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry as oid;

/// The authorities of every trust domain that is trusted: our own and those federated with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundles {
    by_domain: BTreeMap<TrustDomain, Vec<Authority>>,
}

/// One certificate authority of a trust domain.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    der: CertificateDer<'static>,
    pub(crate) anchor: TrustAnchor<'static>,
    not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// Why a certificate is not taken into a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBundle {
    /// Not a certificate.
    #[error("an authority of trust domain `{0}` is not a readable certificate")]
    Unreadable(TrustDomain),
    /// It may not sign certificates.
    #[error("an authority of trust domain `{0}` may not sign certificates")]
    NotAnAuthority(TrustDomain),
}

impl Bundles {
    /// Makes a trust domain known, if only with no authorities yet (then it admits nobody).
    pub fn know(&mut self, domain: &TrustDomain) {
        self.by_domain.entry(domain.clone()).or_default();
    }

    /// Adds an authority's certificate (DER) to the bundle of a trust domain.
    pub fn add(&mut self, domain: &TrustDomain, der: &[u8]) -> Result<(), InvalidBundle> {
        let authority = Authority::read(domain, der)?;
        let authorities = self.by_domain.entry(domain.clone()).or_default();
        if !authorities.contains(&authority) {
            authorities.push(authority);
            // The agent may deliver the same set in any order; the set decides whether anything changed.
            authorities.sort_by(|a, b| a.der.as_ref().cmp(b.der.as_ref()));
        }
        Ok(())
    }

    /// The trust domains that have a bundle here, in alphabetical order.
    pub fn trust_domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.by_domain.keys()
    }

    /// The authorities of a trust domain that are within their own life at `now`; `None` when it is unknown.
    pub(crate) fn authorities(&self, domain: &str, now: SystemTime) -> Option<Vec<&Authority>> {
        let (_, authorities) = self.by_domain.iter().find(|(known, _)| known.as_str() == domain)?;
        // webpki takes a root at its word for ever, go-spiffe does not; a root that is past its life vouches for nobody.
        let alive = |authority: &&Authority| authority.not_before <= now && now <= authority.not_after;
        Some(authorities.iter().filter(alive).collect())
    }
}

impl Authority {
    fn read(domain: &TrustDomain, der: &[u8]) -> Result<Self, InvalidBundle> {
        let certificate = leaf::parse(der).map_err(|_| InvalidBundle::Unreadable(domain.clone()))?;
        if !may_sign(&certificate).unwrap_or(false) || !certificate.is_ca() {
            return Err(InvalidBundle::NotAnAuthority(domain.clone()));
        }
        let (not_before, not_after) = leaf::lifetime(&certificate);
        let der = CertificateDer::from(der.to_vec());
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|_| InvalidBundle::Unreadable(domain.clone()))?
            .to_owned();
        Ok(Self {
            der,
            anchor,
            not_before,
            not_after,
        })
    }
}

impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Authority {}

/// Whether a certificate's key usage lets it sign certificates. Without the extension it may (RFC 5280 §6.1.4 n).
pub(crate) fn may_sign(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Result<bool, Refusal> {
    Ok(match leaf::extension(certificate, &oid::OID_X509_EXT_KEY_USAGE)? {
        Some(ParsedExtension::KeyUsage(usage)) => usage.key_cert_sign(),
        Some(_) => false,
        None => true,
    })
}
