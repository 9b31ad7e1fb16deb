//! What is a route and what is not, and in which order a request is judged.
use crate::harness::{POLICY, Row, SECRETS, World};

const NO_ROUTE: &str = r#"{"err":"api_bad_request"}"#;

#[tokio::test]
async fn only_the_exact_routes_exist() {
    let world = World::new();
    let mut rows: Vec<String> = Vec::new();
    for path in [
        "/",
        "/v1",
        "/v1/store/secrets/",
        "/v1/store/secret",
        "/V1/store/secrets",
        "/v1/store/secrets/metadata",
        "/v1/store/secrets/metadata?action=list",
        "/v1/store/secrets?action=apply",
        "/v1/store/secrets?action=Get",
        "/v1/store/secrets?action=get%20",
        "/v1/acl/policy/",
        "/v1/acl/policy?action=undelete",
        "/v1/acl/policy?action=checks",
        "/v1/cipher/encrypt?action=get",
        "/v1/cipher/decrypt?action=get",
        "/v1/bootstrap/verify?action=get",
        "/v1/operator/recover?action=get",
        "/v1/operator/restore?action=get",
        "/v1/auth/initialization",
        "/v1/secrets/a",
        "/health",
        "/metrics",
        "/v1/store/secrets%",
        "/v1/store/secrets%ff",
        "/v1/%2e%2e/a",
    ] {
        rows.push(path.to_owned());
    }
    let table: Vec<Row<'_>> = rows
        .iter()
        .map(|path| Row("pilot", path, "{}", 400, NO_ROUTE))
        .collect();
    assert_eq!(world.check(&table).await, 25);
}

#[tokio::test]
async fn other_methods_are_no_routes() {
    let world = World::new();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "post", "LIST"] {
        let answer = world.send("pilot", &format!("{method} {SECRETS}"), b"{}").await;
        assert_eq!((answer.status, answer.text().as_str()), (400, NO_ROUTE), "{method}");
        answer.assert_usual_headers();
    }
    let head = world.connect("pilot").await.one(&format!("HEAD {SECRETS}")).await;
    assert_eq!(head.status, 400);
    let star = world.send("pilot", "OPTIONS *", b"").await;
    assert_eq!((star.status, star.body.len()), (200, 0));
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let world = World::new();
    for (version, hosts, status) in [
        ("1.1", "", 400),
        ("1.1", "Host: a\r\nHost: b\r\n", 400),
        ("1.1", "Host: a\r\n", 200),
        ("1.1", "Host:\r\n", 200),
        ("1.0", "", 200),
    ] {
        let mut connection = world.connect("pilot").await;
        let head = format!("POST {SECRETS}?action=list HTTP/{version}\r\n{hosts}Connection: close\r\n");
        connection
            .write_raw(format!("{head}Content-Length: 2\r\n\r\n{{}}").as_bytes())
            .await;
        let answer = connection.head().await.unwrap();
        assert_eq!(answer.status, status, "HTTP/{version} {hosts:?}");
    }
}

#[tokio::test]
async fn paths_are_compared_decoded_and_actions_as_go_parses_queries() {
    let world = World::new();
    let empty = r#"{"keys":[]}"#;
    let put = r#"{"err":"api_bad_request"}"#;
    let rows = [
        Row("pilot", "/v1/store/secret%73?action=list", "{}", 200, empty),
        Row("pilot", "/v1%2fstore/secrets?action=list", "{}", 200, empty),
        Row("pilot", "/v1/store/secrets?action=list&action=get", "{}", 200, empty),
        Row("pilot", "/v1/store/secrets?x=1&action=l%69st", "{}", 200, empty),
        Row("pilot", "/v1/store/secrets?%61ction=list", "{}", 200, empty),
        Row("pilot", "/v1/store/secrets?action=%zz&action=list", "{}", 200, empty),
        // The default action: a put without a path.
        Row("pilot", "/v1/store/secrets?action=list;x", "{}", 400, put),
        Row("pilot", "/v1/store/secrets?Action=list", "{}", 400, put),
        Row("pilot", "/v1/store/secrets?action=", "{}", 400, put),
        Row(
            "pilot",
            "https://elsewhere/v1/store/secrets?action=list",
            "{}",
            200,
            empty,
        ),
    ];
    assert_eq!(world.check(&rows).await, 10);
}

#[tokio::test]
async fn unclean_paths_are_redirected_as_go_does() {
    let world = World::new();
    for (target, location) in [
        ("//v1/store/secrets?action=list", "/v1/store/secrets?action=list"),
        ("/v1//store/secrets", "/v1/store/secrets"),
        ("/v1/./store/secrets", "/v1/store/secrets"),
        ("/v1/x/../store/secrets", "/v1/store/secrets"),
        ("/v1/store/secrets/..", "/v1/store"),
        ("//a%20b%25c", "/a%2520b%2525c"),
    ] {
        let answer = world.post("pilot", target, "{}").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some(location)),
            "{target}"
        );
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("cache-control"), None);
    }
}

