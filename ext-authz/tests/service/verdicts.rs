//! Verdicts, and what is missing when there is none to give.
use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request, TlsSession};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use rcgen::{CertificateParams, KeyPair, SanType};

use crate::harness::{Memory, Options, Service, Verdict, ask, check, get, of, policies};

const WEB: &str = "spiffe://example.org/web";

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_the_same_over_every_plain_listener_and_each_leaves_its_line() {
    let service = Service::start(Memory::new(policies(7)));
    let table: &[(&str, &str, &str, Verdict)] = &[
        (WEB, "GET", "/orders/7", (Ok(()), "policy".into())),
        (WEB, "HEAD", "/orders/7?x=../..", (Ok(()), "policy".into())),
        (WEB, "PUT", "/orders/7", (Ok(()), "policy".into())),
        (WEB, "LIST", "/orders/7", (Err(403), "permission_missing".into())),
        (WEB, "GET", "/stock/7", (Err(403), "path_unmatched".into())),
        (WEB, "GET", "/orders/../stock", (Err(403), "path_dot_segment".into())),
        (
            "spiffe://example.org/batch",
            "GET",
            "/orders/7",
            (Err(403), "identity_unmatched".into()),
        ),
        (
            "spiffe://evil.org/web",
            "GET",
            "/orders/7",
            (Err(403), "trust_domain_not_allowed".into()),
        ),
        (
            "spiffe://example.org/spike/pilot/role/superuser",
            "GET",
            "/any",
            (Ok(()), "role".into()),
        ),
    ];
    for mut client in [service.over_uds().await, service.over_tcp().await] {
        for (who, method, path, expected) in table {
            assert_eq!(
                check(&mut client, ask(who, method, path)).await,
                *expected,
                "{who} {method} {path}"
            );
        }
    }
    assert_eq!(service.metrics.count("allow", "policy"), 6);
    assert_eq!(service.metrics.count("deny", "trust_domain_not_allowed"), 2);
    let lines = service.stop().await;
    assert_eq!(lines.len(), 2 * table.len());
    for (line, (who, method, path, (allowed, reason))) in lines.iter().zip(table.iter().chain(table)) {
        assert_eq!(line["verdict"], if allowed.is_ok() { "allow" } else { "deny" });
        assert_eq!(
            (&line["reason"], &line["spiffe_id"]),
            (&reason.as_str().into(), &(*who).into())
        );
        assert_eq!(
            (&line["method"], &line["path"]),
            (&(*method).into(), &path.split('?').next().into())
        );
        assert_eq!(line["decision_id"].as_str().unwrap().len(), 32);
    }
    assert_eq!(
        lines.iter().filter(|line| line["listener"] == "uds").count(),
        table.len()
    );
}

#[tokio::test]
async fn the_same_decision_id_stands_in_header_body_metadata_and_audit() {
    let service = Service::start(Memory::new(policies(7)));
    let response = service
        .over_uds()
        .await
        .check(get("/stock/7"))
        .await
        .unwrap()
        .into_inner();
    let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
        panic!("denied")
    };
    let header = denied.headers.iter().filter_map(|option| option.header.as_ref());
    let id = header
        .clone()
        .find(|header| header.key == "x-spike-decision-id")
        .unwrap()
        .value
        .clone();
    assert_eq!(
        denied.body,
        format!(r#"{{"err":"access_unauthorized","decision":"{id}"}}"#)
    );
    let lines = service.stop().await;
    assert_eq!(lines[0]["decision_id"], id.as_str());
    assert_eq!(
        (&lines[0]["generation"], &lines[0]["resource"]),
        (&7.into(), &"stock/7".into())
    );
}

#[tokio::test]
async fn an_allow_removes_the_clients_identity_header_or_overwrites_it() {
    let service = Service::start(Memory::new(policies(1)));
    let response = service
        .over_uds()
        .await
        .check(get("/orders/7"))
        .await
        .unwrap()
        .into_inner();
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
        panic!("allowed")
    };
    assert_eq!(ok.headers_to_remove, ["x-spike-spiffe-id"]);
    let options = Options {
        check: "  inject_identity_header: true\n  pilot: policy\n",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut client = service.over_uds().await;
    let response = client.check(get("/orders/7")).await.unwrap().into_inner();
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
        panic!("allowed")
    };
    assert_eq!(ok.headers[0].header.as_ref().unwrap().value, WEB);
    let pilot = ask("spiffe://example.org/spike/pilot/role/superuser", "GET", "/any");
    assert_eq!(check(&mut client, pilot).await, (Err(403), "identity_unmatched".into()));
}

