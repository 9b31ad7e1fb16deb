//! Bringing in what another Nexus had (extension `?action=import`).
use std::time::Duration;

use spike_runtime::clock::FakeClock;

use crate::harness::{METADATA, POLICY, Row, SECRETS, START, World};

const IMPORT: &str = "/v1/store/secrets?action=import";
const GET: &str = "/v1/store/secrets?action=get";
const DELETE: &str = "/v1/store/secrets?action=delete";
const UNDELETE: &str = "/v1/store/secrets?action=undelete";
const LIST: &str = "/v1/store/secrets?action=list";
const POLICIES: &str = "/v1/acl/policy?action=import";
const POLICY_GET: &str = "/v1/acl/policy?action=get";

const DONE: &str = "{}";
const CREATED: &str = r#"{"outcome":"created"}"#;
const IDENTICAL: &str = r#"{"outcome":"identical"}"#;
const UPDATED: &str = r#"{"outcome":"updated"}"#;
const REPLACED: &str = r#"{"outcome":"replaced"}"#;
const CONFLICT: &str = r#"{"outcome":"conflict"}"#;
const DENIED: &str = r#"{"outcome":null,"err":"access_unauthorized"}"#;
const GET_MISSING: &str = r#"{"data":null,"err":"api_not_found"}"#;
const MISSING: &str = r#"{"err":"api_not_found"}"#;

/// A secret with a pruned, a deleted and a current version; `more` are further fields.
fn three(more: &str) -> String {
    format!(
        r#"{{"path":"a/b","createdTime":"2020-01-01T01:00:00+01:00","updatedTime":"2020-01-04T00:00:00.5Z","maxVersions":7,
        "versions":[
          {{"version":4,"createdTime":"2020-01-03T00:00:00.123456789Z","values":{{"k":"four"}}}},
          {{"version":2,"createdTime":"2020-01-01T00:00:00Z","values":{{"k":"two"}}}},
          {{"version":3,"createdTime":"2020-01-02T00:00:00Z","deletedTime":"2020-01-04T00:00:00.5Z"}}]{more}}}"#
    )
}

