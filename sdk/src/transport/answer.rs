//! From an HTTP answer to a value or an [`Error`].
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use spike_wire::routes::{OUTCOME_HEADER, OUTCOME_UNKNOWN};
use spike_wire::{Answer, ErrorBody, ErrorCode};

use super::buffer::WipedBuffer;
use crate::Error;

/// Whether these headers say that the outcome of a write is unknown.
pub(super) fn outcome_is_unknown(headers: &HeaderMap) -> bool {
    headers
        .get(OUTCOME_HEADER)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(OUTCOME_UNKNOWN.as_bytes()))
}

/// The error of a status other than 200.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let said = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default();
    match status {
        StatusCode::BAD_REQUEST => Error::BadRequest { detail: said.detail },
        StatusCode::UNAUTHORIZED => Error::Denied,
        StatusCode::NOT_FOUND => Error::NotFound,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Error::AlreadyExists,
        StatusCode::SERVICE_UNAVAILABLE => Error::NotReady,
        other => Error::Unexpected {
            status: other.as_u16(),
            code: said.err,
        },
    }
}

/// The value that a 200 promises, or the error that it carries all the same.
pub(crate) fn read<A: Answer + DeserializeOwned>(body: &WipedBuffer) -> Result<A, Error> {
    let answer: A = decode(body)?;
    checked(answer.err())?;
    Ok(answer)
}

/// Official clients honour an error in the body of a 200, so we do.
fn checked(err: Option<ErrorCode>) -> Result<(), Error> {
    match err {
        None => Ok(()),
        Some(ErrorCode::BadRequest) => Err(Error::BadRequest { detail: Vec::new() }),
        Some(ErrorCode::Unauthorized) => Err(Error::Denied),
        Some(ErrorCode::NotFound) => Err(Error::NotFound),
        Some(ErrorCode::NotReady) => Err(Error::NotReady),
        Some(code @ (ErrorCode::Internal | ErrorCode::General)) => Err(Error::Unexpected {
            status: StatusCode::OK.as_u16(),
            code: Some(code),
        }),
    }
}

fn decode<T: DeserializeOwned>(body: &WipedBuffer) -> Result<T, Error> {
    serde_json::from_slice(body.as_slice()).map_err(|e| unreadable(&e))
}

/// Where JSON stopped making sense. The parser's own text may quote a value, so only the position is kept.
pub(crate) fn unreadable(error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "JSON ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
        serde_json::error::Category::Data => "unexpected JSON",
    };
    Error::Unreadable {
        reason: format!("{what} at line {}, column {}", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_becomes_what_the_caller_can_do() {
        let error = |status: u16, body: &str| {
            refusal(StatusCode::from_u16(status).unwrap_or_default(), body.as_bytes()).to_string()
        };
        assert_eq!(error(400, r#"{"err":"api_bad_request"}"#), "bad request");
        assert_eq!(
            error(400, r#"{"err":"api_bad_request","detail":["a","b"]}"#),
            "bad request: a; b"
        );
        assert_eq!(
            error(401, r#"{"data":null,"err":"access_unauthorized"}"#),
            "access denied: no policy gives this identity what it asked for"
        );
        assert_eq!(error(404, "{}"), "not found");
        assert_eq!(error(409, "{}"), "already exists");
        assert_eq!(error(503, r#"{"err":"state_not_ready"}"#), "nexus is not ready");
        assert_eq!(
            error(500, r#"{"err":"api_internal_error"}"#),
            "unexpected answer: status 500 (api_internal_error)"
        );
        assert_eq!(error(502, "<html>bad gateway</html>"), "unexpected answer: status 502");
        assert_eq!(
            error(500, r#"{"err":"<script>\u001b[2J"}"#),
            "unexpected answer: status 500 (gen_general_failure)"
        );
    }

    #[test]
    fn an_unreadable_answer_is_described_without_a_part_of_it() {
        let mut body = WipedBuffer::default();
        body.extend(br#"{"data":{"password":["hunter2"]}}"#);
        let error = decode::<std::collections::BTreeMap<String, String>>(&body)
            .map(|_| ())
            .map_err(|e| e.to_string());
        assert_eq!(
            error,
            Err("unreadable answer: unexpected JSON at line 1, column 8".to_owned())
        );
    }
}
