//! What happens to trust after the handshake: resumption, expiry, bundles that change, and our own rotation.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme};
use spike_identity::authority::{TestAuthority, TestSvid};
use spike_identity::{
    AcceptError, Acceptor, Bundles, ClientTls, ConnectError, Expect, Identity, Lapse, Peer, Refusal, ServerOptions,
    Standing,
};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

const NEXUS: &str = "/spike/nexus";
const WEB: &str = "/web";

/// Both ends of one handshake, in memory.
async fn meet(client: &ClientTls, server: &Acceptor) -> (Result<Peer, ConnectError>, Result<Peer, AcceptError>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (client, server) = tokio::join!(client.connect(near), server.accept(far));
    (client.map(|(_, peer)| peer), server.map(|(_, peer)| peer))
}

/// A client of plain rustls that would resume if it could.
fn eager_config(svid: &TestSvid, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = svid.chain.iter().cloned().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(svid.key.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.resumption = rustls::client::Resumption::in_memory_sessions(16);
    config.enable_early_data = true;
    Arc::new(config)
}

/// One visit: what kind of handshake the client saw, and how many tickets it was given.
async fn visit(
    config: &Arc<ClientConfig>,
    server: &Acceptor,
) -> (Option<HandshakeKind>, u32, bool, Result<Peer, AcceptError>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepted = async {
        let (mut stream, peer) = server.accept(far).await?;
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        Ok(peer)
    };
    let calling = async {
        let name = ServerName::try_from("nexus.example").unwrap();
        let mut early = false;
        let connector = TlsConnector::from(Arc::clone(config));
        let connecting = connector.connect_with(name, near, |connection| early = connection.early_data().is_some());
        let Ok(mut stream) = connecting.await else {
            return (None, 0, early);
        };
        let mut greeting = Vec::new();
        stream.read_to_end(&mut greeting).await.ok();
        let connection = stream.get_ref().1;
        (connection.handshake_kind(), connection.tls13_tickets_received(), early)
    };
    let ((kind, tickets, early), accepted) = tokio::join!(calling, accepted);
    (kind, tickets, early, accepted)
}

#[tokio::test]
async fn no_session_is_ever_resumed_and_no_early_data_offered() {
    let authority = TestAuthority::new("example.org").unwrap();
    let server = authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[]));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = eager_config(&authority.svid(WEB).unwrap(), version);
        for _ in 0..5 {
            let (kind, tickets, early, accepted) = visit(&config, &server).await;
            assert_eq!(
                (kind, tickets, early),
                (Some(HandshakeKind::Full), 0, false),
                "{version:?}"
            );
            accepted.unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_after_its_svid_expired_is_refused() {
    let authority = TestAuthority::new("example.org").unwrap();
    let ahead = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&ahead);
    let identity = authority.identity(NEXUS).unwrap().with_time(Arc::new(move || {
        SystemTime::now() + Duration::from_secs(clock.load(Ordering::SeqCst))
    }));
    let server = identity.acceptor(ServerOptions::new(&[]));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        ahead.store(0, Ordering::SeqCst);
        let config = eager_config(&authority.svid_for(WEB, Duration::from_secs(60)).unwrap(), version);
        visit(&config, &server).await.3.unwrap();
        ahead.store(62, Ordering::SeqCst);
        let refused = visit(&config, &server).await.3.unwrap_err();
        assert!(matches!(refused, AcceptError::Refused(Refusal::Expired)), "{refused}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_after_its_authority_left_the_bundle_is_refused() {
    let (old, new) = (
        TestAuthority::new("example.org").unwrap(),
        TestAuthority::new("example.org").unwrap(),
    );
    let nexus = new.svid(NEXUS).unwrap().material().unwrap();
    let mut both = old.bundles().unwrap();
    new.join(&mut both).unwrap();
    let identity = Identity::from_material(&nexus, both);
    let server = identity.acceptor(ServerOptions::new(&[]));
    let config = eager_config(&old.svid(WEB).unwrap(), &rustls::version::TLS13);
    visit(&config, &server).await.3.unwrap();
    identity.replace(&nexus, new.bundles().unwrap());
    let refused = visit(&config, &server).await.3.unwrap_err();
    assert!(
        matches!(refused, AcceptError::Refused(Refusal::Untrusted(_))),
        "{refused}"
    );
}

/// Serves lines until the peer lapses, as a server of ours must.
async fn serve_until_lapsed(acceptor: Acceptor, io: DuplexStream) -> (u32, Lapse) {
    let (mut stream, peer) = acceptor.accept(io).await.unwrap();
    let (mut answered, mut request) = (0, [0; 4]);
    loop {
        tokio::select! {
            lapse = peer.lapsed() => return (answered, lapse),
            read = stream.read_exact(&mut request) => { read.unwrap(); }
        }
        if let Err(lapse) = peer.check(SystemTime::now()) {
            return (answered, lapse);
        }
        stream.write_all(b"pong").await.unwrap();
        answered += 1;
    }
}

#[tokio::test]
async fn a_live_connection_ends_within_a_second_of_its_svid() {
    let authority = TestAuthority::new("example.org").unwrap();
    let server = authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[]));
    let svid = authority
        .svid_for(WEB, Duration::from_secs(3))
        .unwrap()
        .material()
        .unwrap();
    let web = Identity::from_material(&svid, authority.bundles().unwrap());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve_until_lapsed(server, far));
    let (mut stream, peer) = web.connector(Expect::Any).connect(near).await.unwrap();
    assert_eq!(peer.id().path(), NEXUS);
    let mut last_answer = SystemTime::now();
    let cut = loop {
        let mut answer = [0; 4];
        let exchange = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut answer).await
        };
        if exchange.await.is_err() {
            break SystemTime::now();
        }
        last_answer = SystemTime::now();
        assert!(
            last_answer < web.not_after() + Duration::from_secs(2),
            "it is served for ever"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (answered, lapse) = serving.await.unwrap();
    assert!(answered > 10, "only {answered} requests were answered before the end");
    assert_eq!(lapse, Lapse::Expired);
    assert!(
        last_answer <= web.not_after() + Duration::from_millis(50),
        "answered after the end"
    );
    assert!(cut <= web.not_after() + Duration::from_secs(1), "cut too late");
    assert_eq!(web.standing(SystemTime::now()), Standing::Expired);
    let (refused, _) = meet(
        &web.connector(Expect::Any),
        &authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[])),
    )
    .await;
    assert!(
        matches!(refused, Err(ConnectError::NoIdentity(Standing::Expired))),
        "we do not show an expired SVID"
    );
}

