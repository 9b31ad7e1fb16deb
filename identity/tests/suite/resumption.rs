//! Nobody comes back without showing a certificate anew.

use crate::credulous::{VERSIONS, client_showing};
use crate::trust::{NEXUS, WEB, bundles_of, new_authority, svid_of};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, SupportedProtocolVersion};
use spike_identity::authority::TestSvid;
use spike_identity::{AcceptError, Acceptor, Identity, Peer, Refusal, ServerOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

/// A client that would resume, and send early data, if it could.
fn eager_client(svid: TestSvid, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut config = client_showing(Some(&svid.into()), version);
    config.resumption = rustls::client::Resumption::in_memory_sessions(16);
    config.enable_early_data = true;
    Arc::new(config)
}

/// What the client saw of its connection.
#[derive(Debug, PartialEq)]
struct Seen {
    /// `None` when it was refused.
    handshake: Option<HandshakeKind>,
    tickets: u32,
    early_data: bool,
}

/// One visit, from both ends.
async fn visit(config: &Arc<ClientConfig>, server: &Acceptor) -> (Seen, Result<Peer, AcceptError>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepted = async {
        let (mut stream, peer) = server.accept(far).await?;
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        Ok(peer)
    };
    let calling = async {
        let name = ServerName::try_from("nexus.example").unwrap();
        let mut seen = Seen {
            handshake: None,
            tickets: 0,
            early_data: false,
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let may_begin_early = |connection: &mut ClientConnection| seen.early_data = connection.early_data().is_some();
        let Ok(mut stream) = connector.connect_with(name, near, may_begin_early).await else {
            return seen;
        };
        let mut greeting = Vec::new();
        stream.read_to_end(&mut greeting).await.ok();
        let connection = stream.get_ref().1;
        seen.handshake = connection.handshake_kind();
        seen.tickets = connection.tls13_tickets_received();
        seen
    };
    tokio::join!(calling, accepted)
}

#[tokio::test]
async fn no_session_is_ever_resumed_and_no_early_data_offered() {
    let authority = new_authority();
    let server = authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[]));
    for version in VERSIONS {
        let config = eager_client(authority.svid(WEB).unwrap(), version);
        for _ in 0..5 {
            let (seen, accepted) = visit(&config, &server).await;
            let full = Seen {
                handshake: Some(HandshakeKind::Full),
                tickets: 0,
                early_data: false,
            };
            assert_eq!(seen, full, "{version:?}");
            accepted.unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_after_its_svid_expired_is_refused() {
    let authority = new_authority();
    let ahead = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&ahead);
    let identity = authority.identity(NEXUS).unwrap().with_time(Arc::new(move || {
        SystemTime::now() + Duration::from_secs(clock.load(Ordering::SeqCst))
    }));
    let server = identity.acceptor(ServerOptions::new(&[]));
    for version in VERSIONS {
        ahead.store(0, Ordering::SeqCst);
        let config = eager_client(authority.svid_for(WEB, Duration::from_secs(60)).unwrap(), version);
        visit(&config, &server).await.1.unwrap();
        ahead.store(62, Ordering::SeqCst);
        let refused = visit(&config, &server).await.1.unwrap_err();
        assert!(matches!(refused, AcceptError::Refused(Refusal::Expired)), "{refused}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_after_its_authority_left_the_bundle_is_refused() {
    let (old, new) = (new_authority(), new_authority());
    let nexus = svid_of(&new, NEXUS);
    let identity = Identity::from_material(&nexus, bundles_of(&[&old, &new]));
    let server = identity.acceptor(ServerOptions::new(&[]));
    let config = eager_client(old.svid(WEB).unwrap(), &rustls::version::TLS13);
    visit(&config, &server).await.1.unwrap();
    identity.replace(&nexus, new.bundles().unwrap());
    let refused = visit(&config, &server).await.1.unwrap_err();
    assert!(
        matches!(refused, AcceptError::Refused(Refusal::Untrusted(_))),
        "{refused}"
    );
}
