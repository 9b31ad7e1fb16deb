//! The denied half of an answer: `denied_response` and a status that is not OK.
use super::proto::Backward;
use super::{DECISION_HEADER, Disclosure, PERMISSION_DENIED, header};
use crate::decision::Refused;

/// Cap of each text in an explained denial.
const EXPLAINED: usize = 512;

/// Writes `denied_response` (2) and `status` (1) with code 7.
pub(super) fn write(message: &mut Backward, refused: &Refused, id: &str, disclosure: Disclosure) {
    let mark = message.len();
    message.text(3, &body(refused, id, disclosure));
    header(message, "content-type", "application/json");
    header(message, DECISION_HEADER, id);
    let status = message.len();
    message.number(1, u64::from(refused.reason.http_status()));
    message.wrap(1, status);
    message.wrap(2, mark);

    let mark = message.len();
    message.text(2, refused.reason.as_str());
    message.number(1, PERMISSION_DENIED);
    message.wrap(1, mark);
}

/// What the client reads. Without `check.explain_denials` it tells no more than that it was refused, or that asking
/// again may help.
fn body(refused: &Refused, id: &str, disclosure: Disclosure) -> String {
    let word = match refused.reason.http_status() {
        403 => "access_unauthorized",
        _ => "authorization_unavailable",
    };
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(b"{\"err\":\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\",\"decision\":\"");
    out.extend_from_slice(id.as_bytes());
    out.push(b'"');
    if disclosure.explain_denials {
        explain(&mut out, refused);
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

fn explain(out: &mut Vec<u8>, refused: &Refused) {
    out.extend_from_slice(b",\"reason\":\"");
    out.extend_from_slice(refused.reason.as_str().as_bytes());
    out.push(b'"');
    let Some(access) = &refused.access else { return };
    let asked = [
        ("spiffeId", access.who.as_str()),
        ("path", access.path.as_str()),
        ("permission", access.permission.as_str()),
    ];
    for (key, value) in asked {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        spike_audit::json::string(out, value.as_bytes(), EXPLAINED);
    }
}
