//! Trust domains made on the spot, for tests that have no agent.
//!
//! **Owns** certificate authorities and the SVIDs they sign, shaped as SPIRE shapes them.
//! **Refuses** to be in a product: it exists only with the feature `test-util`.
//! **Invariant**: what it makes is accepted by the rules of this room; broken certificates are made by the tests that
//! need them.

use crate::bundle::{Bundles, InvalidBundle};
use crate::clock;
use crate::material::{InvalidMaterial, SvidMaterial};
use crate::source::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use spike_policy::TrustDomain;
use std::time::Duration;
use time::OffsetDateTime;

/// SPIRE's own allowance for clocks that differ.
const BACKDATE: time::Duration = time::Duration::seconds(10);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The certificate authority of a trust domain.
pub struct TestAuthority {
    domain: TrustDomain,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// An SVID and its key, as DER.
#[derive(Clone)]
pub struct TestSvid {
    /// Certificates, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The leaf's key, PKCS#8.
    pub key: Vec<u8>,
}

/// Why a test certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TestAuthorityError {
    /// Not a trust domain or SPIFFE ID.
    #[error(transparent)]
    Name(#[from] spike_policy::InvalidSpiffeId),
    /// The certificate library refused.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// What was made is not usable.
    #[error(transparent)]
    Material(#[from] InvalidMaterial),
    /// What was made is not usable.
    #[error(transparent)]
    Bundle(#[from] InvalidBundle),
}

impl TestAuthority {
    /// A new authority for a trust domain (`example.org`), valid for a day.
    pub fn new(domain: &str) -> Result<Self, TestAuthorityError> {
        let domain: TrustDomain = domain.parse()?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{domain} test authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(&format!("spiffe://{domain}"))?];
        (params.not_before, params.not_after) = life(DAY);
        Ok(Self {
            domain,
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// An SVID for `path` (`/spike/nexus`), valid for an hour.
    pub fn svid(&self, path: &str) -> Result<TestSvid, TestAuthorityError> {
        self.svid_for(path, Duration::from_secs(3600))
    }

    /// An SVID for `path` that ends after `ttl`.
    pub fn svid_for(&self, path: &str, ttl: Duration) -> Result<TestSvid, TestAuthorityError> {
        let mut params = Self::leaf(&format!("spiffe://{}{path}", self.domain))?;
        params.not_after = life(ttl).1;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(TestSvid {
            chain: vec![leaf.der().to_vec()],
            key: key.serialize_der(),
        })
    }

    /// An identity for `path` that trusts its own authority, and nobody else.
    pub fn identity(&self, path: &str) -> Result<Identity, TestAuthorityError> {
        Ok(Identity::from_material(&self.svid(path)?.material()?, self.bundles()?))
    }

    /// The bundle of this trust domain.
    pub fn bundles(&self) -> Result<Bundles, TestAuthorityError> {
        let mut bundles = Bundles::default();
        self.join(&mut bundles)?;
        Ok(bundles)
    }

    /// Adds this authority to bundles: federation, or a second root.
    pub fn join(&self, bundles: &mut Bundles) -> Result<(), TestAuthorityError> {
        Ok(bundles.add(&self.domain, &self.der())?)
    }

    /// The authority's own certificate.
    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// What signs: for tests that make certificates of their own.
    pub fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuer
    }

    /// The parameters of a good leaf with this URI, valid for an hour: for tests that spoil one thing.
    pub fn leaf(id: &str) -> Result<CertificateParams, TestAuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "SPIRE");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![uri(id)?];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = life(Duration::from_secs(3600));
        Ok(params)
    }
}

impl TestSvid {
    /// Ready for [`Identity::from_material`] and [`Identity::replace`].
    pub fn material(&self) -> Result<SvidMaterial, InvalidMaterial> {
        SvidMaterial::new(self.chain.clone(), &self.key)
    }
}

fn uri(text: &str) -> Result<SanType, rcgen::Error> {
    Ok(SanType::URI(text.try_into()?))
}

fn life(ttl: Duration) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::from(clock::wall_clock());
    let ttl = ttl.try_into().unwrap_or(time::Duration::MAX);
    (now.saturating_sub(BACKDATE), now.saturating_add(ttl))
}
