//! Why a use case was not carried out.
use spike_policy::DenyReason;

use crate::store::{ReadError, Unavailable, WriteError};

/// Why a use case was not carried out; what the caller can do about it differs for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The body cannot be read. Send another one.
    #[error("{0}")]
    Unreadable(String),
    /// No such route. Look at the documentation.
    #[error("no such route")]
    NoRoute,
    /// Not allowed. Ask for a policy.
    #[error("denied: {}", .0.as_str())]
    Denied(DenyReason),
    /// Allowed, but the input breaks rules: one text for each. Correct it.
    #[error("invalid: {}", .0.join("; "))]
    Invalid(Vec<String>),
    /// Allowed, but not there.
    #[error("not found")]
    NotFound,
    /// Nothing was done because of this state of the server. Try again.
    #[error("not ready: {0}")]
    NotReady(&'static str),
    /// The write may or may not have happened. Read, then decide.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
    /// The server failed. Nothing was written.
    #[error("failed: {0}")]
    Internal(&'static str),
}

impl Refused {
    /// One thing that is wrong with the input.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(vec![text.into()])
    }

    /// The low-cardinality word for audit and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NoRoute => "no_route",
            Self::Denied(_) => "denied",
            Self::Invalid(_) => "invalid",
            Self::NotFound => "not_found",
            Self::NotReady(_) => "not_ready",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<Unavailable> for Refused {
    fn from(unavailable: Unavailable) -> Self {
        Self::NotReady(match unavailable {
            Unavailable::Sealed => "the store waits for its root key",
            Unavailable::Recovering => "the store is recovering",
            Unavailable::Failed => "the store failed",
            Unavailable::Closed => "the store is closed",
        })
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::NotFound,
            ReadError::Damaged => Self::Internal("a stored record is damaged"),
            ReadError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NotFound => Self::NotFound,
            WriteError::Exists(name) => Self::invalid(format!("a policy named `{name}` exists")),
            WriteError::Repeated(name) => Self::invalid(format!("the policy `{name}` is named twice")),
            WriteError::Damaged => Self::Internal("a stored record is damaged"),
            WriteError::NoVersionLeft => Self::Internal("the secret has no version number left"),
            WriteError::Busy => Self::NotReady("too many writes are waiting"),
            WriteError::Rekey(why) => Self::invalid(why.to_string()),
            WriteError::Seal(crate::vault::SealError::RekeyPending) => {
                Self::invalid("the root key is being changed: confirm or cancel that first")
            }
            WriteError::Seal(_) => Self::Internal("could not encrypt"),
            WriteError::Unavailable(unavailable) => unavailable.into(),
            WriteError::OutcomeUnknown => Self::OutcomeUnknown,
        }
    }
}
