//! How a call can end badly, by what the caller can do next.
use spike_wire::ErrorCode;

/// Why a call failed. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 503: Nexus runs, but does not have its root key yet, or is overloaded. Wait and try again.
    #[error("nexus is not ready")]
    NotReady,
    /// 401: no policy gives this identity what it asked for. Ask an operator for a policy.
    #[error("access denied: no policy gives this identity what it asked for")]
    Denied,
    /// 404: there is no such secret, version or policy.
    #[error("not found")]
    NotFound,
    /// 400: the request itself is wrong. Correct it.
    #[error("bad request{}", joined(detail))]
    BadRequest {
        /// What Nexus says is wrong, one text per fault; empty from an official Nexus.
        detail: Vec<String>,
    },
    /// 409: a policy of that name exists already, and only a new one was to be made.
    #[error("already exists")]
    AlreadyExists,
    /// Nexus could not be reached, or the connection broke before an answer to a read. Try again later.
    #[error("nexus is unreachable: {reason}")]
    Unavailable {
        /// What failed.
        reason: String,
    },
    /// Who answered is not a Nexus we trust. Check the address and `SPIKE_TRUST_ROOT_NEXUS`.
    #[error("the server is not a trusted SPIKE Nexus: {reason}")]
    ServerIdentityRefused {
        /// Which check failed.
        reason: String,
    },
    /// The server does not accept our SVID: expired, or of a trust domain that it does not know.
    #[error("the server does not accept this identity: {reason}")]
    OwnIdentityRefused {
        /// What the server said.
        reason: String,
    },
    /// The answer did not come in time, and the call was a read or was never sent.
    #[error("no answer in time")]
    Timeout,
    /// A write was sent, but whether it took effect is not known: no answer came, or Nexus itself says so. Read
    /// before writing again.
    #[error("the write was sent, but whether it took effect is not known")]
    OutcomeUnknown,
    /// Any other status.
    #[error("unexpected answer: status {status}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The `err` word of the body, when it has one.
        code: Option<ErrorCode>,
    },
    /// A 200 whose body is not what the route promises.
    #[error("unreadable answer: {reason}")]
    Unreadable {
        /// Where it stopped making sense; never holds a part of the body.
        reason: String,
    },
}

fn joined(detail: &[String]) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {}", detail.join("; "))
    }
}
