//! One call over HTTP: sending, waiting, reading.
//!
//! **Owns** the pooled connections, the timeouts, the limits on what is read, and the question whether a request can
//! have reached Nexus.
//!
//! **Refuses** to know routes' contents: bodies go in and come out as bytes.
//!
//! **Invariant**: a request that may have reached Nexus is never sent a second time, except a read whose connection
//! was never established. (The pool itself repeats a request only when a kept connection turned out to be closed
//! before one byte of it was written.)
mod answer;
mod buffer;
mod failure;
mod pool;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spike_wire::cipher::STREAM;
use spike_wire::routes::{ACTION, Action};
use spike_wire::{Answer, ErrorBody};

pub(crate) use answer::{read, unreadable};
pub(crate) use buffer::WipedBuffer;
use pool::Pool;

use crate::{Error, Identity, Settings, Timeouts};

const JSON: &str = "application/json";
/// The largest answer that is read into memory.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The largest error body that is read; a longer one is not from Nexus.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// Pauses before a read is tried again after a connection could not be established.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// Whether a call can change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It cannot: safe to repeat.
    Read,
    /// It can.
    Write,
    /// It can, and must fail if what it makes exists already.
    Create,
}

/// One call.
pub(crate) struct Call {
    path: &'static str,
    action: Action,
    effect: Effect,
    media_type: &'static str,
    body: Bytes,
}

impl Call {
    /// A call that changes nothing.
    pub(crate) fn read(path: &'static str, action: Action, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(path, action, Effect::Read, body)
    }

    /// A call that may change something.
    pub(crate) fn write(path: &'static str, action: Action, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(path, action, Effect::Write, body)
    }

    /// A call that makes something new.
    pub(crate) fn create(path: &'static str, action: Action, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(path, action, Effect::Create, body)
    }

    fn new(path: &'static str, action: Action, effect: Effect, body: &impl Serialize) -> Result<Self, Error> {
        let mut bytes = WipedBuffer::with_capacity(256);
        serde_json::to_writer(&mut bytes, body).map_err(|e| unreadable(&e))?;
        Ok(Self {
            path,
            action,
            effect,
            media_type: JSON,
            body: Bytes::from_owner(bytes),
        })
    }

    /// A call that changes nothing, with raw bytes both ways.
    pub(crate) fn octets(path: &'static str, bytes: &[u8]) -> Self {
        let mut body = WipedBuffer::with_capacity(bytes.len());
        body.extend(bytes);
        Self {
            path,
            action: Action::Default,
            effect: Effect::Read,
            media_type: STREAM,
            body: Bytes::from_owner(body),
        }
    }

    fn changes_something(&self) -> bool {
        match self.effect {
            Effect::Read => false,
            Effect::Write | Effect::Create => true,
        }
    }
}

/// The way to one Nexus.
pub(crate) struct Transport {
    base: String,
    timeouts: Timeouts,
    pool: Pool,
}

impl Transport {
    pub(crate) fn new(settings: &Settings, identity: Identity) -> Self {
        Self {
            base: settings.nexus_url.as_str().to_owned(),
            timeouts: settings.timeouts,
            pool: Pool::new(identity, settings),
        }
    }

    /// Sends a call and takes its answer in.
    pub(crate) async fn ask<A: Answer + DeserializeOwned>(&self, call: Call) -> Result<A, Error> {
        read(&self.call(call).await?)
    }

    /// Sends a call whose answer says no more than whether it went well.
    pub(crate) async fn tell(&self, call: Call) -> Result<(), Error> {
        self.ask::<ErrorBody>(call).await.map(drop)
    }

    /// Sends a call and gives the whole body of its answer.
    pub(crate) async fn call(&self, call: Call) -> Result<WipedBuffer, Error> {
        let mut sent = Sent::default();
        let whole = async {
            let response = self.answered(&call, &mut sent).await?;
            read_body(response, MAX_ANSWER_BYTES)
                .await
                .map_err(|failure| failure.into_error(call.changes_something()))
        };
        match tokio::time::timeout(self.timeouts.total, whole).await {
            Ok(result) => result,
            Err(_) if call.changes_something() && sent.is_possible() => Err(Error::OutcomeUnknown),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// Sends a call that only reads and gives its answer as it comes, without an end to the time it may take.
    pub(crate) async fn open(&self, call: Call) -> Result<Incoming, Error> {
        Ok(self.answered(&call, &mut Sent::default()).await?.into_body())
    }

    /// How long a stream may be silent.
    pub(crate) fn silence_limit(&self) -> Duration {
        self.timeouts.response_header
    }

    /// The response of a successful call, its body still unread.
    async fn answered(&self, call: &Call, sent: &mut Sent) -> Result<Response<Incoming>, Error> {
        let response = self.sent_until_connected(call, sent).await?;
        if answer::outcome_is_unknown(response.headers()) && call.changes_something() {
            return Err(Error::OutcomeUnknown);
        }
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let body = read_body(response, MAX_REFUSAL_BYTES).await.unwrap_or_default();
        Err(answer::refusal(status, body.as_slice()))
    }

    /// Tries again only while a read cannot connect.
    async fn sent_until_connected(&self, call: &Call, sent: &mut Sent) -> Result<Response<Incoming>, Error> {
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            match self.sent_once(call, sent).await {
                Err(error @ Error::Unavailable { .. }) if !call.changes_something() && !sent.is_possible() => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::debug!(%error, "nexus cannot be reached, trying again");
                    tokio::time::sleep(pause).await;
                }
                result => return result,
            }
        }
    }

    async fn sent_once(&self, call: &Call, sent: &mut Sent) -> Result<Response<Incoming>, Error> {
        let mut request = self.request(call)?;
        let mut captured = capture_connection(&mut request);
        sent.connection = Some(captured.clone());
        let response = self.pool.client().request(request);
        tokio::pin!(response);
        let result = tokio::select! {
            biased;
            result = &mut response => Ok(result),
            () = connected(&mut captured) => tokio::time::timeout(self.timeouts.response_header, response).await,
        };
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure::classify(&error).into_error(call.changes_something())),
            Err(_) if call.changes_something() => Err(Error::OutcomeUnknown),
            Err(_) => Err(Error::Timeout),
        }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, Error> {
        let query = match call.action {
            Action::Default => String::new(),
            action => format!("?{ACTION}={}", action.as_str()),
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{}{query}", self.base, call.path))
            .header(CONTENT_TYPE, HeaderValue::from_static(call.media_type))
            .body(Full::new(call.body.clone()))
            .map_err(|_| Error::Unavailable {
                reason: format!("no request can be made for `{}`", self.base),
            })?;
        if call.effect == Effect::Create {
            request
                .headers_mut()
                .insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Ok(request)
    }
}

/// Whether a request may have reached Nexus: from the moment it was given a connection.
#[derive(Default)]
struct Sent {
    connection: Option<CaptureConnection>,
}

impl Sent {
    fn is_possible(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|captured| captured.connection_metadata().is_some())
    }
}

async fn connected(captured: &mut CaptureConnection) {
    drop(captured.wait_for_connection_metadata().await);
}

async fn read_body(response: Response<Incoming>, limit: usize) -> Result<WipedBuffer, failure::Failure> {
    let announced = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut collected = WipedBuffer::with_capacity(announced.unwrap_or(0_usize).min(limit));
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| failure::Failure::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len().saturating_add(data.len()) > limit {
            return Err(failure::Failure::TooLarge { limit });
        }
        collected.extend(&data);
    }
    Ok(collected)
}
