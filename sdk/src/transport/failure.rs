//! Why no whole answer came, and whether the request can have reached Nexus.
use std::error::Error as StdError;

use spike_identity::ConnectError;

use crate::Error;

/// Why no whole answer came.
pub(super) enum Failure {
    /// No connection: nothing was sent.
    NotConnected(Error),
    /// The connection ended before the answer did.
    Broken,
    /// The answer is larger than we are willing to hold.
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

impl Failure {
    /// The error of a call; `changes` says whether the call could change something.
    pub(super) fn into_error(self, changes: bool) -> Error {
        match self {
            Self::NotConnected(error) => error,
            Self::Broken | Self::TooLarge { .. } if changes => Error::OutcomeUnknown,
            Self::Broken => Error::Unavailable {
                reason: "the connection broke before the answer ended".to_owned(),
            },
            Self::TooLarge { limit } => Error::Unreadable {
                reason: format!("larger than {limit} bytes"),
            },
        }
    }
}

/// Sorts an error of the HTTP client.
pub(super) fn classify(error: &hyper_util::client::legacy::Error) -> Failure {
    // With TLS 1.3 a server that refuses our certificate says so after the handshake; no request was handled then.
    if let Some(alert) = ConnectError::alert(error) {
        return Failure::NotConnected(refused_by_server(&alert));
    }
    if !error.is_connect() {
        return Failure::Broken;
    }
    Failure::NotConnected(match ConnectError::find(error) {
        Some(refused) => connect_error(refused),
        None => Error::Unavailable {
            reason: innermost(error),
        },
    })
}

fn connect_error(error: &ConnectError) -> Error {
    match error {
        ConnectError::ServerRefused(refusal) => Error::ServerIdentityRefused {
            reason: refusal.to_string(),
        },
        ConnectError::RefusedByServer(alert) => refused_by_server(alert),
        ConnectError::Timeout(_) => Error::Timeout,
        ConnectError::Address(_)
        | ConnectError::Unreachable { .. }
        | ConnectError::NoIdentity(_)
        | ConnectError::Protocol(_)
        | ConnectError::Io(_) => Error::Unavailable {
            reason: error.to_string(),
        },
    }
}

fn refused_by_server(alert: &str) -> Error {
    Error::OwnIdentityRefused {
        reason: format!("the server ended the handshake with the alert {alert}"),
    }
}

/// The text of the last error in the chain: the one that says what happened.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut current = error;
    while let Some(next) = current.source() {
        current = next;
    }
    current.to_string()
}
