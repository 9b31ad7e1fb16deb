//! The client side of mutual TLS.
//!
//! **Owns** [`ClientTls`]: whom we expect at the other end, and what a failed handshake is called.
//! **Refuses** a server by its identity, never by its name: an SVID says who it is, not where.
//! **Invariant**: no byte of a request leaves before the server proved an identity that was expected.

use crate::clock::HandshakeTime;
use crate::handshake::{Failure, Handshake, VERSIONS, Wanted, provider};
use crate::https::HttpsConnector;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::source::{Identity, Standing};
use crate::stream::PeerStream;
use crate::verify::Part;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use spike_policy::{SpiffeId, TrustRoots};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// How long connecting (name, TCP and handshake) may take unless told otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whom we expect at the other end.
#[derive(Clone, Debug)]
pub enum Expect {
    /// A Nexus: `spiffe://<root>/spike/nexus` or below, under one of these trust roots.
    Nexus(TrustRoots),
    /// A SPIKE Keeper: `spiffe://<root>/spike/keeper` or below, under one of these trust roots.
    Keeper(TrustRoots),
    /// One of these, letter by letter.
    Exactly(Vec<SpiffeId>),
    /// Anybody with a valid X.509-SVID of a trust domain that has a bundle.
    Any,
}

impl Expect {
    /// Whether this identity is expected.
    pub fn admits(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Nexus(roots) => roots.holds(id) && is_or_below(id.path(), "/spike/nexus"),
            Self::Keeper(roots) => roots.holds(id) && is_or_below(id.path(), "/spike/keeper"),
            Self::Exactly(ids) => ids.contains(id),
            Self::Any => true,
        }
    }
}

/// By whole segments: `/spike/nexusx` is not below `/spike/nexus`.
fn is_or_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Turns opened connections into verified servers. Cloning is cheap.
#[derive(Clone)]
pub struct ClientTls {
    identity: Identity,
    alpn: Arc<[Vec<u8>]>,
    wanted: Wanted,
    timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address that can be connected to.
    #[error("`{0}` is not an https address with a host")]
    Address(String),
    /// Name or TCP.
    #[error("cannot reach `{address}`: {error}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// It took too long.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The server showed no acceptable identity.
    #[error("server identity refused: {0}")]
    ServerRefused(Refusal),
    /// The server refused us: the alert it sent. (With TLS 1.3 this may come as late as the first read.)
    #[error("the server refused us with the alert {0}; is our trust domain known there?")]
    RefusedByServer(String),
    /// We have no identity to show.
    #[error("nothing is sent while our own identity is {0}")]
    NoIdentity(Standing),
    /// Not TLS, or not a version, suite or protocol that is spoken here.
    #[error("the server does not speak the protocol that is spoken here: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("the connection broke during the handshake: {0}")]
    Io(io::Error),
}

impl ConnectError {
    /// Finds this error behind those of an HTTP client that wrapped it.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|cause| cause.downcast_ref::<Self>())
    }

    /// The alert with which a server ended the connection, behind the errors of an HTTP client that wrapped it: with
    /// TLS 1.3 a server that refuses our certificate says so only after the client took the handshake for done.
    pub fn alert(error: &(dyn StdError + 'static)) -> Option<String> {
        causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::AlertReceived(alert)) => Some(format!("{alert:?}")),
            _ => match cause.downcast_ref::<Self>() {
                Some(Self::RefusedByServer(alert)) => Some(alert.clone()),
                _ => None,
            },
        })
    }
}

/// The error and what is behind it. An `io::Error` hides what it carries from `source()`: it is taken out by hand.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |current| cause(*current))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

impl ClientTls {
    pub(crate) fn new(identity: Identity, expect: Expect) -> Self {
        Self {
            identity,
            alpn: Arc::from([]),
            wanted: Arc::new(move |id| expect.admits(id)),
            timeout: DEFAULT_CONNECT_TIMEOUT,
        }
    }

    /// Offers these protocols, best first.
    #[must_use]
    pub fn with_alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self
    }

    /// Gives up after this long.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A connector for HTTP clients (hyper-util's `legacy::Client`).
    pub fn https(&self) -> HttpsConnector {
        HttpsConnector::new(self.clone())
    }

    /// Does the handshake on a connection that was opened, without telling the server a name.
    pub async fn connect<IO>(&self, io: IO) -> Result<(PeerStream<IO>, Peer), ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.connect_to("", io).await
    }

    /// The same, with a server name (SNI) for whoever routes by it. It says nothing about whom we expect.
    pub async fn connect_to<IO>(&self, name: &str, io: IO) -> Result<(PeerStream<IO>, Peer), ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake =
            Handshake::begin(&self.identity, &self.wanted, Part::Server).map_err(ConnectError::NoIdentity)?;
        let named = ServerName::try_from(name.to_owned()).ok();
        let config = self.config(&handshake, named.is_some())?;
        let name = named.unwrap_or(ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        let stream = tokio::time::timeout(self.timeout, TlsConnector::from(Arc::new(config)).connect(name, io))
            .await
            .map_err(|_| ConnectError::Timeout(self.timeout))?
            .map_err(|error| handshake.failure(error))?;
        let peer = handshake.peer(&self.identity).map_err(ConnectError::ServerRefused)?;
        Ok((PeerStream::new(stream), peer))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn config(&self, handshake: &Arc<Handshake>, named: bool) -> Result<ClientConfig, ConnectError> {
        let time = Arc::new(HandshakeTime(self.identity.time()));
        let mut config = ClientConfig::builder_with_details(provider(), time)
            .with_protocol_versions(VERSIONS)
            .map_err(|error| ConnectError::Protocol(error.to_string()))?
            .dangerous() // rustls' word for a verifier of one's own: ours is `Handshake`.
            .with_custom_certificate_verifier(Arc::clone(handshake) as _)
            .with_client_cert_resolver(Arc::clone(handshake) as _);
        config.alpn_protocols = self.alpn.to_vec();
        config.enable_sni = named;
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(config)
    }
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::ServerRefused(refusal),
            Failure::Alert(alert) => Self::RefusedByServer(alert),
            Failure::Protocol(what) => Self::Protocol(what),
            Failure::Io(error) => Self::Io(error),
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_built_in_identity_is_expected_by_whole_segments_and_under_its_trust_roots_only() {
        let roots = TrustRoots::parse("a.org,b.org").unwrap();
        let mut rows = 0;
        for (id, nexus, keeper) in [
            ("spiffe://a.org/spike/nexus", true, false),
            ("spiffe://b.org/spike/nexus/1", true, false),
            ("spiffe://a.org/spike/keeper", false, true),
            ("spiffe://b.org/spike/keeper/1/x", false, true),
            ("spiffe://a.org/spike/keeperx", false, false),
            ("spiffe://a.org/spike", false, false),
            ("spiffe://a.org/x/spike/keeper", false, false),
            ("spiffe://c.org/spike/keeper", false, false),
            ("spiffe://c.org/spike/nexus", false, false),
        ] {
            let id: SpiffeId = id.parse().unwrap();
            assert_eq!(Expect::Nexus(roots.clone()).admits(&id), nexus, "{id}");
            assert_eq!(Expect::Keeper(roots.clone()).admits(&id), keeper, "{id}");
            assert!(!Expect::Keeper(TrustRoots::default()).admits(&id), "{id}");
            assert!(Expect::Any.admits(&id));
            rows += 1;
        }
        assert_eq!(rows, 9);
    }
}
