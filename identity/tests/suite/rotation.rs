//! Our SVID and the bundles change while connections are made and used.

use crate::ends::meet;
use crate::trust::{NEXUS, WEB, new_authority, svid_of};
use spike_identity::{AcceptError, Acceptor, Expect, Identity, ServerOptions};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What both sides do under rotation: nothing may fail.
struct Traffic {
    address: SocketAddr,
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

    async fn exchange(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let tcp = TcpStream::connect(self.address).await?;
        let (mut stream, _) = self.web.connector(Expect::Any).connect(tcp).await?;
        stream.write_all(b"ping").await?;
        stream.read_exact(&mut [0; 4]).await?;
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
    let authority = Arc::new(new_authority());
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
            new_authority().join(&mut bundles).unwrap();
        }
        let before = nexus.not_after();
        let ttl = Duration::from_secs(3600 + u64::try_from(round).unwrap());
        nexus.replace(
            &authority.svid_for(NEXUS, ttl).unwrap().material().unwrap(),
            bundles.clone(),
        );
        web.replace(&svid_of(&authority, WEB), bundles);
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
    let authority = new_authority();
    let nexus = authority.identity("/spike/nexus/a").unwrap();
    let (client, server) = (
        authority.identity(WEB).unwrap().connector(Expect::Any),
        nexus.acceptor(ServerOptions::new(&[])),
    );
    for instance in ["b", "c", "d"] {
        let path = format!("/spike/nexus/{instance}");
        nexus.replace(&svid_of(&authority, &path), authority.bundles().unwrap());
        assert_eq!(meet(&client, &server).await.0.unwrap().id().path(), path);
        assert_eq!(nexus.spiffe_id().path(), path);
    }
}
