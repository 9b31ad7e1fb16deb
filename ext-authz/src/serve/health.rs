//! `grpc.health.v1`, for Envoy's `grpc_health_check`.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use spike_runtime::{CancellationToken, Latch, Readiness};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::grpc::AUTHORIZATION;
use crate::check::Authorizer;

/// How often the source is asked whether it has policies: staleness comes with time, not with an event.
const INTERVAL: Duration = Duration::from_millis(100);

/// The router for everything that is no Check, and the hand on its switch. Not serving until told so.
pub(super) fn routes() -> (Routes, HealthReporter) {
    let (reporter, service) = tonic_health::server::health_reporter();
    (Routes::new(service), reporter)
}

async fn set(reporter: &HealthReporter, serving: bool) {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in ["", AUTHORIZATION] {
        reporter.set_service_status(service, status).await;
    }
}

/// What readiness waits for while there are no policies to decide by.
pub(super) const POLICIES: &str = "policies";

/// What health is made of.
pub(super) struct Health {
    pub(super) reporter: HealthReporter,
    pub(super) readiness: Readiness,
    pub(super) authorizer: Arc<Authorizer>,
}

impl Health {
    /// Keeps health true to the facts until `stop`: ready, and policies that may be decided by.
    pub(super) async fn follow(self, no_policies: Latch, stop: CancellationToken) {
        let mut latch = Some(no_policies);
        let mut changes = self.readiness.changes();
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut serving = false;
        set(&self.reporter, serving).await;
        while !stop.is_cancelled() {
            let has_policies = self.has_policies();
            match (has_policies, &latch) {
                (true, Some(_)) => latch = None,
                (false, None) => latch = Some(self.readiness.latch(POLICIES)),
                (true, None) | (false, Some(_)) => {}
            }
            let now = has_policies && self.readiness.is_ready();
            if now != serving {
                serving = now;
                set(&self.reporter, serving).await;
            }
            tokio::select! {
                _ = ticks.tick() => {}
                more = changes.changed() => if more.is_err() { stop.cancelled().await },
                () = stop.cancelled() => {}
            }
        }
        set(&self.reporter, false).await;
    }

    /// A source that panics has none; the next look may find it mended.
    fn has_policies(&self) -> bool {
        match catch_unwind(AssertUnwindSafe(|| self.authorizer.source.look())) {
            Ok(Ok(policies)) => {
                self.authorizer.metrics.holds(&policies);
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
