//! What the audit says besides calls: what the store and its keys go through, and how a streamed answer ended.
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use spike_identity::authority::TestAuthority;
use spike_nexus::config::Backend;
use spike_nexus::store::Anchoring;
use spike_nexus::vault::RootKeySource;
use spike_nexus::{Config, Context, Nexus};
use spike_runtime::Readiness;
use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;
use tempfile::TempDir;

use crate::audited::{Audited, events};
use crate::harness::{POLICY, SECRETS, START, World, policy, roles};

const BACKUP: &str = "/v1/operator/backup";
const WATCH: &str = "/v1/acl/policy?action=watch";
const STATUS: &str = "/v1/operator/status";
const REKEY: &str = "/v1/operator/rekey";
const RESTORE: &str = "/v1/operator/restore";
const RESTORER: &str = "/spike/pilot/role/restore";

fn private() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

fn key_file(directory: &Path) -> RootKeySource {
    RootKeySource::KeyFile(directory.join("root.key"))
}

/// A database with its anchor here.
fn on_disk(directory: &Path, root_key: RootKeySource) -> impl FnOnce(&mut Config) {
    let (database, anchor) = (directory.join("nexus.redb"), directory.join("anchor"));
    move |config| {
        config.backend = Backend::Redb { database, root_key };
        config.anchor = Some(Anchoring {
            path: anchor,
            accept_rollback: false,
        });
    }
}

/// What happened apart from calls, in order: what, how it ended, and what it was about.
fn happened(lines: &[Value]) -> Vec<(String, String, String)> {
    let told = |line: &&Value| {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (text("what"), text("outcome"), text("subject"))
    };
    events(lines, "lifecycle").iter().map(told).collect()
}

fn brief(lines: &[Value]) -> Vec<(String, String)> {
    let pairs = happened(lines).into_iter();
    pairs.map(|(what, outcome, _)| (what, outcome)).collect()
}

fn is_brief(lines: &[Value], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, outcome)| ((*what).to_owned(), (*outcome).to_owned()))
        .collect();
    assert_eq!(brief(lines), expected);
}

/// Waits until the audit says this.
async fn told(audited: &Audited, text: &str) {
    while !audited.memory.text().contains(text) {
        tokio::task::yield_now().await;
    }
}

async fn put(world: &World, path: &str, value: &str) {
    let body = json!({"path": path, "values": {"k": value}}).to_string();
    assert_eq!(world.post("pilot", SECRETS, &body).await.status, 200);
}

/// Waits until no record is under an old data key.
async fn re_encrypted(world: &World) {
    while world.post("pilot", STATUS, "{}").await.json()["reEncryption"] != "done" {}
}

#[tokio::test]
async fn a_rotation_and_a_new_root_key_are_told_from_their_begin_to_their_end() {
    let (audited, directory) = (Audited::new(|_| {}), private());
    let mut world = audited.world(on_disk(directory.path(), key_file(directory.path())));
    put(&world, "a", "v").await;
    assert_eq!(world.post("pilot", "/v1/operator/rotate", "{}").await.status, 200);
    re_encrypted(&world).await;
    assert_eq!(world.post("pilot", REKEY, "{}").await.status, 200);
    world.stop().await.unwrap();
    let key = std::fs::read_to_string(directory.path().join("root.key")).unwrap();
    let (text, lines) = audited.finish();
    is_brief(
        &lines,
        &[
            ("anchor_written", "ok"),
            ("open", ""),
            ("rotation_begun", "ok"),
            ("rotation_finished", "ok"),
            ("rekey_begun", "ok"),
            ("rekey_finished", "ok"),
            ("closed", ""),
        ],
    );
    let all = happened(&lines);
    let anchor = directory.path().join("anchor").display().to_string();
    assert_eq!(all[0].2, format!("{anchor}: transaction 1, generation 0"));
    assert_eq!(
        (all[2].2.as_str(), all[5].2.as_str()),
        ("data key 2", "root key, kept by file")
    );
    assert!(!text.contains(key.trim()), "the root key is in the audit");
}

