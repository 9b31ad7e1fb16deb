//! The root key over the API: Bootstrap's proof, and the shares for operators.
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spike_nexus::config::Backend;
use spike_nexus::vault::RootKeySource;
use spike_runtime::clock::FakeClock;

use crate::harness::{Row, START, World};

const VERIFY: &str = "/v1/bootstrap/verify";
const RECOVER: &str = "/v1/operator/recover";
const RESTORE: &str = "/v1/operator/restore";
const OPERATOR: &str = "/spike/pilot/role/restore";
const ROOT: [u8; 32] = [7; 32];

/// A Nexus on disk under a known root key.
fn on_disk(directory: &tempfile::TempDir, root: &[u8; 32]) -> World {
    let key = directory.path().join("root.key");
    std::fs::write(&key, root).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    with_source(directory, RootKeySource::KeyFile(key))
}

fn with_source(directory: &tempfile::TempDir, root_key: RootKeySource) -> World {
    let database = directory.path().join("nexus.redb");
    let backend = Backend::Redb { database, root_key };
    World::with(|config| config.backend = backend, &FakeClock::at_unix(START))
}

fn private() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    directory
}

/// What SPIKE Bootstrap sends.
fn proof(root: [u8; 32], text: &[u8]) -> String {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(root));
    let sealed = cipher.encrypt(&Nonce::from([3; 12]), text).unwrap();
    let (nonce, sealed) = (STANDARD.encode([3; 12]), STANDARD.encode(sealed));
    format!(r#"{{"nonce":"{nonce}","ciphertext":"{sealed}"}}"#)
}

#[tokio::test]
async fn bootstrap_and_nobody_else_gets_the_hash_of_what_the_root_key_sealed() {
    let directory = private();
    let world = on_disk(&directory, &ROOT);
    let (ours, other) = (proof(ROOT, b"abc"), proof([8; 32], b"abc"));
    let (short, large) = (ours.replace("AwMDAwMDAwMDAwMD", "AwMD"), proof(ROOT, &vec![0; 65_521]));
    let hash = r#"{"hash":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#;
    let denied = r#"{"hash":"","err":"access_unauthorized"}"#;
    let bad = r#"{"hash":"","err":"api_bad_request"}"#;
    let internal = r#"{"hash":"","err":"api_internal_error"}"#;
    world.grant("all", "/app", "^spike/system/cipher/exec$", "super").await;
    let tried = world
        .check(&[
            Row("/spike/bootstrap", VERIFY, &ours, 200, hash),
            Row("/spike/bootstrap/1", VERIFY, &ours, 200, hash),
            Row("/spike/bootstrapx", VERIFY, &ours, 401, denied),
            Row("pilot", VERIFY, &ours, 401, denied),
            Row("lite", VERIFY, &ours, 401, denied),
            Row("/app", VERIFY, &ours, 401, denied),
            Row("/app", VERIFY, "{", 400, bad),
            Row("/app", VERIFY, "{}", 401, denied),
            Row("/spike/bootstrap", VERIFY, "{}", 400, bad),
            Row("/spike/bootstrap", VERIFY, &short, 400, bad),
            Row("/spike/bootstrap", VERIFY, &large, 400, bad),
            Row("/spike/bootstrap", VERIFY, &other, 500, internal),
        ])
        .await;
    assert_eq!(tried, 12);
}