#[tokio::test]
async fn a_bundle_swap_ends_the_connections_of_the_removed_authority_and_no_others() {
    let (old, new) = (
        TestAuthority::new("example.org").unwrap(),
        TestAuthority::new("example.org").unwrap(),
    );
    let nexus = new.svid(NEXUS).unwrap().material().unwrap();
    let mut both = old.bundles().unwrap();
    new.join(&mut both).unwrap();
    let identity = Identity::from_material(&nexus, both.clone());
    let server = identity.acceptor(ServerOptions::new(&[]));
    let mut peers = Vec::new();
    for authority in [&old, &new] {
        let svid = authority.svid(WEB).unwrap().material().unwrap();
        let client = Identity::from_material(&svid, both.clone()).connector(Expect::Any);
        peers.push(meet(&client, &server).await.1.unwrap());
    }
    let now = SystemTime::now();
    assert!(peers.iter().all(|peer| peer.is_current(now)));

    // The same authorities again, in another order, and a new SVID: nobody is asked to leave.
    let mut again = new.bundles().unwrap();
    old.join(&mut again).unwrap();
    identity.replace(&new.svid(NEXUS).unwrap().material().unwrap(), again);
    assert!(peers.iter().all(|peer| peer.is_current(now)));

    let waiting = tokio::spawn({
        let peer = peers[0].clone();
        async move { peer.lapsed().await }
    });
    tokio::task::yield_now().await;
    identity.replace(&nexus, new.bundles().unwrap());
    let lapse = tokio::time::timeout(Duration::from_secs(1), waiting)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(lapse, Lapse::Distrusted(Refusal::Untrusted(_))), "{lapse}");
    assert!(!peers[0].is_current(now));
    assert!(peers[1].is_current(now));

    // The authority comes back: its peers must show themselves anew, the old proof does not come back to life.
    identity.replace(&nexus, both);
    assert_eq!(peers[0].check(now), Err(Lapse::Earlier));
    assert!(peers[1].is_current(now));
}

