//! The policy routes, as `spike.md` §1.6 and §3 state them, with the corrections of design D3, D5, D7 and D16.
use spike_runtime::clock::FakeClock;
use std::time::Duration;

use crate::harness::{POLICY, Row, START, World, policy};

const GET: &str = "/v1/acl/policy?action=get";
const DELETE: &str = "/v1/acl/policy?action=delete";
const LIST: &str = "/v1/acl/policy?action=list";
const APPLY: &str = "/v1/acl/policy?action=apply";

const DONE: &str = "{}";
const MISSING: &str = r#"{"err":"api_not_found"}"#;
const WEB: &str = r"^spiffe://example\.org/web$";

fn get_error(err: &str) -> String {
    format!(
        r#"{{"id":"","name":"","spiffiedPattern":"","pathPattern":"","permissions":null,"createdAt":"0001-01-01T00:00:00Z","updatedAt":"0001-01-01T00:00:00Z","err":"{err}"}}"#
    )
}

#[tokio::test]
async fn a_policy_is_created_replaced_read_listed_and_deleted() {
    let clock = FakeClock::at_unix(START);
    let world = World::with(|_| {}, &clock);
    let (missing, bad) = (get_error("api_not_found"), get_error("api_bad_request"));
    let first = concat!(
        r#"{"id":"<id>","name":"web","spiffiedPattern":"^spiffe://example\\.org/web$","pathPattern":"^app/.*$","#,
        r#""permissions":["read","list"],"createdAt":"2023-11-14T22:13:20Z","updatedAt":"2023-11-14T22:13:20Z"}"#
    );
    let second = concat!(
        r#"{"id":"<id>","name":"web","spiffiedPattern":"spiffe://example\\.org/.*","pathPattern":"^app/.*$","#,
        r#""permissions":["super"],"createdAt":"2023-11-14T22:13:20Z","updatedAt":"2023-11-14T22:13:22Z"}"#
    );
    let put = policy("web", WEB, "^app/.*$", "list,read,list");
    let rows = [
        Row("pilot", LIST, "{}", 200, r#"{"policies":[]}"#),
        Row("pilot", GET, r#"{"id":"web"}"#, 404, &missing),
        Row("pilot", DELETE, r#"{"id":"web"}"#, 404, MISSING),
        Row("pilot", POLICY, &put, 200, DONE),
        Row("pilot", GET, r#"{"id":"web"}"#, 200, first),
        Row("pilot", GET, r#"{"name":"web"}"#, 200, first),
        Row("pilot", GET, r#"{"id":"Web"}"#, 404, &missing),
        Row("pilot", GET, r#"{"id":"web "}"#, 404, &missing),
        Row(
            "pilot",
            LIST,
            "null",
            200,
            r#"{"policies":[{"id":"<id>","name":"web"}]}"#,
        ),
    ];
    let mut count = world.check(&rows).await;
    let id = world.post("pilot", GET, r#"{"id":"web"}"#).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    clock.advance(Duration::from_secs(2));
    let replace = policy("web", r"spiffe://example\.org/.*", "^app/.*$", "super");
    let by_id = format!(r#"{{"id":"{id}"}}"#);
    let upper = format!(r#"{{"id":"{}"}}"#, id.to_uppercase());
    count += world
        .check(&[
            Row("pilot", POLICY, &replace, 200, DONE),
            Row("pilot", GET, &by_id, 200, second),
            Row("pilot", GET, &upper, 200, second),
            Row("pilot", GET, "{}", 400, &bad),
            Row("pilot", GET, "null", 400, &bad),
            Row("pilot", GET, r#"{"id":"a/b"}"#, 400, &bad),
            Row("pilot", GET, r#"{"id":7}"#, 400, &bad),
            Row(
                "pilot",
                GET,
                r#"{"id":"00000000-0000-4000-8000-000000000000"}"#,
                404,
                &missing,
            ),
            Row(
                "pilot",
                DELETE,
                r#"{"id":"00000000-0000-4000-8000-000000000000"}"#,
                404,
                MISSING,
            ),
            Row("pilot", DELETE, &by_id, 200, DONE),
            Row("pilot", DELETE, r#"{"id":"web"}"#, 404, MISSING),
            Row("pilot", GET, r#"{"id":"web"}"#, 404, &missing),
            Row("pilot", POLICY, &put, 200, DONE),
            Row("pilot", DELETE, r#"{"name":"web"}"#, 200, DONE),
            Row("pilot", LIST, "{}", 200, r#"{"policies":[]}"#),
        ])
        .await;
    assert_eq!(count, 24);
    let invalid = world.post("pilot", DELETE, "{}").await;
    assert_eq!(
        (invalid.status, invalid.json()["detail"][0].as_str()),
        (400, Some("Policy name cannot be empty"))
    );
}

#[tokio::test]
async fn a_refused_policy_says_everything_that_is_wrong_and_changes_nothing() {
    let world = World::new();
    let good = policy("web", WEB, "^app/", "read");
    world.check(&[Row("pilot", POLICY, &good, 200, DONE)]).await;
    let mut count = 0;
    for (body, detail) in [
        (policy("", WEB, "^app/", "read"), vec!["Policy name cannot be empty"]),
        (
            policy("web", "spiffe://example.org/workload/*", "^app/", "read"),
            vec![
                "Invalid SPIFFE ID pattern: \"spiffe://example.org/workload/*\"\nUse regex syntax: \"spiffe://example\\.org/workload/.*\"",
            ],
        ),
        (
            policy("web", WEB, "/secrets/app/.*", "read"),
            vec![
                "Invalid path pattern: \"/secrets/app/.*\"\nPaths are namespaces, remove leading slash: \"secrets/app/.*\"",
            ],
        ),
    ] {
        let answer = world.post("pilot", POLICY, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        let json = answer.json();
        assert_eq!(json["err"], "api_bad_request", "{body}");
        let texts: Vec<&str> = json["detail"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        assert_eq!(texts, detail, "{body}");
        answer.assert_usual_headers();
        count += 1;
    }
    for (body, faults) in [
        (policy("a/b", WEB, "^app/", "read"), 1),
        (policy(&"n".repeat(251), WEB, "^app/", "read"), 1),
        (policy("00000000-0000-4000-8000-000000000000", WEB, "^app/", "read"), 1),
        (policy("web", ".*", "^app/", "read"), 1),
        (policy("web", "", "^app/", "read"), 1),
        (policy("web", "^spiffe://example\\.org/(web$", "^app/", "read"), 1),
        (policy("web", WEB, "", "read"), 1),
        (policy("web", WEB, "^app/[", "read"), 1),
        (policy("web", WEB, "a**", "read"), 1),
        (policy("web", WEB, &"p".repeat(501), "read"), 1),
        (policy("web", WEB, "^app/", "Read"), 1),
        (policy("web", WEB, "^app/", "read,delete"), 1),
        (policy("web", WEB, "^app/", ""), 1),
        (
            r#"{"name":"web","spiffeidPattern":"^spiffe://a/b$","pathPattern":"^x/","permissions":[]}"#.to_owned(),
            1,
        ),
        (
            r#"{"name":"web","spiffeidPattern":"^spiffe://a/b$","pathPattern":"^x/"}"#.to_owned(),
            1,
        ),
        // The reserved namespace: brushed, or not said precisely for whom.
        (policy("web", WEB, "system", "read"), 1),
        (policy("web", WEB, "^spike", "read"), 1),
        (policy("web", r"spiffe://example\.org/web", ".*", "read"), 1),
        (
            policy("web", r"^spiffe://example\.org/web\$", "^spike/system/acl$", "read"),
            1,
        ),
        // All faults at once.
        (policy("a/b", "x", "/y", "z"), 4),
        (r"{}".to_owned(), 4),
    ] {
        let answer = world.post("pilot", POLICY, &body).await;
        let json = answer.json();
        let found = json["detail"].as_array().map(Vec::len);
        assert_eq!((answer.status, found), (400, Some(faults)), "{body}: {json}");
        count += 1;
    }
    assert_eq!(count, 24);
    let kept = world.post("pilot", GET, r#"{"id":"web"}"#).await.json();
    assert_eq!(
        (kept["pathPattern"].as_str(), &kept["permissions"]),
        (Some("^app/"), &serde_json::json!(["read"]))
    );
    assert_eq!(world.policies.current().unwrap().generation().0, 1);
}

#[tokio::test]
async fn what_go_accepts_is_accepted() {
    let world = World::new();
    let mut count = 0;
    for (who, path) in [
        (r"^spiffe://example\.org/web/.*$", "secrets"),
        ("spiffe://.*", "^tenants/"),
        (r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/x$", "^spike/app/.*$"),
        (r"^spiffe://example\.org/\d+$", "^$"),
        (r"^spiffe://example\.org$", r"^a\.b$"),
        (r"^spiffe://example\.org/[^/]+/web$", "^x{2,3}$"),
        (r"^spiffe://example\.org/(a|b)$", ".*"),
        (r"^spiffe://example\.org/web-service/$", "^spike/system/acl$"),
        (r"^spiffe://example\.org/.*$", "^a$|^spike/system/acl$"),
    ] {
        let body = policy(&format!("p{count}"), who, path, "read");
        count += world.check(&[Row("pilot", POLICY, &body, 200, DONE)]).await;
    }
    assert_eq!(count, 9);
}

#[tokio::test]
async fn list_filters_are_exact_and_one_at_a_time() {
    let world = World::new();
    for (name, who, path) in [("b", WEB, "^x/"), ("a", WEB, "^y/"), ("c", "spiffe://other/.*", "^x/")] {
        world
            .check(&[Row("pilot", POLICY, &policy(name, who, path, "read"), 200, DONE)])
            .await;
    }
    let web = r#"{"spiffeidPattern":"^spiffe://example\\.org/web$","pathPattern":""}"#;
    let both = r#"{"spiffeidPattern":"^spiffe://example\\.org/web$","pathPattern":"^x/"}"#;
    let item = |name: &str| format!(r#"{{"id":"<id>","name":"{name}"}}"#);
    let list = |names: &[&str]| {
        format!(
            r#"{{"policies":[{}]}}"#,
            names.iter().map(|name| item(name)).collect::<Vec<_>>().join(",")
        )
    };
    let rows = [
        Row("pilot", LIST, "{}", 200, &list(&["a", "b", "c"])),
        Row(
            "pilot",
            LIST,
            r#"{"spiffeidPattern":"","pathPattern":""}"#,
            200,
            &list(&["a", "b", "c"]),
        ),
        Row("pilot", LIST, web, 200, &list(&["a", "b"])),
        Row("pilot", LIST, r#"{"pathPattern":"^x/"}"#, 200, &list(&["b", "c"])),
        Row("pilot", LIST, r#"{"pathPattern":"^x"}"#, 200, &list(&[])),
        Row("pilot", LIST, r#"{"pathPattern":"x/"}"#, 200, &list(&[])),
        Row("pilot", LIST, r#"{"pathPattern":"("}"#, 200, &list(&[])),
        Row("pilot", LIST, both, 400, r#"{"policies":null,"err":"api_bad_request"}"#),
    ];
    assert_eq!(world.check(&rows).await, 8);
}

#[tokio::test]
async fn managing_policies_needs_a_policy_on_the_acl_path_each_operation_its_own() {
    let world = World::new();
    let acl = "^spike/system/acl$";
    for permission in ["read", "write", "list", "super"] {
        world
            .grant(permission, &format!("/admin/{permission}"), acl, permission)
            .await;
    }
    // It brushes the reserved path for another one: stored, but it opens only what it describes.
    world
        .grant("brush", "/admin/brush", "^spike/system/secret$|^nothing$", "super")
        .await;
    let body = policy("new", WEB, "^new/", "read");
    let mut count = 0;
    for (who, read, write, list) in [
        ("/admin/read", 200, 401, 401),
        ("/admin/write", 401, 200, 401),
        ("/admin/list", 401, 401, 200),
        ("/admin/super", 200, 200, 200),
        ("/admin/brush", 401, 401, 401),
        ("/admin", 401, 401, 401),
        ("/admin/super/x", 401, 401, 401),
    ] {
        for (target, body, status) in [
            (GET, r#"{"id":"read"}"#, read),
            (POLICY, body.as_str(), write),
            (APPLY, r#"{"policies":[]}"#, write),
            (DELETE, r#"{"id":"new"}"#, write),
            (LIST, "{}", list),
        ] {
            assert_eq!(
                world.post(who, target, body).await.status,
                status,
                "{who} asks {target}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 35);
}

#[tokio::test]
async fn apply_puts_all_or_nothing_and_says_what_became_of_each() {
    let world = World::new();
    let apply = |policies: &[String]| format!(r#"{{"policies":[{}]}}"#, policies.join(","));
    let (a, b) = (policy("a", WEB, "^a/", "read"), policy("b", WEB, "^b/", "read"));
    let changed = policy("b", WEB, "^b/", "read,write");
    let applied = |outcomes: [&str; 2], generation: u64| {
        format!(
            r#"{{"applied":[{{"name":"a","id":"<id>","outcome":"{}"}},{{"name":"b","id":"<id>","outcome":"{}"}}],"generation":{generation}}}"#,
            outcomes[0], outcomes[1]
        )
    };
    let rows = [
        Row("pilot", APPLY, "{}", 200, r#"{"applied":[],"generation":0}"#),
        Row(
            "pilot",
            APPLY,
            &apply(&[a.clone(), b.clone()]),
            200,
            &applied(["created", "created"], 1),
        ),
        Row(
            "pilot",
            APPLY,
            &apply(&[a.clone(), b.clone()]),
            200,
            &applied(["unchanged", "unchanged"], 1),
        ),
        Row(
            "pilot",
            APPLY,
            &apply(&[a.clone(), changed.clone()]),
            200,
            &applied(["unchanged", "updated"], 2),
        ),
    ];
    assert_eq!(world.check(&rows).await, 4);
    for (bodies, faults) in [
        (vec![policy("c", WEB, "^c/", "read"), policy("d", WEB, "(", "read")], 1),
        (
            vec![
                policy("c", WEB, "^c/", "read"),
                policy("", "x", "/", "z"),
                policy("e", WEB, "system", "read"),
            ],
            5,
        ),
        (
            vec![policy("c", WEB, "^c/", "read"), policy("c", WEB, "^d/", "read")],
            1,
        ),
    ] {
        let answer = world.post("pilot", APPLY, &apply(&bodies)).await;
        let json = answer.json();
        assert_eq!(
            (answer.status, json["detail"].as_array().unwrap().len()),
            (400, faults),
            "{json}"
        );
        assert_eq!(
            (&json["applied"], json["err"].as_str()),
            (&serde_json::Value::Null, Some("api_bad_request"))
        );
    }
    let list = world.post("pilot", LIST, "{}").await;
    assert_eq!(
        list.text(),
        r#"{"policies":[{"id":"<id>","name":"a"},{"id":"<id>","name":"b"}]}"#
    );
    let named = world
        .post("pilot", APPLY, &apply(&[policy("c", WEB, "(", "read")]))
        .await
        .json();
    assert!(
        named["detail"][0].as_str().unwrap().starts_with("policy 1: "),
        "{named}"
    );
}

#[tokio::test]
async fn a_strict_nexus_refuses_patterns_without_anchors() {
    let strict = |config: &mut spike_nexus::Config| config.rules.require_anchors = true;
    let world = World::with(strict, &FakeClock::at_unix(START));
    world
        .check(&[Row("pilot", POLICY, &policy("a", WEB, "^a/.*$", "read"), 200, DONE)])
        .await;
    for (who, path, words) in [
        (WEB, "^a/", vec!["unanchored: pathPattern"]),
        (
            r"spiffe://example\.org/web$",
            "^a$",
            vec!["unanchored: spiffeidPattern"],
        ),
        (
            r"^spiffe://example\.org/web\$",
            "^a$|b$",
            vec!["unanchored: spiffeidPattern", "unanchored: pathPattern"],
        ),
        ("^spiffe://example.org/web$", "^a$", vec!["bare-dot: spiffeidPattern"]),
    ] {
        let answer = world.post("pilot", POLICY, &policy("b", who, path, "read")).await;
        let json = answer.json();
        let texts: Vec<&str> = json["detail"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        assert_eq!((answer.status, texts.len()), (400, words.len()), "{json}");
        for (text, word) in texts.iter().zip(words) {
            assert!(
                text.starts_with(word) && text.contains("policy.require_anchors"),
                "{json}"
            );
        }
    }
}

#[tokio::test]
async fn a_change_is_in_force_for_the_next_request() {
    let world = World::new();
    let put = r#"{"path":"app/a","values":{"k":"v"}}"#;
    let get = "/v1/store/secrets?action=get";
    world.check(&[Row("pilot", "/v1/store/secrets", put, 200, DONE)]).await;
    for round in 0..25 {
        let denied = r#"{"data":null,"err":"access_unauthorized"}"#;
        let rows = [Row("/web", get, r#"{"path":"app/a"}"#, 401, denied)];
        world.check(&rows).await;
        world.grant("web", "/web", "^app/", "read").await;
        world
            .check(&[Row("/web", get, r#"{"path":"app/a"}"#, 200, r#"{"data":{"k":"v"}}"#)])
            .await;
        let generation = world.policies.current().unwrap().generation().0;
        assert_eq!(generation, 2 * round + 1);
        world.check(&[Row("pilot", DELETE, r#"{"id":"web"}"#, 200, DONE)]).await;
    }
}
