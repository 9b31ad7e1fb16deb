//! A Nexus that keeps nothing: the cipher, under a key that follows from the root key.
use std::os::unix::fs::PermissionsExt;

use spike_nexus::config::Backend;
use spike_nexus::vault::{RootKey, RootKeySource, Sharing};
use spike_runtime::clock::FakeClock;

use crate::harness::{Row, World};

const OPERATOR: &str = "/spike/pilot/role/restore";
/// The present: readiness looks at the life of the SVID, too.
fn clock() -> FakeClock {
    FakeClock::at(std::time::SystemTime::now())
}

const MADE_UP: [u8; 32] = [5; 32];
const ENCRYPT: &str = "/v1/cipher/encrypt";
const DECRYPT: &str = "/v1/cipher/decrypt";

fn with(root_key: RootKeySource) -> World {
    World::with(|config| config.backend = Backend::Lite { root_key }, &clock())
}

fn with_key(directory: &tempfile::TempDir, byte: u8) -> World {
    let key = directory.path().join("root.key");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(&key, [byte; 32]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    with(RootKeySource::KeyFile(key))
}

#[tokio::test]
async fn only_the_cipher_and_what_belongs_to_the_root_key_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let world = with_key(&directory, 7);
    let no_route = r#"{"err":"api_bad_request"}"#;
    let mut tried = 0;
    for target in [
        "/v1/store/secrets",
        "/v1/store/secrets?action=get",
        "/v1/store/secrets?action=list",
        "/v1/store/secrets?action=delete",
        "/v1/store/secrets?action=undelete",
        "/v1/store/secrets/metadata?action=get",
        "/v1/acl/policy",
        "/v1/acl/policy?action=list",
        "/v1/acl/policy?action=get",
        "/v1/acl/policy?action=delete",
        "/v1/acl/policy?action=apply",
        "/v1/acl/policy?action=watch",
        "/v1/acl/policy?action=check",
        "/v1/cipher/encrypt?action=get",
        "/nowhere",
    ] {
        tried += world.check(&[Row("pilot", target, "{}", 400, no_route)]).await;
    }
    assert_eq!(tried, 15);
    let by_path = world.send("pilot", "GET /v1/secrets/a", b"").await;
    assert_eq!((by_path.status, by_path.text().as_str()), (400, no_route));
    let denied = r#"{"version":0,"nonce":null,"ciphertext":null,"err":"access_unauthorized"}"#;
    for who in ["/app", "recover", "keeper", "nexus"] {
        world.check(&[Row(who, ENCRYPT, "{}", 401, denied)]).await;
    }
    for who in ["pilot", "ada", "lite"] {
        assert_eq!(world.post(who, ENCRYPT, "{}").await.status, 200, "{who}");
    }
    let shards = world.post("recover", "/v1/operator/recover", "{}").await;
    assert_eq!(shards.status, 200);
}

