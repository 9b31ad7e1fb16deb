#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse as Message;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::google::protobuf::value::Kind;
use proptest::prelude::*;
use prost::Message as _;
use spike_audit::EventId;
use spike_policy::{
    Access, DenyReason, Generation, Permission, Policy, PolicyDocument, PolicyId, PolicySet, Roles, Rule, TrustRoots,
    UnixMillis, Verdict, decide,
};

use super::*;
use crate::decision::Refused;
use crate::reason::{Fault, Reason};

fn access(path: &str) -> Access {
    Access {
        who: "spiffe://example.org/web".parse().unwrap(),
        permission: Permission::Read,
        path: path.parse().unwrap(),
    }
}

fn policies() -> PolicySet {
    let document = PolicyDocument {
        name: "web reads orders".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: "^orders/.*$".to_owned(),
        permissions: vec!["read".to_owned()],
    };
    let policy = Policy {
        id: PolicyId::from_random_bytes([7; 16]),
        rule: Rule::try_from(&document).unwrap(),
        created_at: UnixMillis(1),
        updated_at: UnixMillis(1),
    };
    PolicySet::new(Generation(42), [Arc::new(policy)])
}

fn allowed() -> Decision {
    match decide(&policies(), &Roles::default(), access("orders/7")) {
        Verdict::Allow(permit) => decided(Outcome::Allowed(permit), Some(42)),
        Verdict::Deny(denial) => panic!("{denial:?}"),
    }
}

fn decided(outcome: Outcome, generation: Option<u64>) -> Decision {
    Decision {
        id: EventId::from([0xab; 16]),
        outcome,
        generation: generation.map(Generation),
    }
}

fn denied(reason: Reason) -> Decision {
    decided(
        Outcome::Denied(Refused {
            reason,
            access: Some(access("orders/7")),
        }),
        Some(42),
    )
}

/// The frame as Envoy decodes it.
fn decoded(decision: &Decision, disclosure: Disclosure) -> Message {
    let frame = response(decision, disclosure).into_frame();
    assert_eq!(frame[0], 0, "not compressed");
    assert_eq!(
        u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]) as usize,
        frame.len() - 5
    );
    Message::decode(&frame[5..]).unwrap()
}

#[expect(
    deprecated,
    reason = "`append` is deprecated, and the only switch that Envoy honours here"
)]
fn headers(options: &[HeaderValueOption]) -> Vec<(String, String)> {
    options
        .iter()
        .map(|option| {
            assert!(
                option.append.is_none(),
                "append must be unset, or Envoy drops the header"
            );
            assert_eq!((option.append_action, option.keep_empty_value), (0, false));
            let header = option.header.clone().unwrap();
            assert!(header.raw_value.is_empty(), "Envoy ignores raw_value here");
            (header.key, header.value)
        })
        .collect()
}

