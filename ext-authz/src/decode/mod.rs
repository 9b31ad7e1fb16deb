//! A `CheckRequest` read into the facts of a request.
//!
//! **Owns** protobuf, the fields that count and the forwarded certificate. **Refuses** garbage with a reason, never with
//! a gRPC error: an error would be Envoy's *failure*, which `failure_mode_allow` turns into an allow.
//! **Invariant**: nothing is decoded twice and nothing is judged here; `spike_policy::request` does that.
mod certificate;
mod fields;
mod message;

use spike_policy::Access;
use spike_policy::request::{self, Connection, Facts, Hints, Rules};

use crate::reason::{Fault, Reason};
use message::Http;
pub(crate) use message::Message;

/// How messages are read into accesses.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What of a request counts, and what is refused.
    pub rules: Rules,
    /// `check.connection.listener`: what connections without HTTP are called; their SNI when empty.
    pub listener: Option<String>,
}

/// Reads the bytes of a message.
pub(crate) fn message(bytes: &[u8]) -> Result<Message<'_>, Fault> {
    Message::read(bytes).map_err(|undecodable| {
        tracing::debug!(%undecodable, "a message is denied");
        Fault::MessageUndecodable
    })
}

/// Reads a message into the access it asks for.
pub(crate) fn access(reading: &Reading, message: &Message<'_>) -> Result<Access, Reason> {
    let sans = match message.certificate {
        b"" => None,
        forwarded => Some(certificate::uris(forwarded).map_err(|_| Reason::Service(Fault::CertificateUnreadable))?),
    };
    let sans: Option<Vec<&[u8]>> = sans.as_ref().map(|uris| uris.iter().map(Vec::as_slice).collect());
    let mut facts = Facts {
        principal: message.principal,
        certificate_uris: sans.as_deref(),
        hints: Hints {
            path_prefix: message.extensions.path_prefix,
            permission: message.extensions.permission,
        },
        ..Facts::default()
    };
    let Some(http) = &message.http else {
        facts.connection = Some(connection(reading, message));
        return request::read(&reading.rules, &facts).map_err(Reason::Request);
    };
    let (values, count) = http.xfcc.all();
    facts.xfcc = values.get(..count).unwrap_or_default();
    facts.method = http.method;
    facts.path = http.path;
    facts.raw_path = http.raw_path.once();
    facts.grpc = is_grpc(http);
    request::read(&reading.rules, &facts).map_err(Reason::Request)
}

/// What a connection is called: the route's word, the operator's, or what the client asked for.
fn connection<'a>(reading: &'a Reading, message: &Message<'a>) -> Connection<'a> {
    let sni = match message.sni {
        b"" => message.destination_service,
        sni => sni,
    };
    Connection {
        listener: message
            .extensions
            .listener
            .or(reading.listener.as_ref().map(String::as_bytes)),
        sni: (!sni.is_empty()).then_some(sni),
    }
}

/// `application/grpc`, alone or with a suffix (`+proto`) or a parameter.
fn is_grpc(http: &Http<'_>) -> bool {
    let Some(kind) = http.content_type.once() else {
        return false;
    };
    match kind.strip_prefix(b"application/grpc") {
        Some([]) => true,
        Some([next, ..]) => matches!(next, b'+' | b';'),
        None => false,
    }
}

#[cfg(test)]
mod tests;
