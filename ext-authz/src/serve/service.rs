//! What happens to each request of a connection.
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use spike_identity::Peer;
use tonic::service::Routes;
use tower_service::Service;

use super::grpc::{self, Answer};
use crate::check::{Authorizer, Call};
use crate::encode::CheckResponse;
use crate::reason::Fault;

/// Bounds of the service, whatever the transport.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `check.max_message`: the largest message in bytes.
    pub max_message: usize,
    /// `check.max_in_flight`: Checks under way in the whole process; more are denied at once.
    pub max_in_flight: i64,
    /// How long a message may take to arrive.
    pub read_timeout: Duration,
}

/// What every connection shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) routes: Routes,
    pub(super) bounds: Bounds,
}

/// One connection: who is at the other end.
pub(super) struct Origin {
    pub(super) listener: &'static str,
    pub(super) peer: Option<Peer>,
    /// Whether anything was asked yet.
    pub(super) used: AtomicBool,
}

/// A Check under way: it is counted until this is dropped.
struct Seat(Arc<Shared>);

impl Seat {
    /// Takes a seat; whether there was one is for the caller to judge.
    fn take(shared: Arc<Shared>) -> (Self, bool) {
        let taken = shared.authorizer.metrics.in_flight.inc();
        let free = taken < shared.bounds.max_in_flight;
        (Self(shared), free)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.authorizer.metrics.in_flight.dec();
    }
}

/// What was asked, in as few bytes as possible: they move with the request.
enum Asked {
    Check {
        seat: Seat,
        free: bool,
        patience: Option<Duration>,
        body: Incoming,
    },
    Other(Arc<Shared>, Box<Request<Incoming>>),
}

/// Answers one request. What comes before the first wait runs when the request arrives, so that the bound on Checks
/// under way holds even when the workers are behind.
pub(super) fn answer(
    shared: &Arc<Shared>,
    origin: &Arc<Origin>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
    let arrived = shared.authorizer.clock.monotonic();
    let (shared, origin) = (Arc::clone(shared), Arc::clone(origin));
    if !origin.used.load(Ordering::Relaxed) {
        origin.used.store(true, Ordering::Relaxed);
    }
    let asked = if request.uri().path() == grpc::CHECK {
        let (seat, free) = Seat::take(shared);
        Asked::Check {
            seat,
            free,
            patience: grpc::patience(request.headers()),
            body: request.into_body(),
        }
    } else {
        Asked::Other(shared, Box::new(request))
    };
    async move {
        match asked {
            Asked::Check {
                seat,
                free,
                patience,
                body,
            } => {
                let message = if free {
                    receive(&seat.0, &origin, patience, body).await
                } else {
                    Err(Fault::Overloaded)
                };
                let response = decide(&seat.0, &origin, (arrived, patience), message).await;
                Ok(Answer::check(response.into_frame()))
            }
            Asked::Other(shared, request) => Box::pin(route(&shared.routes, *request)).await,
        }
    }
}

/// Reads the message of a caller who may still ask.
async fn receive(shared: &Shared, origin: &Origin, patience: Option<Duration>, body: Incoming) -> Result<Bytes, Fault> {
    let lapsed = |peer: &Peer| !peer.is_current(shared.authorizer.clock.now());
    if origin.peer.as_ref().is_some_and(lapsed) {
        return Err(Fault::CallerExpired);
    }
    let mut reading = std::pin::pin!(grpc::message(body, shared.bounds.max_message));
    // Most messages have arrived with their headers: no timer is made for them.
    if let Poll::Ready(message) = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        return message;
    }
    let wait = patience.unwrap_or(Duration::MAX).min(shared.bounds.read_timeout);
    match tokio::time::timeout(wait, reading).await {
        Ok(message) => message,
        Err(_elapsed) => Err(Fault::DeadlineExceeded),
    }
}

async fn decide(
    shared: &Arc<Shared>,
    origin: &Arc<Origin>,
    times: (Instant, Option<Duration>),
    message: Result<Bytes, Fault>,
) -> CheckResponse {
    if !shared.authorizer.rulebook.reload {
        return check(shared, origin, times, &message);
    }
    // With `cache.ttl: 0s` every Check reads a disk: that must not hold up the workers.
    let (shared, origin) = (Arc::clone(shared), Arc::clone(origin));
    let blocking = move || check(&shared, &origin, times, &message);
    let retry = blocking.clone();
    match tokio::task::spawn_blocking(blocking).await {
        Ok(response) => response,
        Err(_) => retry(),
    }
}

fn check(
    shared: &Shared,
    origin: &Origin,
    (arrived, patience): (Instant, Option<Duration>),
    message: &Result<Bytes, Fault>,
) -> CheckResponse {
    let call = Call {
        listener: origin.listener,
        caller: origin.peer.as_ref().map(Peer::id),
        arrived,
        patience,
    };
    shared
        .authorizer
        .check(call, message.as_deref().map_err(|fault| *fault))
}

/// Everything that is no Check: health, or `unimplemented`.
async fn route(routes: &Routes, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let response = routes.clone().call(request.map(tonic::body::Body::new)).await?;
    Ok(response.map(Answer::Routed))
}
