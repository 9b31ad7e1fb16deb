//! Why a peer's certificate is not believed.
//!
//! **Owns** the closed list of reasons, their words for people and their labels for metrics.
//! **Refuses** raw bytes of the certificate in its texts: an ID that breaks the rules is repeated escaped and cut.
//! **Invariant**: every certificate that does not become a [`Peer`](crate::Peer) has exactly one of these reasons.

use crate::leaf::{MAX_NAMES, MIN_RSA_BITS};
use crate::verify::MAX_CHAIN;
use rustls::{CertificateError, Error as TlsError, OtherError};
use spike_policy::{InvalidSpiffeId, SpiffeId};
use std::sync::Arc;

/// Why a certificate chain does not make a peer, for a person and for a metric label ([`Refusal::label`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was sent.
    #[error("it sent no certificate")]
    NoCertificate,
    /// More certificates than are read at all.
    #[error("it sent {0} certificates, at most {MAX_CHAIN} are read")]
    LongChain(usize),
    /// Not a certificate, or one with a part that cannot be read in exactly one way.
    #[error("its certificate cannot be read: {0}")]
    Malformed(&'static str),
    /// More names than are read at all.
    #[error("its certificate has more than {MAX_NAMES} names")]
    ManyNames,
    /// No URI among its names, so no SPIFFE ID.
    #[error("its certificate has no URI name, so it is not an X.509-SVID")]
    NoUri,
    /// An X.509-SVID has exactly one URI name.
    #[error("its certificate has more than one URI name; an X.509-SVID has exactly one")]
    SeveralUris,
    /// The URI name breaks a rule of SPIFFE IDs.
    #[error("its URI name is {0}")]
    InvalidId(#[from] InvalidSpiffeId),
    /// The ID names a trust domain, not a workload.
    #[error("its SPIFFE ID has no path; only a trust domain's own certificate has none")]
    NoPath,
    /// A certificate authority is not a workload.
    #[error("its certificate is a certificate authority's, not a workload's")]
    Authority,
    /// `keyCertSign` or `cRLSign` on a leaf.
    #[error("its certificate may sign certificates or revocation lists, an X.509-SVID may not")]
    MaySign,
    /// The key must be for signing handshakes.
    #[error("its certificate lacks the key usage digitalSignature")]
    NoDigitalSignature,
    /// A key that is too short, or of a kind that is not used here.
    #[error("its certificate has {0}")]
    WeakKey(WeakKey),
    /// Before `notBefore`.
    #[error("its certificate is not valid yet; are the clocks right?")]
    NotYetValid,
    /// After `notAfter`.
    #[error("its certificate has expired")]
    Expired,
    /// No bundle of that trust domain: unknown, or not federated with ours.
    #[error("no trust bundle for trust domain `{0}`; is it ours, or federated with ours?")]
    UnknownTrustDomain(String),
    /// No path from the leaf to a root of its trust domain.
    #[error("its certificate does not lead to a root of its trust domain: {0}")]
    Untrusted(&'static str),
    /// A valid identity, but not one that is wanted here.
    #[error("`{0}` is not an identity that is accepted here")]
    Unwanted(SpiffeId),
    /// The handshake was not signed by the certificate's key.
    #[error("it did not prove to hold the certificate's key")]
    KeyNotProven,
}

/// What is wrong with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// Fewer than 2048 bits.
    #[error("an RSA key of {0} bits, at least {MIN_RSA_BITS} are needed")]
    ShortRsa(usize),
    /// Not P-256, P-384 or P-521.
    #[error("a key on a curve other than P-256, P-384 and P-521")]
    Curve,
    /// Not RSA, ECDSA or Ed25519.
    #[error("a key that is neither RSA nor ECDSA nor Ed25519")]
    Kind,
}

impl Refusal {
    /// One of a fixed set of words, for metrics and audit.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::LongChain(_) => "long_chain",
            Self::Malformed(_) => "malformed",
            Self::ManyNames => "many_names",
            Self::NoUri => "no_uri",
            Self::SeveralUris => "several_uris",
            Self::InvalidId(_) => "invalid_id",
            Self::NoPath => "no_path",
            Self::Authority => "authority",
            Self::MaySign => "may_sign",
            Self::NoDigitalSignature => "no_digital_signature",
            Self::WeakKey(_) => "weak_key",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::UnknownTrustDomain(_) => "unknown_trust_domain",
            Self::Untrusted(_) => "untrusted",
            Self::Unwanted(_) => "unwanted",
            Self::KeyNotProven => "key_not_proven",
        }
    }

    /// What rustls turns into the alert that the peer sees.
    pub(crate) fn into_tls(self) -> TlsError {
        let error = match self {
            Self::NoCertificate => return TlsError::NoCertificatesPresented,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::Expired => CertificateError::Expired,
            Self::UnknownTrustDomain(_) | Self::Untrusted(_) => CertificateError::UnknownIssuer,
            Self::Unwanted(_) => CertificateError::ApplicationVerificationFailure,
            Self::KeyNotProven => CertificateError::BadSignature,
            Self::Malformed(_) => CertificateError::BadEncoding,
            Self::Authority | Self::MaySign | Self::NoDigitalSignature => CertificateError::InvalidPurpose,
            Self::LongChain(_)
            | Self::ManyNames
            | Self::NoUri
            | Self::SeveralUris
            | Self::InvalidId(_)
            | Self::NoPath
            | Self::WeakKey(_) => CertificateError::Other(OtherError(Arc::new(self))),
        };
        TlsError::InvalidCertificate(error)
    }
}
