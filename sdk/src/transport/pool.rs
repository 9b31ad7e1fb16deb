//! Kept connections, of one SVID at a time.
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use spike_identity::{ClientTls, Expect, HttpsConnector};

use crate::{Identity, Settings, Timeouts};

/// The client of the HTTP library.
pub(super) type HttpClient = legacy::Client<HttpsConnector, Full<Bytes>>;

/// Connections are kept per SVID: after a rotation a new pool begins, and the old connections end with their calls.
pub(super) struct Pool {
    identity: Identity,
    tls: ClientTls,
    timeouts: Timeouts,
    current: Mutex<(u64, HttpClient)>,
}

impl Pool {
    pub(super) fn new(identity: Identity, settings: &Settings) -> Self {
        let timeouts = settings.timeouts;
        let tls = identity
            .connector(Expect::Nexus(settings.nexus_trust_roots.clone()))
            .with_alpn(&[b"http/1.1"])
            .with_timeout(timeouts.connect);
        let current = Mutex::new((identity.revision(), fresh(&tls, timeouts)));
        Self {
            identity,
            tls,
            timeouts,
            current,
        }
    }

    /// The client whose connections were opened with the present SVID.
    pub(super) fn client(&self) -> HttpClient {
        let revision = self.identity.revision();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != revision {
            *current = (revision, fresh(&self.tls, self.timeouts));
        }
        current.1.clone()
    }
}

fn fresh(tls: &ClientTls, timeouts: Timeouts) -> HttpClient {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(timeouts.idle)
        .pool_max_idle_per_host(10)
        .build(tls.https())
}
