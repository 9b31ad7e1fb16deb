//! The secret routes, as `spike.md` §1.4 and §4 state them, with the corrections of design D9 and D16.
use spike_runtime::clock::FakeClock;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::harness::{METADATA, Row, SECRETS, START, World};

const GET: &str = "/v1/store/secrets?action=get";
const DELETE: &str = "/v1/store/secrets?action=delete";
const UNDELETE: &str = "/v1/store/secrets?action=undelete";
const LIST: &str = "/v1/store/secrets?action=list";

const DONE: &str = "{}";
const BAD: &str = r#"{"err":"api_bad_request"}"#;
const MISSING: &str = r#"{"err":"api_not_found"}"#;
const DENIED: &str = r#"{"err":"access_unauthorized"}"#;
const GET_MISSING: &str = r#"{"data":null,"err":"api_not_found"}"#;
const GET_DENIED: &str = r#"{"data":null,"err":"access_unauthorized"}"#;
const GET_BAD: &str = r#"{"data":null,"err":"api_bad_request"}"#;

#[expect(clippy::too_many_lines, reason = "one table, in order")]
#[tokio::test]
async fn a_secret_lives_through_versions_deletion_and_return() {
    let world = World::new();
    let rows = [
        Row("pilot", GET, r#"{"path":"db/creds"}"#, 404, GET_MISSING),
        Row("pilot", LIST, "{}", 200, r#"{"keys":[]}"#),
        Row(
            "pilot",
            SECRETS,
            r#"{"path":"db/creds","values":{"user":"ada","password":"<1>"}}"#,
            200,
            DONE,
        ),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds"}"#,
            200,
            r#"{"data":{"password":"\u003c1\u003e","user":"ada"}}"#,
        ),
        // A put replaces everything.
        Row(
            "pilot",
            SECRETS,
            r#"{"path":"db/creds","values":{"user":"eve"}}"#,
            200,
            DONE,
        ),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds","version":0}"#,
            200,
            r#"{"data":{"user":"eve"}}"#,
        ),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds","version":1}"#,
            200,
            r#"{"data":{"password":"\u003c1\u003e","user":"ada"}}"#,
        ),
        Row("pilot", GET, r#"{"path":"db/creds","version":3}"#, 404, GET_MISSING),
        Row("pilot", GET, r#"{"path":"db/creds","version":-1}"#, 404, GET_MISSING),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds","version":4294967297}"#,
            404,
            GET_MISSING,
        ),
        Row("pilot", GET, r#"{"path":"db/creds/"}"#, 404, GET_MISSING),
        // Delete the current version: the one before it becomes current.
        Row("pilot", DELETE, r#"{"path":"db/creds"}"#, 200, DONE),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds"}"#,
            200,
            r#"{"data":{"password":"\u003c1\u003e","user":"ada"}}"#,
        ),
        Row("pilot", GET, r#"{"path":"db/creds","version":2}"#, 404, GET_MISSING),
        // The default undelete undoes the default delete.
        Row("pilot", UNDELETE, r#"{"path":"db/creds","versions":[0]}"#, 200, DONE),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds"}"#,
            200,
            r#"{"data":{"user":"eve"}}"#,
        ),
        Row(
            "pilot",
            DELETE,
            r#"{"path":"db/creds","versions":[1,2,77,-5]}"#,
            200,
            DONE,
        ),
        Row("pilot", GET, r#"{"path":"db/creds"}"#, 404, GET_MISSING),
        Row("pilot", LIST, "{}", 200, r#"{"keys":["db/creds"]}"#),
        Row("pilot", DELETE, r#"{"path":"db/creds","versions":[2]}"#, 200, DONE),
        // A put after that takes the highest number + 1; nothing deleted is overwritten.
        Row("pilot", SECRETS, r#"{"path":"db/creds","values":{"n":"3"}}"#, 200, DONE),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds","version":3}"#,
            200,
            r#"{"data":{"n":"3"}}"#,
        ),
        Row("pilot", UNDELETE, r#"{"path":"db/creds","versions":[2]}"#, 200, DONE),
        Row(
            "pilot",
            GET,
            r#"{"path":"db/creds","version":2}"#,
            200,
            r#"{"data":{"user":"eve"}}"#,
        ),
        Row("pilot", GET, r#"{"path":"db/creds"}"#, 200, r#"{"data":{"n":"3"}}"#),
        Row("pilot", UNDELETE, r#"{"path":"db/creds","versions":[2]}"#, 404, MISSING),
        Row(
            "pilot",
            UNDELETE,
            r#"{"path":"db/creds","versions":[99]}"#,
            404,
            MISSING,
        ),
        Row("pilot", UNDELETE, r#"{"path":"nowhere"}"#, 404, MISSING),
        Row("pilot", DELETE, r#"{"path":"nowhere"}"#, 404, MISSING),
        Row("pilot", DELETE, r#"{"path":"nowhere","versions":[1]}"#, 404, MISSING),
    ];
    assert_eq!(world.check(&rows).await, 30);
}

#[tokio::test]
async fn paths_and_keys_follow_the_alphabet_and_values_are_free() {
    let world = World::new();
    let long = "p".repeat(500);
    let put = |path: &str, values: &str| format!(r#"{{"path":"{path}","values":{values}}}"#);
    let mut count = 0;
    for (path, values, status) in [
        ("/a//b/../c/", r#"{"k":"v"}"#, 200),
        ("a.b-c_d()?+*|[]{}\\\\", r#"{"k":"v"}"#, 200),
        (long.as_str(), r#"{"k":"v"}"#, 200),
        ("empty", "{}", 200),
        ("null", "null", 200),
        ("many words_1-2", r#"{"k":"v"}"#, 400),
        ("values", r#"{"a b-c_9":"any \u0000 text é <>&"}"#, 200),
        ("values", r#"{"tls.crt":"v"}"#, 400),
        ("values", r#"{"":"v"}"#, 400),
        ("values", r#"{"é":"v"}"#, 400),
        ("values", r#"{"k":"v","a/b":"v"}"#, 400),
        ("", r#"{"k":"v"}"#, 400),
        ("é", r#"{"k":"v"}"#, 400),
        ("a:b", r#"{"k":"v"}"#, 400),
        ("a%2fb", r#"{"k":"v"}"#, 400),
        ("a\\nb", r#"{"k":"v"}"#, 400),
    ] {
        let answer = if status == 200 { DONE } else { BAD };
        count += world
            .check(&[Row("pilot", SECRETS, &put(path, values), status, answer)])
            .await;
    }
    let too_long = put(&"p".repeat(501), r#"{"k":"v"}"#);
    let key = put("k", &format!(r#"{{"{}":"v"}}"#, "k".repeat(251)));
    count += world
        .check(&[
            Row("pilot", SECRETS, &too_long, 400, BAD),
            Row("pilot", SECRETS, &key, 400, BAD),
            Row("pilot", GET, r#"{"path":"a b"}"#, 400, GET_BAD),
            Row("pilot", GET, "{}", 400, GET_BAD),
            Row("pilot", GET, "null", 400, GET_BAD),
            Row("pilot", DELETE, "{}", 400, BAD),
            Row("pilot", UNDELETE, "{}", 400, BAD),
            Row("pilot", GET, r#"{"path":"empty"}"#, 200, r#"{"data":{}}"#),
            Row("pilot", GET, r#"{"path":"null"}"#, 200, r#"{"data":{}}"#),
            Row(
                "pilot",
                GET,
                r#"{"path":"values"}"#,
                200,
                "{\"data\":{\"a b-c_9\":\"any \\u0000 text é \\u003c\\u003e\\u0026\"}}",
            ),
            Row(
                "pilot",
                GET,
                r#"{"PATH":"values","path":"empty"}"#,
                200,
                r#"{"data":{}}"#,
            ),
            Row("pilot", GET, r#"{"path":"empty","version":1.0}"#, 400, GET_BAD),
        ])
        .await;
    assert_eq!(count, 28);
}

#[tokio::test]
async fn an_invalid_path_is_denied_to_strangers_and_invalid_to_those_who_may() {
    let world = World::new();
    world.grant("web", "/acme/web", "^acme/", "read,write").await;
    let rows = [
        Row("/acme/web", SECRETS, r#"{"path":"acme/a b","values":{}}"#, 400, BAD),
        Row("/acme/web", GET, r#"{"path":"acme/a b"}"#, 400, GET_BAD),
        Row("/acme/web", GET, r#"{"path":"other/a b"}"#, 401, GET_DENIED),
        Row("/acme/web", GET, r#"{"path":""}"#, 401, GET_DENIED),
        Row("/acme/eve", GET, r#"{"path":"acme/a b"}"#, 401, GET_DENIED),
        Row(
            "/acme/eve",
            SECRETS,
            r#"{"path":"acme/a b","values":{"x.y":"1"}}"#,
            401,
            DENIED,
        ),
        Row(
            "/acme/web",
            SECRETS,
            r#"{"path":"acme/a","values":{"x.y":"1"}}"#,
            400,
            BAD,
        ),
        // What is not there is not told to those who may not ask.
        Row("/acme/eve", GET, r#"{"path":"acme/none"}"#, 401, GET_DENIED),
        Row("/acme/web", GET, r#"{"path":"acme/none"}"#, 404, GET_MISSING),
    ];
    assert_eq!(world.check(&rows).await, 9);
}

#[tokio::test]
async fn each_operation_needs_its_own_permission() {
    let world = World::new();
    for permission in ["read", "write", "list", "execute", "super"] {
        world
            .grant(permission, &format!("/acme/{permission}"), "^acme/", permission)
            .await;
    }
    world
        .check(&[Row(
            "pilot",
            SECRETS,
            r#"{"path":"acme/a","values":{"k":"v"}}"#,
            200,
            DONE,
        )])
        .await;
    let mut count = 0;
    for (who, may_read, may_write, may_list) in [
        ("/acme/read", true, false, false),
        ("/acme/write", false, true, false),
        ("/acme/list", false, false, true),
        ("/acme/execute", false, false, false),
        ("/acme/super", true, true, true),
    ] {
        let pick = |may: bool, yes, no| if may { (200, yes) } else { (401, no) };
        let read = pick(may_read, r#"{"data":{"k":"v"}}"#, GET_DENIED);
        let write = pick(may_write, DONE, DENIED);
        let list = pick(
            may_list,
            r#"{"keys":["acme/a"]}"#,
            r#"{"keys":null,"err":"access_unauthorized"}"#,
        );
        count += world
            .check(&[
                Row(who, GET, r#"{"path":"acme/a"}"#, read.0, read.1),
                Row(
                    who,
                    SECRETS,
                    r#"{"path":"acme/a","values":{"k":"v"}}"#,
                    write.0,
                    write.1,
                ),
                Row(who, DELETE, r#"{"path":"acme/a"}"#, write.0, write.1),
                Row(who, UNDELETE, r#"{"path":"acme/a"}"#, write.0, write.1),
                Row(who, LIST, "{}", list.0, list.1),
            ])
            .await;
        assert_eq!(
            world.post(who, METADATA, r#"{"path":"acme/a"}"#).await.status,
            read.0,
            "{who}"
        );
    }
    assert_eq!(count, 25);
    // The pilot of any name is a superuser; the lite workload stays out even when a policy lets it in.
    world
        .grant("lite", "/spike/workload/role/lite/1", "^acme/", "super")
        .await;
    let rows = [
        Row("ada", GET, r#"{"path":"acme/a"}"#, 200, r#"{"data":{"k":"v"}}"#),
        Row("lite", GET, r#"{"path":"acme/a"}"#, 401, GET_DENIED),
        Row("lite", LIST, "{}", 401, r#"{"keys":null,"err":"access_unauthorized"}"#),
    ];
    world.check(&rows).await;
}

#[tokio::test]
async fn a_list_shows_what_the_caller_may_list() {
    let world = World::new();
    for path in ["b/2", "a/1", "a/2", "B/1"] {
        let body = format!(r#"{{"path":"{path}","values":{{}}}}"#);
        world.check(&[Row("pilot", SECRETS, &body, 200, DONE)]).await;
    }
    world
        .grant("all", "/acme/auditor", "^spike/system/secret$", "list")
        .await;
    world.grant("some", "/acme/web", "^a/", "list").await;
    world.grant("none", "/acme/none", "^c/", "list").await;
    world
        .grant("reader", "/acme/reader", "^spike/system/secret$", "read")
        .await;
    let denied = r#"{"keys":null,"err":"access_unauthorized"}"#;
    let rows = [
        Row("pilot", LIST, "{}", 200, r#"{"keys":["B/1","a/1","a/2","b/2"]}"#),
        Row(
            "/acme/auditor",
            LIST,
            "null",
            200,
            r#"{"keys":["B/1","a/1","a/2","b/2"]}"#,
        ),
        Row("/acme/web", LIST, "{}", 200, r#"{"keys":["a/1","a/2"]}"#),
        Row("/acme/none", LIST, "{}", 401, denied),
        Row("/acme/reader", LIST, "{}", 401, denied),
        Row("/acme/eve", LIST, "{}", 401, denied),
    ];
    assert_eq!(world.check(&rows).await, 6);
}

#[tokio::test]
async fn a_policy_on_a_reserved_path_opens_no_secret_that_lies_there() {
    let world = World::new();
    world.grant("admin", "/acme/admin", "^spike/system/acl$", "super").await;
    world.grant("everything", "/acme/root", ".*", "super").await;
    let mut count = 0;
    for path in ["spike/system/acl", "spike/system/secret", "spike/system/cipher/exec"] {
        let put = format!(r#"{{"path":"{path}","values":{{"k":"v"}}}}"#);
        let get = format!(r#"{{"path":"{path}"}}"#);
        for who in ["/acme/admin", "/acme/root"] {
            count += world
                .check(&[
                    Row(who, SECRETS, &put, 401, DENIED),
                    Row(who, GET, &get, 401, GET_DENIED),
                    Row(who, DELETE, &get, 401, DENIED),
                ])
                .await;
        }
        let data = r#"{"data":{"k":"v"}}"#;
        count += world
            .check(&[
                Row("pilot", SECRETS, &put, 200, DONE),
                Row("pilot", GET, &get, 200, data),
            ])
            .await;
    }
    assert_eq!(count, 24);
    let beside = [
        Row(
            "/acme/root",
            SECRETS,
            r#"{"path":"spike/system/acl2","values":{}}"#,
            200,
            DONE,
        ),
        Row(
            "/acme/admin",
            SECRETS,
            r#"{"path":"spike/system/acl2","values":{}}"#,
            401,
            DENIED,
        ),
    ];
    world.check(&beside).await;
}

#[tokio::test]
async fn metadata_tells_everything_but_values() {
    let clock = FakeClock::at_unix(START);
    let three = |config: &mut spike_nexus::Config| config.max_secret_versions = NonZeroU32::new(3).unwrap();
    let world = World::with(three, &clock);
    for _ in 0..4 {
        world
            .check(&[Row("pilot", SECRETS, r#"{"path":"a","values":{"k":"v"}}"#, 200, DONE)])
            .await;
        clock.advance(Duration::from_millis(1_500));
    }
    world
        .check(&[Row("pilot", DELETE, r#"{"path":"a","versions":[2]}"#, 200, DONE)])
        .await;
    let expected = concat!(
        r#"{"versions":{"2":{"createdTime":"2023-11-14T22:13:21.5Z","version":2,"deletedTime":"2023-11-14T22:13:26Z"},"#,
        r#""3":{"createdTime":"2023-11-14T22:13:23Z","version":3,"deletedTime":null},"#,
        r#""4":{"createdTime":"2023-11-14T22:13:24.5Z","version":4,"deletedTime":null}},"#,
        r#""metadata":{"currentVersion":4,"oldestVersion":3,"createdTime":"2023-11-14T22:13:20Z","#,
        r#""updatedTime":"2023-11-14T22:13:24.5Z","maxVersions":3}}"#
    );
    let zero = "0001-01-01T00:00:00Z";
    let missing = format!(
        r#"{{"metadata":{{"currentVersion":0,"oldestVersion":0,"createdTime":"{zero}","updatedTime":"{zero}","maxVersions":0}},"err":"api_not_found"}}"#
    );
    let bad = missing.replace("api_not_found", "api_bad_request");
    let rows = [
        Row("pilot", METADATA, r#"{"path":"a"}"#, 200, expected),
        Row("pilot", METADATA, r#"{"path":"a","version":3}"#, 200, expected),
        Row("pilot", METADATA, r#"{"path":"a","version":2}"#, 404, &missing),
        Row("pilot", METADATA, r#"{"path":"a","version":1}"#, 404, &missing),
        Row("pilot", METADATA, r#"{"path":"none"}"#, 404, &missing),
        Row("pilot", METADATA, r#"{"path":"a b"}"#, 400, &bad),
        Row("pilot", GET, r#"{"path":"a","version":1}"#, 404, GET_MISSING),
    ];
    assert_eq!(world.check(&rows).await, 7);
}

#[tokio::test]
async fn curl_reads_a_secret_by_its_path() {
    let world = World::new();
    world.grant("web", "/acme/web", "^acme/", "read").await;
    for body in [
        r#"{"path":"acme/db/creds","values":{"password":"one"}}"#,
        r#"{"path":"acme/db/creds","values":{"password":"two"}}"#,
        r#"{"path":"acme//odd/","values":{"k":"v"}}"#,
    ] {
        world.check(&[Row("pilot", SECRETS, body, 200, DONE)]).await;
    }
    let mut count = 0;
    for (who, target, status, answer) in [
        (
            "/acme/web",
            "/v1/secrets/acme/db/creds",
            200,
            r#"{"data":{"password":"two"}}"#,
        ),
        (
            "/acme/web",
            "/v1/secrets/acme/db/creds?version=1",
            200,
            r#"{"data":{"password":"one"}}"#,
        ),
        (
            "/acme/web",
            "/v1/secrets/acme%2Fdb%2Fcreds?x=1",
            200,
            r#"{"data":{"password":"two"}}"#,
        ),
        ("/acme/web", "/v1/secrets/acme//odd/", 200, r#"{"data":{"k":"v"}}"#),
        ("/acme/web", "/v1/secrets/acme/db/creds?version=9", 404, GET_MISSING),
        ("/acme/web", "/v1/secrets/acme/db/creds?version=x", 400, GET_BAD),
        ("/acme/web", "/v1/secrets/acme/a%20b", 400, GET_BAD),
        ("/acme/web", "/v1/secrets/other", 401, GET_DENIED),
        ("/acme/eve", "/v1/secrets/acme/db/creds", 401, GET_DENIED),
        ("/acme/eve", "/v1/secrets/acme/db/creds?version=x", 401, GET_DENIED),
        ("lite", "/v1/secrets/acme/db/creds", 401, GET_DENIED),
        ("pilot", "/v1/secrets/", 400, BAD),
        ("pilot", "/v1/secrets", 400, BAD),
    ] {
        let got = world.send(who, &format!("GET {target}"), b"").await;
        assert_eq!(
            (got.status, got.text().as_str()),
            (status, answer),
            "{who} gets {target}"
        );
        got.assert_usual_headers();
        count += 1;
    }
    assert_eq!(count, 13);
}
