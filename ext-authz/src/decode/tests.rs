#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request, TlsSession};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use proptest::prelude::*;
use prost::Message as _;
use spike_policy::Permission;
use spike_policy::request::Refusal;

use super::message::Header;
use super::*;

fn reading() -> Reading {
    let rules = Rules {
        trust_domains: vec!["example.org".parse().unwrap()],
        ..Rules::default()
    };
    Reading { rules, listener: None }
}

fn asked(http: Option<HttpRequest>) -> CheckRequest {
    let source = Peer {
        principal: "spiffe://example.org/web".to_owned(),
        ..Peer::default()
    };
    let request = http.map(|http| Request {
        http: Some(http),
        ..Request::default()
    });
    let attributes = AttributeContext {
        source: Some(source),
        request,
        ..AttributeContext::default()
    };
    CheckRequest {
        attributes: Some(attributes),
    }
}

fn get(path: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        ..HttpRequest::default()
    }
}

fn line(key: &str, raw: &[u8]) -> HeaderValue {
    HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: raw.to_vec(),
    }
}

fn judged(request: &CheckRequest) -> Result<spike_policy::Access, Reason> {
    let bytes = request.encode_to_vec();
    message(&bytes)
        .map_err(Reason::Service)
        .and_then(|message| access(&reading(), &message))
}

#[test]
fn a_request_becomes_an_access() {
    let access = judged(&asked(Some(get("/orders/7?x=1")))).unwrap();
    assert_eq!(access.who.as_str(), "spiffe://example.org/web");
    assert_eq!(
        (access.path.as_str(), access.permission),
        ("orders/7", Permission::Read)
    );
}

#[test]
fn the_routes_hints_count_and_a_misspelt_one_is_refused() {
    let hinted = |key: &str, value: &str| {
        let mut request = asked(Some(get("/7")));
        let attributes = request.attributes.as_mut().unwrap();
        attributes.context_extensions = HashMap::from([(key.to_owned(), value.to_owned())]);
        judged(&request)
    };
    assert_eq!(
        hinted("spike.path-prefix", "services/shop").unwrap().path.as_str(),
        "services/shop/7"
    );
    assert_eq!(
        hinted("spike.permission", "write").unwrap().permission,
        Permission::Write
    );
    assert_eq!(hinted("service", "orders").unwrap().path.as_str(), "7");
    assert_eq!(
        hinted("spike.pathprefix", "x").unwrap_err(),
        Reason::Service(Fault::MessageUndecodable)
    );
}

#[test]
fn the_raw_path_of_header_map_is_the_one_that_counts() {
    let raw = |lines: Vec<HeaderValue>, cooked: &str| {
        let header_map = Some(HeaderMap { headers: lines });
        judged(&asked(Some(HttpRequest {
            header_map,
            ..get(cooked)
        })))
    };
    assert_eq!(raw(vec![line(":path", b"/a!b")], "/a!b").unwrap().path.as_str(), "a!b");
    assert_eq!(
        judged(&asked(Some(get("/a!b")))).unwrap_err(),
        Reason::Request(Refusal::PathLossy)
    );
    assert!(raw(vec![line(":path", b"/caf\xe9")], "/caf!").is_err());
    assert!(raw(vec![line(":path", b"/admin")], "/public").is_err());
    let twice = raw(vec![line(":path", b"/a"), line(":path", b"/b")], "/a");
    assert_eq!(twice.unwrap_err(), Reason::Service(Fault::MessageUndecodable));
}

#[test]
fn a_connection_is_named_by_the_operator_or_by_its_sni() {
    let mut request = asked(None);
    assert_eq!(
        judged(&request).unwrap_err(),
        Reason::Request(Refusal::ConnectionUnnamed)
    );
    request.attributes.as_mut().unwrap().tls_session = Some(TlsSession {
        sni: "db.internal".to_owned(),
    });
    let access = judged(&request).unwrap();
    assert_eq!(
        (access.path.as_str(), access.permission),
        ("tcp/db.internal", Permission::Execute)
    );
    let bytes = request.encode_to_vec();
    let named = Reading {
        listener: Some("postgres".to_owned()),
        ..reading()
    };
    assert_eq!(
        super::access(&named, &message(&bytes).unwrap()).unwrap().path.as_str(),
        "tcp/postgres"
    );
}

#[test]
fn grpc_is_told_by_its_content_type() {
    for (kind, grpc) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;x=y", true),
        ("application/grpc-web", false),
        ("application/json", false),
    ] {
        let http = Http {
            content_type: Header::Once(kind.as_bytes()),
            ..Http::default()
        };
        assert_eq!(is_grpc(&http), grpc, "{kind}");
    }
    assert!(!is_grpc(&Http {
        content_type: Header::Repeated,
        ..Http::default()
    }));
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let cases: &[(&str, &[u8])] = &[
        ("a varint that does not end", &[0x80; 11]),
        ("a field cut short", &[0x0a, 0x05, 0x00]),
        (
            "a length beyond all memory",
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("field number 0", &[0x02, 0x00]),
        ("a group", &[0x0b]),
        ("wire type 7", &[0x0f]),
        ("attributes as a number", &[0x08, 0x01]),
        ("a tag beyond 32 bits", &[0xfa, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00]),
        (
            "a principal that is not UTF-8",
            &[0x0a, 0x05, 0x0a, 0x03, 0x22, 0x01, 0xff],
        ),
        ("a principal as a number", &[0x0a, 0x04, 0x0a, 0x02, 0x20, 0x01]),
    ];
    for (what, bytes) in cases {
        assert_eq!(message(bytes).unwrap_err(), Fault::MessageUndecodable, "{what}");
    }
}

