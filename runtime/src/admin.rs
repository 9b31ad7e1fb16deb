//! The operator's window into a running program.
//!
//! **Owns** `GET /live /ready /metrics /version /config` over HTTP/1.1. **Refuses** every address that another machine
//! could reach, every other path and method, and request bodies. **Invariant**: nothing here changes anything, and
//! nothing here holds a secret.
//!
//! It runs on a thread and runtime of its own, so that it answers while the workers are busy.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{Effective, Endpoint, Section};
use crate::metrics::{self, Registry};
use crate::names;
use crate::readiness::Readiness;
use crate::socket::{BindError, Bound, GROUP_MODE, Listener, Stream};

/// Connections served at a time.
const CONNECTIONS: usize = 32;
/// How long a request's head may take, and a kept connection may idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the window shows.
#[derive(Clone, Debug)]
pub struct View {
    /// The program's name.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Behind `/ready`.
    pub readiness: Readiness,
    /// Behind `/metrics`.
    pub registry: Registry,
    /// Behind `/config`.
    pub config: Effective,
}

/// A bound admin listener.
#[derive(Debug)]
pub struct Admin {
    bound: Bound,
    view: View,
}

/// Why the admin listener ended.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Its thread or runtime could not be started.
    #[error("cannot start the admin listener")]
    Start(#[source] io::Error),
    /// Its thread panicked.
    #[error("the admin listener's thread died")]
    Died,
}

impl Admin {
    /// Reads `listen` of an `admin` section: a loopback address or a Unix socket. Absent: no admin listener.
    pub fn read(section: &Section<'_>) -> Option<Endpoint> {
        const RULE: &str = "a loopback address, because the admin listener has no authentication; or unix:///path";
        section.key("listen").endpoint().must(RULE, is_local).optional()
    }

    /// Binds the endpoint; a socket file gets mode 0660.
    ///
    /// # Errors
    /// [`BindError`]
    pub fn bind(endpoint: &Endpoint, view: View) -> Result<Self, BindError> {
        let bound = Bound::bind(endpoint, GROUP_MODE)?;
        let readiness = view.readiness.clone();
        let ready = move || f64::from(u8::from(readiness.is_ready()));
        view.registry.computed(names::READY, "1 when ready, else 0", ready);
        Ok(Self { bound, view })
    }

    /// Where it really listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        self.bound.endpoint()
    }

    /// Serves on its own thread until `stop` is cancelled.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn run(self, stop: CancellationToken) -> Result<(), AdminError> {
        let (done, ended) = oneshot::channel();
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let result = runtime.and_then(|runtime| runtime.block_on(self.serve(stop)));
            // Nobody waits only when `run` itself was dropped.
            drop(done.send(result));
        };
        std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(body)
            .map_err(AdminError::Start)?;
        ended.await.map_err(|_| AdminError::Died)?.map_err(AdminError::Start)
    }

    async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let listener = self.bound.listen()?;
        let view = Arc::new(self.view);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some(accepted) = next(&listener, &places, &stop).await {
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an admin connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let view = Arc::clone(&view);
            tokio::spawn(async move {
                converse(stream, view).await;
                drop(place);
            });
        }
        Ok(())
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for it; `None` when asked to stop.
async fn next(
    listener: &Listener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<io::Result<(Stream, Place)>> {
    let accept = async {
        let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
        listener.accept().await.map(|stream| (stream, place))
    };
    stop.run_until_cancelled(accept).await
}

async fn converse(stream: Stream, view: Arc<View>) {
    let service = service_fn(move |request| {
        let response = answer(&request, &view);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "admin connection ended");
    }
}

fn answer(request: &Request<Incoming>, view: &View) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    const JSON: &str = "application/json";
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/live" => respond(StatusCode::OK, TEXT, "live\n".to_owned()),
        "/ready" => {
            let waits_for = view.readiness.waits_for();
            if waits_for.is_empty() {
                respond(StatusCode::OK, TEXT, "ready\n".to_owned())
            } else {
                respond(
                    StatusCode::SERVICE_UNAVAILABLE,
                    TEXT,
                    format!("waiting for: {}\n", waits_for.join(", ")),
                )
            }
        }
        "/metrics" => match view.registry.encode() {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(_) => respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                "the metrics cannot be written\n".to_owned(),
            ),
        },
        "/version" => {
            let version = serde_json::json!({"program": view.program, "version": view.version});
            respond(StatusCode::OK, JSON, format!("{version}\n"))
        }
        "/config" => respond(StatusCode::OK, JSON, format!("{:#}\n", view.config.to_json())),
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "only /live /ready /metrics /version /config\n".to_owned(),
        ),
    }
}

fn respond(status: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_local(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Endpoint::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests;
