//! Error codes: the word in `err`, and the HTTP status it travels with.
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The closed set of words in `err`. Absent means success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// `api_bad_request`: malformed JSON, an invalid field, or no such route. Status 400.
    BadRequest,
    /// `access_unauthorized`: no policy allows it. Status 401.
    Unauthorized,
    /// `api_not_found`: allowed, but not there. Status 404.
    NotFound,
    /// `api_internal_error`: Nexus failed. Status 500.
    Internal,
    /// `state_not_ready`: no root key, store not open, or overloaded: try again. Status 503.
    NotReady,
    /// `gen_general_failure`: what a client makes of a word it does not know. A server never sends it.
    General,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 6] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::NotFound,
        Self::Internal,
        Self::NotReady,
        Self::General,
    ];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "api_bad_request",
            Self::Unauthorized => "access_unauthorized",
            Self::NotFound => "api_not_found",
            Self::Internal => "api_internal_error",
            Self::NotReady => "state_not_ready",
            Self::General => "gen_general_failure",
        }
    }

    /// The HTTP status that a server sends with it (official clients look at nothing else).
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::NotFound => 404,
            Self::Internal | Self::General => 500,
            Self::NotReady => 503,
        }
    }

    /// The code of this word; an unknown one is [`ErrorCode::General`], as in SPIKE's SDK.
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == word)
            .unwrap_or(Self::General)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The body of an unrouted request and of a Nexus that is not ready, and what a client may read from any error body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Why it failed.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to do about it, one text per fault (extension; policy writes only).
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// What Nexus answers: the fields of a success, or the word that says why there are none.
pub trait Answer: From<ErrorCode> {
    /// Why it failed; `None` for a success.
    fn err(&self) -> Option<ErrorCode>;
}

/// Reads `err`: absent, null and empty mean success.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ErrorCode>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    Ok((!word.is_empty()).then(|| ErrorCode::from_word(&word)))
}

/// Reads a field whose `null` means the zero value, as Go does.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Makes answers of types that have a field `err`. A refused one is the empty one with the code: every field stays on
/// the wire (`spike.md` §1.3).
macro_rules! answers {
    ($($answer:ty),+) => {$(
        impl From<$crate::ErrorCode> for $answer {
            fn from(code: $crate::ErrorCode) -> Self {
                Self {
                    err: Some(code),
                    ..Self::default()
                }
            }
        }

        impl $crate::Answer for $answer {
            fn err(&self) -> Option<$crate::ErrorCode> {
                self.err
            }
        }
    )+};
}
pub(crate) use answers;

answers!(ErrorBody);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_word_and_an_unknown_word_is_general() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_word(code.as_str()), code);
        }
        assert_eq!(ErrorCode::from_word("entity_invalid"), ErrorCode::General);
    }

    #[test]
    fn an_error_body_is_one_field_and_reads_leniently() {
        let body = ErrorBody::from(ErrorCode::BadRequest);
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"{"err":"api_bad_request"}"#);
        for (text, err) in [
            ("{}", None),
            (r#"{"err":""}"#, None),
            (r#"{"err":null,"detail":null}"#, None),
            (
                r#"{"keys":null,"err":"access_unauthorized"}"#,
                Some(ErrorCode::Unauthorized),
            ),
        ] {
            assert_eq!(serde_json::from_str::<ErrorBody>(text).unwrap().err, err, "{text}");
        }
    }
}