#[test]
fn what_no_verdict_needs_is_stepped_over() {
    // Fields 15 (varint), 16 (64 bits), 17 (32 bits) and 18 (bytes) of no known message.
    let unknown = [
        0x78, 0x05, 0x81, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0x8d, 0x01, 1, 2, 3, 4, 0x92, 0x01, 1, 0xff,
    ];
    let mut bytes = unknown.to_vec();
    bytes.extend(asked(Some(get("/orders/7"))).encode_to_vec());
    bytes.extend(unknown);
    assert_eq!(
        access(&reading(), &message(&bytes).unwrap()).unwrap().path.as_str(),
        "orders/7"
    );
}

fn request() -> impl Strategy<Value = CheckRequest> {
    let text = "[a-z/!?%. \u{e9}]{0,12}";
    let key = prop::sample::select(vec![
        ":path",
        "content-type",
        "x-request-id",
        "x-forwarded-client-cert",
        "cookie",
        "spike.permission",
        "spike.path-prefix",
        "service",
    ]);
    let pairs = || prop::collection::hash_map(key.clone().prop_map(str::to_owned), text, 0..4);
    let lines = prop::collection::vec((key.clone(), any::<Vec<u8>>()), 0..4);
    (
        text,
        text,
        text,
        text,
        pairs(),
        pairs(),
        lines,
        proptest::option::of(text),
    )
        .prop_map(
            |(principal, certificate, method, path, headers, context_extensions, lines, sni)| {
                let source = Peer {
                    principal,
                    certificate,
                    service: "ignored".to_owned(),
                    ..Peer::default()
                };
                let header_map = HeaderMap {
                    headers: lines.iter().map(|(key, raw)| line(key, raw)).collect(),
                };
                let http = HttpRequest {
                    method,
                    path,
                    headers,
                    header_map: Some(header_map),
                    size: -1,
                    raw_body: vec![0xff; 40],
                    ..HttpRequest::default()
                };
                let attributes = AttributeContext {
                    source: Some(source),
                    request: Some(Request {
                        http: Some(http),
                        ..Request::default()
                    }),
                    context_extensions,
                    tls_session: sni.map(|sni| TlsSession { sni }),
                    ..AttributeContext::default()
                };
                CheckRequest {
                    attributes: Some(attributes),
                }
            },
        )
}

proptest! {
    /// The reader sees what prost's generated reader sees.
    #[test]
    fn the_reader_agrees_with_the_generated_one(request in request()) {
        let bytes = request.encode_to_vec();
        let attributes = request.attributes.unwrap();
        let http = attributes.request.unwrap().http.unwrap();
        let lines = http.header_map.unwrap().headers;
        let times = |name: &str| {
            usize::from(http.headers.contains_key(name)) + lines.iter().filter(|line| line.key == name).count()
        };
        let paths = lines.iter().filter(|line| line.key == ":path").count();
        match message(&bytes) {
            Err(_) => prop_assert!(paths > 1),
            Ok(message) => {
                let source = attributes.source.unwrap();
                prop_assert_eq!(message.principal, source.principal.as_bytes());
                prop_assert_eq!(message.certificate, source.certificate.as_bytes());
                let sni = attributes.tls_session.map(|tls| tls.sni).unwrap_or_default();
                prop_assert_eq!(message.sni, sni.as_bytes());
                let extension = |key: &str| attributes.context_extensions.get(key).map(String::as_bytes);
                prop_assert_eq!(message.extensions.permission, extension("spike.permission"));
                prop_assert_eq!(message.extensions.path_prefix, extension("spike.path-prefix"));
                let seen = message.http.unwrap();
                prop_assert_eq!(seen.method, http.method.as_bytes());
                prop_assert_eq!(seen.path, http.path.as_bytes());
                let raw = lines.iter().find(|line| line.key == ":path").map(|line| line.raw_value.as_slice());
                prop_assert_eq!(seen.raw_path.once(), raw);
                for (header, name) in
                    [(seen.xfcc, "x-forwarded-client-cert"), (seen.content_type, "content-type"), (seen.request_id, "x-request-id")]
                {
                    prop_assert_eq!(times(name), match header {
                        Header::Absent => 0,
                        Header::Once(_) => 1,
                        Header::Repeated => times(name).max(2),
                    });
                }
            }
        }
    }

    /// Garbage is refused or read; it never panics and never becomes an access of its own accord.
    #[test]
    fn garbage_never_becomes_an_access(bytes: Vec<u8>) {
        if let Ok(message) = message(&bytes) {
            prop_assert!(access(&reading(), &message).is_err());
        }
    }

    /// A whole message with any one byte changed or its end cut off is read or refused, without a panic.
    #[test]
    fn damaged_messages_do_not_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = asked(Some(get("/orders/7"))).encode_to_vec();
        let at = at.index(bytes.len());
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(message) = message(&bytes) {
            drop(access(&reading(), &message));
        }
    }
}
