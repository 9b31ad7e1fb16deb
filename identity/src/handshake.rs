//! What both directions of mutual TLS have in common.
//!
//! **Owns** the cryptography that is offered, the verifier that lives for one handshake on one view of the material,
//! and what a handshake comes to: a [`Peer`], or a [`Failure`] that each direction puts into its own words.
//! **Refuses** everything but TLS 1.2 and 1.3 with AEAD suites, and every way to skip the verification: there is no
//! resumption and no early data.
//! **Invariant**: one [`Handshake`] serves one connection, so what it learned can only be about that peer.

use crate::clock;
use crate::material::Material;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::source::{Identity, Standing};
use crate::verify::{Part, Shown, Verified};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CipherSuite, DigitallySignedStruct, DistinguishedName, Error as TlsError, SignatureScheme, SupportedCipherSuite,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use spike_policy::SpiffeId;
use std::fmt;
use std::io;
use std::iter;
use std::sync::{Arc, LazyLock, OnceLock};

/// Which identities are wanted at the other end.
pub(crate) type Wanted = Arc<dyn Fn(&SpiffeId) -> bool + Send + Sync>;

/// Newest first.
pub(crate) static VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// AEAD suites only, and the groups that a FIPS build at the other end has too (P-256, P-384). First what processors
/// have instructions for, SHA-256 among them; Go and Envoy prefer the same.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            cipher_suites: suites(),
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
            ..aws_lc_rs::default_provider()
        })
    });
    Arc::clone(&PROVIDER)
}

/// The default suites, those with AES-128-GCM and SHA-256 before the others.
fn suites() -> Vec<SupportedCipherSuite> {
    let mut suites = aws_lc_rs::DEFAULT_CIPHER_SUITES.to_vec();
    let is_later = |suite: &SupportedCipherSuite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    };
    suites.sort_by_key(is_later);
    suites
}

/// The verifier and the key of one connection.
pub(crate) struct Handshake {
    material: Arc<Material>,
    wanted: Wanted,
    /// What the *peer* acts as.
    part: Part,
    /// Who the peer says it is, and what it showed. Set before the peer has proved to hold the key.
    verified: OnceLock<(Verified, Shown)>,
    refusal: OnceLock<Refusal>,
}

/// Why a handshake did not end well.
pub(crate) enum Failure {
    /// We refused the peer.
    Refused(Refusal),
    /// The peer refused us: the alert it sent.
    Alert(String),
    /// Not TLS, or not a version, suite or protocol that is spoken here.
    Protocol(String),
    /// The connection broke.
    Io(io::Error),
}

impl Handshake {
    /// Begins on the material of this moment; an error says how our own identity stands when it must not be shown.
    pub(crate) fn begin(identity: &Identity, wanted: &Wanted, part: Part) -> Result<Arc<Self>, Standing> {
        let material = identity.material();
        match material.standing(identity.now()) {
            Standing::Good | Standing::Ageing => {}
            standing @ (Standing::Expired | Standing::Withdrawn) => return Err(standing),
        }
        Ok(Arc::new(Self {
            material,
            wanted: Arc::clone(wanted),
            part,
            verified: OnceLock::new(),
            refusal: OnceLock::new(),
        }))
    }

    /// Who the peer turned out to be. To be asked only after the handshake has ended well: rustls says so when the peer
    /// has proved to hold the key, not before.
    pub(crate) fn peer(&self, identity: &Identity) -> Result<Peer, Refusal> {
        let (verified, shown) = self.verified.get().cloned().ok_or(Refusal::NoCertificate)?;
        Ok(Peer::new(
            verified,
            shown,
            identity.clone(),
            self.material.bundle_revision,
        ))
    }

    /// What the error means with which the handshake ended. Our own refusal comes first: what rustls makes of it
    /// says less.
    pub(crate) fn failure(&self, error: io::Error) -> Failure {
        if let Some(refusal) = self.refusal.get() {
            return Failure::Refused(refusal.clone());
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::NoCertificatesPresented) => Failure::Refused(Refusal::NoCertificate),
            Some(TlsError::AlertReceived(alert)) => Failure::Alert(format!("{alert:?}")),
            Some(other) => Failure::Protocol(other.to_string()),
            None => Failure::Io(error),
        }
    }

    fn judge(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let sent = iter::once(end).chain(intermediates);
        let shown = Shown {
            chain: sent.map(|der| der.clone().into_owned()).collect(),
            part: self.part,
        };
        let verified = shown.verify(&self.material.bundles, clock::from_epoch(now.as_secs()));
        match verified {
            Ok(verified) if (self.wanted)(&verified.id) => {
                self.verified.get_or_init(|| (verified, shown));
                Ok(())
            }
            Ok(verified) => Err(self.refuse(Refusal::Unwanted(verified.id))),
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    fn refuse(&self, refusal: Refusal) -> TlsError {
        self.refusal.get_or_init(|| refusal.clone());
        refusal.into_tls()
    }

    fn own_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.material.own.key)
    }

    fn proof(&self, checked: Result<HandshakeSignatureValid, TlsError>) -> Result<HandshakeSignatureValid, TlsError> {
        checked.map_err(|_| self.refuse(Refusal::KeyNotProven))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

/// What rustls asks about signatures, of two traits in the same words: a peer proves to hold its key in the same way,
/// whichever part it plays.
macro_rules! checks_signatures {
    ($($check:ident),+) => {
        $(
            fn $check(
                &self,
                message: &[u8],
                cert: &CertificateDer<'_>,
                dss: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, TlsError> {
                let algorithms = provider().signature_verification_algorithms;
                self.proof($check(message, cert, dss, &algorithms))
            }
        )+

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            provider().signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ClientCertVerifier for Handshake {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: a client shows whatever SVID it has, and federated roots are nobody's business.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        self.judge(end_entity, intermediates, now)
            .map(|()| ClientCertVerified::assertion())
    }

    checks_signatures!(verify_tls12_signature, verify_tls13_signature);
}

impl ServerCertVerifier for Handshake {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        // An SVID says who, not where: the name that was dialled does not count.
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.judge(end_entity, intermediates, now)
            .map(|()| ServerCertVerified::assertion())
    }

    checks_signatures!(verify_tls12_signature, verify_tls13_signature);
}

impl rustls::server::ResolvesServerCert for Handshake {
    fn resolve(&self, _client_hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.own_key())
    }
}

impl rustls::client::ResolvesClientCert for Handshake {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.own_key())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
