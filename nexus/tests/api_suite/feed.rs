//! The policy feed.
use serde_json::{Value, json};
use spike_runtime::clock::FakeClock;

use crate::harness::{Connection, POLICY, START, World, policy};

const WATCH: &str = "POST /v1/acl/policy?action=watch HTTP/1.1";
const WEB: &str = r"^spiffe://example\.org/web$";

async fn watch(world: &World, who: &str, body: &str) -> Connection {
    let mut connection = world.connect(who).await;
    connection.write(WATCH, "", body.as_bytes()).await;
    let head = connection.head().await.unwrap();
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("application/x-ndjson"))
    );
    assert_eq!(
        head.header("cache-control"),
        Some("no-store, no-cache, must-revalidate, private")
    );
    connection
}

async fn line(connection: &mut Connection) -> Value {
    serde_json::from_str(&connection.line().await.expect("the feed goes on")).unwrap()
}

/// The next line that is no heartbeat.
async fn change(connection: &mut Connection) -> Value {
    loop {
        let line = line(connection).await;
        if line.get("heartbeat").is_none() {
            return line;
        }
    }
}

#[tokio::test]
async fn a_follower_gets_a_snapshot_then_every_change_then_heartbeats() {
    let world = World::new();
    world.grant("b", "/b", "^b/", "read").await;
    world.grant("a", "/a", "^a/", "read,list").await;
    let mut feed = watch(&world, "authz", "{}").await;
    let first = line(&mut feed).await;
    let snapshot = &first["snapshot"];
    assert_eq!(snapshot["generation"], 2);
    assert_eq!(snapshot["policies"][0]["name"], "a");
    let id = &snapshot["policies"][0]["id"];
    assert_eq!(
        snapshot["policies"][0],
        json!({"id": id, "name": "a", "spiffeidPattern": "^spiffe://example\\.org/a$", "pathPattern": "^a/",
            "permissions": ["read", "list"], "createdAt": START * 1000, "updatedAt": START * 1000})
    );
    world.grant("c", "/c", "^c/", "write").await;
    let delta = change(&mut feed).await;
    assert_eq!(
        (&delta["delta"]["generation"], &delta["delta"]["removed"]),
        (&json!(3), &json!([]))
    );
    assert_eq!(delta["delta"]["put"][0]["name"], "c");
    assert_eq!(
        world
            .post("pilot", "/v1/acl/policy?action=delete", r#"{"id":"b"}"#)
            .await
            .status,
        200
    );
    assert_eq!(
        change(&mut feed).await,
        json!({"delta": {"generation": 4, "put": [], "removed": ["b"]}})
    );
    assert_eq!(line(&mut feed).await, json!({"heartbeat": {"generation": 4}}));
    assert_eq!(line(&mut feed).await, json!({"heartbeat": {"generation": 4}}));

    // Who comes back with what it has gets only what it missed.
    let store = snapshot["store"].as_str().unwrap();
    let mut again = watch(&world, "authz", &json!({"generation": 2, "store": store}).to_string()).await;
    assert_eq!(change(&mut again).await["delta"]["generation"], 3);
    assert_eq!(change(&mut again).await["delta"]["generation"], 4);
    let mut current = watch(&world, "authz", &json!({"generation": 4, "store": store}).to_string()).await;
    assert_eq!(line(&mut current).await, json!({"heartbeat": {"generation": 4}}));
    // Generations of another store, of no store, or of the future say nothing.
    for body in [
        json!({"generation": 4}),
        json!({"generation": 4, "store": "11111111-1111-4111-8111-111111111111"}),
        json!({"generation": 99, "store": store}),
        json!({"store": store}),
    ] {
        let mut feed = watch(&world, "authz", &body.to_string()).await;
        assert_eq!(line(&mut feed).await["snapshot"]["generation"], 4, "{body}");
    }
}

#[tokio::test]
async fn a_role_or_read_and_list_on_the_acl_path_lets_follow() {
    let world = World::new();
    let acl = "^spike/system/acl$";
    world.grant("both", "/f/both", acl, "read,list").await;
    world.grant("super", "/f/super", acl, "super").await;
    world.grant("read", "/f/read", acl, "read").await;
    world.grant("list", "/f/list", acl, "list").await;
    for who in ["authz", "pilot", "/f/both", "/f/super"] {
        let mut feed = watch(&world, who, "{}").await;
        assert_eq!(line(&mut feed).await["snapshot"]["generation"], 4, "{who}");
    }
    for who in ["/f/read", "/f/list", "/f/none", "lite", "nexus", "/spike/ext-authzx"] {
        let answer = world.post(who, "/v1/acl/policy?action=watch", "{}").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, r#"{"err":"access_unauthorized"}"#),
            "{who}"
        );
    }
}

#[tokio::test]
async fn the_feed_ends_when_the_right_to_follow_is_taken_away() {
    let world = World::new();
    world.grant("follower", "/f", "^spike/system/acl$", "read,list").await;
    let mut feed = watch(&world, "/f", "{}").await;
    assert_eq!(line(&mut feed).await["snapshot"]["generation"], 1);
    assert_eq!(
        world
            .post("pilot", "/v1/acl/policy?action=delete", r#"{"id":"follower"}"#)
            .await
            .status,
        200
    );
    let mut after = Vec::new();
    while let Some(line) = feed.line().await {
        after.push(line);
    }
    assert!(
        after.iter().all(|line| line == r#"{"heartbeat":{"generation":1}}"#),
        "{after:?}"
    );
}

#[tokio::test]
async fn the_feed_ends_when_the_followers_certificate_does() {
    let world = World::new();
    let svid = world
        .authority
        .svid_for("/spike/ext-authz", std::time::Duration::from_secs(2))
        .unwrap();
    let identity =
        spike_identity::Identity::from_material(&svid.material().unwrap(), world.authority.bundles().unwrap());
    let mut connection = world.connect_as(&identity).await.unwrap();
    connection.write(WATCH, "", b"{}").await;
    assert_eq!(connection.head().await.unwrap().status, 200);
    let mut lines = 0;
    while connection.line().await.is_some() {
        lines += 1;
    }
    assert!((1..=5).contains(&lines), "{lines} lines in two seconds");
}

#[tokio::test]
async fn many_changes_at_once_reach_the_follower_in_order() {
    let world = World::with(|_| {}, &FakeClock::at_unix(START));
    let mut feed = watch(&world, "authz", "{}").await;
    assert_eq!(line(&mut feed).await["snapshot"]["generation"], 0);
    let puts = (0..40).map(|n| {
        let body = policy(&format!("p{n}"), WEB, &format!("^p{n}/"), "read");
        let world = &world;
        async move { assert_eq!(world.post("pilot", POLICY, &body).await.status, 200) }
    });
    futures::future::join_all(puts).await;
    let mut generation = 0;
    let mut names = std::collections::BTreeSet::new();
    while generation < world.policies.current().unwrap().generation().0 {
        let delta = change(&mut feed).await;
        let next = delta["delta"]["generation"].as_u64().unwrap();
        assert_eq!(next, generation + 1);
        generation = next;
        names.extend(
            delta["delta"]["put"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["name"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(names.len(), 40);
}
