//! One Check, from bytes to bytes.
//!
//! **Owns** the order of a decision: decode, load the policies once, decide, encode, record. **Refuses** to wait: there
//! is no await, lock, disk access or decryption between the first step and the last (but with `cache.ttl: 0s`, which
//! asks for them). **Invariant**: every call returns an answer that was spelled out; a panic on the way is a denial.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use spike_audit::{EventId, Journal, Lost};
use spike_policy::{Generation, PolicySet, Roles, SpiffeId, Verdict};
use spike_runtime::clock::Clock;

use crate::audit::Record;
use crate::decision::{Decision, Outcome, Refused};
use crate::decode::{self, Message, Reading};
use crate::encode::{self, CheckResponse, Disclosure};
use crate::feed::{Source, Unavailable};
use crate::metrics::Metrics;
use crate::reason::{Fault, Reason};
use crate::snapshot::Views;

/// How Checks are decided.
#[derive(Clone, Debug)]
pub struct Rulebook {
    /// How messages are read.
    pub reading: Reading,
    /// The built-in identities that count here (design D4; none with `check.pilot: policy`).
    pub roles: Roles,
    /// What is told to whom.
    pub disclosure: Disclosure,
    /// `cache.ttl: 0s`: read the policies again from their store for every Check.
    pub reload: bool,
}

/// Everything a decision needs.
pub struct Authorizer {
    /// Where policies come from.
    pub source: Arc<dyn Source>,
    /// Views of them at hand.
    pub views: Views,
    /// How Checks are decided.
    pub rulebook: Rulebook,
    /// One line per decision.
    pub audit: Journal,
    /// Counts and durations.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Who calls, where and since when.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Which of our listeners: `uds`, `tcp` or `mtls`.
    pub listener: &'static str,
    /// The verified Envoy, on a listener with mTLS.
    pub caller: Option<&'a SpiffeId>,
    /// When the request's headers had arrived.
    pub arrived: Instant,
    /// How long the caller waits from then on (`grpc-timeout`).
    pub patience: Option<Duration>,
}

/// A decision and, for the record, what it was about.
struct Judged<'m> {
    message: Message<'m>,
    decision: Decision,
}

impl Judged<'_> {
    /// Takes an allow back.
    fn refuse_unrecorded(&mut self) {
        if let Outcome::Allowed(permit) = &self.decision.outcome {
            self.decision.outcome = Outcome::Denied(Refused {
                reason: Reason::Service(Fault::AuditUnavailable),
                access: Some(permit.access().clone()),
            });
        }
    }
}

impl Authorizer {
    /// Decides one message, or denies one that could not be received.
    pub fn check(&self, call: Call<'_>, message: Result<&[u8], Fault>) -> CheckResponse {
        let whole = || {
            let judged = self.judge(call, message);
            if self.audit.is_strict() {
                return self.recorded_first(call, judged);
            }
            let response = encode::response(&judged.decision, self.rulebook.disclosure);
            let took = self.since(call);
            self.metrics.checked(&judged.decision.outcome, took);
            // What is lost is counted, and with `audit.when_full: drop` that is all there is to do.
            self.record(call, &judged, took).unwrap_or_default();
            response
        };
        catch_unwind(AssertUnwindSafe(whole)).unwrap_or_else(|_| self.panicked(call, message))
    }

    fn judge<'m>(&self, call: Call<'_>, received: Result<&'m [u8], Fault>) -> Judged<'m> {
        let id = EventId::draw();
        let (message, outcome, generation) = match received.and_then(decode::message) {
            Ok(message) => {
                let (outcome, generation) = self.outcome(call, &message);
                (message, outcome, generation)
            }
            Err(fault) => (Message::default(), denied(Reason::Service(fault)), None),
        };
        Judged {
            message,
            decision: Decision {
                id,
                outcome,
                generation,
            },
        }
    }

    fn outcome(&self, call: Call<'_>, message: &Message<'_>) -> (Outcome, Option<Generation>) {
        if call.patience.is_some_and(|patience| self.since(call) >= patience) {
            return (denied(Reason::Service(Fault::DeadlineExceeded)), None);
        }
        let access = match decode::access(&self.rulebook.reading, message) {
            Ok(access) => access,
            Err(reason) => return (denied(reason), None),
        };
        let policies = match self.policies() {
            Ok(policies) => policies,
            Err(why) => {
                let reason = Reason::Service(why.into());
                return (
                    Outcome::Denied(Refused {
                        reason,
                        access: Some(access),
                    }),
                    None,
                );
            }
        };
        let outcome = match self.views.decide(&policies, &self.rulebook.roles, access) {
            Verdict::Allow(permit) => Outcome::Allowed(permit),
            Verdict::Deny(denial) => Outcome::Denied(Refused {
                reason: Reason::Policy(denial.reason),
                access: Some(denial.access),
            }),
        };
        (outcome, Some(policies.generation()))
    }

    fn policies(&self) -> Result<Arc<PolicySet>, Unavailable> {
        if self.rulebook.reload {
            self.source.reload()
        } else {
            self.source.load()
        }
    }

    fn since(&self, call: Call<'_>) -> Duration {
        self.clock.monotonic().saturating_duration_since(call.arrived)
    }

    /// The answer where what leaves no trace must not happen: an allow that cannot be recorded is a denial.
    fn recorded_first(&self, call: Call<'_>, mut judged: Judged<'_>) -> CheckResponse {
        if self.audit.refuses() {
            judged.refuse_unrecorded();
        }
        let took = self.since(call);
        if self.record(call, &judged, took).is_err() {
            judged.refuse_unrecorded();
        }
        self.metrics.checked(&judged.decision.outcome, took);
        encode::response(&judged.decision, self.rulebook.disclosure)
    }

    fn record(&self, call: Call<'_>, judged: &Judged<'_>, took: Duration) -> Result<(), Lost> {
        if !self.audit.is_on() {
            return Ok(());
        }
        let record = Record {
            decision: &judged.decision,
            message: &judged.message,
            listener: call.listener,
            caller: call.caller.map(SpiffeId::as_str),
            took,
        };
        self.audit.record(self.clock.now(), record.line())
    }

    /// The denial after a panic: as few steps as possible, and the record only if it does not panic as well.
    fn panicked(&self, call: Call<'_>, received: Result<&[u8], Fault>) -> CheckResponse {
        let outcome = denied(Reason::Service(Fault::InternalPanic));
        let decision = Decision {
            id: EventId::draw(),
            outcome,
            generation: None,
        };
        let response = encode::response(&decision, Disclosure::default());
        let decision_id = decision.id;
        let record = || {
            let message = received.and_then(decode::message).unwrap_or_default();
            let took = self.since(call);
            self.metrics.checked(&decision.outcome, took);
            self.record(call, &Judged { message, decision }, took)
        };
        if !matches!(catch_unwind(AssertUnwindSafe(record)), Ok(Ok(()))) {
            tracing::error!(%decision_id, "a denial after a panic could not be recorded");
        }
        response
    }
}

fn denied(reason: Reason) -> Outcome {
    Outcome::Denied(Refused::from(reason))
}
