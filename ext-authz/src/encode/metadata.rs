//! `dynamic_metadata`: what Envoy's access log and later filters learn about a decision, allow and deny alike.
use super::proto::Backward;
use crate::decision::Decision;

/// Writes `dynamic_metadata` (4), a `google.protobuf.Struct`.
pub(super) fn write(message: &mut Backward, decision: &Decision, id: &str) {
    let mark = message.len();
    if let Some(generation) = decision.generation {
        entry(message, "generation", |value| value.double(2, precise(generation.0)));
    }
    if let Some(policy) = decision.outcome.policy() {
        let id = policy.id.text();
        text(message, "policy_id", std::str::from_utf8(&id).unwrap_or_default());
        text(message, "policy", policy.rule.name.as_str());
    }
    text(message, "reason", decision.outcome.why());
    text(message, "verdict", decision.outcome.as_str());
    text(message, "decision_id", id);
    message.wrap(4, mark);
}

/// One entry of the map `fields` (1): key (1), `Value` (2) with `string_value` (3).
fn text(message: &mut Backward, key: &str, value: &str) {
    entry(message, key, |message| message.text(3, value));
}

fn entry(message: &mut Backward, key: &str, value: impl FnOnce(&mut Backward)) {
    let pair = message.len();
    value(message);
    message.wrap(2, pair);
    message.text(1, key);
    message.wrap(1, pair);
}

/// Protobuf's JSON numbers are doubles: exact up to 2^53 policy changes.
#[expect(
    clippy::cast_precision_loss,
    reason = "a generation rises by one per change and never comes near 2^53"
)]
fn precise(generation: u64) -> f64 {
    generation as f64
}