#[tokio::test]
async fn the_recovery_role_gets_all_shares_and_they_are_spikes() {
    let directory = private();
    let world = on_disk(&directory, &ROOT);
    // From `tests/interop/govectors-shamir`: what official SPIKE makes of this key.
    let known = include_str!("../../src/vault/shamir/vectors.txt")
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{} 2 ", "07".repeat(32))))
        .unwrap();
    let number = |hex: &str| -> Vec<u8> {
        (0..32)
            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
            .collect()
    };
    let answer = world.post("recover", RECOVER, "{}").await;
    answer.assert_usual_headers();
    let json = answer.json();
    let shards = json["shards"].as_object().unwrap();
    assert_eq!(
        (answer.status, shards.len(), json.as_object().unwrap().len()),
        (200, 3, 1)
    );
    for (id, hex) in ["1", "2", "3"].into_iter().zip(known.split(' ')) {
        assert_eq!(shards[id], serde_json::json!(number(hex)), "share {id}");
    }
    assert_eq!(
        world.post("recover", RECOVER, "null").await.body,
        answer.body,
        "always the same"
    );
    let denied = r#"{"shards":null,"err":"access_unauthorized"}"#;
    let bad = r#"{"shards":null,"err":"api_bad_request"}"#;
    let tried = world
        .check(&[
            Row("pilot", RECOVER, "{}", 401, denied),
            Row("lite", RECOVER, "{}", 401, denied),
            Row("/app", RECOVER, "{}", 401, denied),
            Row("/spike/pilot/role/restore", RECOVER, "{}", 401, denied),
            Row("/spike/pilot/role/recover/7", RECOVER, "", 400, bad),
            Row("pilot", RECOVER, "", 400, bad),
        ])
        .await;
    assert_eq!(tried, 6);
}

#[tokio::test]
async fn a_key_that_spike_could_not_have_made_and_one_in_memory_have_no_shares() {
    let directory = private();
    let world = on_disk(&directory, &[0xff; 32]);
    let internal = r#"{"shards":null,"err":"api_internal_error"}"#;
    world.check(&[Row("recover", RECOVER, "{}", 500, internal)]).await;
    let bad = r#"{"shards":null,"err":"api_bad_request"}"#;
    let not_restored = r#"{"collected":0,"remaining":0,"restored":false,"err":"api_bad_request"}"#;
    let memory = World::new();
    memory
        .check(&[
            Row(OPERATOR, RESTORE, &restore(1, &[1; 32]), 400, not_restored),
            Row("pilot", RESTORE, "{}", 400, not_restored),
            Row("recover", RECOVER, "{}", 400, bad),
            Row("pilot", RECOVER, "{}", 400, bad),
        ])
        .await;
}

