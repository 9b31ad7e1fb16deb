//! Calls against a server that answers as it is told: what goes out, what comes back, what each failure becomes.
use crate::harness::{PATIENT, Reply, Server, client};
use spike_identity::authority::TestAuthority;
use spike_sdk::{Error, Filter, Permission, PolicyDocument, Versions};

const PATH: &str = "tenants/acme/db/creds";

fn policy() -> PolicyDocument {
    PolicyDocument {
        name: "db".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/app$".to_owned(),
        path_pattern: "^tenants/acme/.*$".to_owned(),
        permissions: vec!["read".to_owned(), "list".to_owned()],
    }
}

#[tokio::test]
async fn a_secret_is_three_lines_away() -> Result<(), Error> {
    let server = Server::start([Reply::ok(r#"{"data":{"password":"hunter2","user":"app"}}"#)]).await;
    let client = server.client().await;
    assert_eq!(&client.get_secret(PATH).await?.data["password"], "hunter2");
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /v1/store/secrets?action=get");
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(seen[0].body, r#"{"path":"tenants/acme/db/creds","version":0}"#);
    Ok(())
}

#[tokio::test]
async fn a_check_asks_by_permission_or_by_method_and_a_denial_is_an_answer() -> Result<(), Error> {
    let server = Server::start([
        Reply::ok(r#"{"allowed":true,"matchingPolicies":["db"]}"#),
        Reply::ok(r#"{"allowed":false,"reason":"path_unmatched","matchingPolicies":[],"nearMisses":null}"#),
        Reply::ok(r#"{"allowed":false,"matchingPolicies":null,"err":"access_unauthorized"}"#),
    ])
    .await;
    let client = server.client().await;
    let app = "spiffe://example.org/app";
    let yes = client.policies().check(app, PATH, Permission::Read).await?;
    assert_eq!(
        (yes.allowed, yes.matching_policies),
        (true, Some(vec!["db".to_owned()]))
    );
    let no = client.policies().check_method(app, PATH, "GET").await?;
    assert_eq!((no.allowed, no.reason.as_str()), (false, "path_unmatched"));
    let failed = client.policies().check(app, PATH, Permission::Read).await;
    assert!(matches!(failed, Err(Error::Denied)), "{failed:?}");
    let bodies: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| (seen.line.clone(), seen.body.clone()))
        .collect();
    let line = "POST /v1/acl/policy?action=check".to_owned();
    let how = |how: &str| (line.clone(), format!(r#"{{"spiffeid":"{app}","path":"{PATH}",{how}}}"#));
    assert_eq!(bodies[..2], [how(r#""action":"read""#), how(r#""method":"GET""#)]);
    Ok(())
}

#[tokio::test]
async fn every_call_sends_what_the_official_sdk_sends() -> Result<(), Error> {
    let policy_answer = concat!(
        r#"{"id":"","name":"db","spiffiedPattern":"^x$","pathPattern":"^y$","permissions":["read"],"#,
        r#""createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:05Z"}"#
    );
    let metadata = concat!(
        r#"{"versions":{"1":{"createdTime":"2026-01-02T03:04:05Z","version":1,"deletedTime":null}},"#,
        r#""metadata":{"currentVersion":1,"oldestVersion":1,"createdTime":"2026-01-02T03:04:05Z","#,
        r#""updatedTime":"2026-01-02T03:04:05Z","maxVersions":10}}"#
    );
    let applied = r#"{"applied":[{"name":"db","id":"i","outcome":"created"}],"generation":7}"#;
    let server = Server::start([
        Reply::ok("{}"),
        Reply::ok("{}"),
        Reply::ok("{}"),
        Reply::ok("{}"),
        Reply::ok(r#"{"keys":["a","b"]}"#),
        Reply::ok(metadata),
        Reply::ok("{}"),
        Reply::ok(policy_answer),
        Reply::ok("{}"),
        Reply::ok(r#"{"policies":[{"id":"i","name":"db"}]}"#),
        Reply::ok(r#"{"policies":[]}"#),
        Reply::ok(applied),
    ])
    .await;
    let client = server.client().await;
    client.put_secret(PATH, [("k", "v\u{2028}\"")]).await?;
    client.delete_secret(PATH).await?;
    client.secrets().delete(PATH, &Versions::from(&[0, 3][..])).await?;
    client.undelete_secret(PATH).await?;
    assert_eq!(client.list_secrets().await?, ["a", "b"]);
    let metadata = client.secret_metadata(PATH).await?;
    assert_eq!((metadata.metadata.max_versions, metadata.versions.len()), (10, 1));
    client.policies().put(&policy()).await?;
    assert_eq!(client.policies().get("db").await?.spiffeid_pattern, "^x$");
    client.policies().delete("db").await?;
    assert_eq!(client.policies().list(&Filter::All).await?[0].name, "db");
    assert!(
        client
            .policies()
            .list(&Filter::PathPattern("^y$".to_owned()))
            .await?
            .is_empty()
    );
    assert_eq!(client.policies().apply(&[policy()]).await?.generation, 7);
    let db = r#"{"name":"db","spiffeidPattern":"^spiffe://example\\.org/app$","pathPattern":"^tenants/acme/.*$","permissions":["read","list"]}"#;
    let wanted = [
        (
            "/v1/store/secrets",
            "{\"path\":\"tenants/acme/db/creds\",\"values\":{\"k\":\"v\u{2028}\\\"\"}}".to_owned(),
        ),
        (
            "/v1/store/secrets?action=delete",
            r#"{"path":"tenants/acme/db/creds","versions":[]}"#.to_owned(),
        ),
        (
            "/v1/store/secrets?action=delete",
            r#"{"path":"tenants/acme/db/creds","versions":[0,3]}"#.to_owned(),
        ),
        (
            "/v1/store/secrets?action=undelete",
            r#"{"path":"tenants/acme/db/creds","versions":[]}"#.to_owned(),
        ),
        ("/v1/store/secrets?action=list", "{}".to_owned()),
        (
            "/v1/store/secrets/metadata?action=get",
            r#"{"path":"tenants/acme/db/creds","version":0}"#.to_owned(),
        ),
        ("/v1/acl/policy", db.to_owned()),
        ("/v1/acl/policy?action=get", r#"{"id":"db"}"#.to_owned()),
        ("/v1/acl/policy?action=delete", r#"{"id":"db"}"#.to_owned()),
        (
            "/v1/acl/policy?action=list",
            r#"{"spiffeidPattern":"","pathPattern":""}"#.to_owned(),
        ),
        (
            "/v1/acl/policy?action=list",
            r#"{"spiffeidPattern":"","pathPattern":"^y$"}"#.to_owned(),
        ),
        ("/v1/acl/policy?action=apply", format!(r#"{{"policies":[{db}]}}"#)),
    ];
    let seen = server.seen();
    assert_eq!(seen.len(), wanted.len());
    for (seen, (line, body)) in seen.iter().zip(wanted) {
        assert_eq!(
            (seen.line.as_str(), &seen.body),
            (format!("POST {line}").as_str(), &body)
        );
    }
    assert_eq!(server.connections(), 1, "one connection is kept and used again");
    Ok(())
}

#[tokio::test]
async fn every_status_becomes_its_error_for_reads_and_writes() {
    let rows: [(u16, &str, &str); 8] = [
        (
            400,
            r#"{"err":"api_bad_request","detail":["one","two"]}"#,
            "bad request: one; two",
        ),
        (401, r#"{"err":"access_unauthorized"}"#, "access denied"),
        (404, r#"{"err":"api_not_found"}"#, "not found"),
        (409, "{}", "already exists"),
        (503, r#"{"err":"state_not_ready"}"#, "nexus is not ready"),
        (
            500,
            r#"{"err":"api_internal_error"}"#,
            "status 500 (api_internal_error)",
        ),
        (302, "", "status 302"),
        (200, r#"{"err":"state_not_ready"}"#, "nexus is not ready"),
    ];
    for (status, body, text) in rows {
        let server = Server::start([Reply::status(status, body), Reply::status(status, body)]).await;
        let client = server.client().await;
        let read = client.get_secret(PATH).await.unwrap_err();
        let write = client.put_secret(PATH, [("k", "v")]).await.unwrap_err();
        for error in [read, write] {
            assert!(error.to_string().contains(text), "{status}: {error}");
        }
        assert_eq!(server.seen().len(), 2, "{status}: nothing is repeated");
    }
}

#[tokio::test]
async fn a_list_of_nothing_is_empty_even_when_nexus_says_not_found() -> Result<(), Error> {
    let server = Server::start([Reply::status(404, "{}"), Reply::status(404, "{}")]).await;
    let client = server.client().await;
    assert!(client.list_secrets().await?.is_empty());
    assert!(client.policies().list(&Filter::All).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_write_whose_outcome_nexus_does_not_know_is_said_so() {
    let unknown = Reply::Whole(
        500,
        vec![("x-spike-outcome", "unknown")],
        r#"{"err":"api_internal_error"}"#.to_owned(),
    );
    let server = Server::start([unknown.clone(), unknown]).await;
    let client = server.client().await;
    assert!(matches!(
        client.policies().put(&policy()).await,
        Err(Error::OutcomeUnknown)
    ));
    assert!(matches!(
        client.get_secret(PATH).await,
        Err(Error::Unexpected { status: 500, .. })
    ));
}

#[tokio::test]
async fn silence_after_sending_is_a_timeout_for_a_read_and_an_unknown_outcome_for_a_write() {
    let server = Server::start([Reply::Silence, Reply::Silence, Reply::Silence]).await;
    let client = server.impatient_client().await;
    assert!(matches!(client.get_secret(PATH).await, Err(Error::Timeout)));
    assert!(matches!(
        client.put_secret(PATH, [("k", "v")]).await,
        Err(Error::OutcomeUnknown)
    ));
    assert!(server.seen().len() <= 2, "neither is sent again");
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_never_tried_again() {
    for reply in [Reply::HangUp, Reply::PiecesThenBreak(vec![r#"{"da"#])] {
        let server = Server::start([reply.clone(), reply]).await;
        let client = server.client().await;
        assert!(matches!(client.get_secret(PATH).await, Err(Error::Unavailable { .. })));
        assert!(matches!(
            client.put_secret(PATH, [("k", "v")]).await,
            Err(Error::OutcomeUnknown)
        ));
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_changes_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let identity = TestAuthority::new("example.org").unwrap().identity("/app").unwrap();
    let client = client(&format!("https://127.0.0.1:{port}"), identity, PATIENT).await;
    for error in [
        client.get_secret(PATH).await.unwrap_err(),
        client.put_secret(PATH, [("k", "v")]).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_read_is_tried_three_times_while_there_is_no_connection_and_a_write_once() {
    let answer = || [Reply::ok(r#"{"data":{}}"#)];
    let server = Server::start_after(2, answer()).await;
    assert!(server.client().await.get_secret(PATH).await.is_ok());
    let server = Server::start_after(4, answer()).await;
    let client = server.client().await;
    assert!(matches!(client.get_secret(PATH).await, Err(Error::Unavailable { .. })));
    assert_eq!(server.hang_ups_left(), 1, "three attempts");
    assert!(matches!(
        client.put_secret(PATH, [("k", "v")]).await,
        Err(Error::Unavailable { .. })
    ));
    assert_eq!(
        (server.hang_ups_left(), server.seen().len()),
        (0, 0),
        "one attempt, and nothing was sent"
    );
}

#[tokio::test]
async fn a_server_that_is_no_nexus_is_refused_before_anything_is_sent() {
    for path in ["/spike/keeper", "/spike/nexusx", "/spike", "/app"] {
        let server = Server::start_as(path, [Reply::ok(r#"{"data":{}}"#)]).await;
        let error = server.client().await.get_secret(PATH).await.unwrap_err();
        assert!(matches!(error, Error::ServerIdentityRefused { .. }), "{path}: {error}");
        assert_eq!(server.seen().len(), 0, "{path}");
    }
    let replica = Server::start_as("/spike/nexus/replica-2", [Reply::ok(r#"{"data":{}}"#)]).await;
    assert!(replica.client().await.get_secret(PATH).await.is_ok());
}

#[tokio::test]
async fn a_server_of_a_foreign_trust_domain_is_refused_and_so_is_a_foreign_client() {
    let server = Server::start([Reply::ok("{}")]).await;
    let foreign = TestAuthority::new("example.org").unwrap();
    let error = server
        .client_as(foreign.identity("/app").unwrap())
        .await
        .get_secret(PATH)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ServerIdentityRefused { .. }), "{error}");

    let mut bundles = foreign.bundles().unwrap();
    bundles = {
        server.authority.join(&mut bundles).unwrap();
        bundles
    };
    let stranger = TestAuthority::new("other.org").unwrap();
    let svid = stranger.svid("/app").unwrap().material().unwrap();
    let stranger = spike_identity::Identity::from_material(&svid, bundles);
    let error = server
        .client_as(stranger)
        .await
        .put_secret(PATH, [("k", "v")])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OwnIdentityRefused { .. }), "{error}");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn connections_do_not_outlive_the_svid_they_were_opened_with() -> Result<(), Error> {
    let server = Server::start(vec![Reply::ok(r#"{"data":{}}"#); 4]).await;
    let identity = server.identity();
    let client = server.client_as(identity.clone()).await;
    client.get_secret(PATH).await?;
    client.clone().get_secret(PATH).await?;
    assert_eq!(server.connections(), 1);
    identity.replace(
        &server.authority.svid("/app").unwrap().material().unwrap(),
        server.authority.bundles().unwrap(),
    );
    client.get_secret(PATH).await?;
    client.get_secret(PATH).await?;
    assert_eq!(server.connections(), 2);
    Ok(())
}

#[tokio::test]
async fn create_refuses_a_name_that_is_taken_and_says_so_to_nexus_too() -> Result<(), Error> {
    let existing = r#"{"id":"i","name":"db","spiffiedPattern":"^x$","pathPattern":"^y$","permissions":["read"]}"#;
    let listed = r#"{"policies":[{"id":"","name":"db"}]}"#;
    let server = Server::start([
        Reply::ok(existing),
        Reply::status(404, "{}"),
        Reply::ok("{}"),
        Reply::status(404, "{}"),
        Reply::status(409, "{}"),
        Reply::status(401, "{}"),
        Reply::ok(listed),
        Reply::status(500, r#"{"err":"api_internal_error"}"#),
        Reply::ok(r#"{"policies":[]}"#),
        Reply::ok("{}"),
        Reply::status(401, "{}"),
        Reply::status(401, "{}"),
    ])
    .await;
    let client = server.client().await;
    let policies = client.policies();
    assert!(matches!(policies.create(&policy()).await, Err(Error::AlreadyExists)));
    policies.create(&policy()).await?;
    assert_eq!(server.seen()[2].headers["if-none-match"], "*");
    assert!(matches!(policies.create(&policy()).await, Err(Error::AlreadyExists)));
    // Whoever may only list is told from the list; so is everybody at an official Nexus, where a get fails with 500.
    assert!(matches!(policies.create(&policy()).await, Err(Error::AlreadyExists)));
    policies.create(&policy()).await?;
    // Whoever may not look is not allowed to write blindly.
    assert!(matches!(policies.create(&policy()).await, Err(Error::Denied)));
    assert_eq!(server.seen().len(), 12);
    Ok(())
}

#[tokio::test]
async fn a_missing_policy_is_not_found_at_an_official_nexus_too() {
    let internal = || Reply::status(500, r#"{"err":"api_internal_error"}"#);
    let listed = |name: &str| Reply::ok(&format!(r#"{{"policies":[{{"id":"","name":"{name}"}}]}}"#));
    let server = Server::start([
        internal(),
        listed("other"),
        internal(),
        listed("other"),
        internal(),
        listed("db"),
        internal(),
        Reply::status(401, "{}"),
    ])
    .await;
    let client = server.client().await;
    let policies = client.policies();
    assert!(matches!(policies.get("db").await, Err(Error::NotFound)));
    assert!(matches!(policies.delete("db").await, Err(Error::NotFound)));
    assert!(matches!(
        policies.get("db").await,
        Err(Error::Unexpected { status: 500, .. })
    ));
    assert!(matches!(
        policies.delete("db").await,
        Err(Error::Unexpected { status: 500, .. })
    ));
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn an_unreadable_answer_is_named_without_being_quoted() {
    for body in [
        "",
        "<html>hunter2</html>",
        r#"{"data":["hunter2"]}"#,
        r#"{"data":{"k":"hunter2"}"#,
    ] {
        let server = Server::start([Reply::ok(body)]).await;
        let error = server.client().await.get_secret(PATH).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{body}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
