//! A running agent.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryServiceServer;
use spike_policy::{SpiffeId, TrustDomain};
use spike_runtime::CancellationToken;
use spike_runtime::logging::LIFECYCLE;
use spike_runtime::socket::{BindError, GROUP_MODE, SocketFile, bind_unix};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use crate::authority::IssueError;
use crate::caller::Door;
use crate::config::{Config, Entry};
use crate::domain::Old;
use crate::keep::KeepError;
use crate::roster::Roster;
use crate::sds::Sds;
use crate::workload::WorkloadApi;

/// The mode of the common socket: everybody may ask, and is then told apart.
const COMMON_MODE: u32 = 0o666;
/// How long open calls may take to end at shutdown.
const PATIENCE: Duration = Duration::from_secs(2);

/// A stand-in for a SPIRE agent and its server. Not for production.
#[derive(Debug)]
pub struct DevAgent;

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory for the sockets cannot be made.
    #[error("cannot create the directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A socket cannot be made.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The runtime does not take a socket.
    #[error("cannot listen on `{}`", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An authority cannot be made or loaded.
    #[error(transparent)]
    Authority(#[from] KeepError),
}

/// An identity and the socket that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySocket {
    /// The identity.
    pub spiffe_id: SpiffeId,
    /// The socket's path.
    pub path: PathBuf,
}

