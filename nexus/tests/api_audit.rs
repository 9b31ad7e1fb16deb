//! What an operator can read afterwards. A program of its own: it takes the log of the whole process.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "shared with the larger suite")]
#[path = "api_suite/harness.rs"]
mod harness;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{filter::LevelFilter, fmt};

use harness::{POLICY, SECRETS, World, policy};

/// Collects every line of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn audit(&self) -> Vec<Value> {
        let lines = self.text();
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["target"] == "audit").collect()
    }
}

#[tokio::test]
async fn each_call_leaves_one_event_that_says_who_what_and_why_but_no_value() {
    let log = Log::default();
    let layer = fmt::layer().json().flatten_event(true).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(layer).with(LevelFilter::TRACE);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = World::new();
    let canary = "canary-6f1d0c";
    world.grant("web", "/acme/web", "^acme/", "read").await;
    let put = format!(r#"{{"path":"acme/a","values":{{"k":"{canary}"}}}}"#);
    assert_eq!(world.post("pilot", SECRETS, &put).await.status, 200);
    let get = "/v1/store/secrets?action=get";
    let read = world.post("/acme/web", get, r#"{"path":"acme/a"}"#).await;
    assert!(read.text().contains(canary));
    world.post("/acme/eve", get, r#"{"path":"acme/a\n\u001b[2Jx"}"#).await;
    world.post("/acme/web", get, r#"{"path":"acme/none"}"#).await;
    world
        .post("pilot", POLICY, &policy("web", "spiffe://x/*", "/y", "read"))
        .await;
    world.post("pilot", SECRETS, &put.replace("acme/a", "a b")).await;
    world.post("pilot", SECRETS, &put[..put.len() - 1]).await;
    world.send("pilot", "GET /nowhere", b"").await;
    let question = r#"{"spiffeid":"spiffe://example.org/acme/web","path":"acme/a","action":"write"}"#;
    world.post("pilot", "/v1/acl/policy?action=check", question).await;
    world
        .post(
            "/acme/eve",
            "/v1/acl/policy?action=check",
            &question.replace("acme/a", "a\\nb"),
        )
        .await;

    let events = log.audit();
    let brief = |event: &Value| {
        json!([
            event["peer"]
                .as_str()
                .unwrap()
                .trim_start_matches("spiffe://example.org"),
            event["action"],
            event["secret"],
            event["policy"],
            event["status"],
            event["outcome"],
            event["grounds"]
        ])
    };
    let found: Vec<Value> = events.iter().map(brief).collect();
    let pilot = "/spike/pilot/role/superuser";
    let role = "role superuser";
    let expected = [
        json!([pilot, "policy.put", null, "web", 200, "ok", role]),
        json!([pilot, "secret.put", "acme/a", null, 200, "ok", role]),
        json!(["/acme/web", "secret.get", "acme/a", null, 200, "ok", "policy web"]),
        json!([
            "/acme/eve",
            "secret.get",
            "acme/a\\n\\u{1b}[2Jx",
            null,
            401,
            "denied",
            null
        ]),
        json!([
            "/acme/web",
            "secret.get",
            "acme/none",
            null,
            404,
            "not_found",
            "policy web"
        ]),
        json!([pilot, "policy.put", null, "web", 400, "invalid", role]),
        json!([pilot, "secret.put", "a b", null, 400, "invalid", null]),
        json!([pilot, "secret.put", null, null, 400, "unreadable", null]),
        json!([pilot, "none", null, null, 400, "no_route", null]),
        json!([pilot, "policy.check", null, null, 200, "ok", role]),
        json!(["/acme/eve", "policy.check", null, null, 401, "denied", null]),
    ];
    assert_eq!(found, expected);
    assert_eq!(events[2]["request_id"].as_str(), read.header("x-spike-request-id"));
    assert_eq!(events[3]["reason"], "identity_unmatched");
    let asked = |event: &Value| json!([event["question"], event["verdict"]]);
    let question = "write on acme/a for spiffe://example.org/acme/web";
    assert_eq!(asked(&events[9]), json!([question, "permission_missing"]));
    let question = "write on a\\nb for spiffe://example.org/acme/web";
    assert_eq!(asked(&events[10]), json!([question, null]));
    assert!(events[0]["micros"].is_u64());
    assert!(!log.text().contains(canary), "a secret value is in the log");
}
