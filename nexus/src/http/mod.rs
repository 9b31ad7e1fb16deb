//! The Nexus API over mutual TLS, byte for byte as SPIKE's clients expect it (`spike.md` §1).
//!
//! **Owns** the listener and its limits, the table of routes, the order of checks, the one map from [`Refused`] to
//! status, code and body, and the audit line of each call.
//!
//! **Refuses** decisions: who may do what, and what that does, is `service`. Handlers turn JSON into a call of one use
//! case and its result into JSON.
//!
//! **Invariant**: a handler sees a request only behind a [`Peer`](spike_identity::Peer) that is current at that moment,
//! and every call leaves exactly one audit event, which holds no value of a secret.
//!
//! [`Refused`]: crate::service::Refused

mod access;
mod answer;
mod audit;
mod backup;
mod body;
mod call;
mod cipher;
mod connection;
mod dispatch;
mod error;
mod feed;
mod import;
mod metrics;
mod operator;
mod peers;
mod policies;
mod rekey;
mod routes;
mod secrets;
mod serve;
mod turned_away;
mod url;

use std::time::Duration;

pub(crate) use metrics::Metrics;
pub(crate) use serve::Server;

use spike_audit::Journal;

use crate::service::Service;

/// What one client may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all; one more is closed at once.
    pub connections: usize,
    /// Connections of one SPIFFE ID.
    pub connections_per_peer: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a request's head may take (`SPIKE_HTTP_SERVER_READ_HEADER_TIMEOUT`); it is also how long an HTTP/1.1
    /// connection may wait for its next request.
    pub header: Duration,
    /// How long a request's body may take.
    pub body: Duration,
    /// How large a request's body may be, in bytes.
    pub body_bytes: usize,
    /// How long a connection may stay open without a request.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: 256,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            body_bytes: 1 << 20,
            idle: Duration::from_secs(60),
        }
    }
}

/// What every handler has at hand. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) audit: Journal,
}

#[cfg(test)]
mod tests;
