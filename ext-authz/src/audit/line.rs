//! The shape of an audit line.
use std::time::Duration;

use crate::decision::{Decision, Outcome};
use crate::decode::Message;
use crate::json;

/// Caps in bytes: a SPIFFE ID has at most 2048, paths and the rest are cut for the log's sake.
const ID: usize = 2048;
const PATH: usize = 2048;
const METHOD: usize = 32;
const REQUEST_ID: usize = 64;

/// What a line is made of.
pub(crate) struct Line<'a> {
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

impl Line<'_> {
    /// The object's members behind `"time"`, with the closing brace and the line's end.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b",\"event\":\"check\",\"decision_id\":\"");
        out.extend_from_slice(&self.decision.id.hex());
        out.push(b'"');
        word(&mut out, "verdict", self.decision.outcome.as_str());
        word(&mut out, "reason", self.decision.outcome.why());
        self.subject(&mut out);
        self.request(&mut out);
        if let Some(policy) = self.decision.outcome.policy() {
            text(&mut out, "policy", policy.rule.name.as_str().as_bytes(), ID);
            text(&mut out, "policy_id", policy.id.to_string().as_bytes(), ID);
        }
        if let Some(generation) = self.decision.generation {
            number(&mut out, "generation", generation.0);
        }
        number(
            &mut out,
            "duration_us",
            u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
        );
        word(&mut out, "listener", self.listener);
        if let Some(caller) = self.caller {
            text(&mut out, "caller", caller.as_bytes(), ID);
        }
        out.extend_from_slice(b"}\n");
        out
    }

    /// Who asked for what, as it was judged; or only who, as it was sent, when the request could not be read.
    fn subject(&self, out: &mut Vec<u8>) {
        let access = match &self.decision.outcome {
            Outcome::Allowed(permit) => Some(permit.access()),
            Outcome::Denied(refused) => refused.access.as_ref(),
        };
        match access {
            Some(access) => {
                text(out, "spiffe_id", access.who.as_str().as_bytes(), ID);
                text(out, "resource", access.path.as_str().as_bytes(), PATH);
                word(out, "permission", access.permission.as_str());
            }
            None => text(out, "spiffe_id", self.message.principal, ID),
        }
    }

    /// The request as it was sent; its query stays out, it may hold anything.
    fn request(&self, out: &mut Vec<u8>) {
        let Some(http) = &self.message.http else { return };
        text(out, "method", http.method, METHOD);
        let path = http.raw_path.once().unwrap_or(http.path);
        text(
            out,
            "path",
            path.split(|&byte| byte == b'?').next().unwrap_or_default(),
            PATH,
        );
        if let Some(id) = http.request_id.once() {
            text(out, "request_id", id, REQUEST_ID);
        }
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A member whose value is one of our own words.
fn word(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, name: &str, value: &[u8], cap: usize) {
    key(out, name);
    json::string(out, value, cap);
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    json::number(out, value);
}
