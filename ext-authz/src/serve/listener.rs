//! A listening socket and who may come in through it.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spike_identity::{Accept, Acceptor, Identity, ServerOptions};
use spike_policy::SpiffeId;
use spike_runtime::CancellationToken;
use spike_runtime::config::Endpoint;
use spike_runtime::socket::{BindError, Bound, GROUP_MODE, Listener, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use super::{House, connection};
use crate::config::{Listen, Uds};

/// Which users may connect to a Unix socket, beside what its file mode says. Empty: anybody who can open it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerUsers {
    /// User ids, by `SO_PEERCRED`.
    pub uids: Vec<u32>,
}

impl PeerUsers {
    fn admit(&self, stream: &Stream) -> bool {
        if self.uids.is_empty() {
            return true;
        }
        match stream {
            Stream::Unix(stream) => stream.peer_cred().is_ok_and(|peer| self.uids.contains(&peer.uid())),
            Stream::Tcp(_) => false,
        }
    }
}

/// The word for listeners on a Unix socket.
pub(super) const UNIX: &str = "uds";

/// A bound listener and its rule.
pub enum Door {
    /// A Unix socket: the file's mode and group, and the peer's user id.
    Unix(Bound, PeerUsers),
    /// Plain TCP. Whoever reaches the port may ask.
    Tcp(Bound),
    /// TCP with mutual TLS: the peer's SVID.
    Mtls(Bound, Box<Acceptor>),
}

impl Door {
    /// Binds everything that the configuration names. `identity` is who we are on the listener with mutual TLS.
    ///
    /// # Errors
    /// [`OpenError`]; nothing stays bound.
    pub fn open_all(listen: &Listen, identity: &Identity) -> Result<Vec<Self>, OpenError> {
        let mut doors = Vec::new();
        if let Some(uds) = &listen.uds {
            doors.push(Self::unix(uds)?);
        }
        if let Some(address) = listen.tcp {
            doors.push(Self::Tcp(Bound::bind(&Endpoint::Tcp(address), GROUP_MODE)?));
        }
        if let Some(mtls) = &listen.mtls {
            let allow = mtls.allow.clone();
            let wanted = move |id: &SpiffeId| allow.iter().any(|pattern| pattern.is_match(id.as_str()));
            let acceptor = identity.acceptor(ServerOptions::new(&[b"h2"]).accept(Accept::ids(wanted)));
            let bound = Bound::bind(&Endpoint::Tcp(mtls.address), GROUP_MODE)?;
            doors.push(Self::Mtls(bound, Box::new(acceptor)));
        }
        Ok(doors)
    }

    fn unix(uds: &Uds) -> Result<Self, OpenError> {
        let bound = Bound::bind(&Endpoint::Unix(uds.path.clone()), uds.mode)?;
        if let Some(group) = uds.group {
            std::os::unix::fs::chown(&uds.path, None, Some(group)).map_err(|source| OpenError::Group {
                path: uds.path.clone(),
                group,
                source,
            })?;
        }
        Ok(Self::Unix(
            bound,
            PeerUsers {
                uids: uds.allow_uids.clone(),
            },
        ))
    }

    /// The word for metrics and audit.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unix(..) => UNIX,
            Self::Tcp(_) => "tcp",
            Self::Mtls(..) => "mtls",
        }
    }

    /// Where it really listens: the port is never 0.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn endpoint(&self) -> std::io::Result<Endpoint> {
        match self {
            Self::Unix(bound, _) | Self::Tcp(bound) | Self::Mtls(bound, _) => bound.endpoint(),
        }
    }
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address or path cannot be bound.
    #[error("{0}: {source}", source = cause(.0))]
    Bind(#[from] BindError),
    /// The socket file cannot be given to its group.
    #[error("cannot give `{}` to group {group}: {source}", path.display())]
    Group {
        /// The socket file.
        path: PathBuf,
        /// The group's id.
        group: u32,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The system's reason behind a failed bind.
fn cause(error: &BindError) -> String {
    std::error::Error::source(error).map_or_else(|| "the place is taken".to_owned(), ToString::to_string)
}

/// What is checked of a connection before HTTP.
#[derive(Clone)]
enum Admission {
    Open,
    Users(PeerUsers),
    Mtls(Box<Acceptor>),
}

/// After a failed `accept` (file descriptors used up): long enough not to spin, short enough not to be noticed.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Accepts until `stop`; then the socket is closed and its file removed.
pub(super) async fn run(door: Door, house: House, stop: CancellationToken) {
    let name = door.name();
    let (bound, admission) = match door {
        Door::Unix(bound, users) => (bound, Admission::Users(users)),
        Door::Tcp(bound) => (bound, Admission::Open),
        Door::Mtls(bound, acceptor) => (bound, Admission::Mtls(acceptor)),
    };
    let listener = match bound.listen() {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, listener = name, "cannot listen; stopping");
            stop.cancel();
            return;
        }
    };
    while let Some(accepted) = next(&listener, &house, &stop).await {
        match accepted {
            Ok((stream, permit)) => {
                let open = Open {
                    name,
                    house: house.clone(),
                    admission: admission.clone(),
                };
                house.connections.spawn(open.serve(stream, permit));
            }
            Err(error) => {
                tracing::warn!(%error, listener = name, "cannot accept a connection");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// The next connection, once there is room for it; `None` when asked to stop.
async fn next(
    listener: &Listener,
    house: &House,
    stop: &CancellationToken,
) -> Option<std::io::Result<(Stream, OwnedSemaphorePermit)>> {
    let accept = async {
        let permit = Arc::clone(&house.room)
            .acquire_owned()
            .await
            .map_err(std::io::Error::other)?;
        listener.accept().await.map(|stream| (stream, permit))
    };
    stop.run_until_cancelled(accept).await
}

/// One accepted connection.
struct Open {
    name: &'static str,
    house: House,
    admission: Admission,
}

impl Open {
    async fn serve(self, stream: Stream, permit: OwnedSemaphorePermit) {
        let gauge = self
            .house
            .shared
            .authorizer
            .metrics
            .connections
            .get_or_create(&[("listener", self.name)])
            .clone();
        gauge.inc();
        self.admit(stream).await;
        gauge.dec();
        drop(permit);
    }

    async fn admit(&self, stream: Stream) {
        if let Stream::Tcp(stream) = &stream
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!(%error, "TCP_NODELAY is refused");
        }
        match &self.admission {
            Admission::Open => self.converse(stream, None).await,
            Admission::Users(users) if users.admit(&stream) => self.converse(stream, None).await,
            Admission::Users(_) => self.refuse("user"),
            Admission::Mtls(acceptor) => match acceptor.accept(stream).await {
                Ok((stream, peer)) => self.converse(stream, Some(peer)).await,
                Err(error) => {
                    tracing::info!(%error, listener = self.name, "a connection is refused");
                    self.refuse(error.label());
                }
            },
        }
    }

    fn refuse(&self, cause: &'static str) {
        let refused = &self.house.shared.authorizer.metrics.refused;
        refused
            .get_or_create(&[("listener", self.name), ("cause", cause)])
            .inc();
    }

    async fn converse<IO>(&self, io: IO, peer: Option<spike_identity::Peer>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let house = (Arc::clone(&self.house.shared), self.house.http2);
        connection::serve(io, (self.name, peer), house, self.house.draining.clone()).await;
    }
}
