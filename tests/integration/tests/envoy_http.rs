//! Through the real Envoy with SVIDs: what the decision log says is what the upstream got.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, SystemTime};

use spike_identity::authority::TestAuthority;
use spike_integration::{Caller, Mesh, MeshOptions};
use spike_policy::PolicyDocument;

/// Identity, method, target, whether it must reach the upstream.
const REQUESTS: &[(&str, &str, &str, bool)] = &[
    ("web", "GET", "/public/1", true),
    ("web", "HEAD", "/public/1", true),
    ("web", "OPTIONS", "/public/1", true),
    ("web", "GET", "/public/1?page=2", true),
    ("web", "GET", "/public/1?next=/admin/../x%2f", true),
    ("web", "GET", "/public/", true),
    ("web", "GET", "/public/a/b/c/d", true),
    ("web", "GET", "/public/caf%C3%A9", true),
    ("web", "POST", "/public/1", false),
    ("web", "PUT", "/public/1", false),
    ("web", "PATCH", "/public/1", false),
    ("web", "DELETE", "/public/1", false),
    ("web", "GET", "/public", false),
    ("web", "GET", "/Public/1", false),
    ("web", "GET", "/admin", false),
    ("web", "GET", "/admin/1", false),
    ("web", "GET", "/", false),
    ("web", "GET", "/?path=/public/1", false),
    ("web", "GET", "/x/public/1", false),
    ("web", "GET", "/public;x=1/1", false),
    ("batch", "GET", "/public/1", false),
    ("batch", "POST", "/public/1", false),
    ("batch", "POST", "/jobs/7", true),
    ("batch", "PUT", "/jobs/7", true),
    ("batch", "PATCH", "/jobs/7", true),
    ("batch", "DELETE", "/jobs/7", true),
    ("batch", "GET", "/jobs/7", true),
    ("batch", "HEAD", "/jobs/7", true),
    ("batch", "GET", "/jobs/77", false),
    ("batch", "GET", "/jobs/x", false),
    ("batch", "GET", "/jobs/7/", false),
    ("batch", "GET", "/jobs/7?x=77", true),
    ("batch", "OPTIONS", "/jobs/7", true),
    ("batch", "GET", "/services/orders/jobs/7", false),
    ("db", "GET", "/public/1", false),
    ("db", "GET", "/jobs/7", false),
    ("db", "GET", "/anything", false),
    ("db", "DELETE", "/", false),
    ("pilot", "GET", "/public/1", true),
    ("pilot", "DELETE", "/anything/at/all", true),
    ("pilot", "POST", "/admin", true),
    ("nexus", "GET", "/public/1", false),
    ("envoy", "GET", "/public/1", false),
    ("ext-authz", "GET", "/admin", false),
    ("web", "GET", "/healthz", true),
    ("db", "GET", "/healthz", true),
];
/// Requests to `/healthz`: the route takes no decision.
const UNASKED: usize = 2;

fn policy(name: &str, identity: &str, path: &str, permissions: &[&str]) -> PolicyDocument {
    PolicyDocument {
        name: name.to_owned(),
        spiffeid_pattern: format!(r"^spiffe://example\.org/workload/{identity}$"),
        path_pattern: path.to_owned(),
        permissions: permissions.iter().map(|word| (*word).to_owned()).collect(),
    }
}

