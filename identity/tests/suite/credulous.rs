//! Ends of plain rustls that believe everybody and show whatever they are told to.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use spike_identity::SvidMaterial;
use spike_identity::authority::TestSvid;
use std::sync::Arc;

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// What somebody shows in a handshake: a chain, and a key to sign with.
#[derive(Clone)]
pub(crate) struct Show {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

impl Show {
    /// As an honest program would take it for its own.
    pub(crate) fn material(&self) -> SvidMaterial {
        SvidMaterial::new(self.chain.clone(), &self.key).unwrap()
    }

    /// Not checked, on purpose: showing somebody else's certificate is one of the things to be refused.
    fn unchecked(&self) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let chain = self.chain.iter().cloned().map(CertificateDer::from).collect();
        Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap()))
    }
}

impl From<TestSvid> for Show {
    fn from(svid: TestSvid) -> Self {
        let TestSvid { chain, key } = svid;
        Self { chain, key }
    }
}

pub(crate) fn client_showing(show: Option<&Show>, version: &'static SupportedProtocolVersion) -> ClientConfig {
    client_with(show, version, rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) fn client_with(
    show: Option<&Show>,
    version: &'static SupportedProtocolVersion,
    provider: CryptoProvider,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    match show {
        Some(show) => builder.with_client_cert_resolver(Arc::new(Shows(show.unchecked()))),
        None => builder.with_no_client_auth(),
    }
}

pub(crate) fn server_showing(show: &Show, version: &'static SupportedProtocolVersion) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Gullible))
        .with_cert_resolver(Arc::new(Shows(show.unchecked())))
}

#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl rustls::server::ResolvesServerCert for Shows {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Believes everybody.
#[derive(Debug)]
struct Gullible;

/// What rustls asks about signatures, of the verifiers of both directions in the same words.
macro_rules! believes_signatures {
    ($($check:ident),+) => {
        $(
            fn $check(
                &self,
                _message: &[u8],
                _cert: &CertificateDer<'_>,
                _dss: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, Error> {
                Ok(HandshakeSignatureValid::assertion())
            }
        )+

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            rustls::crypto::aws_lc_rs::default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    believes_signatures!(verify_tls12_signature, verify_tls13_signature);
}

impl ClientCertVerifier for Gullible {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    believes_signatures!(verify_tls12_signature, verify_tls13_signature);
}
