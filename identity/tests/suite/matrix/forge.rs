//! Authorities and what an attacker (or an honest peer) can show with their help.

use super::der;
use crate::credulous::Show;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData, SignatureAlgorithm, SigningKey,
};
use spike_identity::authority::TestAuthority;
use spike_identity::{Bundles, Identity};
use time::{Duration, OffsetDateTime};

pub(crate) const GOOD: &str = "spiffe://example.org/web";

/// A certificate authority.
pub(crate) struct Ca(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// Every authority of the matrix, and the bundles of the side under test.
pub(crate) struct World {
    pub(crate) root: Ca,
    pub(crate) below: Ca,
    /// In the bundles, for `partner.org`.
    pub(crate) partner: Ca,
    /// In the bundles, for `rsa.org`.
    pub(crate) rsa: Ca,
    /// In the bundles, for `old.org`, but past its life.
    pub(crate) old: Ca,
    /// In the bundles, for `narrow.org`, with a name constraint.
    pub(crate) narrow: Ca,
    /// In no bundle.
    pub(crate) stranger: Ca,
    /// In no bundle, but with the very name of `root`.
    pub(crate) impostor: Ca,
    pub(crate) bundles: Bundles,
}

impl Ca {
    pub(crate) fn root(name: &str, key: KeyPair, shape: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(name, shape), key).unwrap())
    }

    pub(crate) fn under(&self, name: &str, shape: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::signed_by(Self::params(name, shape), p256(), &self.0).unwrap())
    }

    fn params(name: &str, shape: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = hours(-1);
        params.not_after = hours(24);
        shape(&mut params);
        params
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A leaf with a new P-256 key.
    pub(crate) fn leaf(&self, id: &str, spoil: impl FnOnce(&mut CertificateParams)) -> Show {
        self.leaf_with(id, &p256(), spoil)
    }

    pub(crate) fn leaf_with(&self, id: &str, key: &KeyPair, spoil: impl FnOnce(&mut CertificateParams)) -> Show {
        let mut params = TestAuthority::leaf(id).unwrap();
        spoil(&mut params);
        let leaf = params.signed_by(key, &self.0).unwrap();
        Show {
            chain: vec![leaf.der().to_vec()],
            key: key.serialize_der(),
        }
    }

    /// A leaf whose names are these bytes, whatever they are.
    pub(crate) fn leaf_named(&self, value: Vec<u8>) -> Show {
        self.leaf(GOOD, |params| {
            params.subject_alt_names.clear();
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], value));
        })
    }

    /// Signs a changed certificate again, with whatever algorithm its text now claims.
    pub(crate) fn resigned(&self, show: Show, old: &[u8], new: &[u8], outside_too: bool) -> Show {
        let [signed, algorithm, _] = der::parts(&show.chain[0]);
        let signed = der::replaced(signed, old, new);
        let algorithm = if outside_too {
            der::replaced(algorithm, old, new)
        } else {
            algorithm.to_vec()
        };
        let signature = self.0.key().sign(&signed).unwrap();
        Show {
            chain: vec![der::certificate(&signed, &algorithm, &signature)],
            key: show.key,
        }
    }
}

impl Show {
    pub(crate) fn with(mut self, above: &[&Ca]) -> Self {
        self.chain.extend(above.iter().map(|ca| ca.der()));
        self
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let root = Ca::root("root", p256(), |_| {});
        let below = root.under("below", |_| {});
        let partner = Ca::root("partner", p256(), |_| {});
        let rsa = Ca::root("rsa", KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap(), |_| {});
        let old = Ca::root("old", p256(), |params| {
            params.not_before = hours(-48);
            params.not_after = hours(-1);
        });
        let narrow = Ca::root("narrow", p256(), |params| {
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("inside.example".to_owned())],
                excluded_subtrees: vec![],
            });
        });
        let stranger = Ca::root("stranger", p256(), |_| {});
        let impostor = Ca::root("root", p256(), |_| {});
        let mut bundles = Bundles::default();
        for (domain, ca) in [
            ("example.org", &root),
            ("partner.org", &partner),
            ("rsa.org", &rsa),
            ("old.org", &old),
            ("narrow.org", &narrow),
        ] {
            bundles.add(&domain.parse().unwrap(), &ca.der()).unwrap();
        }
        Self {
            root,
            below,
            partner,
            rsa,
            old,
            narrow,
            stranger,
            impostor,
            bundles,
        }
    }

    /// The side under test: an honest SVID, and every bundle.
    pub(crate) fn ours(&self) -> Identity {
        Identity::from_material(
            &self.root.leaf("spiffe://example.org/spike/nexus", |_| {}).material(),
            self.bundles.clone(),
        )
    }
}

/// A public key of any bytes, for keys that no library would generate.
pub(crate) struct OddKey {
    pub(crate) bytes: Vec<u8>,
    pub(crate) algorithm: &'static SignatureAlgorithm,
}

impl PublicKeyData for OddKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

pub(crate) fn p256() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(crate) fn hours(count: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::hours(count)
}

pub(crate) fn seconds(count: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::seconds(count)
}