fn metadata(message: &Message) -> Vec<(String, String)> {
    let mut entries: Vec<_> = message.dynamic_metadata.clone().unwrap().fields.into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let text = |kind: Option<Kind>| match kind {
        Some(Kind::StringValue(text)) => text,
        Some(Kind::NumberValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    entries
        .into_iter()
        .map(|(key, value)| (key, text(value.kind)))
        .collect()
}

#[test]
fn an_allow_is_code_0_with_an_ok_response_that_removes_the_clients_own_identity_header() {
    let message = decoded(&allowed(), Disclosure::default());
    assert_eq!(message.status.as_ref().unwrap().code, 0);
    let Some(HttpResponse::OkResponse(ok)) = &message.http_response else {
        panic!("{message:?}")
    };
    assert_eq!(ok.headers_to_remove, [IDENTITY_HEADER]);
    assert!(ok.headers.is_empty() && ok.response_headers_to_add.is_empty());
    let shown = metadata(&message);
    let shown: Vec<_> = shown
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let id = PolicyId::from_random_bytes([7; 16]).to_string();
    assert_eq!(
        shown,
        [
            ("decision_id", "abababababababababababababababab"),
            ("generation", "42"),
            ("policy", "web reads orders"),
            ("policy_id", id.as_str()),
            ("reason", "policy"),
            ("verdict", "allow"),
        ]
    );
}

#[test]
fn an_injected_identity_overwrites_and_is_not_removed() {
    let message = decoded(
        &allowed(),
        Disclosure {
            inject_identity: true,
            explain_denials: false,
        },
    );
    let Some(HttpResponse::OkResponse(ok)) = &message.http_response else {
        panic!("{message:?}")
    };
    assert_eq!(
        headers(&ok.headers),
        [(IDENTITY_HEADER.to_owned(), "spiffe://example.org/web".to_owned())]
    );
    assert!(ok.headers_to_remove.is_empty());
}

#[test]
fn a_pilots_allow_names_its_role_and_no_policy() {
    let pilot = Access {
        who: "spiffe://example.org/spike/pilot/role/superuser".parse().unwrap(),
        ..access("x")
    };
    let roles = Roles {
        pilot: TrustRoots::parse("example.org").unwrap(),
        ..Roles::default()
    };
    let Verdict::Allow(permit) = decide(&policies(), &roles, pilot) else {
        panic!("a superuser is allowed")
    };
    let shown = metadata(&decoded(
        &decided(Outcome::Allowed(permit), Some(42)),
        Disclosure::default(),
    ));
    assert!(shown.contains(&("reason".to_owned(), "role".to_owned())));
    assert!(!shown.iter().any(|(key, _)| key.starts_with("policy")));
}

#[test]
fn a_denial_is_code_7_with_status_headers_and_a_body_that_tells_nothing_about_policies() {
    let message = decoded(
        &denied(Reason::Policy(DenyReason::PathUnmatched)),
        Disclosure::default(),
    );
    assert_eq!(message.status.as_ref().unwrap().code, 7);
    let Some(HttpResponse::DeniedResponse(no)) = &message.http_response else {
        panic!("{message:?}")
    };
    assert_eq!(no.status.as_ref().unwrap().code, 403);
    assert_eq!(
        no.body,
        r#"{"err":"access_unauthorized","decision":"abababababababababababababababab"}"#
    );
    let expected = [
        (DECISION_HEADER, "abababababababababababababababab"),
        ("content-type", "application/json"),
    ];
    assert_eq!(
        headers(&no.headers),
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    assert!(metadata(&message).contains(&("reason".to_owned(), "path_unmatched".to_owned())));
}

#[test]
fn an_explained_denial_says_what_was_asked() {
    let disclosure = Disclosure {
        inject_identity: false,
        explain_denials: true,
    };
    let message = decoded(&denied(Reason::Policy(DenyReason::PermissionMissing)), disclosure);
    let Some(HttpResponse::DeniedResponse(no)) = &message.http_response else {
        panic!("{message:?}")
    };
    let body: serde_json::Value = serde_json::from_str(&no.body).unwrap();
    assert_eq!(body["reason"], "permission_missing");
    assert_eq!(body["spiffeId"], "spiffe://example.org/web");
    assert_eq!(body["path"], "orders/7");
    assert_eq!(body["permission"], "read");
}

#[test]
fn the_bytes_of_a_denial_are_these() {
    let frame = response(
        &denied(Reason::Policy(DenyReason::IdentityUnmatched)),
        Disclosure::default(),
    )
    .into_frame();
    let shown = frame.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        write!(text, "{byte:02x}").unwrap();
        text
    });
    assert_eq!(shown, include_str!("golden/denial.hex").trim());
    assert!(frame.len() <= 4096);
}

#[test]
fn every_reason_is_a_denial_with_a_status_of_400_or_above() {
    let reasons = DenyReason::ALL
        .into_iter()
        .map(Reason::Policy)
        .chain(spike_policy::request::Refusal::all().map(Reason::Request))
        .chain(Fault::ALL.into_iter().map(Reason::Service));
    let mut tried = 0;
    let mut words = std::collections::HashSet::new();
    for reason in reasons {
        let message = decoded(&denied(reason), Disclosure::default());
        assert_eq!(message.status.unwrap().code, 7, "{reason:?}");
        let Some(HttpResponse::DeniedResponse(no)) = message.http_response else {
            panic!("{reason:?}")
        };
        assert!((400..600).contains(&no.status.unwrap().code), "{reason:?}");
        assert!(words.insert(reason.as_str()), "{} has two meanings", reason.as_str());
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

proptest! {
    /// Whatever is in it, a denial never decodes as code 0, and an answer never outgrows 4 KiB.
    #[test]
    fn no_denial_reads_as_an_allow(
        path in "[ -~]{1,900}",
        reason in prop::sample::select(DenyReason::ALL.to_vec()),
        generation in proptest::option::of(any::<u64>()),
        explain_denials: bool,
        inject_identity: bool,
        id: [u8; 16],
    ) {
        let access = path.parse().ok().map(|path| Access { path, ..access("x") });
        let outcome = Outcome::Denied(Refused { reason: Reason::Policy(reason), access });
        let decision = Decision { id: id.into(), outcome, generation: generation.map(Generation) };
        let message = decoded(&decision, Disclosure { inject_identity, explain_denials });
        prop_assert_eq!(message.status.as_ref().unwrap().code, 7);
        prop_assert!(matches!(message.http_response, Some(HttpResponse::DeniedResponse(_))));
        prop_assert!(message.encoded_len() <= 4096);
    }
}
