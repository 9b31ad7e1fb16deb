//! A decision as Envoy reads it: the only place that makes a `CheckResponse`.
//!
//! **Owns** the fields of the answer, allow and deny. **Refuses** a default: an empty `CheckResponse` means *allow* to
//! Envoy, so there is no such value here. Every answer is spelled out, an allow needs the [`Permit`] in hand.
//! **Invariant**: a denial carries status code 7 (`PERMISSION_DENIED`) and a `denied_response`, an allow carries code 0
//! and an `ok_response`; nothing else is ever written. `append` is never set, so a header of ours replaces what the
//! client sent.
//!
//! Source: envoy `api/envoy/service/auth/v3/external_auth.proto`, `google/rpc/status.proto`; which mutations Envoy
//! really honours was measured on 1.40.
mod denial;
mod metadata;
mod proto;

use bytes::Bytes;
use spike_policy::Permit;

use crate::decision::{Decision, Outcome};
use proto::Backward;

/// `grpc-status` words are not ours to invent: `google.rpc.Code`.
const PERMISSION_DENIED: u64 = 7;

/// The header that names the verified caller to the upstream.
pub const IDENTITY_HEADER: &str = "x-spike-spiffe-id";

/// The header that names the decision to the client of a denied request.
pub const DECISION_HEADER: &str = "x-spike-decision-id";

/// A finished answer: one length-prefixed gRPC message.
#[derive(Clone, Debug)]
pub struct CheckResponse(Bytes);

impl CheckResponse {
    /// The message behind its five bytes of gRPC prefix.
    pub fn into_frame(self) -> Bytes {
        self.0
    }
}

/// What of a decision is told to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// `check.inject_identity_header`: the upstream gets [`IDENTITY_HEADER`]. When off, a client's own is removed.
    pub inject_identity: bool,
    /// `check.explain_denials`: a denied client is told the reason and what was asked.
    pub explain_denials: bool,
}

/// Spells a decision out.
pub fn response(decision: &Decision, disclosure: Disclosure) -> CheckResponse {
    let mut message = Backward::with_room(768);
    let id = decision.id.hex();
    let id = std::str::from_utf8(&id).unwrap_or_default();
    metadata::write(&mut message, decision, id);
    match &decision.outcome {
        Outcome::Allowed(permit) => allowed(&mut message, permit, disclosure),
        Outcome::Denied(refused) => denial::write(&mut message, refused, id, disclosure),
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message.raw(&length.to_be_bytes());
    message.raw(&[0]);
    CheckResponse(message.finish())
}

/// `ok_response` (3) and `status` (1) with code 0.
fn allowed(message: &mut Backward, permit: &Permit, disclosure: Disclosure) {
    let mark = message.len();
    if disclosure.inject_identity {
        header(message, IDENTITY_HEADER, permit.access().who.as_str());
    } else {
        message.text(5, IDENTITY_HEADER);
    }
    message.wrap(3, mark);
    let mark = message.len();
    message.wrap(1, mark);
}

/// A `HeaderValueOption` (2) with `append` unset: it replaces.
fn header(message: &mut Backward, key: &str, value: &str) {
    let option = message.len();
    let pair = message.len();
    message.text(2, value);
    message.text(1, key);
    message.wrap(1, pair);
    message.wrap(2, option);
}

#[cfg(test)]
mod tests;
