//! The exact text of every answer, as `spike.md` §1.3–1.7 states it, and what a client reads back from it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Arc;

use serde::Serialize;
use spike_policy::{
    Access, Generation, Permission, Policy, PolicyDocument, PolicyId, PolicySet, Roles, Rule, UnixMillis, explain,
    who_can,
};
use spike_wire::go_json::{Base64Bytes, Shard, decode, encode};
use spike_wire::secrets::{SecretInfo, VersionInfo, VersionKey};
use spike_wire::{
    ErrorBody, ErrorCode, SecretText, Timestamp, access, bootstrap, cipher, feed, operator, policies, secrets,
};

fn json(value: &impl Serialize) -> String {
    String::from_utf8(encode(value).unwrap().to_vec()).unwrap()
}

fn policy() -> Policy {
    let document = PolicyDocument {
        name: "web".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: "^app/.*$".to_owned(),
        permissions: vec!["read".to_owned(), "list".to_owned()],
    };
    Policy {
        id: PolicyId::from_random_bytes([7; 16]),
        rule: Rule::try_from(&document).unwrap(),
        created_at: UnixMillis(0),
        updated_at: UnixMillis(1_500),
    }
}

#[test]
fn every_error_body_has_its_exact_text() {
    let code = ErrorCode::Unauthorized;
    let err = r#""err":"access_unauthorized"}"#;
    let zero = "0001-01-01T00:00:00Z";
    for (body, expected) in [
        (json(&ErrorBody::from(code)), "{".to_owned()),
        (json(&secrets::GetResponse::from(code)), r#"{"data":null,"#.to_owned()),
        (json(&secrets::ListResponse::from(code)), r#"{"keys":null,"#.to_owned()),
        (
            json(&secrets::MetadataResponse::from(code)),
            format!(
                r#"{{"metadata":{{"currentVersion":0,"oldestVersion":0,"createdTime":"{zero}","updatedTime":"{zero}","maxVersions":0}},"#
            ),
        ),
        (
            json(&policies::GetResponse::from(code)),
            format!(
                r#"{{"id":"","name":"","spiffiedPattern":"","pathPattern":"","permissions":null,"createdAt":"{zero}","updatedAt":"{zero}","#
            ),
        ),
        (
            json(&policies::ListResponse::from(code)),
            r#"{"policies":null,"#.to_owned(),
        ),
        (
            json(&policies::ApplyResponse::from(code)),
            r#"{"applied":null,"generation":0,"#.to_owned(),
        ),
        (
            json(&access::AccessResponse::from(code)),
            r#"{"allowed":false,"reason":"","matchingPolicies":null,"nearMisses":null,"text":"","generation":0,"#
                .to_owned(),
        ),
        (
            json(&cipher::EncryptResponse::from(code)),
            r#"{"version":0,"nonce":null,"ciphertext":null,"#.to_owned(),
        ),
        (
            json(&cipher::DecryptResponse::from(code)),
            r#"{"plaintext":null,"#.to_owned(),
        ),
        (
            json(&bootstrap::VerifyResponse::from(code)),
            r#"{"hash":"","#.to_owned(),
        ),
        (
            json(&operator::RecoverResponse::from(code)),
            r#"{"shards":null,"#.to_owned(),
        ),
        (
            json(&operator::RestoreResponse::from(code)),
            r#"{"collected":0,"remaining":0,"restored":false,"#.to_owned(),
        ),
    ] {
        assert_eq!(body, format!("{expected}{err}"));
        assert_eq!(serde_json::from_str::<ErrorBody>(&body).unwrap().err, Some(code));
    }
}

#[test]
fn every_success_body_has_its_exact_text_and_no_err() {
    let values = [("b", "<2>"), ("a", "1")].map(|(k, v)| (k.to_owned(), SecretText::new(v.to_owned())));
    let get = secrets::GetResponse {
        data: Some(values.into_iter().collect()),
        err: None,
    };
    assert_eq!(json(&get), r#"{"data":{"a":"1","b":"\u003c2\u003e"}}"#);
    let read: secrets::GetResponse = serde_json::from_str(&json(&get)).unwrap();
    assert_eq!(read.data.unwrap().get("b").unwrap().expose_secret(), "<2>");

    assert_eq!(json(&secrets::EmptyResponse::default()), "{}");
    assert_eq!(
        json(&secrets::ListResponse {
            keys: Some(vec![]),
            err: None
        }),
        r#"{"keys":[]}"#
    );
    assert_eq!(
        json(&policies::ListResponse {
            policies: Some(vec![]),
            err: None
        }),
        r#"{"policies":[]}"#
    );
    let restored = operator::RestoreResponse {
        collected: 2,
        remaining: 0,
        restored: true,
        err: None,
        detail: Vec::new(),
    };
    assert_eq!(json(&restored), r#"{"collected":2,"remaining":0,"restored":true}"#);
    let sealed = cipher::EncryptResponse {
        version: 1,
        nonce: Some(Base64Bytes::new(vec![0; 12])),
        ciphertext: Some(Base64Bytes::new(vec![255; 3])),
        err: None,
    };
    assert_eq!(
        json(&sealed),
        r#"{"version":1,"nonce":"AAAAAAAAAAAAAAAA","ciphertext":"////"}"#
    );
    let shards = [(VersionKey::from(1), Shard::new([9; 32]))].into_iter().collect();
    let recovered = operator::RecoverResponse {
        shards: Some(shards),
        err: None,
    };
    assert_eq!(
        json(&recovered),
        format!(r#"{{"shards":{{"1":[{}]}}}}"#, ["9"; 32].join(","))
    );
}

#[test]
fn metadata_has_its_exact_text_with_keys_sorted_as_go_sorts_them() {
    let info = |version, deleted: Option<u64>| VersionInfo {
        created_time: Timestamp::from(UnixMillis(0)),
        version,
        deleted_time: deleted.map(|at| UnixMillis(at).into()),
    };
    let body = secrets::MetadataResponse {
        versions: [(2, None), (10, Some(5))]
            .into_iter()
            .map(|(n, d)| (VersionKey::from(n), info(n, d)))
            .collect(),
        metadata: SecretInfo {
            current_version: 2,
            oldest_version: 2,
            max_versions: 10,
            ..SecretInfo::default()
        },
        err: None,
    };
    let expected = concat!(
        r#"{"versions":{"10":{"createdTime":"1970-01-01T00:00:00Z","version":10,"deletedTime":"1970-01-01T00:00:00.005Z"},"#,
        r#""2":{"createdTime":"1970-01-01T00:00:00Z","version":2,"deletedTime":null}},"#,
        r#""metadata":{"currentVersion":2,"oldestVersion":2,"createdTime":"0001-01-01T00:00:00Z","#,
        r#""updatedTime":"0001-01-01T00:00:00Z","maxVersions":10}}"#
    );
    assert_eq!(json(&body), expected);
    assert_eq!(
        serde_json::from_str::<secrets::MetadataResponse>(expected).unwrap(),
        body
    );
}

#[test]
fn a_policy_is_answered_with_spikes_spelling_and_asked_for_with_the_right_one() {
    let policy = policy();
    let get = json(&policies::GetResponse::from(&policy));
    let expected = concat!(
        r#"{"id":"07070707-0707-4707-8707-070707070707","name":"web","spiffiedPattern":"^spiffe://example\\.org/web$","#,
        r#""pathPattern":"^app/.*$","permissions":["read","list"],"createdAt":"1970-01-01T00:00:00Z","#,
        r#""updatedAt":"1970-01-01T00:00:01.5Z"}"#
    );
    assert_eq!(get, expected);
    let list = policies::ListResponse {
        policies: Some(vec![policies::ListItem::from(&policy)]),
        err: None,
    };
    assert_eq!(
        json(&list),
        r#"{"policies":[{"id":"07070707-0707-4707-8707-070707070707","name":"web"}]}"#
    );
    let filter = policies::ListRequest {
        spiffeid_pattern: String::new(),
        path_pattern: "x".to_owned(),
    };
    assert_eq!(json(&filter), r#"{"spiffeidPattern":"","pathPattern":"x"}"#);
    assert_eq!(json(&policies::LookupRequest::of("web")), r#"{"id":"web"}"#);
    let refused = ErrorBody {
        err: Some(ErrorCode::BadRequest),
        detail: vec!["why".to_owned()],
    };
    assert_eq!(json(&refused), r#"{"err":"api_bad_request","detail":["why"]}"#);
}

#[test]
fn feed_lines_have_their_exact_text_and_a_policy_survives_the_feed() {
    let policy = policy();
    let line = feed::Line::Snapshot(feed::Snapshot {
        store: "s".to_owned(),
        generation: 3,
        policies: vec![feed::FeedPolicy::from(&policy)],
    });
    let expected = concat!(
        r#"{"snapshot":{"store":"s","generation":3,"policies":[{"id":"07070707-0707-4707-8707-070707070707","name":"web","#,
        r#""spiffeidPattern":"^spiffe://example\\.org/web$","pathPattern":"^app/.*$","permissions":["read","list"],"#,
        r#""createdAt":0,"updatedAt":1500}]}}"#
    );
    assert_eq!(json(&line), expected);
    assert_eq!(serde_json::from_str::<feed::Line>(expected).unwrap(), line);
    assert_eq!(Policy::try_from(feed::FeedPolicy::from(&policy)).unwrap(), policy);
    let delta = feed::Line::Delta(feed::Delta {
        generation: 4,
        put: vec![],
        removed: vec!["web".to_owned()],
    });
    assert_eq!(json(&delta), r#"{"delta":{"generation":4,"put":[],"removed":["web"]}}"#);
    let beat = feed::Line::Heartbeat(feed::Heartbeat { generation: 4 });
    assert_eq!(json(&beat), r#"{"heartbeat":{"generation":4}}"#);
    assert_eq!(beat.generation(), Generation(4));
    assert!(
        Policy::try_from(feed::FeedPolicy {
            id: "x".to_owned(),
            ..feed::FeedPolicy::from(&policy)
        })
        .is_err()
    );
}

#[test]
fn a_client_reads_the_answers_of_the_official_server() {
    // `null` where Go has a nil map or list, ids empty, local zones, whole seconds: all recorded from SPIKE 0.8.2.
    let get: secrets::GetResponse = serde_json::from_str(r#"{"data":null}"#).unwrap();
    assert!(get.data.is_none() && get.err.is_none());
    let list: policies::ListResponse = serde_json::from_str(r#"{"policies":[{"id":"","name":"a"}]}"#).unwrap();
    assert_eq!(list.policies.unwrap().first().unwrap().name, "a");
    let text = r#"{"versions":{"0":{"createdTime":"2026-11-21T21:26:53.5-05:00","version":0,"deletedTime":null}},"metadata":{"currentVersion":1,"oldestVersion":1,"createdTime":"2026-11-21T21:26:53-05:00","updatedTime":"2026-11-21T21:26:53-05:00","maxVersions":10}}"#;
    let metadata: secrets::MetadataResponse = serde_json::from_str(text).unwrap();
    assert_eq!(metadata.versions.keys().next().unwrap().number(), Some(0));
    let failed: secrets::ListResponse = serde_json::from_str(r#"{"keys":null,"err":"something_new"}"#).unwrap();
    assert_eq!(failed.err, Some(ErrorCode::General));
}

#[test]
fn actions_are_exact_words() {
    use spike_wire::routes::Action;
    for action in Action::ALL {
        assert_eq!(Action::from_word(action.as_str()), Some(action));
    }
    for word in ["Get", "get ", "Check", "read", "put"] {
        assert_eq!(Action::from_word(word), None, "{word}");
    }
}

#[test]
fn an_explained_access_has_its_exact_text_and_reads_back() {
    let set = PolicySet::new(Generation(3), [Arc::new(policy())]);
    let explained = |path: &str, permission| {
        let access = Access {
            who: "spiffe://example.org/web".parse().unwrap(),
            permission,
            path: path.parse().unwrap(),
        };
        access::AccessResponse::from(&explain(&set, &Roles::default(), access, 10))
    };
    let allowed = explained("app/db", Permission::Read);
    assert_eq!(
        json(&access::AccessResponse {
            text: String::new(),
            ..allowed.clone()
        }),
        r#"{"allowed":true,"reason":"policy","matchingPolicies":["web"],"nearMisses":[],"text":"","generation":3}"#
    );
    assert!(allowed.text.starts_with("allowed: read on app/db"));
    let denied = explained("api/db", Permission::Read);
    assert_eq!(
        json(&access::AccessResponse {
            text: String::new(),
            ..denied.clone()
        }),
        concat!(
            r#"{"allowed":false,"reason":"path_unmatched","matchingPolicies":[],"nearMisses":[{"name":"web","#,
            r#""spiffeidPattern":"^spiffe://example\\.org/web$","pathPattern":"^app/.*$","permissions":["read","list"],"#,
            r#""missing":["path"],"pathDiffers":{"at":3,"wanted":"p/","found":"i/db"}}],"text":"","generation":3}"#
        )
    );
    for response in [allowed, denied] {
        assert_eq!(
            serde_json::from_str::<access::AccessResponse>(&json(&response)).unwrap(),
            response
        );
    }
    let listing = access::PolicyListing::from(&who_can(&set, &"app/db".parse().unwrap(), None));
    assert_eq!(
        json(&listing),
        concat!(
            r#"{"policies":[{"name":"web","spiffeidPattern":"^spiffe://example\\.org/web$","pathPattern":"^app/.*$","#,
            r#""permissions":["read","list"]}],"generation":3}"#
        )
    );
}

#[test]
fn a_question_is_read_as_go_reads_it_and_written_as_the_official_sdk_writes_it() {
    let question = access::AccessRequest::of("spiffe://example.org/web", "app/db", Permission::Read);
    let text = r#"{"spiffeid":"spiffe://example.org/web","path":"app/db","action":"read"}"#;
    assert_eq!(json(&question), text);
    for body in [
        text,
        &text.replace("spiffeid", "SPIFFEID"),
        &text.replace('{', r#"{"more":[1],"#),
    ] {
        assert_eq!(
            decode::<access::AccessRequest>(body.as_bytes()).unwrap(),
            question,
            "{body}"
        );
    }
    let by_method = access::AccessRequest::of_method("i", "p", "GET");
    assert_eq!(json(&by_method), r#"{"spiffeid":"i","path":"p","method":"GET"}"#);
    assert!(decode::<access::AccessRequest>(br#"{"path":7}"#).is_err());
}
