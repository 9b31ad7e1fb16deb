//! The two ends of a handshake, of which one or both are under test.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use spike_identity::{AcceptError, Acceptor, ClientTls, ConnectError, Peer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const REQUEST: &[u8] = b"GET /v1/secrets/db HTTP/1.1\r\nhost: nexus\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// Both ends are ours, in memory: whom each of them met.
pub(crate) async fn meet(
    client: &ClientTls,
    server: &Acceptor,
) -> (Result<Peer, ConnectError>, Result<Peer, AcceptError>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (client, server) = tokio::join!(client.connect(near), server.accept(far));
    (client.map(|(_, peer)| peer), server.map(|(_, peer)| peer))
}

/// Our acceptor, listening: what became of each connection, and how many bytes were handed on.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    outcomes: mpsc::UnboundedReceiver<Result<String, AcceptError>>,
    handled: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(acceptor: Acceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, outcomes) = mpsc::unbounded_channel();
        let handled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&handled);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let outcome = match acceptor.accept(tcp).await {
                    Err(error) => Err(error),
                    Ok((mut stream, peer)) => {
                        let mut buffer = [0; 256];
                        let count = stream.read(&mut buffer).await.unwrap_or(0);
                        counter.fetch_add(count, Ordering::SeqCst);
                        // The other end may be gone already; that is not what is tested.
                        stream.write_all(b"ok").await.ok();
                        stream.shutdown().await.ok();
                        Ok(peer.id().to_string())
                    }
                };
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            outcomes,
            handled,
        }
    }

    pub(crate) async fn outcome(&mut self) -> Result<String, AcceptError> {
        tokio::time::timeout(PATIENCE, self.outcomes.recv())
            .await
            .expect("the server hangs")
            .expect("the server died")
    }

    pub(crate) fn handled(&self) -> usize {
        self.handled.load(Ordering::SeqCst)
    }
}

/// Connects as a client that shows this, believes any server, and sends its request as early as it can.
pub(crate) async fn call(address: SocketAddr, config: ClientConfig) -> io::Result<Vec<u8>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("nexus.example").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Lets our client connect to a server that shows this and takes whatever bytes it gets; says how many that were.
pub(crate) async fn lure(client: &ClientTls, config: ServerConfig) -> (Result<String, ConnectError>, usize) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(far).await else {
            return 0;
        };
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.ok();
        got.len()
    });
    let outcome = match client.connect(near).await {
        Err(error) => Err(error),
        Ok((mut stream, peer)) => {
            stream.write_all(REQUEST).await.unwrap();
            stream.shutdown().await.unwrap();
            // Until the server has read everything and is gone.
            stream.read_to_end(&mut Vec::new()).await.ok();
            Ok(peer.id().to_string())
        }
    };
    let leaked = tokio::time::timeout(PATIENCE, server)
        .await
        .expect("the server hangs")
        .unwrap();
    (outcome, leaked)
}
