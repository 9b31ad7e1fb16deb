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

#[path = "api_suite/audited.rs"]
mod audited;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};
use spike_audit::WhenFull;
use spike_identity::authority::TestAuthority;
use spike_nexus::config::Backend;
use spike_nexus::vault::RootKeySource;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{filter::LevelFilter, fmt};

use audited::{Audited, events};
use harness::{Answer, Connection, POLICY, SECRETS, World, policy};

const GET: &str = "/v1/store/secrets?action=get";

/// Collects every line of the program's log.
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

/// Everything that this process logs, at every level.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let layer = fmt::layer().json().flatten_event(true).with_writer(log.clone());
        let subscriber = tracing_subscriber::registry().with(layer).with(LevelFilter::TRACE);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

#[tokio::test]
async fn each_call_leaves_one_line_that_says_who_what_and_why_but_no_value() {
    let log = log();
    let audited = Audited::new(|_| {});
    let world = audited.world(|_| {});
    let canary = "canary-6f1d0c";
    world.grant("web", "/acme/web", "^acme/", "read").await;
    let put = format!(r#"{{"path":"acme/a","values":{{"k":"{canary}"}}}}"#);
    assert_eq!(world.post("pilot", SECRETS, &put).await.status, 200);
    let read = world.post("/acme/web", GET, r#"{"path":"acme/a"}"#).await;
    assert!(read.text().contains(canary));
    world.post("/acme/eve", GET, r#"{"path":"acme/a\n\u001b[2Jx"}"#).await;
    world.post("/acme/web", GET, r#"{"path":"acme/none"}"#).await;
    world
        .post("pilot", POLICY, &policy("web", "spiffe://x/*", "/y", "read"))
        .await;
    world.post("pilot", SECRETS, &put.replace("acme/a", "a b")).await;
    world.post("pilot", SECRETS, &put[..put.len() - 1]).await;
    world.send("pilot", "GET /nowhere?token=t0ken", b"").await;
    let question = r#"{"spiffeid":"spiffe://example.org/acme/web","path":"acme/a","action":"write"}"#;
    world.post("pilot", "/v1/acl/policy?action=check", question).await;
    world
        .post(
            "/acme/eve",
            "/v1/acl/policy?action=check",
            &question.replace("acme/a", "a\\nb"),
        )
        .await;

    let (text, lines) = audited.finish();
    let calls = events(&lines, "call");
    let brief = |event: &&Value| {
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
    let found: Vec<Value> = calls.iter().map(brief).collect();
    let pilot = "/spike/pilot/role/superuser";
    let role = "role superuser";
    let hostile = "acme/a\n\u{1b}[2Jx";
    let expected = [
        json!([pilot, "policy.put", null, "web", 200, "ok", role]),
        json!([pilot, "secret.put", "acme/a", null, 200, "ok", role]),
        json!(["/acme/web", "secret.get", "acme/a", null, 200, "ok", "policy web"]),
        json!(["/acme/eve", "secret.get", hostile, null, 401, "denied", null]),
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
    assert_eq!(calls[2]["request_id"].as_str(), read.header("x-spike-request-id"));
    assert_eq!(calls[2]["grounds_id"].as_str().map(str::len), Some(36));
    assert_eq!(calls[3]["reason"], "identity_unmatched");
    assert_eq!(
        json!([calls[8]["method"], calls[8]["path"]]),
        json!(["GET", "/nowhere"])
    );
    assert!(calls[8]["remote"].as_str().unwrap().starts_with("127.0.0.1:"));
    let asked = |event: &Value| json!([event["question"], event["verdict"]]);
    let question = "write on acme/a for spiffe://example.org/acme/web";
    assert_eq!(asked(calls[9]), json!([question, "permission_missing"]));
    let question = "write on a\nb for spiffe://example.org/acme/web";
    assert_eq!(asked(calls[10]), json!([question, null]));
    assert!(calls[0]["micros"].is_u64());
    assert!(calls.iter().all(|call| call["target"] == "audit"));
    assert_eq!(events(&lines, "lifecycle")[0]["what"], "open");
    for text in [text, String::from_utf8(log.0.lock().unwrap().clone()).unwrap()] {
        assert!(!text.contains(canary), "a secret value is in the log");
        assert!(!text.contains("t0ken"), "a query is in the log");
    }
}

/// The forms in which bytes could leak.
fn forms(bytes: &[u8]) -> Vec<String> {
    use base64::Engine as _;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    vec![
        String::from_utf8_lossy(bytes).into_owned(),
        hex.to_uppercase(),
        hex,
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes),
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes),
        list.join(","),
        list.join(", "),
    ]
}

/// Every path and action that there is, and some that there are not.
fn targets() -> Vec<String> {
    use spike_wire::routes as r;
    let paths = [
        r::SECRETS,
        r::SECRETS_METADATA,
        r::POLICY,
        r::CIPHER_ENCRYPT,
        r::CIPHER_DECRYPT,
        r::BOOTSTRAP_VERIFY,
        r::OPERATOR_RECOVER,
        r::OPERATOR_RESTORE,
        r::OPERATOR_BACKUP,
        r::OPERATOR_STATUS,
        r::OPERATOR_ROTATE,
        r::OPERATOR_REKEY,
        "/v1/nowhere",
    ];
    let actions = r::Action::ALL.map(r::Action::as_str);
    let all = paths
        .iter()
        .flat_map(|path| actions.iter().map(move |action| format!("{path}?action={action}")));
    // These two answer for as long as somebody listens.
    all.filter(|target| !target.ends_with("policy?action=watch") && !target.starts_with(r::OPERATOR_BACKUP))
        .collect()
}

#[tokio::test]
async fn no_value_key_shard_plaintext_or_ciphertext_is_ever_in_the_audit_or_the_log() {
    use base64::Engine as _;
    let log = log();
    let audited = Audited::new(|_| {});
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("root.key");
    let root = *b"root-key-canary-8d1c0f5a77e2b946";
    for (path, mode) in [(directory.path(), 0o700), (key.as_path(), 0o600)] {
        if path == key {
            std::fs::write(&key, root).unwrap();
        }
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let backend = Backend::Redb {
        database: directory.path().join("nexus.redb"),
        root_key: RootKeySource::KeyFile(key.clone()),
    };
    let world = audited.world(|config| config.backend = backend);
    let canary = "value-canary-52cb3f9e7d6a10b8c4e1";
    let coded = base64::engine::general_purpose::STANDARD.encode(canary);
    let list = format!("{:?}", &canary.as_bytes()[..32]);
    let bodies = [
        format!(r#"{{"path":"a/b","values":{{"k":"{canary}"}}}}"#),
        format!(r#"{{"path":"a/b","values":"{canary}"}}"#),
        format!(r#"{{"path":"a b","values":{{"k":"{canary}"}}}}"#),
        format!(r#"{{"path":"a/b","values":{{"k":"{canary}"}}"#),
        format!(r#"{{"path":"a/b","values":{{"k":["{canary}"]}},"versions":"{canary}"}}"#),
        format!(r#"{{"plaintext":"{coded}"}}"#),
        format!(r#"{{"plaintext":"{canary}","nonce":"{coded}","ciphertext":"{coded}","version":1}}"#),
        format!(r#"{{"id":1,"shard":{list}}}"#),
        format!(r#"{{"id":["{canary}"],"shard":"{coded}"}}"#),
        format!(r#"{{"mode":"{canary}","path":"a/c","versions":[{{"version":1,"values":{{"k":"{canary}"}}}}]}}"#),
        canary.to_owned(),
        format!("\"{canary}\""),
        format!("[\"{canary}\"]"),
        String::new(),
        "{}".to_owned(),
    ];
    let mut secrets: Vec<Vec<u8>> = vec![canary.into(), root.to_vec()];
    let mut tried = 0;
    let mut connections = BTreeMap::new();
    for target in targets() {
        for who in [
            "pilot",
            "recover",
            "/spike/pilot/role/restore",
            "/spike/bootstrap",
            "/acme/eve",
        ] {
            for body in &bodies {
                let answer = talk(&world, &mut connections, who, (&target, body)).await;
                tried += 1;
                secrets.extend(given_away(&answer));
            }
        }
    }
    assert!(tried > 8_000, "{tried}");
    assert!(
        secrets.len() > 10,
        "shards and ciphertexts were given: {}",
        secrets.len()
    );
    drop(world);
    let (text, lines) = audited.finish();
    assert_eq!(events(&lines, "call").len(), tried);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in &secrets {
        for form in forms(secret) {
            for (what, text) in [("audit", &text), ("log", &log)] {
                let leak = text.lines().find(|line| line.contains(&form));
                assert_eq!(leak, None, "in the {what}: {form}");
            }
        }
    }
}

/// One request on the connection that this identity has.
async fn talk<'a>(
    world: &World,
    connections: &mut BTreeMap<&'a str, Connection>,
    who: &'a str,
    (target, body): (&str, &str),
) -> Answer {
    loop {
        if !connections.contains_key(who) {
            connections.insert(who, world.connect(who).await);
        }
        let connection = connections.get_mut(who).unwrap();
        connection
            .write(&format!("POST {target} HTTP/1.1"), "", body.as_bytes())
            .await;
        match connection.answer().await {
            Some(answer) => return answer,
            None => drop(connections.remove(who)),
        }
    }
}

/// Shards, nonces and ciphertexts of an answer.
fn given_away(answer: &Answer) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else {
        return Vec::new();
    };
    let coded = |name: &str| {
        let text = json[name].as_str().filter(|text| text.len() > 8)?;
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    };
    let bytes = |shard: &Value| -> Vec<u8> {
        let numbers = shard.as_array().unwrap().iter();
        numbers
            .map(|number| u8::try_from(number.as_u64().unwrap()).unwrap())
            .collect()
    };
    let shards = json["shards"]
        .as_object()
        .into_iter()
        .flat_map(|shards| shards.values().map(bytes));
    ["ciphertext", "nonce", "plaintext"]
        .into_iter()
        .filter_map(coded)
        .chain(shards)
        .collect()
}

#[tokio::test]
async fn hostile_texts_stay_in_their_member_and_are_cut() {
    let audited = Audited::new(|_| {});
    let world = audited.world(|_| {});
    let hostile = [
        "\n{\"event\":\"call\",\"forged\":true}".to_owned(),
        "\",\"hash\":\"".to_owned() + &"0".repeat(64) + "\"}\n",
        "\u{1b}]0;x\u{7}\u{202e}\r\n\0\u{7f}\u{85}".to_owned(),
        "é\u{1f600}\\\\\"".repeat(200),
        "x".repeat(250 << 10),
        "x".repeat(1 << 20),
    ];
    let mut sent = 0;
    for text in &hostile {
        let path = Value::from(text.as_str()).to_string();
        for target in [
            GET,
            SECRETS,
            POLICY,
            "/v1/acl/policy?action=get",
            "/v1/acl/policy?action=check",
        ] {
            let body = format!(r#"{{"path":{path},"name":{path},"spiffeid":{path},"id":{path},"values":{{"k":"v"}}}}"#);
            world
                .post("/acme/eve", target, &body[..body.len().min((1 << 20) + 100)])
                .await;
            sent += 1;
        }
    }
    let escaped = format!("GET /v1/secrets/{}", "%0a%22%7d%1b".repeat(500));
    world.send("/acme/eve", &escaped, b"").await;
    world.send("/acme/eve", &format!("{} /x", "M".repeat(100)), b"").await;
    let (text, lines) = audited.finish();
    assert_eq!(events(&lines, "call").len(), sent + 2);
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    assert!(lines.iter().all(|line| line.get("forged").is_none()));
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest < 40_000, "{longest}");
    let cut = |line: &&&Value| {
        line["secret"]
            .as_str()
            .is_some_and(|text| text.ends_with("x…") && text.len() < 2_100)
    };
    assert!(events(&lines, "call").iter().any(|line| cut(&line)));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_and_has_no_effect() {
    for when_full in [WhenFull::Deny, WhenFull::Block] {
        let audited = Audited::new(|settings| {
            settings.when_full = when_full;
            settings.queue = 64;
        });
        let world = audited.world(|_| {});
        let put = |value: &str| format!(r#"{{"path":"acme/a","values":{{"k":"{value}"}}}}"#);
        assert_eq!(world.post("pilot", SECRETS, &put("one")).await.status, 200);
        // The disk is full, and the writer finds out with the next line.
        audited.memory.set_room(0);
        audited.journal.lifecycle("probe", "test");
        while !audited.journal.refuses() {
            tokio::task::yield_now().await;
        }
        for (target, body) in [(SECRETS, put("two")), (GET, r#"{"path":"acme/a"}"#.to_owned())] {
            let answer = world.post("pilot", target, &body).await;
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (503, r#"{"err":"state_not_ready"}"#),
                "{target}"
            );
        }
        audited.memory.set_room(usize::MAX);
        while audited.journal.refuses() {
            tokio::task::yield_now().await;
        }
        let read = world.post("pilot", GET, r#"{"path":"acme/a"}"#).await;
        assert_eq!(
            read.json()["data"]["k"],
            "one",
            "the write that was refused did not happen"
        );
        let journal = audited.journal.clone();
        let (_, lines) = audited.finish();
        assert_eq!(journal.dropped(), 0);
        let statuses: Vec<&Value> = events(&lines, "call").iter().map(|line| &line["status"]).collect();
        assert_eq!(json!(statuses), json!([200, 503, 503, 200]));
        assert_eq!(
            events(&lines, "call")[1]["reason"],
            "not ready: the audit log cannot be written"
        );
    }
}

#[tokio::test]
async fn with_drop_calls_go_on_and_the_log_tells_how_many_lines_are_missing() {
    let audited = Audited::new(|_| {});
    let world = audited.world(|_| {});
    audited.memory.set_room(0);
    for _ in 0..3 {
        assert_eq!(
            world.post("pilot", "/v1/store/secrets?action=list", "{}").await.status,
            200
        );
    }
    while audited.journal.dropped() < 3 {
        tokio::task::yield_now().await;
    }
    audited.memory.set_room(usize::MAX);
    assert_eq!(
        world.post("pilot", "/v1/store/secrets?action=list", "{}").await.status,
        200
    );
    let journal = audited.journal.clone();
    let (_, lines) = audited.finish();
    let told: u64 = events(&lines, "audit.lost")
        .iter()
        .map(|line| line["lines"].as_u64().unwrap())
        .sum();
    assert_eq!(told, journal.dropped());
    let there = (events(&lines, "call").len() + events(&lines, "lifecycle").len()) as u64;
    assert_eq!(there + told, 5, "four calls, and that the store is open");
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_and_a_refused_connection_leave_a_line() {
    let audited = Audited::new(|_| {});
    let world = audited.world(|_| {});
    let mut connection = world.connect("pilot").await;
    // Half a body: the call is under way when the client leaves.
    connection
        .write_raw(b"POST /v1/store/secrets HTTP/1.1\r\nHost: n\r\nContent-Length: 100\r\n\r\n{\"path\":")
        .await;
    drop(connection);
    let stranger = TestAuthority::new("example.org").unwrap();
    // The client may take its handshake for done before the server has looked at its certificate.
    if let Ok(mut refused) = world.connect_as(&stranger.identity("/acme/web").unwrap()).await {
        assert!(refused.is_closed().await);
    }
    let told = |event: &str| audited.memory.text().contains(&format!("\"event\":\"{event}\""));
    while !(told("call") && told("connection")) {
        tokio::task::yield_now().await;
    }
    let (_, lines) = audited.finish();
    let call = events(&lines, "call")[0];
    let words = [&call["outcome"], &call["reason"]];
    assert!(
        words.contains(&&json!("cut_off")) || words.contains(&&json!("the body broke off")),
        "{call}"
    );
    let connection = events(&lines, "connection")[0];
    assert_eq!(connection["outcome"], "refused");
    assert!(
        connection["reason"].is_string() && connection["remote"].is_string(),
        "{connection}"
    );
}
