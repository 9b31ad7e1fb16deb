//! One connection, from the end of its handshake to its own end.
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use spike_identity::{Lapse, Peer, PeerStream};
use spike_runtime::{CancellationToken, SharedClock};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::Limits;
use super::audit::Remote;
use super::peers::Seat;
use super::turned_away::TurnedAway;

/// Says that a connection is in use for as long as it is kept, and when the connection is to end.
#[derive(Clone, Debug)]
pub(super) struct Busy {
    _in_use: Arc<()>,
    ending: CancellationToken,
}

impl Busy {
    /// Completes when no more should be sent: the server stops.
    pub(super) async fn ending(&self) {
        self.ending.cancelled().await;
    }
}

/// What a connection needs to serve its peer.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) router: Router,
    pub(super) clock: SharedClock,
    pub(super) limits: Limits,
    pub(super) turned_away: TurnedAway,
    /// Ends every connection gracefully.
    pub(super) stop: CancellationToken,
}

/// Why a connection is closed by us.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("the peer may not go on: {0}")]
    Lapsed(#[from] Lapse),
    #[error("no request for too long")]
    Idle,
}

/// Serves one peer until it leaves, lapses, idles, has to give way or the server stops.
pub(super) async fn serve(
    stream: PeerStream<TcpStream>,
    (peer, remote): (Peer, Remote),
    seat: &Seat,
    context: Context,
) {
    let lapsed = CancellationToken::new();
    let serving = requests(stream, (&peer, remote), &context, (seat, &lapsed));
    let closed = tokio::select! {
        () = serving => return,
        lapse = peer.lapsed() => Closed::Lapsed(lapse),
        () = lapsed.cancelled() => Closed::Lapsed(Lapse::Earlier),
        () = idle(seat, context.limits.idle) => Closed::Idle,
    };
    if let Closed::Lapsed(lapse) = &closed {
        let who = (Some(peer.id()), remote);
        context.turned_away.tell(who, "lapsed", &lapse.to_string());
    }
    tracing::debug!(peer = %peer.id(), reason = %closed, "closed a connection");
}

async fn requests(
    stream: PeerStream<TcpStream>,
    (peer, remote): (&Peer, Remote),
    context: &Context,
    (seat, lapsed): (&Seat, &CancellationToken),
) {
    let http2 = stream.alpn() == Some(b"h2");
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        let (router, lapsed) = (context.router.clone(), lapsed.clone());
        // An answer to somebody who is no longer the peer would be an answer to anybody: end the connection instead.
        let current = peer.check(context.clock.now());
        seat.touch();
        request.extensions_mut().insert(peer.clone());
        let busy = Busy {
            _in_use: seat.in_use(),
            ending: context.stop.clone(),
        };
        request.extensions_mut().insert((busy, remote));
        async move {
            if let Err(lapse) = current {
                lapsed.cancel();
                return Err(Closed::Lapsed(lapse));
            }
            let answered: Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
            Ok(answered.unwrap_or_else(|never| match never {}))
        }
    });
    let builder = builder(http2, &context.limits);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = context.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        // A request that is arriving right now is still answered.
        () = seat.left() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            let who = (Some(peer.id()), remote);
            context.turned_away.tell(who, "unreadable", &error.to_string());
        }
        tracing::debug!(peer = %peer.id(), %error, "a connection broke");
    }
}

/// The protocol is what the handshake agreed on: nothing is guessed from the first bytes, so nothing waits for them
/// without a time limit.
fn builder(http2: bool, limits: &Limits) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(16 << 10)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Completes when no request came for at least `limit`, and none is under way.
async fn idle(seat: &Seat, limit: Duration) {
    let mut last = seat.last_use();
    loop {
        tokio::time::sleep(limit).await;
        let now = seat.last_use();
        if std::mem::replace(&mut last, now) == now && seat.is_idle() {
            return;
        }
    }
}
