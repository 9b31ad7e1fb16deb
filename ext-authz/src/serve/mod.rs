//! Where Envoy reaches us: Unix socket, loopback TCP, TCP with mutual TLS, each optional, all at once.
//!
//! **Owns** listeners, connections, `grpc.health.v1` and the drain. **Refuses** a Unix peer that is not allowed, a TLS
//! peer without an allowed SVID, and more connections than there is room for. **Invariant**: health says serving only
//! while Checks can be decided, and never again once a drain has begun.
mod batch;
mod connection;
mod grpc;
mod health;
mod listener;
mod service;

use std::sync::Arc;
use std::time::Duration;

use spike_runtime::{CancellationToken, Latch, Readiness};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::check::Authorizer;
pub use connection::Http2;
pub use listener::{Door, OpenError, PeerUsers};
pub use service::Bounds;
use service::Shared;

/// How many connections all listeners hold together.
const MAX_CONNECTIONS: usize = 10_000;

/// How the service is reached and bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of each message and of all of them.
    pub bounds: Bounds,
    /// Of each connection.
    pub http2: Http2,
    /// How long Checks and connections may take to end once the listeners are closed.
    pub drain: Duration,
}

/// The Check service, not yet serving. It holds readiness back until there are policies to decide by.
pub struct Server {
    authorizer: Arc<Authorizer>,
    limits: Limits,
    readiness: Readiness,
    no_policies: Latch,
}

/// What every listener works with.
#[derive(Clone)]
struct House {
    shared: Arc<Shared>,
    http2: Http2,
    room: Arc<Semaphore>,
    connections: TaskTracker,
    draining: watch::Receiver<bool>,
}

impl Server {
    /// A service that decides with this authorizer.
    pub fn new(authorizer: Arc<Authorizer>, limits: Limits, readiness: Readiness) -> Self {
        let no_policies = readiness.latch(health::POLICIES);
        Self {
            authorizer,
            limits,
            readiness,
            no_policies,
        }
    }

    /// Serves on these doors until `stop` is cancelled, then drains: health off, doors closed, connections told to
    /// leave, Checks under way answered, the rest cut off after `limits.drain`.
    pub async fn run(self, doors: Vec<Door>, stop: CancellationToken) {
        let (drain, draining) = watch::channel(false);
        let (routes, health) = health::routes();
        let shared = Shared {
            authorizer: Arc::clone(&self.authorizer),
            routes,
            bounds: self.limits.bounds,
        };
        let house = House {
            shared: Arc::new(shared),
            http2: self.limits.http2,
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            connections: TaskTracker::new(),
            draining,
        };
        let listeners = TaskTracker::new();
        for door in doors {
            listeners.spawn(listener::run(door, house.clone(), stop.clone()));
        }
        listeners.close();
        let health = health::Health {
            reporter: health,
            readiness: self.readiness,
            authorizer: self.authorizer,
        };
        let following = tokio::spawn(health.follow(self.no_policies, stop.clone()));

        stop.cancelled().await;
        listeners.wait().await;
        drain.send_replace(true);
        let connections = house.connections.clone();
        drop(house);
        connections.close();
        if tokio::time::timeout(self.limits.drain, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = connections.len(),
                "connections were cut off at the drain deadline"
            );
        }
        if following.await.is_err() {
            tracing::error!("the health task had panicked");
        }
    }
}