#[tokio::test]
async fn a_withdrawn_identity_is_not_shown_again_and_believes_nobody() {
    let authority = TestAuthority::new("example.org").unwrap();
    let identity = authority.identity(NEXUS).unwrap();
    let server = identity.acceptor(ServerOptions::new(&[]));
    let web = authority.identity(WEB).unwrap();
    let peer = meet(&web.connector(Expect::Any), &server).await.1.unwrap();
    identity.withdraw("no identity issued");
    let now = SystemTime::now();
    assert_eq!(identity.standing(now), Standing::Withdrawn);
    assert!(matches!(
        peer.check(now),
        Err(Lapse::Distrusted(Refusal::UnknownTrustDomain(_)))
    ));
    let (seen, refused) = meet(&web.connector(Expect::Any), &server).await;
    assert!(seen.is_err());
    assert!(matches!(refused, Err(AcceptError::NoIdentity(Standing::Withdrawn))));
    identity.replace(
        &authority.svid(NEXUS).unwrap().material().unwrap(),
        authority.bundles().unwrap(),
    );
    meet(&web.connector(Expect::Any), &server).await.1.unwrap();
}

#[tokio::test]
async fn standing_turns_before_the_end() {
    let authority = TestAuthority::new("example.org").unwrap();
    let identity = authority.identity(NEXUS).unwrap();
    let end = identity.not_after();
    let table = [
        (3000, Standing::Good),
        (800, Standing::Good),
        (700, Standing::Ageing),
        (0, Standing::Ageing),
    ];
    for (left, standing) in table {
        assert_eq!(
            identity.standing(end - Duration::from_secs(left)),
            standing,
            "{left}s before the end"
        );
    }
    assert_eq!(identity.standing(end + Duration::from_secs(1)), Standing::Expired);
    assert_eq!(
        identity.standing(end - Duration::from_secs(24 * 3600)),
        Standing::Expired,
        "before its start"
    );
}

/// What both sides do under rotation: nothing may fail.
struct Traffic {
    address: std::net::SocketAddr,
    web: Identity,
    served: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Traffic {
    async fn start(nexus: &Identity, web: Identity) -> Self {
        let acceptor = nexus.acceptor(ServerOptions::new(&[]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let failures = Arc::new(Mutex::new(Vec::new()));
        let served = Arc::new(AtomicUsize::new(0));
        let noted = Arc::clone(&failures);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
                tokio::spawn(async move {
                    if let Err(error) = echo(acceptor, tcp).await {
                        noted.lock().unwrap().push(format!("server: {error}"));
                    }
                });
            }
        });
        Self {
            address,
            web,
            served,
            failures,
        }
    }

    /// New connections, one after the other.
    async fn reconnecting(&self, rounds: usize) {
        for _ in 0..rounds {
            match self.exchange().await {
                Ok(()) => _ = self.served.fetch_add(1, Ordering::SeqCst),
                Err(error) => self.failures.lock().unwrap().push(format!("client: {error}")),
            }
        }
    }

