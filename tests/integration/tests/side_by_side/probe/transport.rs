//! Paths, queries and HTTP itself.
use super::routes::{GET, LIST, SECRETS};
use crate::compare::Step;

const TARGETS: &[(&str, &str)] = &[
    ("root", "/"),
    ("version", "/v1"),
    ("store", "/v1/store"),
    ("secret", "/v1/store/secret"),
    ("metadata-list", "/v1/store/secrets/metadata?action=list"),
    ("metadata-default", "/v1/store/secrets/metadata"),
    ("keep", "/v1/store/keep"),
    ("contribute", "/v1/store/contribute"),
    ("shard", "/v1/store/shard"),
    ("initialization", "/v1/auth/initialization"),
    ("initialization-check", "/v1/auth/initialization?action=check"),
    ("health", "/health"),
    ("status", "/v1/status"),
    ("metrics", "/metrics"),
    ("by-path", "/v1/secrets/transport/a"),
    ("operator", "/v1/operator"),
    ("restore-with-action", "/v1/operator/restore?action=list"),
    ("percent-letter", "/v1/store/secret%73?action=list"),
    ("percent-slash", "/v1%2fstore/secrets?action=list"),
    ("bad-percent", "/v1/store/secrets%zz?action=list"),
    ("cut-percent", "/v1/store/secrets%?action=list"),
    ("double-slash", "//v1/store/secrets?action=list"),
    ("double-slash-inside", "/v1//store/secrets?action=list"),
    ("dot", "/v1/./store/secrets?action=list"),
    ("dots", "/v1/x/../store/secrets?action=list"),
    ("dots-at-the-end", "/v1/store/secrets/.."),
    ("dots-beyond-the-root", "/../v1/store/secrets"),
    ("percent-dots", "/v1/%2e%2e/v1/store/secrets"),
    ("only-slashes", "///"),
    ("semicolon", "/v1/store/secrets?action=list;x"),
    ("semicolon-before", "/v1/store/secrets?x;action=list"),
    ("action-twice", "/v1/store/secrets?action=list&action=get"),
    ("action-percent", "/v1/store/secrets?%61ction=l%69st"),
    ("action-bad-percent", "/v1/store/secrets?action=%zz&action=list"),
    ("action-plus", "/v1/store/secrets?action=list+"),
    ("action-empty", "/v1/store/secrets?action="),
    ("action-without-value", "/v1/store/secrets?action"),
    ("action-blank", "/v1/store/secrets?action=%20list"),
    ("question-marks", "/v1/store/secrets??action=list"),
    ("ampersands", "/v1/store/secrets?&&action=list&&"),
    ("absolute", "https://elsewhere/v1/store/secrets?action=list"),
    ("absolute-without-path", "https://elsewhere"),
    ("non-ascii", "/v1/store/secr%c3%a9ts"),
    ("encoded-nul", "/v1/store/secrets%00"),
    ("encoded-question-mark", "/v1/store/secrets%3faction=list"),
];

pub(crate) fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = TARGETS
        .iter()
        .map(|(name, target)| Step::post(format!("target.{name}"), *target, "{}"))
        .collect();
    for (name, target) in [
        ("root", "/"),
        ("unknown", "/v1/nothing"),
        ("double-slash", "//v1/store/secrets?action=list"),
        ("percent-letter", "/v1/store/secret%73?action=list"),
    ] {
        steps.push(Step::post(format!("h2.target.{name}"), target, "{}").h2());
    }
    for (name, target) in [("unknown", "/v1/nothing"), ("known", LIST), ("unclean", "//v1")] {
        for method in ["GET", "HEAD", "CONNECT", "TRACE", "OPTIONS"] {
            steps.push(Step::post(format!("target.{name}.{method}"), target, "").method(method));
        }
    }
    steps.extend(
        RAW.iter()
            .map(|(name, request)| Step::bytes(format!("http.{name}"), request)),
    );
    let list = [
        ("gzip", "content-encoding", "gzip"),
        ("wants-gzip", "accept-encoding", "gzip"),
        (
            "forged-identity",
            "x-forwarded-client-cert",
            "URI=spiffe://example.org/spike/pilot/role/superuser",
        ),
        ("authorization", "authorization", "Bearer x"),
        ("expects", "expect", "100-continue"),
        ("origin", "origin", "https://elsewhere"),
        ("method-override", "x-http-method-override", "DELETE"),
    ];
    for (name, header, value) in list {
        steps.push(Step::post(format!("header.{name}"), LIST, "{}").headers(&[(header, value)]));
    }
    let forged = [(
        "x-forwarded-client-cert",
        "URI=spiffe://example.org/spike/pilot/role/superuser",
    )];
    steps.push(
        Step::post("header.forged-by-web", LIST, "{}")
            .by("web")
            .headers(&forged),
    );
    let long = "x".repeat(8_000);
    steps.push(Step::post("header.8k", LIST, "{}").headers(&[("x-long", &long)]));
    steps.push(Step::post("query.8k", format!("{LIST}&x={long}"), "{}"));
    steps.push(Step::post("body.600k", SECRETS, put_of(600_000)));
    steps.push(Step::post("body.600k.read", GET, r#"{"path":"transport/large"}"#));
    steps
}

/// More than our server takes unless it is told to. Asked last: only one of both has the secret afterwards.
pub(crate) fn too_large() -> Vec<Step> {
    let body = put_of(1_200_000).replace("large", "larger");
    vec![
        Step::post("too-large", SECRETS, &body),
        Step::post("too-large.by-web", SECRETS, &body).by("web"),
        Step::post("too-large.h2", SECRETS, &body).h2(),
    ]
}

fn put_of(size: usize) -> String {
    format!(
        r#"{{"path":"transport/large","values":{{"k":"{}"}}}}"#,
        "x".repeat(size)
    )
}

/// Whole requests.
const RAW: &[(&str, &str)] = &[
    (
        "no-host",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ),
    (
        "two-hosts",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ),
    (
        "http-1.0",
        "POST /v1/store/secrets?action=list HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}",
    ),
    (
        "no-length",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ),
    (
        "two-lengths",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    ),
    (
        "bad-length",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: x\r\n\r\n{}",
    ),
    (
        "length-and-chunks",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "unknown-coding",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: gzip\r\n\r\n",
    ),
    (
        "bad-chunk",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "blank-in-name",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nx y: z\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ),
    ("bad-request-line", "POST\r\n\r\n"),
    ("bad-version", "POST / HTTP/9.9\r\nhost: a\r\n\r\n"),
    (
        "blank-in-target",
        "POST /v1/store secrets HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ),
    ("garbage", "hello\r\n\r\n"),
    (
        "options-star",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ),
    ("post-star", "POST * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
    (
        "expect-continue-unknown",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nexpect: something\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ),
    (
        "two-content-types",
        "POST /v1/cipher/encrypt HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    ),
    (
        "upgrade",
        "POST /v1/store/secrets?action=list HTTP/1.1\r\nhost: a\r\nconnection: close, upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\n{}",
    ),
];