fn http(method: &str, path: &str) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        ..HttpRequest::default()
    }
}

fn raw(lines: &[(&str, &[u8])], cooked: &str) -> CheckRequest {
    let line = |(key, raw): &(&str, &[u8])| HeaderValue {
        key: (*key).to_owned(),
        value: String::new(),
        raw_value: raw.to_vec(),
    };
    let header_map = Some(HeaderMap {
        headers: lines.iter().map(line).collect(),
    });
    of(
        WEB,
        Some(HttpRequest {
            header_map,
            ..http("GET", cooked)
        }),
    )
}

fn with(edit: impl FnOnce(&mut AttributeContext)) -> CheckRequest {
    let mut request = get("/orders/7");
    edit(request.attributes.as_mut().unwrap());
    request
}

fn hint(key: &str, value: &str) -> CheckRequest {
    with(|attributes| attributes.context_extensions = HashMap::from([(key.to_owned(), value.to_owned())]))
}

fn connection(sni: &str, service: &str) -> CheckRequest {
    let mut request = of(WEB, None);
    let attributes = request.attributes.as_mut().unwrap();
    attributes.tls_session = (!sni.is_empty()).then(|| TlsSession { sni: sni.to_owned() });
    attributes.destination = Some(Peer {
        service: service.to_owned(),
        ..Peer::default()
    });
    request
}

fn certificate(uris: &[&str]) -> String {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris
        .iter()
        .map(|uri| SanType::URI((*uri).try_into().unwrap()))
        .collect();
    let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    pem.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
        .replace(' ', "%20")
        .replace('\n', "%0A")
}

fn shown(certificate: &str) -> CheckRequest {
    with(|attributes| certificate.clone_into(&mut attributes.source.as_mut().unwrap().certificate))
}

fn grpc(method: &str, path: &str) -> CheckRequest {
    let headers = HashMap::from([("content-type".to_owned(), "application/grpc".to_owned())]);
    of(
        WEB,
        Some(HttpRequest {
            headers,
            ..http(method, path)
        }),
    )
}