#[tokio::test]
async fn malformed_json_is_answered_before_authorization_with_the_shape_of_the_route() {
    let world = World::new();
    let zero = "0001-01-01T00:00:00Z";
    let metadata = format!(
        r#"{{"metadata":{{"currentVersion":0,"oldestVersion":0,"createdTime":"{zero}","updatedTime":"{zero}","maxVersions":0}},"err":"api_bad_request"}}"#
    );
    let policy = format!(
        r#"{{"id":"","name":"","spiffiedPattern":"","pathPattern":"","permissions":null,"createdAt":"{zero}","updatedAt":"{zero}","err":"api_bad_request"}}"#
    );
    let detail = r#"{"err":"api_bad_request","detail":["not JSON at byte 0"]}"#;
    let mut count = 0;
    for (target, shape) in [
        ("/v1/store/secrets", NO_ROUTE),
        (
            "/v1/store/secrets?action=get",
            r#"{"data":null,"err":"api_bad_request"}"#,
        ),
        ("/v1/store/secrets?action=delete", NO_ROUTE),
        ("/v1/store/secrets?action=undelete", NO_ROUTE),
        (
            "/v1/store/secrets?action=list",
            r#"{"keys":null,"err":"api_bad_request"}"#,
        ),
        ("/v1/store/secrets/metadata?action=get", metadata.as_str()),
        ("/v1/acl/policy", detail),
        ("/v1/acl/policy?action=get", policy.as_str()),
        ("/v1/acl/policy?action=delete", detail),
        (
            "/v1/acl/policy?action=list",
            r#"{"policies":null,"err":"api_bad_request"}"#,
        ),
        (
            "/v1/acl/policy?action=apply",
            r#"{"applied":null,"generation":0,"err":"api_bad_request","detail":["not JSON at byte 0"]}"#,
        ),
        ("/v1/acl/policy?action=watch", NO_ROUTE),
    ] {
        count += world.check(&[Row("/stranger", target, "", 400, shape)]).await;
        let garbage = world.post("/stranger", target, r#"{"path":"#).await;
        assert_eq!(garbage.status, 400, "{target}");
    }
    assert_eq!(count, 12);
}

#[tokio::test]
async fn everything_is_denied_to_a_stranger_with_the_shape_of_the_route() {
    let world = World::new();
    let denied = r#"{"err":"access_unauthorized"}"#;
    let zero = "0001-01-01T00:00:00Z";
    let metadata = format!(
        r#"{{"metadata":{{"currentVersion":0,"oldestVersion":0,"createdTime":"{zero}","updatedTime":"{zero}","maxVersions":0}},"err":"access_unauthorized"}}"#
    );
    let policy = format!(
        r#"{{"id":"","name":"","spiffiedPattern":"","pathPattern":"","permissions":null,"createdAt":"{zero}","updatedAt":"{zero}","err":"access_unauthorized"}}"#
    );
    let mut count = 0;
    // Roles that are no superuser, and a superuser's name where it does not count.
    for who in [
        "/stranger",
        "lite",
        "recover",
        "keeper",
        "nexus",
        "authz",
        "/spike/pilot/role/superuserx",
    ] {
        count += world
            .check(&[
                Row(
                    who,
                    "/v1/store/secrets",
                    r#"{"path":"a","values":{"k":"v"}}"#,
                    401,
                    denied,
                ),
                Row(
                    who,
                    "/v1/store/secrets?action=get",
                    r#"{"path":"a"}"#,
                    401,
                    r#"{"data":null,"err":"access_unauthorized"}"#,
                ),
                Row(who, "/v1/store/secrets?action=delete", r#"{"path":"a"}"#, 401, denied),
                Row(who, "/v1/store/secrets?action=undelete", r#"{"path":"a"}"#, 401, denied),
                Row(
                    who,
                    "/v1/store/secrets?action=list",
                    "{}",
                    401,
                    r#"{"keys":null,"err":"access_unauthorized"}"#,
                ),
                Row(
                    who,
                    "/v1/store/secrets/metadata?action=get",
                    r#"{"path":"a"}"#,
                    401,
                    &metadata,
                ),
                Row(who, POLICY, r#"{"name":""}"#, 401, denied),
                Row(who, "/v1/acl/policy?action=get", r#"{"id":"a"}"#, 401, &policy),
                Row(who, "/v1/acl/policy?action=delete", r#"{"id":"a"}"#, 401, denied),
                Row(
                    who,
                    "/v1/acl/policy?action=list",
                    "{}",
                    401,
                    r#"{"policies":null,"err":"access_unauthorized"}"#,
                ),
                Row(
                    who,
                    "/v1/acl/policy?action=apply",
                    "{}",
                    401,
                    r#"{"applied":null,"generation":0,"err":"access_unauthorized"}"#,
                ),
            ])
            .await;
    }
    assert_eq!(count, 77);
    for who in ["/stranger", "lite", "recover", "keeper"] {
        count += world
            .check(&[Row(who, "/v1/acl/policy?action=watch", "{}", 401, denied)])
            .await;
    }
    assert_eq!(count, 81);
}