async fn mesh() -> Mesh {
    let mesh = Mesh::start(MeshOptions::default()).await.expect("a mesh");
    let policies = [
        policy("web-reads", "web", "^services/orders/public/.*$", &["read"]),
        policy(
            "batch-works",
            "batch",
            "^services/orders/jobs/[0-9]$",
            &["read", "write"],
        ),
    ];
    mesh.client("pilot")
        .await
        .expect("an operator")
        .policies()
        .apply(&policies)
        .await
        .expect("policies");
    mesh
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_decision_log_allows_is_what_the_upstream_gets() {
    let mesh = mesh().await;
    let to = mesh.envoy_address().unwrap();
    let mut expected = Vec::new();
    for (identity, method, target, allowed) in REQUESTS {
        let answer = mesh
            .caller(identity)
            .await
            .unwrap()
            .request(to, method, target)
            .await
            .unwrap();
        assert_eq!(
            answer.status,
            if *allowed { 200 } else { 403 },
            "{identity} {method} {target}: {}",
            answer.text()
        );
        if *allowed {
            expected.push(target.as_bytes().to_vec());
        }
    }
    assert_eq!(
        mesh.upstream().targets(),
        expected,
        "the upstream got exactly what was allowed, in order"
    );
    let asked = REQUESTS.len() - UNASKED;
    mesh.decision(asked - 1).unwrap();
    let decisions = mesh.decisions().unwrap();
    assert_eq!(decisions.len(), asked, "one line for each decision");
    let verdicts: Vec<bool> = decisions.iter().map(|line| line["verdict"] == "allow").collect();
    let wanted: Vec<bool> = REQUESTS
        .iter()
        .filter(|request| request.2 != "/healthz")
        .map(|request| request.3)
        .collect();
    assert_eq!(verdicts, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_client_learns_the_decision_and_nothing_else() {
    let mesh = mesh().await;
    let answer = mesh
        .caller("db")
        .await
        .unwrap()
        .get(mesh.envoy_address().unwrap(), "/public/1")
        .await
        .unwrap();
    let line = mesh.decision(0).unwrap();
    let id = answer.header("x-spike-decision-id").expect("a decision id").to_owned();
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.text(),
        format!(r#"{{"err":"access_unauthorized","decision":"{id}"}}"#)
    );
    assert_eq!(line["decision_id"], id.as_str(), "{line}");
    assert_eq!(line["reason"], "identity_unmatched", "{line}");
    for word in ["web", "batch", "services/orders", "unmatched", "policy"] {
        assert!(
            !answer.text().contains(word),
            "the answer says `{word}`: {}",
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoys_access_log_joins_the_decision() {
    let mut mesh = mesh().await;
    let to = mesh.envoy_address().unwrap();
    mesh.caller("web").await.unwrap().get(to, "/public/1").await.unwrap();
    mesh.caller("db").await.unwrap().get(to, "/public/1").await.unwrap();
    let lines = [mesh.decision(0).unwrap(), mesh.decision(1).unwrap()];
    let envoy = mesh.envoy().unwrap().program();
    for line in &lines {
        let logged = envoy.wait_for_line(line["decision_id"].as_str().unwrap()).unwrap();
        let logged: serde_json::Value = serde_json::from_str(&logged).unwrap();
        assert_eq!(logged["authz"]["verdict"], line["verdict"]);
        assert_eq!(logged["authz"]["reason"], line["reason"]);
        assert_eq!(logged["peer"], line["spiffe_id"]);
    }
    assert_eq!(lines[0]["policy"], "web-reads");
}

/// Spellings of paths (envoy-proxy's normalisation table and known bypasses), each sent as raw bytes.
const SPELLINGS: &[&[u8]] = &[
    b"/admin",
    b"/admin/",
    b"//admin",
    b"/./admin",
    b"/a/../admin",
    b"/public/../admin",
    b"/public/..%2fadmin",
    b"/public/%2e%2e/admin",
    b"/public/%2E%2E/admin",
    b"/public/.%2e/admin",
    b"/public/%2e./admin",
    b"/public//../admin",
    b"/public/..;/admin",
    b"/public/..;x=1/admin",
    b"/public;/../admin",
    b"/public\\..\\admin",
    b"/public/\\../admin",
    b"/public/..\\admin",
    b"/%61dmin",
    b"/%61%64%6d%69%6e",
    b"/public/%2e%2e%2fadmin",
    b"/public%2f..%2fadmin",
    b"/public/..%5cadmin",
    b"/public/%252e%252e/admin",
    b"/public/%252e%252e%252fadmin",
    b"/public/..%252fadmin",
    b"/public/%c0%ae%c0%ae/admin",
    b"/public/%e0%80%ae%e0%80%ae/admin",
    b"/public/..%00/admin",
    b"/public/%00/../admin",
    b"/public/..%0d%0a/admin",
    b"/public/..%09/admin",
    b"/public/.../admin",
    b"/public/....//admin",
    b"/public/a%2f..%2f..%2fadmin",
    b"/public/x/../../admin",
    b"/public/x/%2e%2e/%2e%2e/admin",
    b"/public/..%u002fadmin",
    b"/public/%zz/../admin",
    b"/public/%",
    b"/public/%4",
    b"/public/%2",
    b"/public/a%00b",
    b"/public/a%0d%0ab",
    b"/public/a%7f",
    b"/public/a;x=1/b",
    b"/public/;/b",
    b"/public/a//b",
    b"/public///b",
    b"/public/./b",
    b"/public/b/.",
    b"/public/b/..",
    b"/public/b/../..",
    b"/public/.",
    b"/public/..",
    b"/public/%2e",
    b"/public/a\\b",
    b"/public/a%5cb",
    b"/public/a%2fb",
    b"/public/a%2Fb",
    b"/public/a%25b",
    b"/public/a%3bb",
    b"/public/a%23b",
    b"/public/a%3fb",
    b"/public/%41",
    b"/public/%7e",
    b"/public/a|b",
    b"/public/a^b",
    b"/public/a`b",
    b"/public/a\"b",
    b"/public/a<b",
    b"/public/{b}",
    b"/public/a\x01b",
    b"/public/a\x7fb",
    b"/public/a\x80b",
    b"/public/a\xffb",
    b"/public/caf\xc3\xa9",
    b"/public/caf\xe9",
    b"/public/\xc0\xae\xc0\xae/admin",
    b"/PUBLIC/1",
    b"/public/1#x",
    b"/public/1#/../../admin",
    b"/public/1?/../../admin",
    b"/public/1?x=%2e%2e",
    b"public/1",
    b"*",
    b"http://orders/admin",
    b"http://orders/public/1",
    b"https://orders//admin",
    b"http://evil/public/../admin",
    b"?x=/public/1",
    b"/public/ /admin",
    b"/public/\t/admin",
    b"/%2fadmin",
    b"/%2e/admin",
    b"/admin%20",
    b"/admin%00",
    b"/admin?/public/",
    b"/admin;/public/",
    b"/admin#/public/",
    b"/public/1%",
    b"/public/..",
    b"/public/..?x",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_carries_a_request_past_its_policy() {
    let mesh = mesh().await;
    let to = mesh.envoy_address().unwrap();
    let web = mesh.caller("web").await.unwrap();
    // All at once: Envoy holds a refused connection open for a second before it closes it.
    let requests = SPELLINGS.iter().map(|spelling| {
        let request = [
            b"GET ",
            *spelling,
            b" HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n",
        ]
        .concat();
        let web = web.clone();
        tokio::spawn(async move { web.raw(to, &request).await })
    });
    let mut answered = 0;
    for request in requests.collect::<Vec<_>>() {
        // Envoy may refuse by answering or by closing; either way nothing was forwarded.
        if let Ok(answer) = request.await.unwrap() {
            answered += 1;
            assert!([200, 307, 400, 403, 404].contains(&answer.status), "{answer:?}");
        }
    }
    assert!(
        answered > SPELLINGS.len() / 2,
        "only {answered} of {} spellings were answered",
        SPELLINGS.len()
    );
    let reached = mesh.upstream().targets();
    assert!(!reached.is_empty(), "some spellings are harmless and must arrive");
    for target in &reached {
        let text = String::from_utf8_lossy(target);
        let path = text.split('?').next().unwrap();
        let harmless = path.starts_with("/public/")
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\\;\"<>^`{|}#".contains(&byte))
            && path
                .split('/')
                .skip(1)
                .all(|segment| !segment.is_empty() || path.ends_with('/'))
            && !path
                .split('/')
                .any(|segment| segment.chars().all(|c| c == '.') && !segment.is_empty())
            && !["%2e", "%2f", "%5c", "%25", "%00", "%3b", "%41", "%7e"]
                .iter()
                .any(|bad| path.to_lowercase().contains(bad));
        assert!(harmless, "the upstream got {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_svid_no_request_is_handled() {
    let mesh = mesh().await;
    let to = mesh.envoy_address().unwrap();
    let foreign = TestAuthority::new("elsewhere.example").unwrap();
    let impostor = TestAuthority::new("example.org").unwrap();
    let ours = mesh.caller("web").await.unwrap();
    let refused = [
        (
            "an SVID of a foreign trust domain",
            Caller::with(foreign.identity("/workload/web").unwrap()),
        ),
        (
            "an SVID of our trust domain's name by another authority",
            Caller::with(impostor.identity("/workload/web").unwrap()),
        ),
    ];
    for (what, caller) in &refused {
        assert!(caller.get(to, "/public/1").await.is_err(), "{what} was answered");
    }
    // curl without a certificate: the handshake ends in an alert, there is no HTTP status at all.
    let url = format!("https://{to}/public/1");
    let curl = std::process::Command::new("curl")
        .args(["-sk", "-w", "%{http_code}", &url])
        .output()
        .unwrap();
    assert!(!curl.status.success(), "a caller without a certificate was answered");
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "000", "{curl:?}");
    assert!(mesh.upstream().targets().is_empty());
    assert_eq!(mesh.decisions().unwrap().len(), 0, "nothing was even asked");
    assert_eq!(
        ours.get(to, "/public/1").await.unwrap().status,
        200,
        "the listener is alive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_grpc_are_decided_alike() {
    let mesh = mesh().await;
    let to = mesh.envoy_address().unwrap();
    let client = mesh.client("pilot").await.unwrap();
    let grpc = policy(
        "web-calls",
        "web",
        r"^services/orders/shop\.Orders/Place$",
        &["execute"],
    );
    client.policies().put(&grpc).await.unwrap();
    let web = mesh.caller("web").await.unwrap();
    assert_eq!(web.h2(to, "GET", "/public/1", &[]).await.unwrap().status, 200);
    assert_eq!(web.h2(to, "GET", "/admin", &[]).await.unwrap().status, 403);
    assert_eq!(
        web.h2(to, "LIST", "/public/1", &[]).await.unwrap().status,
        403,
        "LIST asks for `list`"
    );
    assert_eq!(
        web.h2(to, "BREW", "/public/1", &[]).await.unwrap().status,
        403,
        "an unknown method"
    );
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let placed = web.h2(to, "POST", "/shop.Orders/Place", &headers).await.unwrap();
    assert_eq!(
        (placed.status, placed.header("grpc-status")),
        (200, None),
        "reached the upstream"
    );
    let refused = web.h2(to, "POST", "/shop.Orders/Cancel", &headers).await.unwrap();
    assert_eq!(
        (refused.status, refused.header("grpc-status")),
        (200, Some("7")),
        "Envoy's form of a denied gRPC call"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_svid_is_refused_when_it_has_expired() {
    let mesh = Mesh::start(MeshOptions::default().with_svid_ttl("4s")).await.unwrap();
    let reads = policy("web-reads", "web", "^services/orders/public/.*$", &["read"]);
    mesh.client("pilot")
        .await
        .unwrap()
        .policies()
        .put(&reads)
        .await
        .unwrap();
    let to = mesh.envoy_address().unwrap();
    let kept = Caller::from_files(&mesh.write_svid("web").unwrap()).unwrap();
    assert_eq!(
        kept.get(to, "/public/1").await.unwrap().status,
        200,
        "while it is valid"
    );
    let remaining = kept.identity().not_after().duration_since(SystemTime::now()).unwrap();
    tokio::time::sleep(remaining + Duration::from_secs(1)).await;
    assert!(kept.get(to, "/public/1").await.is_err(), "an expired SVID was answered");
    let renewed = mesh.caller("web").await.unwrap();
    assert_eq!(
        renewed.get(to, "/public/1").await.unwrap().status,
        200,
        "the renewed one is taken"
    );
    assert_eq!(mesh.upstream().targets().len(), 2);
}
