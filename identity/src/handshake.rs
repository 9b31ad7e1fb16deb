//! What both directions of mutual TLS have in common.
//!
//! **Owns** the cryptography that is offered, and the verifier that lives for one handshake on one view of the material.
//! **Refuses** everything but TLS 1.2 and 1.3 with AEAD suites, and every way to skip the verification: there is no
//! resumption and no early data.
//! **Invariant**: one [`Handshake`] serves one connection, so what it learned can only be about that peer.

use crate::material::{Material, Own};
use crate::refusal::Refusal;
use crate::source::{Identity, TimeSource};
use crate::verify::{Part, Verified, verify};
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
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    part: Part,
    verified: OnceLock<(Verified, Vec<CertificateDer<'static>>)>,
    refusal: OnceLock<Refusal>,
}

impl Handshake {
    /// `part` is what the *peer* acts as.
    pub(crate) fn new(identity: &Identity, wanted: Wanted, part: Part) -> Arc<Self> {
        Arc::new(Self {
            material: identity.material(),
            wanted,
            part,
            verified: OnceLock::new(),
            refusal: OnceLock::new(),
        })
    }

    pub(crate) fn material(&self) -> &Arc<Material> {
        &self.material
    }

    /// Who the peer turned out to be, and the chain that says so. Only meaningful once the handshake has ended well:
    /// before that the peer has not proved to hold the key.
    pub(crate) fn verified(&self) -> Option<&(Verified, Vec<CertificateDer<'static>>)> {
        self.verified.get()
    }

    /// Why the peer was refused, when it was.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().cloned()
    }

    fn judge(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let chain: Vec<CertificateDer<'static>> = std::iter::once(end)
            .chain(intermediates)
            .map(|der| der.clone().into_owned())
            .collect();
        let verified = verify(&self.material.bundles, &chain, self.part, system_time(now)).and_then(|verified| {
            if (self.wanted)(&verified.id) {
                Ok(verified)
            } else {
                Err(Refusal::Unwanted(verified.id))
            }
        });
        match verified {
            Ok(verified) => {
                self.verified.get_or_init(|| (verified, chain));
                Ok(())
            }
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    fn refuse(&self, refusal: Refusal) -> TlsError {
        self.refusal.get_or_init(|| refusal.clone());
        refusal.into_tls()
    }

    fn own_key(&self) -> Arc<CertifiedKey> {
        let own: &Own = &self.material.own;
        Arc::clone(&own.key)
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

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.proof(verify_tls12_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.proof(verify_tls13_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
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

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        ClientCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        ClientCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ClientCertVerifier::supported_verify_schemes(self)
    }
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

/// The identity's time, in the shape that rustls asks for.
pub(crate) struct HandshakeTime(pub(crate) TimeSource);

impl fmt::Debug for HandshakeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeTime")
    }
}

impl rustls::time_provider::TimeProvider for HandshakeTime {
    fn current_time(&self) -> Option<UnixTime> {
        (self.0)()
            .duration_since(UNIX_EPOCH)
            .ok()
            .map(UnixTime::since_unix_epoch)
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(time.as_secs()))
        .unwrap_or(UNIX_EPOCH)
}
