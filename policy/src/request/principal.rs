//! Who asks.
use super::{Facts, Refusal, Rules, xfcc};
use crate::SpiffeId;

/// Where the identity of a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentitySource {
    /// The certificate of the connection: `source.principal`.
    #[default]
    Principal,
    /// The `x-forwarded-client-cert` header. The caller has made sure that the proxy may say so.
    Xfcc,
}

/// The identity, parsed by the letter, in an allowed trust domain.
pub(super) fn who(rules: &Rules, facts: &Facts<'_>) -> Result<SpiffeId, Refusal> {
    certificate(rules, facts)?;
    let id = match rules.identity {
        IdentitySource::Principal => principal(facts)?.ok_or(Refusal::PrincipalMissing)?,
        IdentitySource::Xfcc => forwarded(rules, facts)?,
    };
    if !id.has_path() {
        return Err(Refusal::PrincipalWithoutPath);
    }
    if rules.trust_domains.iter().all(|td| td.as_str() != id.trust_domain()) {
        return Err(Refusal::TrustDomainNotAllowed);
    }
    Ok(id)
}

/// The proxy's word for the connection's peer.
fn principal(facts: &Facts<'_>) -> Result<Option<SpiffeId>, Refusal> {
    if facts.principal.is_empty() {
        return Ok(None);
    }
    SpiffeId::try_from(facts.principal)
        .map(Some)
        .map_err(|_| Refusal::PrincipalInvalid)
}

/// The identity in XFCC. It must be the peer's own, unless the peer is a proxy that the operator named.
fn forwarded(rules: &Rules, facts: &Facts<'_>) -> Result<SpiffeId, Refusal> {
    let claimed = xfcc::identity(facts.xfcc)?;
    match principal(facts)? {
        Some(peer) if peer != claimed && !rules.xfcc_proxies.contains(&peer) => Err(Refusal::XfccDisagrees),
        Some(_) | None => Ok(claimed),
    }
}

/// The peer's certificate, where it was sent, holds the principal and no other URI.
fn certificate(rules: &Rules, facts: &Facts<'_>) -> Result<(), Refusal> {
    match facts.certificate_uris {
        None if rules.require_peer_certificate => Err(Refusal::PeerCertificateMissing),
        None => Ok(()),
        Some([uri]) if *uri == facts.principal => Ok(()),
        Some(_) => Err(Refusal::PeerCertificateMismatch),
    }
}