#[tokio::test]
async fn a_secret_arrives_with_its_numbers_times_and_gaps() {
    let world = World::new();
    let whole = three("");
    let compare = three(r#","mode":"compare""#);
    let times = r#"{"versions":{"2":{"createdTime":"2020-01-01T00:00:00Z","version":2,"deletedTime":null},"3":{"createdTime":"2020-01-02T00:00:00Z","version":3,"deletedTime":"2020-01-04T00:00:00.5Z"},"4":{"createdTime":"2020-01-03T00:00:00.123Z","version":4,"deletedTime":null}},"metadata":{"currentVersion":4,"oldestVersion":2,"createdTime":"2020-01-01T00:00:00Z","updatedTime":"2020-01-04T00:00:00.5Z","maxVersions":7}}"#;
    let rows = [
        Row("pilot", IMPORT, &compare, 200, CREATED),
        Row("pilot", LIST, "{}", 200, r#"{"keys":[]}"#),
        Row("pilot", IMPORT, &whole, 200, CREATED),
        Row("pilot", METADATA, r#"{"path":"a/b"}"#, 200, times),
        Row("pilot", GET, r#"{"path":"a/b"}"#, 200, r#"{"data":{"k":"four"}}"#),
        Row(
            "pilot",
            GET,
            r#"{"path":"a/b","version":2}"#,
            200,
            r#"{"data":{"k":"two"}}"#,
        ),
        Row("pilot", GET, r#"{"path":"a/b","version":3}"#, 404, GET_MISSING),
        Row("pilot", GET, r#"{"path":"a/b","version":1}"#, 404, GET_MISSING),
        Row("pilot", IMPORT, &whole, 200, IDENTICAL),
        Row("pilot", IMPORT, &three(r#","mode":"overwrite""#), 200, IDENTICAL),
        // There is nothing that could come back.
        Row("pilot", UNDELETE, r#"{"path":"a/b","versions":[3]}"#, 404, MISSING),
        // It goes on where the other Nexus left off.
        Row("pilot", SECRETS, r#"{"path":"a/b","values":{"k":"five"}}"#, 200, DONE),
        Row(
            "pilot",
            GET,
            r#"{"path":"a/b","version":5}"#,
            200,
            r#"{"data":{"k":"five"}}"#,
        ),
        Row("pilot", IMPORT, &whole, 200, CONFLICT),
        Row("pilot", GET, r#"{"path":"a/b"}"#, 200, r#"{"data":{"k":"five"}}"#),
    ];
    assert_eq!(world.check(&rows).await, rows.len());
}

#[tokio::test]
async fn a_path_without_versions_is_listed_and_holds_nothing() {
    let world = World::new();
    let rows = [
        Row("pilot", IMPORT, r#"{"path":"gone"}"#, 200, CREATED),
        Row("pilot", IMPORT, r#"{"path":"gone","versions":null}"#, 200, IDENTICAL),
        Row("pilot", LIST, "{}", 200, r#"{"keys":["gone"]}"#),
        Row("pilot", GET, r#"{"path":"gone"}"#, 404, GET_MISSING),
        Row("pilot", UNDELETE, r#"{"path":"gone"}"#, 404, MISSING),
        Row("pilot", DELETE, r#"{"path":"gone"}"#, 200, DONE),
        // It came back there: then it does here.
        Row(
            "pilot",
            IMPORT,
            r#"{"path":"gone","versions":[{"version":3,"values":{"k":"v"}}]}"#,
            200,
            UPDATED,
        ),
        Row(
            "pilot",
            GET,
            r#"{"path":"gone","version":3}"#,
            200,
            r#"{"data":{"k":"v"}}"#,
        ),
        Row("pilot", IMPORT, r#"{"path":"gone"}"#, 200, CONFLICT),
    ];
    assert_eq!(world.check(&rows).await, rows.len());
}

#[tokio::test]
async fn what_differs_is_a_conflict_and_what_goes_on_is_added() {
    let world = World::new();
    let with = |versions: &str, mode: &str| format!(r#"{{"path":"p","versions":[{versions}],"mode":"{mode}"}}"#);
    let one = r#"{"version":1,"createdTime":"2020-01-01T00:00:00Z","values":{"k":"1"}}"#;
    let two = r#"{"version":2,"createdTime":"2020-01-02T00:00:00Z","values":{"k":"2"}}"#;
    let gone = r#"{"version":2,"createdTime":"2020-01-02T00:00:00Z","deletedTime":"2020-01-03T00:00:00Z"}"#;
    let three = r#"{"version":3,"values":{"k":"3"}}"#;
    let other = r#"{"version":1,"createdTime":"2020-01-01T00:00:00Z","values":{"k":"other"}}"#;
    let later = r#"{"version":1,"createdTime":"2020-01-01T00:00:01Z","values":{"k":"1"}}"#;
    let timeless = r#"{"version":1,"values":{"k":"1"}}"#;
    let steps = [
        (with(one, "add"), CREATED),
        (with(timeless, "add"), IDENTICAL),
        (with(other, "add"), CONFLICT),
        (with(later, "add"), CONFLICT),
        (with(&format!("{one},{two}"), "compare"), UPDATED),
        (with(&format!("{one},{two}"), "add"), UPDATED),
        (with(&format!("{one},{two}"), "add"), IDENTICAL),
        (with(&format!("{one},{gone}"), "add"), CONFLICT),
        (with(one, "add"), CONFLICT),
        // Version 1 was pruned there meanwhile.
        (with(&format!("{two},{three}"), "add"), UPDATED),
        (with(&format!("{one},{gone}"), "compare"), CONFLICT),
        (with(&format!("{one},{gone}"), "overwrite"), REPLACED),
        (with(&format!("{one},{gone}"), "overwrite"), IDENTICAL),
        // A number without values is in nobody's way, and is not given out again.
        (with(one, "add"), IDENTICAL),
        (with(&format!("{one},{three}"), "add"), UPDATED),
    ];
    for (body, answer) in &steps {
        world.check(&[Row("pilot", IMPORT, body, 200, answer)]).await;
    }
    let rows = [
        Row(
            "pilot",
            GET,
            r#"{"path":"p","version":1}"#,
            200,
            r#"{"data":{"k":"1"}}"#,
        ),
        Row("pilot", GET, r#"{"path":"p","version":2}"#, 404, GET_MISSING),
        Row(
            "pilot",
            GET,
            r#"{"path":"p","version":3}"#,
            200,
            r#"{"data":{"k":"3"}}"#,
        ),
    ];
    world.check(&rows).await;
}

#[tokio::test]
async fn only_pilot_imports_whatever_policies_say() {
    let world = World::new();
    world.grant("all", "/app", ".*", "super").await;
    let body = three("");
    let policies = r#"{"policies":[]}"#;
    for who in ["/app", "/other", "recover", "lite", "authz", "nexus"] {
        let answer = world.post(who, IMPORT, &body).await;
        assert_eq!((answer.status, answer.text().as_str()), (401, DENIED), "{who}");
        let answer = world.post(who, POLICIES, policies).await;
        let denied = r#"{"imported":null,"err":"access_unauthorized"}"#;
        assert_eq!((answer.status, answer.text().as_str()), (401, denied), "{who}");
    }
    world.check(&[Row("ada", IMPORT, &body, 200, CREATED)]).await;
}

#[tokio::test]
async fn an_import_that_makes_no_sense_is_refused_with_the_reason() {
    let world = World::new();
    for (body, reason) in [
        (r#"{"path":"a b"}"#, "secret path \"a b\": "),
        (r#"{"path":""}"#, "secret path must not be empty"),
        (
            r#"{"path":"p","versions":[{"version":0,"values":{}}]}"#,
            "a version must be a number from 1",
        ),
        (
            r#"{"path":"p","versions":[{"version":4294967296,"values":{}}]}"#,
            "a version must be a number from 1",
        ),
        (
            r#"{"path":"p","versions":[{"version":1,"values":{}},{"version":1,"values":{}}]}"#,
            "version 1 is given twice",
        ),
        (r#"{"path":"p","versions":[{"version":1,"values":{"a.b":""}}]}"#, "a.b"),
        (
            r#"{"path":"p","maxVersions":-1}"#,
            "maxVersions must be a number from 0",
        ),
        (r#"{"path":"p","createdTime":"1969-12-31T23:59:59Z"}"#, "is before 1970"),
        (r#"{"path":"p","createdTime":"soon"}"#, "wrong type"),
        (r#"{"path":"p","mode":"force"}"#, "wrong type"),
        ("", "not JSON"),
    ] {
        let answer = world.post("pilot", IMPORT, body).await;
        assert_eq!(answer.status, 400, "{body}");
        let told = answer.json();
        assert_eq!(told["err"], "api_bad_request", "{body}");
        let detail = told["detail"][0].as_str().unwrap();
        assert!(detail.contains(reason), "{body}: {detail}");
    }
    world.check(&[Row("pilot", LIST, "{}", 200, r#"{"keys":[]}"#)]).await;
}

#[tokio::test]
async fn many_large_versions_arrive_together_but_only_from_pilot() {
    let world = World::with(|config| config.limits.body_bytes = 2_000, &FakeClock::at_unix(START));
    let value = "x".repeat(1_500);
    let version = |number| format!(r#"{{"version":{number},"values":{{"k":"{value}"}}}}"#);
    let versions: Vec<String> = (1..=15).map(version).collect();
    let body = format!(r#"{{"path":"p","maxVersions":20,"versions":[{}]}}"#, versions.join(","));
    assert!(body.len() > 20_000);
    world.check(&[Row("pilot", IMPORT, &body, 200, CREATED)]).await;
    assert_eq!(world.post("/app", IMPORT, &body).await.status, 400, "not even read");
    let put = format!(r#"{{"path":"p","values":{{"k":"{}"}}}}"#, "x".repeat(3_000));
    assert_eq!(world.post("pilot", SECRETS, &put).await.status, 400);
}

#[tokio::test]
async fn policies_arrive_with_their_times_each_judged_by_itself() {
    let clock = FakeClock::at_unix(START);
    let world = World::with(|_| {}, &clock);
    let policy = |name: &str, path: &str| {
        format!(
            r#"{{"name":"{name}","spiffeidPattern":"^spiffe://example\\.org/app$","pathPattern":"{path}","permissions":["write","read"],"createdAt":"2020-01-01T00:00:00Z","updatedAt":"2020-01-02T00:00:00.25-01:00"}}"#
        )
    };
    let body = |mode: &str, path: &str| {
        let (good, bad) = (policy("good", path), policy("bad", "/a"));
        format!(r#"{{"policies":[{good},{bad}],"mode":"{mode}"}}"#)
    };
    let outcomes = async |body: &str| {
        let answer = world.post("pilot", POLICIES, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        let refused = told["imported"][1].clone();
        assert_eq!(
            (&refused["name"], &refused["outcome"]),
            (&"bad".into(), &"refused".into())
        );
        assert!(
            refused["detail"][0].as_str().unwrap().contains("leading slash"),
            "{refused}"
        );
        told["imported"][0]["outcome"].as_str().unwrap().to_owned()
    };
    let get = async || {
        let answer = world.post("pilot", POLICY_GET, r#"{"id":"good"}"#).await;
        (answer.status, answer.json())
    };
    assert_eq!(outcomes(&body("compare", "^a$")).await, "created");
    assert_eq!(get().await.0, 404);
    assert_eq!(outcomes(&body("add", "^a$")).await, "created");
    let (_, stored) = get().await;
    assert_eq!(
        (&stored["createdAt"], &stored["updatedAt"]),
        (&"2020-01-01T00:00:00Z".into(), &"2020-01-02T01:00:00.25Z".into())
    );
    clock.advance(Duration::from_secs(5));
    assert_eq!(outcomes(&body("add", "^a$")).await, "identical");
    assert_eq!(outcomes(&body("add", "^b$")).await, "conflict");
    assert_eq!(outcomes(&body("compare", "^b$")).await, "conflict");
    assert_eq!(get().await.1, stored);
    assert_eq!(outcomes(&body("overwrite", "^b$")).await, "replaced");
    let (_, replaced) = get().await;
    assert_eq!(
        (&replaced["id"], &replaced["pathPattern"]),
        (&stored["id"], &"^b$".into())
    );

    let twice = format!(r#"{{"policies":[{0},{0}]}}"#, policy("twice", "^a$"));
    let answer = world.post("pilot", POLICIES, &twice).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["detail"][0], "the policy `twice` is named twice");
    // What came in decides at once.
    let read = world.post("/app", GET, r#"{"path":"b"}"#).await;
    assert_eq!(read.status, 404, "allowed, but not there");
    assert_eq!(world.post("/app", POLICY, "{}").await.status, 401);
}
