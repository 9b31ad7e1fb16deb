//! The listener: who gets a connection, and how all of them end.
//!
//! Each connection stays on one thread, which is woken for its requests and for nothing else. A read of a secret blocks
//! that thread for as long as it takes, mostly microseconds; what may take longer runs elsewhere.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use spike_identity::{Acceptor, Identity, ServerOptions};
use spike_runtime::CancellationToken;
use spike_runtime::lanes::Lanes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::Api;
use super::audit::Remote;
use super::connection::{self, Context};
use super::peers::Peers;
use super::turned_away::TurnedAway;

/// How long the accept loop rests when the system is out of something (file descriptors, mostly).
const REST: Duration = Duration::from_millis(50);

/// A bound listener with the API behind it.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    lanes: Lanes,
    acceptor: Acceptor,
    context: Context,
    peers: Peers,
    places: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Server {
    /// The API on this listener, showing this identity.
    ///
    /// # Errors
    /// When there are no threads for its connections.
    pub(crate) fn new(listener: TcpListener, identity: &Identity, api: Api) -> io::Result<Self> {
        let mut options = ServerOptions::new(&[b"h2", b"http/1.1"]);
        options.timeout = api.limits.handshake;
        let context = Context {
            turned_away: TurnedAway::new(api.audit.clone(), Arc::clone(api.service.clock())),
            stop: CancellationToken::new(),
            api: Arc::new(api),
        };
        Ok(Self {
            listener,
            lanes: Lanes::start("nexus-connections")?,
            acceptor: identity.acceptor(options),
            places: Arc::new(Semaphore::new(context.api.limits.connections)),
            context,
            peers: Peers::default(),
            connections: TaskTracker::new(),
        })
    }

    /// Serves until `stop`; then lets requests under way finish, for at most `deadline`.
    pub(crate) async fn run(self, stop: CancellationToken, deadline: Duration) {
        let cut_off = CancellationToken::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.admit((stream, address), &cut_off),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(REST).await;
                    }
                },
            }
        }
        drop(self.listener);
        self.context.stop.cancel();
        self.connections.close();
        if tokio::time::timeout(deadline, self.connections.wait()).await.is_err() {
            tracing::warn!(
                left = self.connections.len(),
                "cut off connections at the drain deadline"
            );
            cut_off.cancel();
            self.connections.wait().await;
        }
    }

    /// Starts a task for a new connection, if there is a place for it.
    fn admit(&self, (stream, address): (TcpStream, SocketAddr), cut_off: &CancellationToken) {
        let remote = Remote(Some(address));
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // Closing at once tells the client more than a backlog that nobody empties.
            self.context.api.metrics.handshake("no_place");
            self.context.turned_away.tell((None, remote), "no_place", "");
            return;
        };
        let guest = Guest {
            acceptor: self.acceptor.clone(),
            context: self.context.clone(),
            peers: self.peers.clone(),
            _place: place,
        };
        let lane = self.lanes.place();
        let handle = lane.handle().clone();
        let cut_off = cut_off.clone();
        let served = async move {
            let _lane = lane;
            match stream.into_std().and_then(TcpStream::from_std) {
                Ok(stream) => tokio::select! {
                    () = guest.serve(stream, remote) => {}
                    () = cut_off.cancelled() => {}
                },
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        };
        self.connections.spawn_on(served, &handle);
    }
}

/// A connection that has a place, but not yet an identity.
struct Guest {
    acceptor: Acceptor,
    context: Context,
    peers: Peers,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    async fn serve(self, stream: TcpStream, remote: Remote) {
        let api = Arc::clone(&self.context.api);
        // Answers are small and written whole: waiting to fill a segment only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off delayed sending");
        }
        let (stream, peer) = match self.acceptor.accept(stream).await {
            Ok(accepted) => accepted,
            Err(error) => {
                api.metrics.handshake(error.label());
                let more = error.to_string();
                self.context.turned_away.tell((None, remote), error.label(), &more);
                tracing::debug!(%error, "refused a connection");
                return;
            }
        };
        let Some(seat) = self.peers.seat(peer.id(), api.limits.connections_per_peer) else {
            api.metrics.handshake("too_many");
            self.context.turned_away.tell((Some(peer.id()), remote), "too_many", "");
            tracing::warn!(peer = %peer.id(), "closed a connection of a peer that has too many");
            return;
        };
        api.metrics.handshake("ok");
        let _open = api.metrics.open_connection();
        connection::serve(stream, (peer, remote), &seat, self.context).await;
    }
}