#[tokio::test]
async fn sealed_messages_survive_a_restart() {
    let directory = private();
    let mut world = on_disk(&directory, &ROOT);
    let sealed = world
        .post("lite", "/v1/cipher/encrypt", r#"{"plaintext":"aGk="}"#)
        .await;
    assert_eq!(sealed.status, 200);
    world.stop().await.unwrap();
    let world = on_disk(&directory, &ROOT);
    let opened = world.post("lite", "/v1/cipher/decrypt", &sealed.text()).await;
    assert_eq!(
        (opened.status, opened.text().as_str()),
        (200, r#"{"plaintext":"aGk="}"#)
    );
}

fn restore(id: i64, shard: &[u8]) -> String {
    serde_json::json!({"id": id, "shard": shard}).to_string()
}

fn shard(shards: &serde_json::Value, id: &str) -> Vec<u8> {
    serde_json::from_value(shards[id].clone()).unwrap()
}

#[tokio::test]
async fn operators_bring_the_key_back_share_by_share_and_a_wrong_one_changes_nothing() {
    let directory = private();
    let mut world = on_disk(&directory, &ROOT);
    let put = r#"{"path":"a","values":{"k":"v"}}"#;
    assert_eq!(world.post("pilot", "/v1/store/secrets", put).await.status, 200);
    let sealed = world
        .post("pilot", "/v1/cipher/encrypt", r#"{"plaintext":"aGk="}"#)
        .await
        .text();
    let shards = world.post("recover", RECOVER, "{}").await.json()["shards"].clone();
    let (one, three) = (restore(1, &shard(&shards, "1")), restore(3, &shard(&shards, "3")));
    world.stop().await.unwrap();
    std::fs::remove_file(directory.path().join("root.key")).unwrap();

    let mut world = with_source(&directory, RootKeySource::Operators);
    let get = ("/v1/store/secrets?action=get", r#"{"path":"a"}"#);
    let not_ready = r#"{"err":"state_not_ready"}"#;
    let denied = r#"{"collected":0,"remaining":0,"restored":false,"err":"access_unauthorized"}"#;
    let bad = r#"{"collected":0,"remaining":0,"restored":false,"err":"api_bad_request"}"#;
    let half = r#"{"collected":1,"remaining":1,"restored":false}"#;
    let whole = r#"{"collected":2,"remaining":0,"restored":true}"#;
    let made_up = restore(2, &[5; 32]);
    let (over, zero, none) = (restore(1, &[0xff; 32]), restore(1, &[0; 32]), r#"{"id":1}"#);
    let (low, high) = (restore(0, &[5; 32]), restore(1001, &[5; 32]));
    let no_shards = r#"{"shards":null,"err":"api_internal_error"}"#;
    let tried = world
        .check(&[
            Row("pilot", get.0, get.1, 503, not_ready),
            Row("pilot", "/v1/acl/policy?action=list", "{}", 503, not_ready),
            Row("lite", "/v1/cipher/decrypt", &sealed, 503, not_ready),
            Row("/spike/bootstrap", VERIFY, "{}", 503, not_ready),
            Row("pilot", "/nowhere", "{}", 503, not_ready),
            Row("recover", RECOVER, "{}", 500, no_shards),
            Row(
                "pilot",
                RECOVER,
                "{}",
                401,
                r#"{"shards":null,"err":"access_unauthorized"}"#,
            ),
            Row("pilot", RESTORE, &one, 401, denied),
            Row("recover", RESTORE, &one, 401, denied),
            Row("pilot", RESTORE, "{", 400, bad),
            Row(OPERATOR, RESTORE, &over, 400, bad),
            Row(OPERATOR, RESTORE, &zero, 400, bad),
            Row(OPERATOR, RESTORE, none, 400, bad),
            Row(OPERATOR, RESTORE, &low, 400, bad),
            Row(OPERATOR, RESTORE, &high, 400, bad),
            // A made-up share: the key that it gives does not fit, and all shares are forgotten.
            Row(OPERATOR, RESTORE, &one, 200, half),
            Row(OPERATOR, RESTORE, &one, 200, half),
            Row(OPERATOR, RESTORE, &made_up, 400, bad),
            Row("pilot", get.0, get.1, 503, not_ready),
            Row(OPERATOR, RESTORE, &three, 200, half),
            Row(OPERATOR, RESTORE, &one, 200, whole),
            Row(OPERATOR, RESTORE, &three, 200, whole),
            Row("pilot", get.0, get.1, 200, r#"{"data":{"k":"v"}}"#),
            Row("pilot", "/v1/store/secrets", put, 200, "{}"),
            Row("lite", "/v1/cipher/decrypt", &sealed, 200, r#"{"plaintext":"aGk="}"#),
        ])
        .await;
    assert_eq!(tried, 25);
    let again = world.post("recover", RECOVER, "{}").await.json()["shards"].clone();
    assert_eq!(again, shards);
    world.stop().await.unwrap();
    // What was written after the restoration was written under the same key.
    let world = on_disk(&directory, &ROOT);
    assert_eq!(world.post("pilot", get.0, get.1).await.status, 200);
}

#[tokio::test]
async fn a_nexus_that_waits_for_its_key_is_not_ready_and_stops_when_told() {
    let directory = private();
    let mut world = on_disk(&directory, &ROOT);
    world.stop().await.unwrap();
    let mut world = with_source(&directory, RootKeySource::Operators);
    let mut waited = 0;
    while !world.readiness.waits_for().contains(&"root_key") {
        tokio::task::yield_now().await;
        waited += 1;
        assert!(waited < 1_000_000, "it never says what it waits for");
    }
    world.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_does_not_exist_cannot_wait_for_its_key() {
    let directory = private();
    let database = directory.path().join("nexus.redb");
    let options = spike_nexus::store::Options::new(database.clone(), RootKeySource::Operators);
    let error = spike_nexus::store::Store::open(options).unwrap_err();
    assert!(error.to_string().contains("create it with a key file first"), "{error}");
    assert!(!database.exists());
}
