//! The audit line of a decision.
//!
//! **Owns** what a line says. **Refuses** header values and bodies: no secret ever gets here, and every text is escaped
//! and capped. **Invariant**: making a line is all the audit costs a Check; sealing and writing it is the work of
//! `spike-audit`'s own thread.
use std::time::Duration;

use spike_audit::Line;

use crate::decision::{Decision, Outcome};
use crate::decode::Message;

/// Caps in bytes: a SPIFFE ID has at most 2048, paths and the rest are cut for the log's sake.
const ID: usize = 2048;
const PATH: usize = 2048;
const METHOD: usize = 32;
const REQUEST_ID: usize = 64;

/// What a line is made of.
pub(crate) struct Record<'a> {
    /// What was decided.
    pub(crate) decision: &'a Decision,
    /// What Envoy said.
    pub(crate) message: &'a Message<'a>,
    /// Which of our listeners was asked.
    pub(crate) listener: &'static str,
    /// The verified Envoy on a listener with mTLS.
    pub(crate) caller: Option<&'a str>,
    /// From the request's headers to the encoded answer.
    pub(crate) took: Duration,
}

impl Record<'_> {
    /// The line.
    pub(crate) fn line(&self) -> Line {
        let mut line = Line::new("check");
        let outcome = &self.decision.outcome;
        line.text("decision_id", &self.decision.id.hex(), ID);
        line.word("verdict", outcome.as_str());
        line.word("reason", outcome.why());
        self.subject(&mut line);
        self.request(&mut line);
        if let Some(policy) = outcome.policy() {
            line.text("policy", policy.rule.name.as_str().as_bytes(), ID);
            line.text("policy_id", &policy.id.text(), ID);
        }
        if let Some(generation) = self.decision.generation {
            line.number("generation", generation.0);
        }
        line.number("duration_us", u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX));
        line.word("listener", self.listener);
        if let Some(caller) = self.caller {
            line.text("caller", caller.as_bytes(), ID);
        }
        line
    }

    /// Who asked for what, as it was judged; or only who, as it was sent, when the request could not be read.
    fn subject(&self, line: &mut Line) {
        let access = match &self.decision.outcome {
            Outcome::Allowed(permit) => Some(permit.access()),
            Outcome::Denied(refused) => refused.access.as_ref(),
        };
        match access {
            Some(access) => {
                line.text("spiffe_id", access.who.as_str().as_bytes(), ID);
                line.text("resource", access.path.as_str().as_bytes(), PATH);
                line.word("permission", access.permission.as_str());
            }
            None => line.text("spiffe_id", self.message.principal, ID),
        }
    }

    /// The request as it was sent; its query stays out, it may hold anything.
    fn request(&self, line: &mut Line) {
        let Some(http) = &self.message.http else { return };
        line.text("method", http.method, METHOD);
        let path = http.raw_path.once().unwrap_or(http.path);
        let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
        line.text("path", path, PATH);
        if let Some(id) = http.request_id.once() {
            line.text("request_id", id, REQUEST_ID);
        }
    }
}

#[cfg(test)]
mod tests;
