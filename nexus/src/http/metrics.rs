//! What the API counts.
use std::time::Duration;

use http::StatusCode;
use spike_runtime::metrics::{Counter, Family, Gauge, Histograms, Labels, Registry};
use spike_runtime::names;

use super::routes::Route;

/// The API's metrics. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<Labels<2>, Counter>,
    seconds: Histograms<1>,
    handshakes: Family<Labels<1>, Counter>,
    connections: Gauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> Self {
        let connections: Family<Labels<1>, Gauge> = registry.gauges(names::CONNECTIONS, "Open connections");
        Self {
            requests: registry.counters(names::API_REQUESTS, "Nexus API answers"),
            seconds: registry.histograms(
                names::API_REQUEST_SECONDS,
                "Seconds from a Nexus API request's head to its answer",
                names::MILLI_SECONDS,
            ),
            handshakes: registry.counters(names::TLS_HANDSHAKES, "TLS handshakes of the Nexus API"),
            connections: connections.get_or_create(&[("listener", "nexus")]).clone(),
        }
    }

    pub(super) fn answered(&self, route: Option<Route>, status: StatusCode, took: Duration) {
        let route = route.map_or("none", Route::as_str);
        self.requests
            .get_or_create(&[("route", route), ("status", word(status))])
            .inc();
        self.seconds
            .get_or_create(&[("route", route)])
            .observe(took.as_secs_f64());
    }

    pub(super) fn open_connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    pub(super) fn handshake(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&[("outcome", outcome)]).inc();
    }
}

/// Counts a connection for as long as it is kept.
pub(super) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Our own statuses, as a closed set of words.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        307 => "307",
        400 => "400",
        401 => "401",
        404 => "404",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}
