//! One unary gRPC call as bytes: its message in, its frame out.
//!
//! **Owns** the five-byte prefix, `grpc-timeout` and the trailers. **Refuses** compressed, truncated, repeated and
//! oversized messages with a reason that becomes a denial. **Invariant**: every answer is `200`, one message,
//! `grpc-status: 0`; a denial is inside the message, never in the status.
//!
//! Why not tonic's own codec: it turns what it cannot decode into a gRPC error before our code runs, and Envoy reads a
//! gRPC error as a failure of the authorizer, not as a denial.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tonic::Status;

use crate::reason::Fault;

/// The path of the one method.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The name that Envoy's `grpc_health_check` asks for.
pub(super) const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

const PREFIX: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: header::HeaderName = header::HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");

/// What goes back on a stream.
pub(super) enum Answer {
    /// The frame of a `CheckResponse`, then the trailers.
    Frame(Bytes),
    /// The trailers.
    Trailers,
    /// Nothing more.
    Done,
    /// Whatever the router says: health, or an unknown method.
    Routed(tonic::body::Body),
}

impl Answer {
    /// A finished Check.
    pub(super) fn check(frame: Bytes) -> Response<Self> {
        let mut response = Response::new(Self::Frame(frame));
        response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
        response
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut *self {
            Self::Routed(body) => Pin::new(body).poll_frame(cx),
            Self::Frame(frame) => {
                let frame = std::mem::take(frame);
                *self = Self::Trailers;
                Poll::Ready(Some(Ok(Frame::data(frame))))
            }
            Self::Trailers => {
                *self = Self::Done;
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(STATUS, OK);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Self::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Trailers => false,
            Self::Done => true,
            Self::Routed(body) => body.is_end_stream(),
        }
    }
}

/// How much longer than allowed a message may be and still be read to its end, so that its sender gets a clean answer
/// instead of a reset stream.
const DRAINED: usize = 4;

/// Reads one message of at most `max` bytes.
pub(super) async fn message<B>(mut body: B, max: usize) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = Gathered::Nothing;
    let mut received = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Fault::MessageUndecodable)?.into_data() else {
            continue;
        };
        received = received.saturating_add(data.len());
        if received > max.saturating_add(PREFIX).saturating_mul(DRAINED) {
            return Err(Fault::MessageTooLarge);
        }
        if received <= max.saturating_add(PREFIX) {
            whole.add(data);
        }
    }
    if received > max.saturating_add(PREFIX) {
        return Err(Fault::MessageTooLarge);
    }
    unframed(&whole.into_bytes())
}

/// One DATA frame is kept as it is; only a message in pieces is copied together.
enum Gathered {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    fn add(&mut self, data: Bytes) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(data),
            Self::One(first) => {
                let mut many = BytesMut::from(first);
                many.extend_from_slice(&data);
                Self::Many(many)
            }
            Self::Many(mut many) => {
                many.extend_from_slice(&data);
                Self::Many(many)
            }
        };
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

/// The message behind its prefix: not compressed, and exactly as long as it says.
fn unframed(whole: &Bytes) -> Result<Bytes, Fault> {
    let Some((prefix, message)) = whole.split_first_chunk::<PREFIX>() else {
        return Err(Fault::MessageUndecodable);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 || u64::from(u32::from_be_bytes(length)) != message.len() as u64 {
        return Err(Fault::MessageUndecodable);
    }
    Ok(whole.slice(PREFIX..))
}

/// How long the caller waits: `grpc-timeout`, one to eight digits and a unit.
pub(super) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.as_bytes();
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(value.saturating_mul(3600))),
        b'M' => Some(Duration::from_secs(value.saturating_mul(60))),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
