//! The server side of mutual TLS.
//!
//! **Owns** [`Acceptor`]: who may come in, how long the handshake may take, and what a failed one is called.
//! **Refuses** everybody without a verified X.509-SVID, before a single byte of theirs is handed on.
//! **Invariant**: every handshake reads the SVID and the bundles of its own moment; none is ever resumed.

use crate::clock::HandshakeTime;
use crate::handshake::{Failure, Handshake, VERSIONS, Wanted, provider};
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::source::{Identity, Standing};
use crate::stream::PeerStream;
use crate::verify::Part;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use spike_policy::SpiffeId;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// How long a handshake may take unless told otherwise.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long, and for how many reads of a kibibyte, a refused client is listened to.
const LINGER: Duration = Duration::from_millis(250);
const MAX_LINGER_READS: usize = 32;

/// Whom a server lets in.
#[derive(Clone)]
pub enum Accept {
    /// Everybody with a valid X.509-SVID of a trust domain that has a bundle: what they may do is decided later.
    AnySpiffeId,
    /// Only identities of which the predicate says yes.
    Ids(Wanted),
}

impl Accept {
    /// Only identities of which `predicate` says yes.
    pub fn ids(predicate: impl Fn(&SpiffeId) -> bool + Send + Sync + 'static) -> Self {
        Self::Ids(Arc::new(predicate))
    }
}

/// What a server states about its handshakes.
#[derive(Clone, Debug)]
pub struct ServerOptions<'a> {
    /// The protocols to agree on, best first; a client that offers none of them is refused. Empty: no negotiation.
    pub alpn: &'a [&'a [u8]],
    /// Whom to let in.
    pub accept: Accept,
    /// How long the whole handshake may take ([`DEFAULT_HANDSHAKE_TIMEOUT`]).
    pub timeout: Duration,
}

impl<'a> ServerOptions<'a> {
    /// These protocols, anybody with a valid SVID, the default timeout.
    pub fn new(alpn: &'a [&'a [u8]]) -> Self {
        Self {
            alpn,
            accept: Accept::AnySpiffeId,
            timeout: DEFAULT_HANDSHAKE_TIMEOUT,
        }
    }

    /// The same, but with another choice of whom to let in.
    #[must_use]
    pub fn accept(mut self, accept: Accept) -> Self {
        self.accept = accept;
        self
    }
}

/// Turns accepted connections into verified peers. Cloning is cheap.
#[derive(Clone)]
pub struct Acceptor {
    identity: Identity,
    alpn: Arc<[Vec<u8>]>,
    wanted: Wanted,
    timeout: Duration,
}

/// Why a connection did not become a peer.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The peer showed no acceptable identity.
    #[error("client refused: {0}")]
    Refused(Refusal),
    /// It took too long.
    #[error("no handshake within {0:?}")]
    Timeout(Duration),
    /// The peer went away before the handshake was over: a port scan, a probe, or a client that refused *us*.
    #[error("the client left before the handshake was over")]
    Gone,
    /// The peer refused us: the alert it sent.
    #[error("the client ended the handshake with the alert {0}")]
    Alert(String),
    /// We have no identity to show.
    #[error("handshakes are refused while our own identity is {0}")]
    NoIdentity(Standing),
    /// Not TLS, or not a version, suite or protocol that is spoken here.
    #[error("not a handshake that is spoken here: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("the connection broke during the handshake: {0}")]
    Io(io::Error),
}

impl AcceptError {
    /// One of a fixed set of words, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.label(),
            Self::Timeout(_) => "timeout",
            Self::Gone => "gone",
            Self::Alert(_) => "alert",
            Self::NoIdentity(_) => "no_identity",
            Self::Protocol(_) => "protocol",
            Self::Io(_) => "io",
        }
    }
}

impl Acceptor {
    pub(crate) fn new(identity: Identity, options: ServerOptions<'_>) -> Self {
        Self {
            identity,
            alpn: options.alpn.iter().map(|protocol| protocol.to_vec()).collect(),
            wanted: wanted(options.accept),
            timeout: options.timeout,
        }
    }

    /// Does the handshake on a connection that was accepted. An error means that the connection is over; the peer was
    /// told by an alert where that is possible. Takes up to a quarter of a second more than the timeout: let it run in
    /// the connection's own task.
    pub async fn accept<IO>(&self, io: IO) -> Result<(PeerStream<IO>, Peer), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake =
            Handshake::begin(&self.identity, &self.wanted, Part::Client).map_err(AcceptError::NoIdentity)?;
        let acceptor = TlsAcceptor::from(Arc::new(self.config(&handshake)?));
        let stream = match tokio::time::timeout(self.timeout, acceptor.accept(io).into_fallible()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, io))) => {
                linger(io).await;
                return Err(handshake.failure(error).into());
            }
            Err(_) => return Err(AcceptError::Timeout(self.timeout)),
        };
        let peer = handshake.peer(&self.identity).map_err(AcceptError::Refused)?;
        Ok((PeerStream::new(stream), peer))
    }

    fn config(&self, handshake: &Arc<Handshake>) -> Result<ServerConfig, AcceptError> {
        let time = Arc::new(HandshakeTime(self.identity.time()));
        let mut config = ServerConfig::builder_with_details(provider(), time)
            .with_protocol_versions(VERSIONS)
            .map_err(|error| AcceptError::Protocol(error.to_string()))?
            .with_client_cert_verifier(Arc::clone(handshake) as _)
            .with_cert_resolver(Arc::clone(handshake) as _);
        config.alpn_protocols = self.alpn.to_vec();
        // A resumed session would skip the verification: no cache, no tickets, and so no early data either.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.ignore_client_order = true;
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// Takes in what the client sent before it saw our alert. Closing at once would reset the connection, and the client
/// would lose the alert, which is the one thing that tells its operator what is wrong.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut discarded = [0; 1024];
    let drain = async {
        io.shutdown().await?;
        for _ in 0..MAX_LINGER_READS {
            if io.read(&mut discarded).await? == 0 {
                break;
            }
        }
        Ok::<(), io::Error>(())
    };
    // Whether it worked does not matter: the connection is over either way.
    drop(tokio::time::timeout(LINGER, drain).await);
}

fn wanted(accept: Accept) -> Wanted {
    match accept {
        Accept::AnySpiffeId => Arc::new(|_| true),
        Accept::Ids(predicate) => predicate,
    }
}

impl From<Failure> for AcceptError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Alert(alert) => Self::Alert(alert),
            Failure::Protocol(what) => Self::Protocol(what),
            Failure::Io(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Gone,
                _ => Self::Io(error),
            },
        }
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnySpiffeId => "AnySpiffeId",
            Self::Ids(_) => "Ids(..)",
        })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
