//! A signing authority of one trust domain: a CA certificate with its key, and a key for JWT-SVIDs.
//!
//! **Owns** the private keys and the profile of what they sign. **Refuses** to sign beyond its own end. **Invariant**:
//! every X.509-SVID has exactly one URI SAN, is no CA, and satisfies the X509-SVID specification §2-4.
//!
//! **Source**: <https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md>; dates and names as SPIRE has them.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use spike_policy::TrustDomain;
use zeroize::Zeroizing;

use crate::config::Entry;
use crate::jwt::{JwtKey, JwtPublic};
use crate::text;

/// How far before "now" a certificate begins, so that clocks may differ a little. SPIRE has the same.
const BACKDATE: Duration = Duration::from_secs(10);

/// Why a key or certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The cryptographic library refused.
    #[error("cannot make or use a key")]
    Key,
    /// An entry of another trust domain.
    #[error("there is no authority for the trust domain of this identity")]
    NoAuthority,
    /// A stored authority does not fit.
    #[error("the stored authority of `{trust_domain}` cannot be used: {problem}")]
    Stored {
        /// Its trust domain.
        trust_domain: TrustDomain,
        /// Why not.
        problem: String,
    },
}

/// An X.509-SVID with its private key.
pub(crate) struct X509Svid {
    /// Leaf first, DER.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// PKCS#8, DER.
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) not_after: SystemTime,
    /// Half of its life: when to make the next one.
    pub(crate) rotate_at: SystemTime,
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Svid")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// What others need to trust an authority.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) jwt: JwtPublic,
    pub(crate) not_after: SystemTime,
}

/// A CA and a JWT key.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    jwt: JwtKey,
    anchor: Anchor,
    not_before: SystemTime,
}

impl Authority {
    /// New keys.
    pub(crate) fn generate(trust_domain: &TrustDomain, now: SystemTime, ttl: Duration) -> Result<Self, IssueError> {
        let key = KeyPair::generate()?;
        let not_after = whole_second(now + ttl);
        let params = authority_params(trust_domain, now - BACKDATE, not_after)?;
        let certificate = params.self_signed(&key)?.der().clone();
        let jwt = JwtKey::generate()?;
        let anchor = Anchor {
            certificate,
            jwt: jwt.public().clone(),
            not_after,
        };
        Ok(Self {
            issuer: Issuer::new(params, key),
            jwt,
            anchor,
            not_before: now,
        })
    }

    /// An authority from its stored parts.
    pub(crate) fn load(trust_domain: &TrustDomain, stored: Stored) -> Result<Self, IssueError> {
        let wrong = |problem: &str| IssueError::Stored {
            trust_domain: trust_domain.clone(),
            problem: problem.to_owned(),
        };
        let (not_before, not_after) = {
            let (_, parsed) =
                x509_parser::parse_x509_certificate(&stored.certificate).map_err(|_| wrong("not a certificate"))?;
            let own = format!("spiffe://{trust_domain}");
            let names = parsed.subject_alternative_name().ok().flatten();
            let holds = |name: &x509_parser::extensions::GeneralName<'_>| matches!(name, x509_parser::extensions::GeneralName::URI(uri) if *uri == own);
            if !names.is_some_and(|names| names.value.general_names.iter().any(holds)) {
                return Err(wrong("it belongs to another trust domain"));
            }
            let validity = parsed.validity();
            (
                validity.not_before.to_datetime().into(),
                validity.not_after.to_datetime().into(),
            )
        };
        let key = PrivateKeyDer::try_from(stored.key.as_slice()).map_err(wrong)?;
        let key = KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256)?;
        let issuer = Issuer::from_ca_cert_der(&stored.certificate, key)?;
        let jwt = JwtKey::from_pkcs8(stored.jwt_key)?;
        let anchor = Anchor {
            certificate: stored.certificate,
            jwt: jwt.public().clone(),
            not_after,
        };
        Ok(Self {
            issuer,
            jwt,
            anchor,
            not_before,
        })
    }

    /// The parts to store.
    pub(crate) fn stored(&self) -> Stored {
        Stored {
            certificate: self.anchor.certificate.clone(),
            key: Zeroizing::new(self.issuer.key().serialize_der()),
            jwt_key: Zeroizing::new(self.jwt.pkcs8().to_vec()),
        }
    }

    /// What others need to trust it.
    pub(crate) fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The key for JWT-SVIDs.
    pub(crate) fn jwt(&self) -> &JwtKey {
        &self.jwt
    }

    /// A point of its life, as a fraction: SPIRE prepares the next authority at 1/2 and uses it from 5/6 on.
    pub(crate) fn point(&self, numerator: u32, denominator: u32) -> SystemTime {
        let life = self
            .anchor
            .not_after
            .duration_since(self.not_before)
            .unwrap_or(Duration::ZERO);
        self.not_before + life * numerator / denominator
    }

    /// A new X.509-SVID with a new key.
    pub(crate) fn sign(&self, entry: &Entry, now: SystemTime, ttl: Duration) -> Result<X509Svid, IssueError> {
        let key = KeyPair::generate()?;
        let not_after = whole_second(now + ttl).min(self.anchor.not_after);
        let mut params = CertificateParams::default();
        params.not_before = (now - BACKDATE).into();
        params.not_after = not_after.into();
        params.serial_number = Some(random_serial()?);
        params.distinguished_name = name("SPIRE");
        params.subject_alt_names = vec![SanType::URI(entry.spiffe_id.as_str().try_into()?)];
        for name in &entry.dns {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let rotate_at = now + not_after.duration_since(now).unwrap_or(Duration::ZERO) / 2;
        Ok(X509Svid {
            chain: vec![certificate],
            key: Zeroizing::new(key.serialize_der()),
            not_after,
            rotate_at,
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("not_after", &self.anchor.not_after)
            .finish_non_exhaustive()
    }
}

/// The parts of an authority that outlive the process.
pub(crate) struct Stored {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) jwt_key: Zeroizing<Vec<u8>>,
}

fn authority_params(
    trust_domain: &TrustDomain,
    not_before: SystemTime,
    not_after: SystemTime,
) -> Result<CertificateParams, IssueError> {
    let serial = random_serial()?;
    let mut params = CertificateParams::default();
    params.not_before = not_before.into();
    params.not_after = not_after.into();
    params.distinguished_name = name("SPIFFE");
    // Two authorities of one trust domain must not look like one to a verifier that finds issuers by name.
    let number = text::hex(&serial.to_bytes());
    params
        .distinguished_name
        .push(DnType::CommonName, format!("development authority {number}"));
    params.serial_number = Some(serial);
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{trust_domain}").as_str().try_into()?)];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn name(organization: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::OrganizationName, organization);
    name
}

fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IssueError::Key)?;
    // RFC 5280: positive.
    bytes[0] &= 0x7f;
    bytes[0] |= 0x01;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Certificates know whole seconds only: rounded up, so that a short life is not shortened further.
fn whole_second(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests;
