//! What is counted, with closed labels only.
//!
//! **Owns** the series of the Check service. **Refuses** a label with a path, an identity or a policy in it: series must
//! not grow with traffic. **Invariant**: counting is a handful of atomic additions; no lock is taken on the check path.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use spike_policy::request::Refusal;
use spike_policy::{DenyReason, Grounds, PolicySet};
use spike_runtime::metrics::{Counter, Durations, Family, Gauge, Labels, Registry};
use spike_runtime::names;

use crate::decision::Outcome;
use crate::reason::{Fault, Reason};
use crate::snapshot::Lookups;

/// The series of the Check service.
#[derive(Debug)]
pub struct Metrics {
    all: Family<Labels<2>, Counter>,
    allowed_by_policy: Counter,
    allowed_by_role: Counter,
    denied: HashMap<Reason, Counter>,
    duration: Durations,
    /// Checks between their headers and their answer.
    pub in_flight: Gauge,
    /// Open connections, by `listener`.
    pub connections: Family<Labels<1>, Gauge>,
    /// Connections closed before any request, by `listener` and `cause`.
    pub refused: Family<Labels<2>, Counter>,
    /// How often a kept view was asked for, by `outcome`: `hit` or `miss`.
    pub view_lookups: Lookups,
    policies: Gauge,
    generation: Gauge,
}

/// The series of a remote policy feed. Clones share their counts.
#[derive(Clone, Debug)]
pub struct FeedMetrics {
    /// Checks answered from policies older than `feed.max_age`, because `feed.on_stale` says so.
    pub served_stale: Counter,
    /// Events by `event`: `snapshot`, `delta`, `heartbeat`, `gap` or `disconnect`.
    pub events: Family<Labels<1>, Counter>,
    /// Policies on the feed that cannot be used and therefore allow nothing.
    pub damaged: Gauge,
}

impl FeedMetrics {
    /// Registers the series.
    pub fn register(registry: &Registry) -> Self {
        let damaged = "Policies that cannot be used and allow nothing";
        Self {
            served_stale: registry.counter(names::CHECKS_SERVED_STALE, "Checks answered from stale policies"),
            events: registry.counters(names::FEED_EVENTS, "Events of the policy feed"),
            damaged: registry.gauge(names::POLICIES_DAMAGED, damaged),
        }
    }
}

fn reasons() -> impl Iterator<Item = Reason> {
    let policy = DenyReason::ALL.into_iter().map(Reason::Policy);
    let request = Refusal::all().map(Reason::Request);
    policy.chain(request).chain(Fault::ALL.into_iter().map(Reason::Service))
}

fn labels(verdict: &'static str, reason: &'static str) -> Labels<2> {
    [("verdict", verdict), ("reason", reason)]
}

impl Metrics {
    /// Registers every series; each closed label exists from the start.
    pub fn register(registry: &Registry) -> Arc<Self> {
        let all = registry.counters(names::CHECKS, "Checks by verdict and reason");
        let series = |verdict, reason| Counter::clone(&all.get_or_create(&labels(verdict, reason)));
        let lookups = registry.counters(names::VIEW_LOOKUPS, "Lookups of kept views of identities");
        let looked = |outcome| Counter::clone(&lookups.get_or_create(&[("outcome", outcome)]));
        let took = "From a request's headers to its encoded answer";
        let refused = "Connections closed before any request";
        Arc::new(Self {
            allowed_by_policy: series("allow", "policy"),
            allowed_by_role: series("allow", "role"),
            denied: reasons()
                .map(|reason| (reason, series("deny", reason.as_str())))
                .collect(),
            duration: registry.register(names::CHECK_SECONDS, took, Durations::new(names::MICRO_SECONDS)),
            in_flight: registry.gauge(names::CHECKS_ACTIVE, "Checks under way"),
            connections: registry.gauges(names::CHECK_CONNECTIONS, "Open connections"),
            refused: registry.counters(names::CHECK_CONNECTIONS_REFUSED, refused),
            view_lookups: Lookups {
                hits: looked("hit"),
                misses: looked("miss"),
            },
            policies: registry.gauge(names::POLICIES, "Policies in force"),
            generation: registry.gauge(names::POLICY_GENERATION, "The policy generation in force"),
            all,
        })
    }

    /// Counts one decision.
    pub fn checked(&self, outcome: &Outcome, took: Duration) {
        self.duration.observe(took);
        match outcome {
            Outcome::Allowed(permit) => match permit.grounds() {
                Grounds::Policy(_) => self.allowed_by_policy.inc(),
                Grounds::Role(_) => self.allowed_by_role.inc(),
            },
            Outcome::Denied(refused) => match self.denied.get(&refused.reason) {
                Some(counter) => counter.inc(),
                None => self.all.get_or_create(&labels("deny", refused.reason.as_str())).inc(),
            },
        };
    }

    /// Shows which policies are in force.
    pub fn holds(&self, policies: &PolicySet) {
        self.policies.set(i64::try_from(policies.len()).unwrap_or(i64::MAX));
        self.generation
            .set(i64::try_from(policies.generation().0).unwrap_or(i64::MAX));
    }

    /// How often this was the answer.
    pub fn count(&self, verdict: &'static str, reason: &'static str) -> u64 {
        self.all.get_or_create(&labels(verdict, reason)).get()
    }
}
