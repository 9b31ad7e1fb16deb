//! What happens to each request of a connection.
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// Counts a Check as under way until it is dropped.
struct Seat(Arc<Authorizer>);

impl Seat {
    /// Takes a seat, if there is one.
    fn take(authorizer: &Arc<Authorizer>, max: i64) -> (Self, bool) {
        let taken = authorizer.metrics.in_flight.inc();
        (Self(Arc::clone(authorizer)), taken < max)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}

/// Answers one request. What comes before the first wait runs when the request arrives, so that the bound on Checks
/// under way holds even when the workers are behind.
pub(super) fn answer(
    shared: &Arc<Shared>,
    origin: &Arc<Origin>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
    let shared = Arc::clone(shared);
    let origin = Arc::clone(origin);
    origin.used.store(true, Ordering::Relaxed);
    let is_check = request.uri().path() == grpc::CHECK;
    let seat = is_check.then(|| Seat::take(&shared.authorizer, shared.bounds.max_in_flight));
    let arrived = shared.authorizer.clock.monotonic();
    async move {
        let Some((seat, seated)) = seat else {
            return Box::pin(route(&shared.routes, request)).await;
        };
        let patience = grpc::patience(request.headers());
        let message = if seated {
            receive(&shared, &origin, patience, request).await
        } else {
            Err(Fault::Overloaded)
        };
        let response = decide(&shared, &origin, (arrived, patience), message).await;
        drop(seat);
        Ok(Answer::check(response.into_frame()))
    }
}

/// Reads the message of a caller who may still ask.
async fn receive(
    shared: &Shared,
    origin: &Origin,
    patience: Option<Duration>,
    request: Request<Incoming>,
) -> Result<Bytes, Fault> {
    let now = shared.authorizer.clock.now();
    if origin.peer.as_ref().is_some_and(|peer| !peer.is_current(now)) {
        return Err(Fault::CallerExpired);
    }
    let wait = patience.unwrap_or(Duration::MAX).min(shared.bounds.read_timeout);
    let reading = grpc::message(request.into_body(), shared.bounds.max_message);
    match tokio::time::timeout(wait, reading).await {
        Ok(message) => message,
        Err(_elapsed) => Err(Fault::DeadlineExceeded),
    }
}

async fn decide(
    shared: &Shared,
    origin: &Arc<Origin>,
    (arrived, patience): (std::time::Instant, Option<Duration>),
    message: Result<Bytes, Fault>,
) -> CheckResponse {
    let authorizer = Arc::clone(&shared.authorizer);
    let origin = Arc::clone(origin);
    let check = move || {
        let caller = origin.peer.as_ref().map(Peer::id);
        let call = Call {
            listener: origin.listener,
            caller,
            arrived,
            patience,
        };
        authorizer.check(call, message.as_deref().map_err(|fault| *fault))
    };
    if !shared.authorizer.rulebook.reload {
        return check();
    }
    // With `cache.ttl: 0s` every Check reads a disk: that must not hold up the workers.
    let retry = check.clone();
    match tokio::task::spawn_blocking(check).await {
        Ok(response) => response,
        Err(_) => retry(),
    }
}

/// Everything that is no Check: health, or `unimplemented`.
async fn route(routes: &Routes, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let response = routes.clone().call(request.map(tonic::body::Body::new)).await?;
    Ok(response.map(Answer::Routed))
}
