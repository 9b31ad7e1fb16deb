//! Making responses.
use std::io;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, LOCATION, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use spike_wire::cipher::STREAM;
use spike_wire::go_json;
use spike_wire::routes::{OUTCOME_HEADER, OUTCOME_UNKNOWN};

use super::error::{self, Shape};
use crate::service::Refused;

/// What an answer says: all of it, or piece by piece while it is made.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A response, and why it is a refusal if it is one.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) refused: Option<Refused>,
}

impl Answer {
    /// A use case's result in its JSON form.
    pub(super) fn of<T: Shape>(result: Result<T, Refused>) -> Self {
        match result {
            Ok(value) => Self {
                response: json(StatusCode::OK, &value),
                refused: None,
            },
            Err(refused) => Self::refusal::<T>(refused),
        }
    }

    /// A refusal in the form of a route's answers.
    pub(super) fn refusal<T: Shape>(refused: Refused) -> Self {
        let code = error::code(&refused);
        let mut response = json(error::status(code), &T::from(code).with_detail(error::detail(&refused)));
        if refused == Refused::OutcomeUnknown {
            response
                .headers_mut()
                .insert(OUTCOME_HEADER, HeaderValue::from_static(OUTCOME_UNKNOWN));
        }
        Self {
            response,
            refused: Some(refused),
        }
    }

    /// A stream of this media type.
    pub(super) fn stream(body: Body, media_type: &'static str) -> Self {
        let mut response = Response::new(body);
        headers(&mut response, media_type);
        Self {
            response,
            refused: None,
        }
    }

    /// Raw bytes, without any of the usual headers, as SPIKE sends them.
    pub(super) fn octets(bytes: Bytes) -> Self {
        let mut response = whole(bytes);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(STREAM));
        Self {
            response,
            refused: None,
        }
    }

    /// Go's `http.Error`: one line of plain text.
    pub(super) fn text(status: StatusCode, line: &'static str, refused: Refused) -> Self {
        let mut response = whole(format!("{line}\n").into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self {
            response,
            refused: Some(refused),
        }
    }

    /// Go's answer to an unclean path: another address, no body, none of the usual headers.
    pub(super) fn moved(location: &str) -> Self {
        let mut response = nothing();
        match HeaderValue::from_str(location) {
            Ok(location) => {
                *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                response.headers_mut().insert(LOCATION, location);
            }
            Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        Self {
            response,
            refused: Some(Refused::NoRoute),
        }
    }

    /// Go's answer to `OPTIONS *`.
    pub(super) fn empty() -> Self {
        Self {
            response: nothing(),
            refused: None,
        }
    }
}

/// A body of these pieces; an error among them breaks the connection, so that nobody takes the part for the whole.
pub(super) fn streamed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

fn whole(bytes: Bytes) -> Response<Body> {
    Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}

/// No body, and its length, which HTTP/2 would leave out.
fn nothing() -> Response<Body> {
    let mut response = whole(Bytes::new());
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let (status, body) = match go_json::encode(value) {
        // The text is wiped when the last part of it has been sent.
        Ok(text) => (status, Bytes::from_owner(text)),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Bytes::from_static(br#"{"err":"api_internal_error"}"#),
        ),
    };
    let mut response = whole(body);
    *response.status_mut() = status;
    headers(&mut response, "application/json");
    response
}

fn headers(response: &mut Response<Body>, media_type: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-cache, must-revalidate, private"),
    );
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("0"));
}
