//! Calls of moving in, and the proof of the root key: what goes out, and what comes back.
use spike_sdk::{Ciphertext, Error};
use spike_wire::SecretText;
use spike_wire::import::{Mode, Outcome, PolicyImport, SecretImport, TimedPolicy, VersionImport};
use spike_wire::policies::PutRequest;

use crate::harness::{Reply, Server};

#[tokio::test]
async fn an_import_sends_the_whole_history_and_tells_what_became_of_it() -> Result<(), Error> {
    let server = Server::start([
        Reply::ok(r#"{"outcome":"updated"}"#),
        Reply::ok(r#"{"outcome":"conflict"}"#),
        Reply::ok(r#"{"outcome":null}"#),
        Reply::status(
            400,
            r#"{"outcome":null,"err":"api_bad_request","detail":["version 1 is given twice"]}"#,
        ),
        Reply::status(401, r#"{"outcome":null,"err":"access_unauthorized"}"#),
    ])
    .await;
    let client = server.client().await;
    let time = |text: &str| Some(text.parse().unwrap());
    let import = SecretImport {
        path: "a/b".to_owned(),
        created_time: time("2020-01-01T00:00:00Z"),
        updated_time: None,
        max_versions: 10,
        versions: vec![
            VersionImport {
                version: 1,
                deleted_time: time("2020-01-02T00:00:00Z"),
                ..VersionImport::default()
            },
            VersionImport {
                version: 2,
                values: Some([("k".to_owned(), SecretText::new("v".to_owned()))].into()),
                ..VersionImport::default()
            },
        ],
        mode: Mode::Add,
    };
    assert_eq!(client.secrets().import(&import).await?, Outcome::Updated);
    assert_eq!(client.secrets().import(&import).await?, Outcome::Conflict);
    let answer = client.secrets().import(&import).await;
    assert!(matches!(answer, Err(Error::Unreadable { .. })), "{answer:?}");
    let Err(Error::BadRequest { detail }) = client.secrets().import(&import).await else {
        unreachable!("it must be refused")
    };
    assert_eq!(detail, ["version 1 is given twice"]);
    assert!(matches!(client.secrets().import(&import).await, Err(Error::Denied)));
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /v1/store/secrets?action=import");
    assert_eq!(
        seen[0].body,
        r#"{"path":"a/b","createdTime":"2020-01-01T00:00:00Z","maxVersions":10,"versions":[{"version":1,"deletedTime":"2020-01-02T00:00:00Z"},{"version":2,"values":{"k":"v"}}],"mode":"add"}"#
    );
    Ok(())
}

#[tokio::test]
async fn policies_are_imported_with_their_times() -> Result<(), Error> {
    let reply = r#"{"imported":[{"name":"a","outcome":"created"},{"name":"b","outcome":"refused","detail":["why"]}]}"#;
    let server = Server::start([Reply::ok(reply)]).await;
    let import = PolicyImport {
        policies: vec![TimedPolicy {
            policy: PutRequest {
                name: "a".to_owned(),
                spiffeid_pattern: "^spiffe://a/b$".to_owned(),
                path_pattern: "^c$".to_owned(),
                permissions: vec!["read".to_owned()],
            },
            created_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            updated_at: None,
        }],
        mode: Mode::Compare,
    };
    let imported = server.client().await.policies().import(&import).await?;
    assert_eq!(
        imported.iter().map(|policy| policy.outcome).collect::<Vec<_>>(),
        [Outcome::Created, Outcome::Refused]
    );
    assert_eq!(imported[1].detail, ["why"]);
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /v1/acl/policy?action=import");
    assert_eq!(
        seen[0].body,
        r#"{"policies":[{"name":"a","spiffeidPattern":"^spiffe://a/b$","pathPattern":"^c$","permissions":["read"],"createdAt":"2020-01-01T00:00:00Z"}],"mode":"compare"}"#
    );
    Ok(())
}

#[tokio::test]
async fn the_proof_of_the_root_key_is_the_hash_of_the_opened_text() -> Result<(), Error> {
    let server = Server::start([
        Reply::ok(r#"{"hash":"ab12"}"#),
        Reply::status(401, r#"{"hash":"","err":"access_unauthorized"}"#),
    ])
    .await;
    let client = server.client().await;
    let sealed = Ciphertext {
        version: 1,
        nonce: vec![0; 12],
        ciphertext: b"sealed".to_vec(),
    };
    assert_eq!(client.bootstrap().verify(&sealed).await?, "ab12");
    assert!(matches!(client.bootstrap().verify(&sealed).await, Err(Error::Denied)));
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /v1/bootstrap/verify");
    assert_eq!(seen[0].body, r#"{"nonce":"AAAAAAAAAAAAAAAA","ciphertext":"c2VhbGVk"}"#);
    Ok(())
}
