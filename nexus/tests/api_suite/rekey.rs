//! The keys over the API: how they are, a new data key, and a new root key wherever it is kept.
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spike_nexus::config::Backend;
use spike_nexus::vault::RootKeySource;
use spike_runtime::clock::FakeClock;

use crate::harness::{Row, START, World};

const STATUS: &str = "/v1/operator/status";
const ROTATE: &str = "/v1/operator/rotate";
const REKEY: &str = "/v1/operator/rekey";
const CONFIRM: &str = "/v1/operator/rekey?action=confirm";
const CANCEL: &str = "/v1/operator/rekey?action=cancel";
const RECOVER: &str = "/v1/operator/recover";
const RESTORE: &str = "/v1/operator/restore";
const RESTORER: &str = "/spike/pilot/role/restore";
const GET: &str = "/v1/store/secrets?action=get";
const ROOT: [u8; 32] = [7; 32];

fn private() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    directory
}

fn write_key(path: &Path, key: &[u8]) {
    std::fs::write(path, key).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn with(directory: &Path, root_key: RootKeySource) -> World {
    let database = directory.join("nexus.redb");
    let backend = Backend::Redb { database, root_key };
    World::with(|config| config.backend = backend, &FakeClock::at_unix(START))
}

fn with_file(directory: &Path) -> World {
    with(directory, RootKeySource::KeyFile(directory.join("root.key")))
}

async fn put(world: &World) {
    let body = r#"{"path":"a","values":{"k":"v"}}"#;
    assert_eq!(world.post("pilot", "/v1/store/secrets", body).await.status, 200);
}

async fn is_readable(world: &World) {
    let answer = world.post("pilot", GET, r#"{"path":"a"}"#).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"data":{"k":"v"}}"#));
}

async fn status(world: &World) -> Value {
    let answer = world.post("pilot", STATUS, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until every record is under the current data key.
async fn re_encrypted(world: &World) -> Value {
    for _ in 0..10_000 {
        let now = status(world).await;
        if now["reEncryption"] == "done" {
            return now;
        }
    }
    panic!("the re-encryption never ends");
}

fn share(id: &str, shards: &Value) -> String {
    json!({"id": id.parse::<i64>().unwrap(), "shard": shards[id]}).to_string()
}

/// What SPIKE Bootstrap sends to see whether a Nexus has this root key.
fn proof(root: [u8; 32]) -> String {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(root));
    let sealed = cipher.encrypt(&Nonce::from([3; 12]), b"abc".as_slice()).unwrap();
    let (nonce, sealed) = (STANDARD.encode([3; 12]), STANDARD.encode(sealed));
    json!({"nonce": nonce, "ciphertext": sealed}).to_string()
}

#[tokio::test]
async fn each_call_belongs_to_its_roles_and_to_nobody_whom_a_policy_made_great() {
    let directory = private();
    write_key(&directory.path().join("root.key"), &ROOT);
    let world = with_file(directory.path());
    world.grant("all", "/app", ".*", "super").await;
    let denied = r#""err":"access_unauthorized""#;
    let mut tried = 0;
    for (path, roles) in [
        (STATUS, &["pilot", "recover", RESTORER][..]),
        (ROTATE, &["pilot"]),
        (CONFIRM, &["recover", RESTORER]),
        (CANCEL, &["pilot", "recover"]),
    ] {
        for who in [
            "pilot",
            "recover",
            RESTORER,
            "/app",
            "lite",
            "keeper",
            "nexus",
            "authz",
            "/spike/bootstrap",
        ] {
            let answer = world.post(who, path, "{}").await;
            let refused = answer.status == 401 && answer.text().contains(denied);
            assert_eq!(!refused, roles.contains(&who), "{who} {path}: {}", answer.text());
            tried += 1;
        }
        let unreadable = world.post(roles[0], path, "{").await;
        assert_eq!(unreadable.status, 400, "{path}");
    }
    for who in [RESTORER, "/app", "lite", "keeper", "nexus", "authz"] {
        assert_eq!(world.post(who, REKEY, "{}").await.status, 401, "{who}");
        tried += 1;
    }
    assert_eq!(tried, 4 * 9 + 6);
    let tried = world
        .check(&[
            Row(
                "pilot",
                "/v1/operator/rekey?action=get",
                "{}",
                400,
                r#"{"err":"api_bad_request"}"#,
            ),
            Row(
                "pilot",
                "/v1/operator/rotate?action=confirm",
                "{}",
                400,
                r#"{"err":"api_bad_request"}"#,
            ),
        ])
        .await;
    assert_eq!(tried, 2);
}

#[tokio::test]
async fn a_rotation_shows_in_the_status_and_everything_stays_readable() {
    let directory = private();
    let mut world = with_file(directory.path());
    put(&world).await;
    let text = r#"{"plaintext":"aGk="}"#;
    let sealed = world.post("pilot", "/v1/cipher/encrypt", text).await.text();
    let before = status(&world).await;
    assert_eq!(
        (&before["state"], &before["keySource"], &before["rekey"]),
        (&json!("ready"), &json!("file"), &json!("none"))
    );
    assert_eq!(
        (
            &before["term"],
            &before["shares"],
            &before["threshold"],
            &before["oldTerms"]
        ),
        (&json!(1), &json!(3), &json!(2), &json!(0))
    );
    assert_eq!(world.post("pilot", ROTATE, "{}").await.text(), r#"{"term":2}"#);
    let after = re_encrypted(&world).await;
    assert_eq!(
        (&after["term"], &after["waiting"], &after["oldTerms"]),
        (&json!(2), &json!(0), &json!(0))
    );
    assert_eq!(after["store"], before["store"]);
    is_readable(&world).await;
    world.stop().await.unwrap();
    let world = with_file(directory.path());
    is_readable(&world).await;
    assert_eq!(world.post("pilot", "/v1/cipher/decrypt", &sealed).await.text(), text);
}

#[tokio::test]
async fn a_key_file_is_replaced_and_the_old_key_opens_nothing_any_more() {
    let directory = private();
    let key = directory.path().join("root.key");
    write_key(&key, &ROOT);
    let mut world = with_file(directory.path());
    put(&world).await;
    let shards = world.post("recover", RECOVER, "{}").await.json()["shards"].clone();
    assert_eq!(
        world
            .post("/spike/bootstrap", "/v1/bootstrap/verify", &proof(ROOT))
            .await
            .status,
        200
    );
    let rekeyed = world.post("pilot", REKEY, "{}").await;
    assert_eq!((rekeyed.status, rekeyed.text().as_str()), (200, r#"{"phase":"done"}"#));
    assert_eq!(status(&world).await["rekey"], "none");
    is_readable(&world).await;
    // The new key is in force for everything that hangs from it.
    assert_eq!(
        world
            .post("/spike/bootstrap", "/v1/bootstrap/verify", &proof(ROOT))
            .await
            .status,
        500
    );
    assert_ne!(world.post("recover", RECOVER, "{}").await.json()["shards"], shards);
    world.stop().await.unwrap();
    assert!(!directory.path().join("root.key.next").exists());
    let new = std::fs::read(&key).unwrap();
    assert_eq!(new.len(), 65);

    let mut world = with_file(directory.path());
    is_readable(&world).await;
    // And again: the second change is like the first.
    assert_eq!(world.post("recover", REKEY, "{}").await.text(), r#"{"phase":"done"}"#);
    world.stop().await.unwrap();
    for old in [&ROOT[..], &new] {
        write_key(&key, old);
        let options =
            spike_nexus::store::Options::new(directory.path().join("nexus.redb"), RootKeySource::KeyFile(key.clone()));
        let refused = spike_nexus::store::Store::open(options).unwrap_err();
        assert!(refused.to_string().contains("wrong key"), "{refused}");
    }
}

#[tokio::test]
async fn a_key_file_that_cannot_be_replaced_stays_and_so_does_its_key() {
    let directory = private();
    let key = directory.path().join("root.key");
    write_key(&key, &ROOT);
    let mut world = with_file(directory.path());
    put(&world).await;
    // Somebody's file has the name that the new key would wait under.
    write_key(&directory.path().join("root.key.next"), &[9; 32]);
    let refused = world.post("pilot", REKEY, "{}").await;
    assert_eq!(
        (refused.status, refused.text().as_str()),
        (500, r#"{"phase":"","err":"api_internal_error"}"#)
    );
    assert_eq!(std::fs::read(&key).unwrap(), ROOT);
    world.stop().await.unwrap();
    let world = with_file(directory.path());
    is_readable(&world).await;
    assert_eq!(status(&world).await["rekey"], "none");
    assert_eq!(world.post("pilot", REKEY, "{}").await.text(), r#"{"phase":"done"}"#);
}

#[tokio::test]
async fn what_keeps_nothing_has_no_root_key_to_change() {
    let world = World::new();
    put(&world).await;
    let bad = |body: &str| body.to_owned();
    let nothing = r#"{"phase":"","err":"api_bad_request","detail":["this server keeps nothing: there is no root key to change"]}"#;
    let tried = world
        .check(&[
            Row("pilot", REKEY, "{}", 400, &bad(nothing)),
            Row("recover", REKEY, "{}", 400, &bad(nothing)),
            Row("pilot", ROTATE, "{}", 200, r#"{"term":2}"#),
        ])
        .await;
    assert_eq!((tried, status(&world).await["keySource"].as_str()), (3, Some("memory")));
    is_readable(&world).await;
}

/// A Nexus whose root key operators keep, open; with the shards of the key.
async fn with_operators(directory: &Path) -> (World, Value) {
    let key = directory.join("root.key");
    write_key(&key, &ROOT);
    let mut world = with_file(directory);
    put(&world).await;
    let shards = world.post("recover", RECOVER, "{}").await.json()["shards"].clone();
    world.stop().await.unwrap();
    std::fs::remove_file(key).unwrap();
    (restored(directory, &shards).await, shards)
}

/// A Nexus that operators have opened with these shards.
async fn restored(directory: &Path, shards: &Value) -> World {
    let world = with(directory, RootKeySource::Operators);
    assert_eq!(status(&world).await["state"], "sealed");
    let first = world.post(RESTORER, RESTORE, &share("1", shards)).await;
    assert_eq!(first.text(), r#"{"collected":1,"remaining":1,"restored":false}"#);
    assert_eq!(status(&world).await["collected"], 1);
    let second = world.post(RESTORER, RESTORE, &share("2", shards)).await;
    assert_eq!(second.text(), r#"{"collected":2,"remaining":0,"restored":true}"#);
    world
}

#[tokio::test]
async fn operators_keep_the_old_key_until_they_have_handed_in_the_new_one() {
    let directory = private();
    let (mut world, old) = with_operators(directory.path()).await;
    // Only who may have shares gets them.
    assert_eq!(world.post("pilot", REKEY, "{}").await.status, 401);
    let begun = world.post("recover", REKEY, "{}").await.json();
    let new = begun["shards"].clone();
    assert_eq!(
        (&begun["phase"], new.as_object().unwrap().len()),
        (&json!("pending"), 3)
    );
    assert_ne!(new, old);
    let pending = r#"{"phase":"","err":"api_bad_request","detail":["the root key is being changed: confirm or cancel that first"]}"#;
    assert_eq!(world.post("recover", REKEY, "{}").await.text(), pending);
    assert_eq!(status(&world).await["rekey"], "pending");
    is_readable(&world).await;
    // The old key is still the one in force: also for its shards, and after a restart.
    assert_eq!(world.post("recover", RECOVER, "{}").await.json()["shards"], old);
    world.stop().await.unwrap();
    let mut world = restored(directory.path(), &old).await;
    assert_eq!(status(&world).await["rekey"], "pending");
    is_readable(&world).await;
    // Old shares confirm nothing, a new one with an old one neither.
    let half = r#"{"collected":1,"remaining":1,"confirmed":false}"#;
    let wrong = r#"{"collected":0,"remaining":0,"confirmed":false,"err":"api_bad_request","detail":["the shares do not give the new root key: hand in all of them again"]}"#;
    let tried = world
        .check(&[
            Row("recover", CONFIRM, &share("1", &old), 200, half),
            Row("recover", CONFIRM, &share("1", &old), 200, half),
            Row(RESTORER, CONFIRM, &share("3", &old), 400, wrong),
            Row("recover", CONFIRM, &share("2", &new), 200, half),
            Row("recover", CONFIRM, &share("3", &old), 400, wrong),
            Row("recover", CONFIRM, &share("2", &new), 200, half),
            Row(
                RESTORER,
                CONFIRM,
                &share("3", &new),
                200,
                r#"{"collected":2,"remaining":0,"confirmed":true}"#,
            ),
            Row(
                "recover",
                CONFIRM,
                &share("3", &new),
                400,
                r#"{"collected":0,"remaining":0,"confirmed":false,"err":"api_bad_request","detail":["the root key is not being changed"]}"#,
            ),
        ])
        .await;
    assert_eq!(tried, 8);
    is_readable(&world).await;
    assert_eq!(world.post("recover", RECOVER, "{}").await.json()["shards"], new);
    world.stop().await.unwrap();
    // The old shares are worth nothing now.
    let mut sealed = with(directory.path(), RootKeySource::Operators);
    sealed.post(RESTORER, RESTORE, &share("1", &old)).await;
    assert_eq!(sealed.post(RESTORER, RESTORE, &share("2", &old)).await.status, 400);
    sealed.stop().await.unwrap();
    is_readable(&restored(directory.path(), &new).await).await;
}

#[tokio::test]
async fn new_shares_that_open_the_store_after_a_restart_confirm_themselves() {
    let directory = private();
    let (mut world, old) = with_operators(directory.path()).await;
    let new = world.post("recover", REKEY, "{}").await.json()["shards"].clone();
    world.stop().await.unwrap();
    let mut world = restored(directory.path(), &new).await;
    assert_eq!(status(&world).await["rekey"], "none");
    is_readable(&world).await;
    assert_eq!(world.post("pilot", ROTATE, "{}").await.status, 200);
    world.stop().await.unwrap();
    let mut sealed = with(directory.path(), RootKeySource::Operators);
    sealed.post(RESTORER, RESTORE, &share("1", &old)).await;
    assert_eq!(sealed.post(RESTORER, RESTORE, &share("2", &old)).await.status, 400);
    sealed.stop().await.unwrap();
}

#[tokio::test]
async fn a_canceled_change_leaves_the_old_key_alone() {
    let directory = private();
    let (mut world, old) = with_operators(directory.path()).await;
    let new = world.post("recover", REKEY, "{}").await.json()["shards"].clone();
    assert_eq!(
        world.post("recover", CANCEL, "{}").await.text(),
        r#"{"phase":"canceled"}"#
    );
    assert_eq!(world.post("pilot", CANCEL, "{}").await.status, 400);
    assert_eq!(world.post("recover", CONFIRM, &share("1", &new)).await.status, 400);
    world.stop().await.unwrap();
    let mut sealed = with(directory.path(), RootKeySource::Operators);
    sealed.post(RESTORER, RESTORE, &share("1", &new)).await;
    assert_eq!(sealed.post(RESTORER, RESTORE, &share("2", &new)).await.status, 400);
    sealed.stop().await.unwrap();
    let world = restored(directory.path(), &old).await;
    is_readable(&world).await;
    // A later change is not confused with the one before.
    let newer = world.post("recover", REKEY, "{}").await.json()["shards"].clone();
    assert_ne!(newer, new);
    world.post("recover", CONFIRM, &share("1", &newer)).await;
    assert_eq!(
        world.post("recover", CONFIRM, &share("2", &newer)).await.json()["confirmed"],
        true
    );
}

#[tokio::test]
async fn a_credential_is_changed_by_starting_with_the_new_one() {
    let directory = private();
    let credential = directory.path().join("spike-root");
    write_key(&directory.path().join("root.key"), &ROOT);
    let mut world = with_file(directory.path());
    put(&world).await;
    world.stop().await.unwrap();
    std::fs::rename(directory.path().join("root.key"), &credential).unwrap();
    let source = RootKeySource::CredentialsDirectory {
        directory: directory.path().to_owned(),
        name: "spike-root".to_owned(),
    };
    let mut world = with(directory.path(), source.clone());
    assert_eq!(world.post("pilot", REKEY, "{}").await.status, 401);
    let begun = world.post("recover", REKEY, "{}").await.json();
    let new: Vec<u8> = serde_json::from_value(begun["key"].clone()).unwrap();
    assert_eq!((begun["phase"].as_str(), new.len()), (Some("pending"), 32));
    world.stop().await.unwrap();
    // Not installed yet: the old one goes on.
    let mut world = with(directory.path(), source.clone());
    is_readable(&world).await;
    assert_eq!(status(&world).await["rekey"], "pending");
    world.stop().await.unwrap();
    write_key(&credential, &new);
    let mut world = with(directory.path(), source);
    is_readable(&world).await;
    assert_eq!(status(&world).await["rekey"], "none");
    world.stop().await.unwrap();
    let key = directory.path().join("root.key");
    write_key(&key, &ROOT);
    let options = spike_nexus::store::Options::new(directory.path().join("nexus.redb"), RootKeySource::KeyFile(key));
    let refused = spike_nexus::store::Store::open(options).unwrap_err();
    assert!(refused.to_string().contains("wrong key"), "{refused}");
}

#[tokio::test]
async fn a_share_that_nobody_needs_is_answered_like_spike_does_and_a_foreign_one_is_told_apart() {
    let directory = private();
    let (world, shards) = with_operators(directory.path()).await;
    let whole = r#"{"collected":2,"remaining":0,"restored":true}"#;
    let foreign = r#"{"collected":2,"remaining":0,"restored":true,"detail":["this is no share of the root key; none was needed, and it was not used"]}"#;
    let made_up = json!({"id": 2, "shard": vec![5; 32]}).to_string();
    let renumbered = json!({"id": 2, "shard": shards["1"]}).to_string();
    let tried = world
        .check(&[
            Row(RESTORER, RESTORE, &share("1", &shards), 200, whole),
            Row(RESTORER, RESTORE, &share("3", &shards), 200, whole),
            Row(RESTORER, RESTORE, &made_up, 200, foreign),
            Row(RESTORER, RESTORE, &renumbered, 200, foreign),
        ])
        .await;
    assert_eq!(tried, 4);
    is_readable(&world).await;
}