#[tokio::test]
async fn a_root_key_that_cannot_be_kept_is_told_with_what_became_of_it() {
    let file: fn(&Path) = |path| {
        std::fs::write(path, [9; 32]).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let directory: fn(&Path) = |path| std::fs::create_dir(path).unwrap();
    for taken_back in ["ok", "failed"] {
        let (audited, place) = (Audited::new(|_| {}), private());
        let mut world = audited.world(on_disk(place.path(), key_file(place.path())));
        // What has the name that the new key would wait under is not ours to remove; a directory cannot even be looked
        // into, so nobody knows whether the new key is there.
        let in_the_way = if taken_back == "ok" { file } else { directory };
        in_the_way(&place.path().join("root.key.next"));
        assert_eq!(world.post("pilot", REKEY, "{}").await.status, 500);
        world.stop().await.unwrap();
        let (_, lines) = audited.finish();
        let mut changes = brief(&lines);
        changes.retain(|(what, _)| what.starts_with("rekey"));
        let expected = [
            ("rekey_begun", "ok"),
            ("rekey_handed_over", "failed"),
            ("rekey_taken_back", taken_back),
        ];
        assert_eq!(
            changes,
            expected.map(|(what, outcome)| (what.to_owned(), outcome.to_owned()))
        );
        for failed in lines.iter().filter(|line| line["outcome"] == "failed") {
            assert!(failed["reason"].as_str().unwrap().starts_with("root key"), "{failed}");
        }
    }
}

#[tokio::test]
async fn operators_who_open_the_store_and_change_its_key_are_told_and_their_shards_are_not() {
    let (audited, directory) = (Audited::new(|_| {}), private());
    let mut before = World::with(
        on_disk(directory.path(), key_file(directory.path())),
        &FakeClock::at_unix(START),
    );
    let old = before.post("recover", "/v1/operator/recover", "{}").await.json()["shards"].clone();
    before.stop().await.unwrap();
    std::fs::remove_file(directory.path().join("root.key")).unwrap();

    let mut world = audited.world(on_disk(directory.path(), RootKeySource::Operators));
    let share = |shards: &Value, id: &str| json!({"id": id.parse::<i64>().unwrap(), "shard": shards[id]}).to_string();
    let made_up = json!({"id": 2, "shard": vec![5; 32]}).to_string();
    assert_eq!(world.post(RESTORER, RESTORE, &share(&old, "1")).await.status, 200);
    assert_eq!(world.post(RESTORER, RESTORE, &made_up).await.status, 400);
    for id in ["1", "3"] {
        assert_eq!(world.post(RESTORER, RESTORE, &share(&old, id)).await.status, 200);
    }
    let new = world.post("recover", REKEY, "{}").await.json()["shards"].clone();
    assert_eq!(
        world
            .post("pilot", "/v1/operator/rekey?action=cancel", "{}")
            .await
            .status,
        200
    );
    let newer = world.post("recover", REKEY, "{}").await.json()["shards"].clone();
    world.stop().await.unwrap();
    // The next start is opened with the new shards, which ends the change.
    let mut world = audited.world(on_disk(directory.path(), RootKeySource::Operators));
    for id in ["2", "3"] {
        assert_eq!(world.post(RESTORER, RESTORE, &share(&newer, id)).await.status, 200);
    }
    world.stop().await.unwrap();
    let (text, lines) = audited.finish();
    let mut seen = brief(&lines);
    // When the store's state is looked at is nobody's promise.
    seen.retain(|(_, outcome)| !outcome.is_empty());
    let expected = [
        ("unsealed", "refused"),
        ("anchor_written", "ok"),
        ("unsealed", "ok"),
        ("rekey_begun", "ok"),
        ("rekey_handed_over", "ok"),
        ("rekey_taken_back", "ok"),
        ("rekey_begun", "ok"),
        ("rekey_handed_over", "ok"),
        ("rekey_finished", "ok"),
        ("anchor_written", "ok"),
        ("unsealed", "ok"),
    ];
    assert_eq!(
        seen,
        expected.map(|(what, outcome)| (what.to_owned(), outcome.to_owned()))
    );
    let refused = lines.iter().find(|line| line["what"] == "unsealed").unwrap();
    assert_eq!(refused["subject"], "store, with operators' shards");
    assert!(
        refused["reason"].as_str().unwrap().starts_with("wrong key"),
        "{refused}"
    );
    let mut looked = 0;
    for shard in [&old, &new, &newer]
        .iter()
        .flat_map(|set| set.as_object().unwrap().values())
    {
        let bytes: Vec<u8> = serde_json::from_value(shard.clone()).unwrap();
        let hex = bytes
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert!(!text.contains(&hex) && !text.contains(&shard.to_string()));
        looked += 1;
    }
    assert_eq!(looked, 9);
}

#[tokio::test]
async fn a_store_that_is_older_than_its_anchor_is_told_as_refused() {
    let (audited, directory) = (Audited::new(|_| {}), private());
    let database = directory.path().join("nexus.redb");
    let mut world = audited.world(on_disk(directory.path(), key_file(directory.path())));
    world.stop().await.unwrap();
    let older = std::fs::read(&database).unwrap();
    let mut world = audited.world(on_disk(directory.path(), key_file(directory.path())));
    put(&world, "a", "v").await;
    world.stop().await.unwrap();
    std::fs::write(&database, older).unwrap();

    let mut config = Config::in_memory(roles());
    on_disk(directory.path(), key_file(directory.path()))(&mut config);
    let context = Context {
        clock: FakeClock::at_unix(START).shared(),
        registry: Registry::new("test", "0"),
        readiness: Readiness::new().0,
        audit: audited.journal.clone(),
    };
    let authority = TestAuthority::new("example.org").unwrap();
    let opened = Nexus::open(config, authority.identity("/spike/nexus").unwrap(), context);
    let refused = opened.err().unwrap().to_string();
    let (_, lines) = audited.finish();
    let last = *events(&lines, "lifecycle").last().unwrap();
    assert_eq!(
        (&last["what"], &last["outcome"]),
        (&json!("open_refused"), &json!("refused"))
    );
    let reason = last["reason"].as_str().unwrap();
    assert!(
        reason.contains("the database is older than it") && refused.contains(reason),
        "{last}"
    );
}

/// A world on disk with so much in it that no buffer on the way holds a backup of it.
async fn full(audited: &Audited, directory: &Path) -> World {
    let world = audited.world(on_disk(directory, key_file(directory)));
    for number in 0..8 {
        put(&world, &format!("large/{number}"), &"x".repeat(900 << 10)).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_leaves_a_line_at_its_end_whether_it_was_sent_whole_or_cut_off() {
    let (audited, directory) = (Audited::new(|_| {}), private());
    let mut world = full(&audited, directory.path()).await;
    let mut connection = world.connect("pilot").await;
    let head = format!("POST {BACKUP} HTTP/1.1");
    connection.write(&head, "Connection: close\r\n", b"{}").await;
    let id = connection
        .head()
        .await
        .unwrap()
        .header("x-spike-request-id")
        .unwrap()
        .to_owned();
    let body = connection.rest().await;
    told(&audited, "\"event\":\"call.end\"").await;

    let mut leaving = world.connect("pilot").await;
    leaving.write(&head, "", b"{}").await;
    assert_eq!(leaving.head().await.unwrap().status, 200);
    drop(leaving);
    // The connection and the store find out for themselves, in either order.
    for line in ["\"event\":\"call.end\"", "\"what\":\"backup_taken\""] {
        while audited.memory.text().matches(line).count() < 2 {
            tokio::task::yield_now().await;
        }
    }
    world.stop().await.unwrap();
    let (_, lines) = audited.finish();
    let ends = events(&lines, "call.end");
    let [whole, cut] = ends[..] else { panic!("{ends:?}") };
    assert_eq!(
        (&whole["request_id"], &whole["outcome"], &whole["action"]),
        (&json!(id), &json!("ok"), &json!("operator.backup"))
    );
    let (sent, all) = (whole["bytes"].as_u64().unwrap(), body.len() as u64);
    // Around each chunk stands its length.
    assert!(
        sent < all && all < sent + sent / 100,
        "{sent} bytes of an archive, {all} in all"
    );
    assert!(whole.get("lines").is_none() && whole["micros"].is_u64());
    assert_eq!(
        (&cut["outcome"], &cut["reason"]),
        (&json!("cut_off"), &json!("the connection ended before the answer"))
    );
    assert!(cut["bytes"].as_u64().unwrap() < sent, "{cut}");
    assert!(whole["peer"] == cut["peer"] && whole["remote"] != cut["remote"]);
    // One line of the call itself for each, before.
    let calls = events(&lines, "call");
    let calls: Vec<_> = calls
        .iter()
        .filter(|call| call["action"] == "operator.backup")
        .collect();
    assert_eq!(calls.len(), 2);
    assert!(calls[0]["seq"].as_u64() < whole["seq"].as_u64() && calls[0]["request_id"] == whole["request_id"]);
    let taken: Vec<_> = happened(&lines)
        .into_iter()
        .filter(|(what, ..)| what == "backup_taken")
        .collect();
    assert_eq!(taken.len(), 2);
    assert_eq!((taken[0].1.as_str(), taken[1].1.as_str()), ("ok", "cut_off"));
    assert!(taken[0].2.ends_with(&format!("{sent} bytes")), "{taken:?}");
}

#[tokio::test]
async fn a_feed_leaves_a_line_at_its_end_with_the_lines_that_were_sent() {
    let audited = Audited::new(|_| {});
    let mut world = audited.world(|_| {});
    let rule = policy("web", r"^spiffe://example\\.org/web$", "^a$", "read");
    assert_eq!(
        world
            .post("pilot", POLICY, &rule.replace("\\\\\\\\", "\\\\"))
            .await
            .status,
        200
    );
    let head = format!("POST {WATCH} HTTP/1.1");
    let mut leaving = world.connect("authz").await;
    leaving.write(&head, "", b"{}").await;
    assert_eq!(leaving.head().await.unwrap().status, 200);
    assert!(leaving.line().await.unwrap().contains("snapshot"));
    drop(leaving);
    told(&audited, "\"event\":\"call.end\"").await;

    let mut staying = world.connect("authz").await;
    staying.write(&head, "", b"{}").await;
    assert_eq!(staying.head().await.unwrap().status, 200);
    let mut seen = 0;
    while seen < 2 {
        staying.line().await.unwrap();
        seen += 1;
    }
    world.stop().await.unwrap();
    while staying.line().await.is_some() {
        seen += 1;
    }
    let (_, lines) = audited.finish();
    let ends = events(&lines, "call.end");
    let [left, stopped] = ends[..] else { panic!("{ends:?}") };
    assert_eq!(
        (&left["action"], &left["outcome"]),
        (&json!("policy.watch"), &json!("cut_off"))
    );
    assert!(
        left["lines"].as_u64() >= Some(1) && left["bytes"].as_u64() > Some(100),
        "{left}"
    );
    assert_eq!(
        (&stopped["outcome"], &stopped["lines"]),
        (&json!("ok"), &json!(seen)),
        "{stopped}"
    );
    assert!(stopped.get("reason").is_none());
}
