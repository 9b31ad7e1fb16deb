//! One HTTP/2 connection, from its first byte to its last answer.
//!
//! **Owns** the limits of a connection and its three ends: the peer leaves, the service drains, or the peer's SVID runs
//! out. **Refuses** HTTP/1 and connections that ask nothing. **Invariant**: a connection that has to end is told so
//! (GOAWAY) and its Checks under way are answered; only then is it closed.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use spike_identity::Peer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::batch::Batch;
use super::listener::UNIX;
use super::service::{Origin, Shared, answer};

/// HTTP/2 bounds (reliability G2). hyper's and h2's defaults guard the rest (CONTINUATION and reset floods).
#[derive(Clone, Copy, Debug)]
pub struct Http2 {
    /// `check.max_concurrent_streams`: Envoy opens about one connection per worker and waits when they are full.
    pub max_concurrent_streams: u32,
    /// The largest list of headers in bytes.
    pub max_header_list_size: u32,
    /// Resets that a peer may have pending before the connection is ended (rapid reset).
    pub max_pending_accept_reset_streams: usize,
    /// How often an idle connection is probed.
    pub keepalive_interval: Duration,
    /// How long a probe may stay unanswered.
    pub keepalive_timeout: Duration,
    /// A connection that has asked nothing for this long after it was opened is closed.
    pub first_request: Duration,
    /// No connection of a peer with an SVID lives longer.
    pub max_age: Duration,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 4096,
            max_header_list_size: 16 * 1024,
            max_pending_accept_reset_streams: 20,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            first_request: Duration::from_secs(60),
            max_age: Duration::from_secs(3600),
        }
    }
}

impl Http2 {
    fn builder(&self, batch: Batch, local: bool) -> http2::Builder<Batch> {
        let mut builder = http2::Builder::new(batch);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_header_list_size(self.max_header_list_size)
            .max_pending_accept_reset_streams(self.max_pending_accept_reset_streams)
            // The kernel tells at once when the other end of a Unix socket is gone; probes would only cost.
            .keep_alive_interval((!local).then_some(self.keepalive_interval))
            .keep_alive_timeout(self.keepalive_timeout)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
            .auto_date_header(false);
        builder
    }
}

/// Serves until the connection ends. `draining` turns true when the service wants to stop.
pub(super) async fn serve<IO>(
    io: IO,
    (listener, peer): (&'static str, Option<Peer>),
    (shared, http2): (Arc<Shared>, Http2),
    mut draining: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let origin = Arc::new(Origin {
        listener,
        peer: peer.clone(),
        used: AtomicBool::new(false),
    });
    let asked = Arc::clone(&origin);
    let now = shared.authorizer.clock.now();
    let service = service_fn(move |request| answer(&shared, &origin, request));
    let batch = Batch::default();
    let builder = http2.builder(batch.clone(), listener == UNIX);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut age = std::pin::pin!(tokio::time::sleep(best_before(peer.as_ref(), http2.max_age, now)));
    let mut unused = std::pin::pin!(tokio::time::sleep(http2.first_request));
    let mut lapsed = std::pin::pin!(lapse(peer));
    let (mut leaving, mut watched) = (false, true);
    loop {
        tokio::select! {
            ended = batch.drive(connection.as_mut()) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, listener, "a connection broke");
                }
                return;
            }
            _ = draining.wait_for(|draining| *draining), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut age, if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut unused, if watched => {
                watched = false;
                if !asked.used.load(Ordering::Relaxed) {
                    return;
                }
            }
            why = &mut lapsed => {
                tracing::info!(%why, listener, "a connection is closed");
                return;
            }
        }
    }
}

/// How long a connection may stay before it is asked to leave: well before its peer's SVID ends, so that Envoy has
/// moved to a new connection and no Check is cut off.
fn best_before(peer: Option<&Peer>, max_age: Duration, now: std::time::SystemTime) -> Duration {
    let left = peer.map_or(Duration::MAX, |peer| {
        peer.not_after().duration_since(now).unwrap_or_default()
    });
    match peer {
        Some(_) => max_age.min(left.mul_f64(0.8)),
        None => FOREVER,
    }
}

/// Longer than any process runs, and still a time that timers can hold.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

async fn lapse(peer: Option<Peer>) -> spike_identity::Lapse {
    match peer {
        Some(peer) => peer.lapsed().await,
        None => std::future::pending().await,
    }
}
