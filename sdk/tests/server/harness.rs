//! An HTTPS server that answers as it is told, with identities made on the spot.
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use spike_identity::authority::TestAuthority;
use spike_identity::{Acceptor, Identity, ServerOptions};
use spike_sdk::{Client, NexusUrl, Timeouts, TrustRoots};
use tokio::net::TcpListener;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, headers and a whole body.
    Whole(u16, Vec<(&'static str, &'static str)>, String),
    /// A 200 in pieces; then the body ends.
    Pieces(Vec<&'static str>),
    /// A 200 in pieces; then silence, for ever.
    PiecesThenSilence(Vec<&'static str>),
    /// A 200 in pieces; then the connection breaks.
    PiecesThenBreak(Vec<&'static str>),
    /// No answer, ever.
    Silence,
    /// The connection ends without an answer.
    HangUp,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Whole(status, Vec::new(), body.to_owned())
    }
}

/// The server, and what happened at it.
pub(crate) struct Server {
    pub(crate) authority: TestAuthority,
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    hang_ups: AtomicUsize,
}

impl Server {
    /// A server that is `/spike/nexus` of `example.org` and gives these replies in order.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_as("/spike/nexus", replies).await
    }

    /// A Nexus that hangs up on this many clients before the handshake.
    pub(crate) async fn start_after(hang_ups: usize, replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = Self::start(replies).await;
        server.shared.hang_ups.store(hang_ups, Ordering::SeqCst);
        server
    }

    pub(crate) async fn start_as(path: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let authority = TestAuthority::new("example.org").unwrap();
        let acceptor = authority
            .identity(path)
            .unwrap()
            .acceptor(ServerOptions::new(&[b"http/1.1"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            replies: Mutex::new(replies.into_iter().collect()),
            ..Shared::default()
        });
        tokio::spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Self { authority, url, shared }
    }

    /// An identity of the server's trust domain.
    pub(crate) fn identity(&self) -> Identity {
        self.authority.identity("/app").unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_as(self.identity()).await
    }

    pub(crate) async fn client_as(&self, identity: Identity) -> Client {
        client(&self.url, identity, PATIENT).await
    }

    /// A client that does not wait long for silence to end.
    pub(crate) async fn impatient_client(&self) -> Client {
        client(&self.url, self.identity(), Duration::from_millis(500)).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many clients the server is still going to hang up on.
    pub(crate) fn hang_ups_left(&self) -> usize {
        self.shared.hang_ups.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

/// Longer than a busy machine needs.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);

/// A client of the Nexus at `url` under `example.org` that waits so long for an answer to begin.
pub(crate) async fn client(url: &str, identity: Identity, response_header: Duration) -> Client {
    let timeouts = Timeouts {
        connect: PATIENT,
        response_header,
        total: 2 * PATIENT,
        idle: PATIENT,
    };
    Client::builder()
        .nexus_url(url.parse::<NexusUrl>().unwrap())
        .nexus_trust_roots(TrustRoots::parse("example.org").unwrap())
        .timeouts(timeouts)
        .identity(identity)
        .connect()
        .await
        .unwrap()
}

async fn serve(listener: TcpListener, acceptor: Acceptor, shared: Arc<Shared>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let one_less = |left: usize| left.checked_sub(1);
        if shared
            .hang_ups
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
        {
            continue;
        }
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok((stream, _peer)) = acceptor.accept(tcp).await else {
                return;
            };
            shared.connections.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // A broken connection is what some tests ask for.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    shared.seen.lock().unwrap().push(Seen {
        line,
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let reply = shared
        .replies
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or_else(|| Reply::status(418, "{}"));
    match reply {
        Reply::Whole(status, headers, body) => {
            let mut response = Response::new(Full::new(Bytes::from(body)).map_err(never).boxed());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            Ok(response)
        }
        Reply::Pieces(pieces) => Ok(streamed(pieces, End::Clean)),
        Reply::PiecesThenSilence(pieces) => Ok(streamed(pieces, End::Silence)),
        Reply::PiecesThenBreak(pieces) => Ok(streamed(pieces, End::Break)),
        Reply::Silence => std::future::pending().await,
        Reply::HangUp => Err(std::io::Error::other("told to hang up")),
    }
}

#[derive(Clone, Copy)]
enum End {
    Clean,
    Silence,
    Break,
}

fn streamed(pieces: Vec<&'static str>, end: End) -> Response<Body> {
    let pieces = futures::stream::iter(pieces).map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
    // Between two pieces the connection is given time to send the first alone.
    let pieces = pieces.then(|piece| async {
        tokio::task::yield_now().await;
        piece
    });
    let body = match end {
        End::Clean => BodyExt::boxed(StreamBody::new(pieces)),
        End::Silence => BodyExt::boxed(StreamBody::new(pieces.chain(futures::stream::pending()))),
        End::Break => {
            let broken = futures::stream::once(async { Err(std::io::Error::other("told to break")) });
            BodyExt::boxed(StreamBody::new(pieces.chain(broken)))
        }
    };
    Response::new(body)
}

fn never(never: Infallible) -> std::io::Error {
    match never {}
}