impl IdentitySocket {
    /// In the form of `SPIFFE_ENDPOINT_SOCKET`.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

/// A running agent. Dropping it stops it without waiting; [`Running::shutdown`] waits.
#[derive(Debug)]
pub struct Running {
    roster: Arc<Roster>,
    common: Option<PathBuf>,
    directory: PathBuf,
    trust_domain: TrustDomain,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl DevAgent {
    /// Makes the authorities and SVIDs, binds the sockets, and serves. When it returns, every socket
    /// answers. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(config: Config) -> Result<Running, StartError> {
        tracing::warn!(
            target: LIFECYCLE,
            trust_domain = %config.trust_domain,
            "NOT FOR PRODUCTION: a development agent gives identities to whoever can open its sockets"
        );
        let directory = std::path::absolute(&config.directory).unwrap_or_else(|_| config.directory.clone());
        let config = Config {
            directory: directory.clone(),
            ..config
        };
        make(&directory, config.socket.is_some()).map_err(|source| StartError::Directory {
            path: directory.clone(),
            source,
        })?;
        let roster = Arc::new(Roster::open(&config)?);
        let mut running = Running {
            roster: Arc::clone(&roster),
            common: None,
            directory,
            trust_domain: config.trust_domain.clone(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        if let Some(socket) = &config.socket {
            let path = config.place(socket);
            running.serve(Door::Common, &path, COMMON_MODE)?;
            running.common = Some(path);
        }
        let mut sockets: Vec<&Path> = config
            .entries
            .iter()
            .filter_map(|entry| entry.socket.as_deref())
            .collect();
        sockets.sort_unstable();
        sockets.dedup();
        for socket in sockets {
            running.serve(Door::Own(socket.to_owned()), &config.place(socket), GROUP_MODE)?;
        }
        running.tasks.spawn(renew(roster, running.stop.clone()));
        Ok(running)
    }
}

impl Running {
    /// The agent's own trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Every identity that has a socket of its own, with that socket, in the order of the configuration.
    pub fn sockets(&self) -> Vec<IdentitySocket> {
        let snapshot = Arc::clone(&self.roster.follow().borrow());
        let socket = |entry: &Entry| {
            let path = self.directory.join(entry.socket.as_ref()?);
            Some(IdentitySocket {
                spiffe_id: entry.spiffe_id.clone(),
                path,
            })
        };
        snapshot
            .holders()
            .iter()
            .filter_map(|holder| socket(&holder.entry))
            .collect()
    }

    /// The `SPIFFE_ENDPOINT_SOCKET` of an identity that has a socket of its own.
    pub fn endpoint(&self, spiffe_id: &SpiffeId) -> Option<String> {
        self.sockets()
            .iter()
            .find(|socket| socket.spiffe_id == *spiffe_id)
            .map(IdentitySocket::endpoint)
    }

    /// The common socket, whose callers are told apart by selectors.
    pub fn common_socket(&self) -> Option<&Path> {
        self.common.as_deref()
    }

    /// How many identities there are.
    pub fn identities(&self) -> usize {
        self.roster.follow().borrow().holders().len()
    }

    /// The certificates of a trust domain's authorities, in DER; empty for an unknown trust domain.
    pub fn bundle(&self, trust_domain: &TrustDomain) -> Vec<Vec<u8>> {
        let snapshot = Arc::clone(&self.roster.follow().borrow());
        let bundle = snapshot.bundle(trust_domain.as_str());
        bundle
            .map(|bundle| bundle.x509.iter().map(|der| der.to_vec()).collect())
            .unwrap_or_default()
    }

    /// New SVIDs for everyone, now. Streams are told before this returns, though they may not have sent it yet.
    ///
    /// # Errors
    /// [`IssueError`]
    pub fn rotate_now(&self) -> Result<(), IssueError> {
        self.roster.rotate()
    }

    /// Stops renewing, so that SVIDs expire; or goes on again.
    pub fn pause_rotation(&self, paused: bool) {
        self.roster.pause(paused);
    }

    /// Puts the next authority of every trust domain into the bundles, without using it yet. Verifiers learn to trust
    /// it before the first SVID of it appears.
    ///
    /// # Errors
    /// [`IssueError`]
    pub fn prepare_authority(&self) -> Result<(), IssueError> {
        self.roster.prepare()
    }

    /// Signs everyone's SVID with the next authority of every trust domain, making it first if need be.
    ///
    /// # Errors
    /// [`KeepError`]
    pub fn replace_authority(&self, old: Old) -> Result<(), KeepError> {
        self.roster.activate(old)
    }

    /// Takes replaced authorities out of the bundles.
    pub fn drop_old_authorities(&self) {
        self.roster.drop_old();
    }

    /// Takes an identity away from everyone, ending their streams; says whether anybody had it.
    pub fn remove_entry(&self, spiffe_id: &SpiffeId) -> bool {
        self.roster.remove(spiffe_id)
    }

    /// One more identity. A socket that is not open yet is opened.
    ///
    /// # Errors
    /// [`StartError`]; the identity is then not given to anyone.
    pub fn add_entry(&mut self, entry: Entry) -> Result<(), StartError> {
        let open = self.sockets();
        if let Some(socket) = &entry.socket {
            let path = self.directory.join(socket);
            if open.iter().all(|known| known.path != path) && !path.exists() {
                self.serve(Door::Own(socket.clone()), &path, GROUP_MODE)?;
            }
        }
        self.roster
            .add(entry)
            .map_err(|error| StartError::Authority(error.into()))
    }

    /// Ends all streams, waits for open calls, and removes the sockets.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    fn serve(&mut self, door: Door, path: &Path, mode: u32) -> Result<(), StartError> {
        let (listener, file) = bind_unix(path, mode)?;
        let listener = UnixListener::from_std(listener);
        let listener = listener.map_err(|source| StartError::Listen {
            path: path.to_owned(),
            source,
        })?;
        let (roster, stop) = (Arc::clone(&self.roster), self.stop.clone());
        self.tasks.spawn(listen(roster, door, (listener, file), stop));
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Makes the directory; with a common socket everybody may pass through it. One that exists keeps its mode.
fn make(directory: &Path, common: bool) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    let mode = if common { 0o755 } else { 0o700 };
    fs::set_permissions(directory, fs::Permissions::from_mode(mode))
}

async fn listen(
    roster: Arc<Roster>,
    door: Door,
    (listener, file): (UnixListener, SocketFile),
    stop: CancellationToken,
) {
    let workload = WorkloadApi {
        roster: Arc::clone(&roster),
        door: door.clone(),
        stop: stop.clone(),
    };
    let sds = Sds {
        roster,
        door,
        stop: stop.clone(),
    };
    let served = Server::builder()
        .add_service(workload)
        .add_service(SecretDiscoveryServiceServer::new(sds))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop.cancelled())
        .await;
    if let Err(error) = served {
        tracing::error!(socket = %file.path().display(), %error, "a socket is not served any more");
    }
}

/// Renews what time demands.
async fn renew(roster: Arc<Roster>, stop: CancellationToken) {
    loop {
        let wait = roster.tick().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot renew identities");
            Duration::from_secs(1)
        });
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}
