//! The one map from what went wrong to what the client is told.
use http::StatusCode;
use serde::Serialize;
use spike_wire::{ErrorBody, ErrorCode, access, bootstrap, cipher, import, operator, policies, secrets};

use crate::service::Refused;

/// The code, and so the status, of each refusal. Official clients look at the status alone (`spike.md` §6.3).
pub(super) fn code(refused: &Refused) -> ErrorCode {
    match refused {
        Refused::Unreadable(_) | Refused::NoRoute | Refused::Invalid(_) => ErrorCode::BadRequest,
        Refused::Denied(_) => ErrorCode::Unauthorized,
        Refused::NotFound => ErrorCode::NotFound,
        Refused::NotReady(_) => ErrorCode::NotReady,
        Refused::OutcomeUnknown | Refused::Internal(_) => ErrorCode::Internal,
    }
}

/// The status of a code.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What the client may be told to correct. Only input faults are told; the rest is for our log.
pub(super) fn detail(refused: &Refused) -> Vec<String> {
    match refused {
        Refused::Invalid(texts) => texts.clone(),
        Refused::Unreadable(text) => vec![text.clone()],
        Refused::NoRoute
        | Refused::Denied(_)
        | Refused::NotFound
        | Refused::NotReady(_)
        | Refused::OutcomeUnknown
        | Refused::Internal(_) => Vec::new(),
    }
}

/// An answer: its error form has every field that is not omitted, as SPIKE sends it.
pub(super) trait Shape: Serialize + From<ErrorCode> {
    /// Adds what to correct, where the answer has room for it.
    #[must_use]
    fn with_detail(self, detail: Vec<String>) -> Self {
        drop(detail);
        self
    }
}

impl Shape for ErrorBody {}
impl Shape for cipher::EncryptResponse {}
impl Shape for cipher::DecryptResponse {}
impl Shape for bootstrap::VerifyResponse {}
impl Shape for operator::RecoverResponse {}
impl Shape for operator::RestoreResponse {}
impl Shape for secrets::GetResponse {}
impl Shape for secrets::ListResponse {}
impl Shape for secrets::MetadataResponse {}
impl Shape for policies::GetResponse {}
impl Shape for policies::ListResponse {}

impl Shape for policies::ApplyResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for import::SecretImportResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for import::PolicyImportResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for operator::StatusResponse {}

impl Shape for operator::RotateResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for operator::RekeyResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for operator::ConfirmResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

impl Shape for access::AccessResponse {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self { detail, ..self }
    }
}

/// The answer of a policy put or delete: `{}`, or `err` with `detail`.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct PolicyWritten(ErrorBody);

impl PolicyWritten {
    /// It was done.
    pub(super) fn done() -> Self {
        Self(ErrorBody::default())
    }
}

impl From<ErrorCode> for PolicyWritten {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl Shape for PolicyWritten {
    fn with_detail(self, detail: Vec<String>) -> Self {
        Self(ErrorBody { detail, ..self.0 })
    }
}
