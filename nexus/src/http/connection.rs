//! One connection, from the end of its handshake to its own end.
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use spike_identity::{Lapse, Peer, PeerStream};
use spike_runtime::CancellationToken;
use tokio::net::TcpStream;

use super::audit::Remote;
use super::peers::Seat;
use super::turned_away::TurnedAway;
use super::{Api, Limits, dispatch};

/// Whose connection it is and what answers its requests: the same for all of them.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) api: Arc<Api>,
    pub(super) peer: Peer,
    pub(super) remote: Remote,
    stop: CancellationToken,
    lapsed: CancellationToken,
}

/// A request that is being answered: its caller's connection is in use for as long as this is kept.
#[derive(Clone, Debug)]
pub(super) struct Busy {
    pub(super) caller: Arc<Caller>,
    _in_use: Arc<()>,
}

impl Busy {
    /// Completes when no more should be sent: the server stops.
    pub(super) async fn ending(&self) {
        self.caller.stop.cancelled().await;
    }
}

/// What a connection needs to serve its peer.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) api: Arc<Api>,
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
    let caller = Arc::new(Caller {
        api: context.api,
        peer,
        remote,
        stop: context.stop,
        lapsed: CancellationToken::new(),
    });
    let serving = requests(stream, &caller, seat, &context.turned_away);
    let closed = tokio::select! {
        () = serving => return,
        lapse = caller.peer.lapsed() => Closed::Lapsed(lapse),
        () = caller.lapsed.cancelled() => Closed::Lapsed(Lapse::Earlier),
        () = idle(seat, caller.api.limits.idle) => Closed::Idle,
    };
    let id = caller.peer.id();
    if let Closed::Lapsed(lapse) = &closed {
        context
            .turned_away
            .tell((Some(id), remote), "lapsed", &lapse.to_string());
    }
    tracing::debug!(peer = %id, reason = %closed, "closed a connection");
}

async fn requests(stream: PeerStream<TcpStream>, caller: &Arc<Caller>, seat: &Seat, turned_away: &TurnedAway) {
    let http2 = stream.alpn() == Some(b"h2");
    let service = service_fn(|request: Request<Incoming>| {
        seat.touch();
        let busy = Busy {
            caller: Arc::clone(caller),
            _in_use: seat.in_use(),
        };
        async move {
            // An answer to somebody who is no longer the peer would be an answer to anybody: end the connection instead.
            if let Err(lapse) = busy.caller.peer.check(busy.caller.api.service.clock().now()) {
                busy.caller.lapsed.cancel();
                return Err(Closed::Lapsed(lapse));
            }
            Ok(dispatch::dispatch(&busy, request).await)
        }
    });
    let builder = builder(http2, &caller.api.limits);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = caller.stop.cancelled() => {
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
            let who = (Some(caller.peer.id()), caller.remote);
            turned_away.tell(who, "unreadable", &error.to_string());
        }
        tracing::debug!(peer = %caller.peer.id(), %error, "a connection broke");
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
