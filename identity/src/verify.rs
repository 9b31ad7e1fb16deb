//! From a certificate chain to an identity.
//!
//! **Owns** [`Shown::verify`], the one function by which a chain is believed, for clients and servers alike, at the handshake and later
//! when a bundle has changed.
//! **Refuses** host names, revocation lists and roots of other trust domains: the SPIFFE ID picks the bundle, the
//! bundle decides.
//! **Invariant**: the leaf is read strictly *before* any chain is built, so the ID that picks the bundle is the ID that
//! policies see.

use crate::bundle::{Authority, Bundles, may_sign};
use crate::clock;
use crate::handshake;
use crate::leaf::{self, Leaf};
use crate::refusal::Refusal;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use spike_policy::SpiffeId;
use std::time::{SystemTime, UNIX_EPOCH};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

/// How many certificates are read at all.
pub(crate) const MAX_CHAIN: usize = 16;

/// What the peer acts as, which its extended key usage must allow when it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Client,
    Server,
}

/// What a peer showed in a handshake.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) part: Part,
}

/// An identity that a bundle vouches for.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) id: SpiffeId,
    /// When the first certificate on the path, root included, ends.
    pub(crate) not_after: SystemTime,
}

impl Shown {
    /// Whether the chain leads to a root of the trust domain that its leaf names.
    pub(crate) fn verify(&self, bundles: &Bundles, now: SystemTime) -> Result<Verified, Refusal> {
        let (end, rest) = self.chain.split_first().ok_or(Refusal::NoCertificate)?;
        if self.chain.len() > MAX_CHAIN {
            return Err(Refusal::LongChain(self.chain.len()));
        }
        let leaf = Leaf::read(end)?;
        leaf.check_time(now)?;
        let authorities = bundles
            .authorities(leaf.id.trust_domain(), now)
            .ok_or_else(|| Refusal::UnknownTrustDomain(leaf.id.trust_domain().to_owned()))?;
        let path_end = self.walk(end, &signers(rest), &authorities, now)?;
        Ok(Verified {
            not_after: leaf.not_after.min(path_end),
            id: leaf.id,
        })
    }

    /// Builds the path and says when it ends.
    fn walk(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        authorities: &[&Authority],
        now: SystemTime,
    ) -> Result<SystemTime, Refusal> {
        let untrusted = |error: webpki::Error| Refusal::Untrusted(explain(&error));
        let anchors: Vec<TrustAnchor<'_>> = authorities.iter().map(|authority| authority.anchor.clone()).collect();
        let end = EndEntityCert::try_from(end).map_err(untrusted)?;
        let usage = match self.part {
            Part::Client => KeyUsage::client_auth(),
            Part::Server => KeyUsage::server_auth(),
        };
        let algorithms = handshake::provider().signature_verification_algorithms.all;
        let now = clock::unix_time(now);
        let path = end
            .verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None)
            .map_err(untrusted)?;
        Ok(end_of(&path, authorities))
    }
}

/// webpki does not look at the key usage of intermediates: one that may not sign certificates is no candidate.
fn signers<'a>(sent: &'a [CertificateDer<'_>]) -> Vec<CertificateDer<'a>> {
    sent.iter()
        .filter(|der| {
            leaf::parse(der)
                .and_then(|certificate| may_sign(&certificate))
                .unwrap_or(false)
        })
        .map(|der| CertificateDer::from(der.as_ref()))
        .collect()
}

fn end_of(path: &VerifiedPath<'_>, authorities: &[&Authority]) -> SystemTime {
    let root = authorities.iter().find(|authority| authority.anchor == *path.anchor());
    let root_end = root.map_or(UNIX_EPOCH, |authority| authority.not_after);
    path.intermediate_certificates()
        .map(|intermediate| leaf::parse(&intermediate.der()).map_or(UNIX_EPOCH, |read| leaf::lifetime(&read).1))
        .fold(root_end, SystemTime::min)
}

/// webpki's reason in words. Its enum is open and carries bytes of the certificate, so the words are ours.
fn explain(error: &webpki::Error) -> &'static str {
    use webpki::Error as E;
    match error {
        E::UnknownIssuer => "no root of the bundle signed it",
        E::InvalidSignatureForPublicKey => "a signature on the path is wrong",
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | E::SignatureAlgorithmMismatch => "a signature on the path is of a kind that is not accepted",
        E::CertExpired { .. } => "an intermediate has expired",
        E::CertNotValidYet { .. } => "an intermediate is not valid yet",
        E::EndEntityUsedAsCa => "an intermediate is not a certificate authority",
        E::CaUsedAsEndEntity => "a certificate authority is used as a leaf",
        E::PathLenConstraintViolated => "an authority on the path does not allow so many below it",
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => "its extended key usage is for something else",
        E::NameConstraintViolation | E::MalformedNameConstraint => "a name constraint on the path forbids it",
        E::UnsupportedCriticalExtension => "a critical extension is not known here",
        E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => "the path is too long or too branched",
        _ => "a certificate on the path cannot be read",
    }
}
