//! The vocabulary of metrics: one spelling each, with the unit in the name.
//!
//! **Owns** names and bucket edges. **Refuses** labels: those are closed enums of the rooms that count. **Invariant**:
//! every name starts with `spike_` and ends in `_total` (counters), in its unit, or in a noun (gauges).

/// Gauge, always 1: `program`, `version`.
pub const BUILD_INFO: &str = "spike_build_info";
/// Gauge: 1 when ready, else 0.
pub const READY: &str = "spike_ready";
/// Counter: log lines dropped because the log could not be written fast enough.
pub const LOG_LINES_DROPPED: &str = "spike_log_lines_dropped_total";

/// Counter: Checks by `verdict` and `reason`.
pub const CHECKS: &str = "spike_checks_total";
/// Histogram: seconds from a decoded Check to its answer.
pub const CHECK_SECONDS: &str = "spike_check_seconds";
/// Gauge: Checks under way.
pub const CHECKS_ACTIVE: &str = "spike_checks_active";
/// Counter: lookups of compiled identity views by `outcome` (hit, miss).
pub const VIEW_LOOKUPS: &str = "spike_view_lookups_total";
/// Gauge: the policy generation in force.
pub const POLICY_GENERATION: &str = "spike_policy_generation";
/// Gauge: seconds since the policies in force were confirmed to be the current ones.
pub const POLICY_AGE_SECONDS: &str = "spike_policy_age_seconds";
/// Gauge: policies in force.
pub const POLICIES: &str = "spike_policies";
/// Gauge: policies that are stored but cannot be used, because their record is damaged.
pub const POLICIES_DAMAGED: &str = "spike_policies_damaged";
/// Counter: audit lines that were written.
pub const AUDIT_LINES: &str = "spike_audit_lines_total";
/// Gauge: 1 while audit lines cannot be written.
pub const AUDIT_FAILING: &str = "spike_audit_failing";
/// Counter: audit lines that were not written, because the queue was full or the target failed.
pub const AUDIT_LINES_DROPPED: &str = "spike_audit_lines_dropped_total";
/// Counter: Checks answered from policies older than `feed.max_age`, because `feed.on_stale` says so.
pub const CHECKS_SERVED_STALE: &str = "spike_checks_served_stale_total";
/// Counter: events of the policy feed by `event` (snapshot, delta, heartbeat, disconnect).
pub const FEED_EVENTS: &str = "spike_feed_events_total";

/// Counter: Nexus API answers by `route` and `status`.
pub const API_REQUESTS: &str = "spike_api_requests_total";
/// Histogram: seconds from a Nexus API request's head to its answer, by `route`.
pub const API_REQUEST_SECONDS: &str = "spike_api_request_seconds";
/// Counter: TLS handshakes of the Nexus API by `outcome`.
pub const TLS_HANDSHAKES: &str = "spike_tls_handshakes_total";
/// Gauge: open connections by `listener`.
pub const CONNECTIONS: &str = "spike_connections";
/// Gauge: open connections of the Check service by `listener`.
pub const CHECK_CONNECTIONS: &str = "spike_check_connections";
/// Counter: connections to the Check service closed before any request, by `listener` and `cause`.
pub const CHECK_CONNECTIONS_REFUSED: &str = "spike_check_connections_refused_total";

/// Histogram: seconds of a store commit, fsync included.
pub const STORE_COMMIT_SECONDS: &str = "spike_store_commit_seconds";
/// Counter: writes and key changes answered by the store, by `outcome` (committed, refused, failed, unknown).
pub const STORE_JOBS: &str = "spike_store_jobs_total";
/// Gauge: bytes of the store file, or of the memory in its place.
pub const STORE_BYTES: &str = "spike_store_bytes";
/// Counter: AEAD seals of records under the current key term; begins again with each term.
pub const SEALS: &str = "spike_seals_total";
/// Counter: stored records that were found unusable when they were read, by `table`.
pub const RECORDS_REFUSED: &str = "spike_records_refused_total";

/// Gauge: seconds until our own SVID expires; negative afterwards.
pub const SVID_REMAINING_SECONDS: &str = "spike_svid_remaining_seconds";
/// Counter: calls of SPIKE Keepers by `call` and `outcome`.
pub const KEEPER_CALLS: &str = "spike_keeper_calls_total";
/// Counter: new SVIDs received after the first; an update of bundles alone is none.
pub const SVID_UPDATES: &str = "spike_svid_updates_total";

/// Bucket edges in seconds for what takes microseconds (Checks); 0.2 is as long as Envoy waits by default.
pub const MICRO_SECONDS: &[f64] = &[
    5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.2, 1.0,
];
/// Bucket edges in seconds for what takes milliseconds (requests, commits).
pub const MILLI_SECONDS: &[f64] = &[
    2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