type Row = (&'static str, CheckRequest, Result<&'static str, &'static str>);

/// Everything a message can lack or twist, and what becomes of it.
fn missing_pieces() -> Vec<Row> {
    [
        absent(),
        people(),
        paths(),
        raw_paths(),
        hints(),
        connections_and_certificates(),
    ]
    .concat()
}

/// Parts that are not there.
fn absent() -> Vec<Row> {
    let empty = CheckRequest { attributes: None };
    let nothing = CheckRequest {
        attributes: Some(AttributeContext::default()),
    };
    let no_source = with(|attributes| attributes.source = None);
    let no_request = with(|attributes| attributes.request = None);
    let no_http = with(|attributes| attributes.request = Some(Request::default()));
    let client_service = with(|attributes| {
        let source = attributes.source.as_mut().unwrap();
        source.principal = String::new();
        WEB.clone_into(&mut source.service);
    });
    vec![
        ("an empty message", empty, Err("principal_missing")),
        ("empty attributes", nothing, Err("principal_missing")),
        ("no source", no_source, Err("principal_missing")),
        (
            "a principal only in x-envoy-downstream-service-cluster",
            client_service,
            Err("principal_missing"),
        ),
        ("no request", no_request, Err("connection_unnamed")),
        ("no http", no_http, Err("connection_unnamed")),
    ]
}

/// Who asks.
fn people() -> Vec<Row> {
    vec![
        ("no principal", ask("", "GET", "/orders/7"), Err("principal_missing")),
        (
            "a DNS name",
            ask("web.example.org", "GET", "/orders/7"),
            Err("principal_invalid"),
        ),
        (
            "a subject",
            ask("O=SPIRE,C=US", "GET", "/orders/7"),
            Err("principal_invalid"),
        ),
        (
            "an upper-case scheme",
            ask("SPIFFE://example.org/web", "GET", "/orders/7"),
            Err("principal_invalid"),
        ),
        (
            "a trust domain",
            ask("spiffe://example.org", "GET", "/orders/7"),
            Err("principal_without_path"),
        ),
        (
            "a query in the id",
            ask("spiffe://example.org/web?x", "GET", "/orders/7"),
            Err("principal_invalid"),
        ),
    ]
}

/// How and for what.
fn paths() -> Vec<Row> {
    vec![
        ("no method", ask(WEB, "", "/orders/7"), Err("method_missing")),
        (
            "an unknown method",
            ask(WEB, "BREW", "/orders/7"),
            Err("method_unknown"),
        ),
        (
            "a lower-case method",
            ask(WEB, "get", "/orders/7"),
            Err("method_unknown"),
        ),
        ("CONNECT without a path", ask(WEB, "CONNECT", ""), Err("path_missing")),
        ("OPTIONS *", ask(WEB, "OPTIONS", "*"), Err("path_not_absolute")),
        ("an empty path", ask(WEB, "GET", ""), Err("path_missing")),
        ("the root", ask(WEB, "GET", "/"), Err("path_root")),
        ("only a query", ask(WEB, "GET", "/?x=orders/7"), Err("path_root")),
        (
            "absolute form",
            ask(WEB, "GET", "http://h/orders/7"),
            Err("path_not_absolute"),
        ),
    ]
}

/// Paths in two spellings.
fn raw_paths() -> Vec<Row> {
    vec![
        ("a cooked bang", ask(WEB, "GET", "/bang!"), Err("path_lossy")),
        ("a raw bang", raw(&[(":path", b"/bang!")], "/bang!"), Ok("policy")),
        ("a raw path", raw(&[(":path", b"/orders/7")], "/orders/7"), Ok("policy")),
        (
            "raw bytes behind a bang",
            raw(&[(":path", b"/bang\xe9")], "/bang!"),
            Err("path_not_ascii"),
        ),
        (
            "two readings",
            raw(&[(":path", b"/orders/7")], "/orders/8"),
            Err("path_disagrees"),
        ),
        (
            "two raw paths",
            raw(&[(":path", b"/orders/7"), (":path", b"/x")], "/orders/7"),
            Err("message_undecodable"),
        ),
        (
            "only other raw headers",
            raw(&[("x-request-id", b"1")], "/orders/7"),
            Ok("policy"),
        ),
    ]
}

/// What the operator wrote beside the route.
fn hints() -> Vec<Row> {
    vec![
        (
            "a permission of the route",
            hint("spike.permission", "execute"),
            Err("permission_missing"),
        ),
        (
            "no permission of the route",
            hint("spike.permission", "any"),
            Err("hint_permission"),
        ),
        (
            "a prefix of the route",
            hint("spike.path-prefix", "shop"),
            Err("path_unmatched"),
        ),
        (
            "a prefix with a slash",
            hint("spike.path-prefix", "/shop/"),
            Err("hint_path_prefix"),
        ),
        (
            "a misspelt hint",
            hint("spike.prefix", "shop"),
            Err("message_undecodable"),
        ),
        ("somebody else's hint", hint("service", "shop"), Ok("policy")),
    ]
}

/// Connections, certificates and gRPC.
fn connections_and_certificates() -> Vec<Row> {
    let web_and_admin = certificate(&[WEB, "spiffe://example.org/admin"]);
    vec![
        ("a connection", connection("db.internal", ""), Ok("policy")),
        (
            "a connection named by its destination",
            connection("", "db.internal"),
            Ok("policy"),
        ),
        (
            "a connection with an odd name",
            connection("db/../x", ""),
            Err("connection_name_invalid"),
        ),
        ("the peer's certificate", shown(&certificate(&[WEB])), Ok("policy")),
        (
            "a certificate with two URIs",
            shown(&web_and_admin),
            Err("peer_certificate_mismatch"),
        ),
        (
            "a certificate without URI",
            shown(&certificate(&[])),
            Err("peer_certificate_mismatch"),
        ),
        (
            "somebody's certificate",
            shown(&certificate(&["spiffe://a/b"])),
            Err("peer_certificate_mismatch"),
        ),
        (
            "no certificate in it",
            shown("-----BEGIN"),
            Err("peer_certificate_unreadable"),
        ),
        ("gRPC", grpc("POST", "/shop.Cart/Add"), Ok("policy")),
        ("gRPC by GET", grpc("GET", "/shop.Cart/Add"), Err("grpc_shape")),
        ("gRPC elsewhere", grpc("POST", "/orders/7"), Err("permission_missing")),
    ]
}

#[tokio::test]
async fn whatever_is_missing_or_twisted_is_denied_unless_a_policy_names_that_case() {
    let service = Service::start(Memory::new(policies(1)));
    let mut client = service.over_uds().await;
    let rows = missing_pieces();
    assert!(rows.len() >= 30);
    for (what, request, expected) in rows {
        let expected = match expected {
            Ok(reason) => (Ok(()), reason.to_owned()),
            Err(reason) => (Err(403), reason.to_owned()),
        };
        assert_eq!(check(&mut client, request).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_policy_that_matches_everything_still_allows_nothing_that_is_missing() {
    use spike_policy::{Generation, PolicySet};
    let everything = crate::harness::policy("everything", "^spiffe://.*$", ".*", &["super"]);
    let source = Memory::new(PolicySet::new(Generation(1), [std::sync::Arc::new(everything)]));
    let service = Service::start(source);
    let mut client = service.over_uds().await;
    let mut denied = 0;
    for (what, request, expected) in missing_pieces() {
        let (verdict, reason) = check(&mut client, request).await;
        match expected {
            Err("permission_missing" | "path_unmatched") | Ok(_) => assert_eq!(verdict, Ok(()), "{what}"),
            Err(expected) => {
                assert_eq!((verdict, reason.as_str()), (Err(403), expected), "{what}");
                denied += 1;
            }
        }
    }
    assert!(denied > 25, "{denied}");
}

fn forwarded(peer: &str, xfcc: &str) -> CheckRequest {
    let headers = HashMap::from([("x-forwarded-client-cert".to_owned(), xfcc.to_owned())]);
    of(
        peer,
        Some(HttpRequest {
            headers,
            ..http("GET", "/orders/7")
        }),
    )
}

#[tokio::test]
async fn identity_from_xfcc_counts_only_where_the_operator_said_so_and_only_in_one_reading() {
    let uri = format!("By=spiffe://example.org/gw;Hash=ab;URI={WEB}");
    let injected = format!("URI={WEB},By=a;Hash=b;URI=spiffe://example.org/admin");
    let service = Service::start(Memory::new(policies(1)));
    let mut client = service.over_uds().await;
    assert_eq!(
        check(&mut client, forwarded("", &uri)).await,
        (Err(403), "principal_missing".into())
    );

    let check_lines = "  identity: {from: xfcc, xfcc_proxies: ['spiffe://example.org/gw']}\n";
    let options = Options {
        check: check_lines,
        tcp: false,
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut client = service.over_uds().await;
    for (peer, xfcc, expected) in [
        ("", uri.as_str(), (Ok(()), "policy")),
        (WEB, &uri, (Ok(()), "policy")),
        ("spiffe://example.org/gw", &uri, (Ok(()), "policy")),
        ("spiffe://example.org/batch", &uri, (Err(403), "xfcc_disagrees")),
        ("", &injected, (Err(403), "xfcc_elements")),
        ("", "", (Err(403), "xfcc_invalid")),
        ("", &format!("{uri};URI={WEB}"), (Err(403), "xfcc_uris")),
    ] {
        let (verdict, reason) = check(&mut client, forwarded(peer, xfcc)).await;
        assert_eq!((verdict, reason.as_str()), expected, "{peer} {xfcc}");
    }
    assert_eq!(
        check(&mut client, get("/orders/7")).await,
        (Err(403), "xfcc_missing".into())
    );
}
