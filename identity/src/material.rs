//! One consistent view of what the agent gave us: our SVID with its key, and every bundle.
//!
//! **Owns** the turning of certificates and a key into something that handshakes can use, and the numbering of changes.
//! **Refuses** an SVID that we would not accept from anybody else, and a key that is not the certificate's.
//! **Invariant**: immutable; a handshake works on one view from its start to its end.

use crate::bundle::Bundles;
use crate::leaf::Leaf;
use crate::refusal::Refusal;
use crate::source::Standing;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use spike_policy::SpiffeId;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// An SVID that can be shown to others: a chain (leaf first) and the leaf's private key, ready to sign.
#[derive(Clone)]
pub struct SvidMaterial {
    pub(crate) own: Arc<Own>,
}

/// Why an SVID cannot be used as our own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMaterial {
    /// Its leaf breaks the rules that we hold others to.
    #[error("our own SVID is not usable: {0}")]
    Leaf(#[from] Refusal),
    /// The key cannot be read, or is of a kind that is not used here.
    #[error("the private key of our own SVID is not usable; it must be PKCS#8 with an RSA, ECDSA or Ed25519 key")]
    Key,
    /// Key and certificate do not belong together.
    #[error("the private key of our own SVID is not its certificate's key")]
    Mismatch,
}

/// Our side of a handshake.
pub(crate) struct Own {
    pub(crate) id: SpiffeId,
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// What handshakes read.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    /// The last SVID that was ours. Not to be shown when `withdrawn`.
    pub(crate) own: Arc<Own>,
    /// Why the agent took our identity away, if it did. Then there are no bundles either.
    pub(crate) withdrawn: Option<Arc<str>>,
    pub(crate) bundles: Arc<Bundles>,
    /// Grows with every change of anything.
    pub(crate) revision: u64,
    /// Grows only when a bundle changed: then live connections must be looked at again.
    pub(crate) bundle_revision: u64,
    /// Grows only when our SVID became another one.
    pub(crate) svid_updates: u64,
}

impl SvidMaterial {
    /// Takes a chain of certificates (DER, leaf first) and the leaf's private key (PKCS#8 DER).
    pub fn new(chain: Vec<Vec<u8>>, key: &[u8]) -> Result<Self, InvalidMaterial> {
        let leaf = Leaf::read(chain.first().ok_or(Refusal::NoCertificate)?)?;
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        let signer = any_supported_type(&key).map_err(|_| InvalidMaterial::Key)?;
        let key = CertifiedKey::new(chain, signer);
        key.keys_match().map_err(|_| InvalidMaterial::Mismatch)?;
        let own = Own {
            id: leaf.id,
            key: Arc::new(key),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
        };
        Ok(Self { own: Arc::new(own) })
    }

    /// Whose SVID it is.
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.own.id
    }
}

impl Material {
    pub(crate) fn first(svid: &SvidMaterial, bundles: Bundles) -> Self {
        Self {
            own: Arc::clone(&svid.own),
            withdrawn: None,
            bundles: Arc::new(bundles),
            revision: 0,
            bundle_revision: 0,
            svid_updates: 0,
        }
    }

    /// The view after the agent's next answer. Without a usable SVID in it the old one stays ours until it ends, but
    /// the new bundles count at once: trust that was taken away must not wait for us.
    pub(crate) fn next(&self, svid: Option<&SvidMaterial>, bundles: Bundles) -> Self {
        let own = svid.map_or_else(|| Arc::clone(&self.own), |svid| Arc::clone(&svid.own));
        self.following(own, None, bundles)
    }

    /// The view after the agent refused us: no identity, and nobody to believe.
    pub(crate) fn withdrawn(&self, why: &str) -> Self {
        self.following(Arc::clone(&self.own), Some(Arc::from(why)), Bundles::default())
    }

    fn following(&self, own: Arc<Own>, withdrawn: Option<Arc<str>>, bundles: Bundles) -> Self {
        let changed = u64::from(bundles != *self.bundles);
        // An agent sends the whole answer again when only a bundle changed.
        let updated = u64::from(own.key.cert != self.own.key.cert);
        Self {
            own,
            withdrawn,
            bundles: Arc::new(bundles),
            revision: self.revision.saturating_add(1),
            bundle_revision: self.bundle_revision.saturating_add(changed),
            svid_updates: self.svid_updates.saturating_add(updated),
        }
    }

    /// How our own identity stands at `now`.
    pub(crate) fn standing(&self, now: SystemTime) -> Standing {
        if self.withdrawn.is_some() {
            return Standing::Withdrawn;
        }
        if now > self.own.not_after || now < self.own.not_before {
            return Standing::Expired;
        }
        let life = self
            .own
            .not_after
            .duration_since(self.own.not_before)
            .unwrap_or_default();
        let left = self.own.not_after.duration_since(now).unwrap_or_default();
        if left.saturating_mul(5) < life {
            Standing::Ageing
        } else {
            Standing::Good
        }
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("id", &self.id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SvidMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SvidMaterial")
            .field("id", &self.own.id)
            .finish_non_exhaustive()
    }
}
