//! The root key: Bootstrap's proof, the shares for operators, and the way back after they are all that is left.
use serde_json::{Value, json};

use super::routes::{ENCRYPT, GET, POLICY_LIST, RECOVER, RESTORE, ROUTES, SECRETS, VERIFY};
use crate::compare::{Past, Step};

pub(crate) fn steps() -> Vec<Step> {
    let proof = |name: &str, field: &'static str, value: Value| {
        Step::post(format!("verify.{name}"), VERIFY, "")
            .by("bootstrap")
            .with(move |past| {
                // SPIKE's messages are sealed under the root key itself: with one root key the official server's is a
                // proof for both.
                let mut sealed = past.official("encrypt.json-1000");
                sealed[field] = value.clone();
                sealed.to_string().into_bytes()
            })
    };
    vec![
        proof("proof", "algorithm", json!("")),
        proof("nonce-11", "nonce", json!("AAAAAAAAAAAAAAA=")),
        proof("nonce-none", "nonce", json!("")),
        proof("ciphertext-none", "ciphertext", json!("")),
        proof("ciphertext-array", "ciphertext", json!(vec![7; 40])),
        proof("proof-by-web", "algorithm", json!("")).by("web"),
        Step::post("recover.for-recover", RECOVER, "{}").by("recover"),
        Step::post("recover.again", RECOVER, "null").by("recover"),
        Step::post("recover.for-recover-h2", RECOVER, "{}").by("recover").h2(),
        Step::post("recover.malformed-by-recover", RECOVER, "{").by("recover"),
        Step::post("restore.nothing", RESTORE, "{}").by("restore"),
        Step::post("restore.id-0", RESTORE, share(0, &[5; 32])).by("restore"),
        Step::post("restore.id-negative", RESTORE, share(-1, &[5; 32])).by("restore"),
        Step::post("restore.id-1001", RESTORE, share(1001, &[5; 32])).by("restore"),
        Step::post("restore.zero", RESTORE, share(1, &[0; 32])).by("restore"),
        Step::post("restore.null-shard", RESTORE, r#"{"id":1,"shard":null}"#).by("restore"),
        Step::post("restore.share-by-recover", RESTORE, share(1, &[5; 32])).by("recover"),
        Step::post("restore.share-by-web", RESTORE, share(1, &[5; 32])).by("web"),
    ]
}

fn share(id: i64, value: &[u8]) -> String {
    json!({"id": id, "shard": value}).to_string()
}

/// The share that this server gave when it was open.
fn given(id: &'static str) -> impl Fn(Past<'_>) -> Vec<u8> {
    move |past| {
        let shard = past.json("recover.for-recover")["shards"][id].clone();
        let number: i64 = id.parse().unwrap_or_default();
        json!({"id": number, "shard": shard}).to_string().into_bytes()
    }
}

pub(crate) fn sealed_steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for route in ROUTES {
        let named = |class: &str| format!("sealed.{}.{class}", route.name);
        steps.push(Step::post(named("good"), route.target, route.body));
        steps.push(Step::post(named("malformed"), route.target, "{"));
        steps.push(Step::post(named("by-web"), route.target, route.body).by("web"));
        steps.push(Step::post(named("h2"), route.target, route.body).h2());
        steps.push(Step::post(named("method-GET"), route.target, route.body).method("GET"));
    }
    steps.push(Step::post("sealed.unknown-route", "/v1/nothing", "{}"));
    steps.push(Step::post("sealed.unclean", "//v1", "{}"));
    steps.push(Step::post("sealed.by-path", "/v1/secrets/a", "").method("GET"));
    steps.push(Step::post("sealed.recover", RECOVER, "{}").by("recover"));
    let restore = |name: &str| Step::post(format!("sealed.restore.{name}"), RESTORE, "").by("restore");
    for (class, body) in [
        ("nothing", "{}".to_owned()),
        ("malformed-by-restore", "{".to_owned()),
        ("id-0", share(0, &[5; 32])),
        ("id-1001", share(1001, &[5; 32])),
        ("zero", share(1, &[0; 32])),
    ] {
        steps.push(restore(class).with(move |_| body.clone().into_bytes()));
    }
    steps.push(restore("by-pilot").with(given("1")).by("pilot"));
    steps.push(restore("by-recover").with(given("1")).by("recover"));
    steps.push(restore("first").with(given("1")));
    steps.push(restore("first-again").with(given("1")));
    steps.push(Step::post("sealed.still", GET, r#"{"path":"secrets/many"}"#));
    steps.push(restore("second").with(given("3")));
    steps.push(restore("one-more").with(given("2")));
    steps.push(Step::post("restored.read", GET, r#"{"path":"secrets/many"}"#));
    steps.push(Step::post(
        "restored.write",
        SECRETS,
        r#"{"path":"restored","values":{"k":"v"}}"#,
    ));
    steps.push(Step::post("restored.read-back", GET, r#"{"path":"restored"}"#));
    steps.push(Step::post(
        "restored.policies",
        POLICY_LIST,
        r#"{"pathPattern":"^filters/a$"}"#,
    ));
    steps.push(Step::post("restored.by-policy", GET, r#"{"path":"tenants/read"}"#).by("web"));
    steps.push(Step::post("restored.encrypt", ENCRYPT, r#"{"plaintext":"aGk="}"#));
    steps.push(Step::post("restored.recover", RECOVER, "{}").by("recover"));
    steps
}

pub(crate) fn deceived_steps() -> Vec<Step> {
    let restore = |name: &str| Step::post(format!("deceived.{name}"), RESTORE, "").by("restore");
    vec![
        restore("first").with(given("1")),
        restore("made-up").with(|_| share(2, &[5; 32]).into_bytes()),
        Step::post("deceived.read", GET, r#"{"path":"secrets/many"}"#),
        Step::post("deceived.write", SECRETS, r#"{"path":"deceived","values":{"k":"v"}}"#),
    ]
}