    async fn exchange(&self) -> Result<(), String> {
        let tcp = TcpStream::connect(self.address)
            .await
            .map_err(|error| error.to_string())?;
        let (mut stream, _) = self
            .web
            .connector(Expect::Any)
            .connect(tcp)
            .await
            .map_err(|error| error.to_string())?;
        let mut answer = [0; 4];
        stream.write_all(b"ping").await.map_err(|error| error.to_string())?;
        stream
            .read_exact(&mut answer)
            .await
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}

async fn echo(acceptor: Acceptor, tcp: TcpStream) -> Result<(), AcceptError> {
    let (mut stream, peer) = acceptor.accept(tcp).await?;
    let mut request = [0; 4];
    while stream.read_exact(&mut request).await.is_ok() {
        assert!(peer.is_current(SystemTime::now()));
        stream.write_all(&request).await.ok();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_connections_fail_nobody() {
    const ROTATIONS: usize = 40;
    let authority = Arc::new(TestAuthority::new("example.org").unwrap());
    let (nexus, web) = (authority.identity(NEXUS).unwrap(), authority.identity(WEB).unwrap());
    let traffic = Arc::new(Traffic::start(&nexus, web.clone()).await);

    let tcp = TcpStream::connect(traffic.address).await.unwrap();
    let (mut lasting, lasting_peer) = web.connector(Expect::Any).connect(tcp).await.unwrap();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let traffic = Arc::clone(&traffic);
            tokio::spawn(async move { traffic.reconnecting(100).await })
        })
        .collect();
    let mut followed = nexus.rotations();
    for round in 0..ROTATIONS {
        // Everything changes: our SVID, theirs, and (with a second authority coming and going) the bundles.
        let mut bundles = authority.bundles().unwrap();
        if round % 2 == 0 {
            TestAuthority::new("example.org").unwrap().join(&mut bundles).unwrap();
        }
        let before = nexus.not_after();
        let ttl = Duration::from_secs(3600 + u64::try_from(round).unwrap());
        nexus.replace(
            &authority.svid_for(NEXUS, ttl).unwrap().material().unwrap(),
            bundles.clone(),
        );
        web.replace(&authority.svid(WEB).unwrap().material().unwrap(), bundles);
        assert!(followed.changed().await);
        assert!(nexus.not_after() > before || round == 0);
        lasting.write_all(b"ping").await.unwrap();
        lasting.read_exact(&mut [0; 4]).await.unwrap();
        assert!(lasting_peer.is_current(SystemTime::now()));
        // Let some handshakes happen under each set of material.
        let enough = traffic.served.load(Ordering::SeqCst) + 4;
        while traffic.served.load(Ordering::SeqCst) < enough
            && !workers.iter().all(tokio::task::JoinHandle::is_finished)
        {
            tokio::task::yield_now().await;
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(*traffic.failures.lock().unwrap(), Vec::<String>::new());
    assert_eq!(traffic.served.load(Ordering::SeqCst), 400);
    assert_eq!(nexus.revision(), u64::try_from(ROTATIONS).unwrap());
}

#[tokio::test]
async fn a_handshake_shows_the_svid_of_its_own_moment() {
    let authority = TestAuthority::new("example.org").unwrap();
    let nexus = authority.identity("/spike/nexus/a").unwrap();
    let (client, server) = (
        authority.identity(WEB).unwrap().connector(Expect::Any),
        nexus.acceptor(ServerOptions::new(&[])),
    );
    for instance in ["b", "c", "d"] {
        let path = format!("/spike/nexus/{instance}");
        nexus.replace(
            &authority.svid(&path).unwrap().material().unwrap(),
            authority.bundles().unwrap(),
        );
        assert_eq!(meet(&client, &server).await.0.unwrap().id().path(), path);
        assert_eq!(nexus.spiffe_id().path(), path);
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_given_up_on() {
    let authority = TestAuthority::new("example.org").unwrap();
    let mut options = ServerOptions::new(&[]);
    options.timeout = Duration::from_millis(50);
    let server = authority.identity(NEXUS).unwrap().acceptor(options);
    let (_near, far) = tokio::io::duplex(1024);
    assert!(matches!(server.accept(far).await, Err(AcceptError::Timeout(_))));
    let (near, far) = tokio::io::duplex(1024);
    drop(near);
    assert!(matches!(server.accept(far).await, Err(AcceptError::Gone)));
}

#[test]
fn a_key_of_another_certificate_is_not_taken_as_ours() {
    let authority = TestAuthority::new("example.org").unwrap();
    let (one, other) = (authority.svid(NEXUS).unwrap(), authority.svid(NEXUS).unwrap());
    let mixed = TestSvid {
        chain: one.chain,
        key: other.key,
    };
    assert_eq!(mixed.material().unwrap_err(), spike_identity::InvalidMaterial::Mismatch);
    let garbage = TestSvid {
        chain: mixed.chain,
        key: b"no key".to_vec(),
    };
    assert_eq!(garbage.material().unwrap_err(), spike_identity::InvalidMaterial::Key);
}

#[test]
fn a_bundle_takes_only_authorities() {
    let authority = TestAuthority::new("example.org").unwrap();
    let mut bundles = Bundles::default();
    let domain = "example.org".parse().unwrap();
    assert!(bundles.add(&domain, &authority.svid(WEB).unwrap().chain[0]).is_err());
    assert!(bundles.add(&domain, b"no certificate").is_err());
    assert_eq!(bundles.trust_domains().count(), 0);
}

#[test]
fn no_private_key_is_ever_printed() {
    let authority = TestAuthority::new("example.org").unwrap();
    let svid = authority.svid(NEXUS).unwrap();
    let identity = Identity::from_material(&svid.material().unwrap(), authority.bundles().unwrap());
    let printed = format!(
        "{identity:?} {:?} {:?}",
        svid.material().unwrap(),
        identity.connector(Expect::Any)
    );
    assert!(printed.contains("example.org"));
    for form in [format!("{:?}", svid.key), format!("{:?}", &svid.key[36..68])] {
        assert!(!printed.contains(form.trim_matches(['[', ']'])));
    }
}

#[derive(Debug)]
struct Gullible;

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

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