#[tokio::test]
async fn what_one_process_seals_every_other_with_that_root_key_opens() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut world = with_key(&directory, 7);
    let sealed = world.post("lite", ENCRYPT, r#"{"plaintext":"aGk="}"#).await.text();
    let again = world.post("lite", ENCRYPT, r#"{"plaintext":"aGk="}"#).await.text();
    assert_ne!(sealed, again, "each has its own nonce");
    world.stop().await.unwrap();
    let world = with_key(&directory, 7);
    let opened = r#"{"plaintext":"aGk="}"#;
    let not_opened = r#"{"plaintext":null,"err":"api_bad_request"}"#;
    world.check(&[Row("lite", DECRYPT, &sealed, 200, opened)]).await;
    let stranger = with_key(&other, 9);
    stranger.check(&[Row("lite", DECRYPT, &sealed, 400, not_opened)]).await;
}

#[tokio::test]
async fn it_waits_for_its_key_and_takes_only_shares_that_belong_together() {
    let world = with(RootKeySource::Operators);
    let shares = RootKey::take(&mut [7; 32]).split(Sharing::default()).unwrap();
    let restore = |id: usize| serde_json::json!({"id": id, "shard": *shares[id - 1].value}).to_string();
    let (one, three) = (restore(1), restore(3));
    let made_up = serde_json::json!({"id": 2, "shard": MADE_UP}).to_string();
    let not_ready = r#"{"err":"state_not_ready"}"#;
    let bad = r#"{"collected":0,"remaining":0,"restored":false,"err":"api_bad_request"}"#;
    let half = r#"{"collected":1,"remaining":1,"restored":false}"#;
    let whole = r#"{"collected":2,"remaining":0,"restored":true}"#;
    world
        .check(&[
            Row("lite", ENCRYPT, "{}", 503, not_ready),
            Row("pilot", "/v1/store/secrets", "{}", 503, not_ready),
            Row(OPERATOR, "/v1/operator/restore", &one, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &made_up, 400, bad),
            Row("lite", ENCRYPT, "{}", 503, not_ready),
            Row(OPERATOR, "/v1/operator/restore", &one, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &three, 200, whole),
            Row("pilot", "/v1/store/secrets", "{}", 400, r#"{"err":"api_bad_request"}"#),
        ])
        .await;
    world.readiness.ready().await;
    let directory = tempfile::tempdir().unwrap();
    let same = with_key(&directory, 7);
    let sealed = world.post("lite", ENCRYPT, r#"{"plaintext":"aGk="}"#).await.text();
    same.check(&[Row("lite", DECRYPT, &sealed, 200, r#"{"plaintext":"aGk="}"#)])
        .await;
}

#[tokio::test]
async fn it_makes_no_key_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let key = directory.path().join("root.key");
    let error = spike_nexus::store::Store::open_lite(&RootKeySource::KeyFile(key.clone())).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
    assert!(!key.exists());
}

/// `sealed by SPIKE's own Nexus`, sealed by Go as SPIKE does it under the root key of bytes 1 to 32.
const OFFICIAL: &str = r#"{"version":1,"nonce":"oKGio6Slpqeoqaqr","ciphertext":"yrRcCpjRemYGLvE7uM5loyT33242SC7hXy6msjaTTOnSVRmhWd9kSwQtlA=="}"#;
const OFFICIAL_OPENED: &str = r#"{"plaintext":"c2VhbGVkIGJ5IFNQSUtFJ3Mgb3duIE5leHVz"}"#;

#[tokio::test]
async fn what_spikes_own_nexus_sealed_opens_with_and_without_a_database_unless_that_is_refused() {
    let not_opened = r#"{"plaintext":null,"err":"api_bad_request"}"#;
    let denied = r#"{"plaintext":null,"err":"access_unauthorized"}"#;
    let forged = OFFICIAL.replace("lA==", "lQ==");
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let key = directory.path().join("root.key");
    std::fs::write(&key, (1..=32).collect::<Vec<u8>>()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let lite = Backend::Lite {
        root_key: RootKeySource::KeyFile(key.clone()),
    };
    let redb = Backend::Redb {
        database: directory.path().join("nexus.redb"),
        root_key: RootKeySource::KeyFile(key),
    };
    let mut tried = 0;
    for (backend, refuse) in [(&lite, false), (&lite, true), (&redb, false), (&redb, true)] {
        let change = |config: &mut spike_nexus::Config| {
            config.backend = backend.clone();
            config.rules.own_messages_only = refuse;
        };
        let mut world = World::with(change, &clock());
        let (status, answer) = if refuse {
            (400, not_opened)
        } else {
            (200, OFFICIAL_OPENED)
        };
        tried += world
            .check(&[
                Row("pilot", DECRYPT, OFFICIAL, status, answer),
                Row("lite", DECRYPT, OFFICIAL, status, answer),
                Row("lite", DECRYPT, &forged, 400, not_opened),
                Row("/app", DECRYPT, OFFICIAL, 401, denied),
            ])
            .await;
        let sealed = world.post("lite", ENCRYPT, r#"{"plaintext":"aGk="}"#).await.text();
        world
            .check(&[Row("lite", DECRYPT, &sealed, 200, r#"{"plaintext":"aGk="}"#)])
            .await;
        world.stop().await.unwrap();
    }
    assert_eq!(tried, 16);
}
