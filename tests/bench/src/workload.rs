//! Policies of a realistic mesh and requests whose verdicts follow from how they were made.
//!
//! Of the policies 70 % name one identity, 20 % an identity prefix, 8 % a class of identities, 2 % are unanchored. The
//! verdict of a request is known by construction: it is made for a policy and allowed, or its path carries a word that
//! stands in no policy and is denied.
use std::collections::HashMap;

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::ext_authz::v3::pb::CheckRequest;
use envoy_types::pb::envoy::config::core::v3::address::Address as Kind;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use prost::Message;
use spike_policy::{Access, Permission, PolicyDocument};

/// One gRPC message, ready to send, and the verdict it must get.
#[derive(Clone, Debug)]
pub struct Question {
    /// The length-prefixed message.
    pub frame: Bytes,
    /// Whether it must be allowed.
    pub allowed: bool,
}

impl Question {
    /// The message without its length prefix.
    pub fn message(&self) -> &[u8] {
        self.frame.get(5..).unwrap_or_default()
    }
}

/// Which policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// As in the module's text.
    Mesh,
    /// The first so many share one class of identities and differ by path; the rest are as in the mesh.
    SharedClass(usize),
    /// Every policy has an identity pattern of its own, and no text tells one from another: only lengths do.
    Rows,
    /// The same, and each has to be searched for.
    Searches,
}

impl Mix {
    fn shares(self, at: usize) -> bool {
        match self {
            Self::Mesh | Self::Rows | Self::Searches => false,
            Self::SharedClass(count) => at < count,
        }
    }
}

/// The `at`-th policy of a mesh.
pub fn policy(at: usize) -> PolicyDocument {
    policy_of(at, Mix::Mesh)
}

/// The `at`-th policy.
pub fn policy_of(at: usize, mix: Mix) -> PolicyDocument {
    let (some, more) = lengths(at);
    let spiffeid_pattern = match at % 50 {
        _ if mix == Mix::Rows => format!(r"^spiffe://example\.org/ns/[a-z]{{{some}}}/sa/[a-z]{{{more}}}$"),
        _ if mix == Mix::Searches => format!(r"^spiffe://example\.org/.*/[a-z]{{{some}}}/sa/[a-z]{{{more}}}$"),
        _ if mix.shares(at) => r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/gateway$".to_owned(),
        0..35 => format!(r"^spiffe://example\.org/ns/n{at}/sa/app$"),
        35..45 => format!(r"^spiffe://example\.org/ns/n{at}/"),
        45..49 => format!(r"^spiffe://example\.org/ns/n{at}[a-z0-9-]*/sa/[a-z]+$"),
        _ => format!(r"spiffe://example\.org/ns/n{at}/sa/app"),
    };
    PolicyDocument {
        name: format!("policy-{at}"),
        spiffeid_pattern,
        path_pattern: format!(r"^services/s{at}/[a-z]+/[0-9]+$"),
        permissions: vec!["read".to_owned()],
    }
}

/// A question made for one policy, and whether it must be allowed: every other one is.
///
/// # Errors
/// When it is not well formed.
pub fn access(policy: usize, mix: Mix, at: usize) -> Result<(Access, bool)> {
    let allowed = at.is_multiple_of(2);
    let (some, more) = lengths(policy);
    let who = match mix {
        Mix::Rows | Mix::Searches => format!("{}/sa/{}", "n".repeat(some), "a".repeat(more)),
        Mix::SharedClass(_) if mix.shares(policy) => format!("n{policy}/sa/gateway"),
        Mix::Mesh | Mix::SharedClass(_) => format!("n{policy}/sa/app"),
    };
    let access = Access {
        who: format!("spiffe://example.org/ns/{who}").parse()?,
        permission: Permission::Read,
        path: format!("services/s{policy}/{}/{at}", word(allowed)).parse()?,
    };
    Ok((access, allowed))
}

/// Two lengths that together no other policy of 10,000 has.
fn lengths(policy: usize) -> (usize, usize) {
    (1 + policy % 100, 1 + policy / 100 % 100)
}

/// A segment that every policy names, or none.
fn word(allowed: bool) -> &'static str {
    if allowed { "orders" } else { "refused-0" }
}

/// `count` questions spread over `policies` policies, every other one allowed.
pub fn questions(policies: usize, count: usize) -> Vec<Question> {
    (0..count)
        .map(|at| {
            let policy = at.wrapping_mul(7_919) % policies;
            let allowed = at.is_multiple_of(2);
            Question {
                frame: frame(&request(
                    format!("spiffe://example.org/ns/n{policy}/sa/app"),
                    &format!("/services/s{policy}/{}/{at}?page=2", word(allowed)),
                )),
                allowed,
            }
        })
        .collect()
}

/// The `at`-th question about an identity and a path that no other one is about: allowed where a policy names a prefix or
/// a class that the identity is in.
pub fn stranger(policies: usize, at: u64) -> Question {
    let spread = usize::try_from(at).unwrap_or(usize::MAX);
    let policy = spread.wrapping_mul(7_919) % policies;
    let (who, allowed) = match policy % 50 {
        35..45 => (format!("n{policy}/sa/w{at}"), true),
        45..49 => (format!("n{policy}-{at}/sa/app"), true),
        _ => (format!("r{at}/sa/app"), false),
    };
    Question {
        frame: frame(&request(
            format!("spiffe://example.org/ns/{who}"),
            &format!("/services/s{policy}/orders/{at}"),
        )),
        allowed,
    }
}

/// What Envoy sends for one request with its default headers.
fn request(principal: String, path: &str) -> CheckRequest {
    let headers: HashMap<String, String> = [
        (":authority", "orders.shop.svc:8443"),
        (":method", "GET"),
        (":path", path),
        (":scheme", "https"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("user-agent", "shop-web/2.14 (linux; x86_64)"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0b3b6f0a-7d0e-4a1c-9c55-2f3a7f1e9b11"),
        (
            "x-forwarded-client-cert",
            "By=spiffe://example.org/ns/shop/sa/orders;Hash=2f1b",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let http = HttpRequest {
        id: "9042384729384".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        host: "orders.shop.svc:8443".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        headers,
        ..HttpRequest::default()
    };
    let source = Peer {
        address: Some(address("10.1.2.3", 51_234)),
        principal,
        ..Peer::default()
    };
    let destination = Peer {
        address: Some(address("10.1.9.9", 8_443)),
        principal: "spiffe://example.org/ns/shop/sa/orders".to_owned(),
        ..Peer::default()
    };
    let request = Request {
        http: Some(http),
        ..Request::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(source),
            destination: Some(destination),
            request: Some(request),
            ..AttributeContext::default()
        }),
    }
}

fn address(host: &str, port: u32) -> Address {
    let socket = SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Address {
        address: Some(Kind::SocketAddress(socket)),
    }
}

/// gRPC's framing: no compression, the length, the message.
fn frame(message: &CheckRequest) -> Bytes {
    let body = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(body.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    frame.put_slice(&body);
    frame.freeze()
}
