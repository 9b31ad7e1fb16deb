#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::sample::{self, roles};
use crate::{Generation, TrustRoots};

fn set(rows: &[(&str, &str, &str)]) -> PolicySet {
    let policies = (0..).zip(rows).map(|(n, (who, path, permissions))| {
        let rule = sample::rule(&format!("policy {n}"), who, path, permissions);
        sample::policy(n, rule)
    });
    PolicySet::new(Generation(1), policies)
}

fn ask(set: &PolicySet, who: &str, permission: Permission, path: &str) -> Result<String, DenyReason> {
    let access = Access {
        who: who.parse().unwrap(),
        permission,
        path: path.parse().unwrap(),
    };
    match decide(set, &roles(), access.clone()) {
        Verdict::Allow(permit) => {
            assert_eq!(*permit.access(), access);
            Ok(match permit.grounds() {
                Grounds::Policy(policy) => policy.rule.name.to_string(),
                Grounds::Role(role) => role.as_str().to_owned(),
            })
        }
        Verdict::Deny(denial) => {
            assert_eq!(denial.access, access);
            Err(denial.reason)
        }
    }
}

const WEB: &str = "spiffe://example.org/web";
const SUPERUSER: &str = "spiffe://spike.ist/spike/pilot/role/superuser";
const LITE: &str = "spiffe://spike.ist/spike/workload/role/lite/7";

#[test]
fn a_denial_says_which_link_is_missing() {
    let set = set(&[
        (r"^spiffe://example\.org/web$", "^tenants/acme/.*$", "read list"),
        (
            r"^spiffe://example\.org/web$",
            "^spike/system/acl$|system/secret",
            "list",
        ),
        (r"^spiffe://example\.org/db$", "^tenants/beta/.*$", "write"),
    ]);
    let web = |permission, path| ask(&set, WEB, permission, path);
    assert_eq!(web(Permission::Read, "tenants/acme/db"), Ok("policy 0".to_owned()));
    assert_eq!(
        web(Permission::Write, "tenants/acme/db"),
        Err(DenyReason::PermissionMissing)
    );
    assert_eq!(web(Permission::Read, "tenants/beta/db"), Err(DenyReason::PathUnmatched));
    assert_eq!(web(Permission::List, "spike/system/acl"), Ok("policy 1".to_owned()));
    assert_eq!(
        web(Permission::List, "spike/system/secret"),
        Err(DenyReason::ReservedGuard)
    );
    assert_eq!(
        web(Permission::Read, "spike/system/secret"),
        Err(DenyReason::PermissionMissing)
    );
    let stranger = ask(&set, "spiffe://example.org/other", Permission::Read, "tenants/acme/db");
    assert_eq!(stranger, Err(DenyReason::IdentityUnmatched));
}

#[test]
fn the_superuser_may_do_everything_without_a_policy() {
    let empty = set(&[]);
    for permission in Permission::ALL {
        for path in ["tenants/acme", "spike/system/acl", "x"] {
            assert_eq!(ask(&empty, SUPERUSER, permission, path), Ok("superuser".to_owned()));
        }
    }
    let elsewhere = SUPERUSER.replace("spike.ist", "example.org");
    assert_eq!(
        ask(&empty, &elsewhere, Permission::Read, "x"),
        Err(DenyReason::IdentityUnmatched)
    );
}

#[test]
fn a_lite_workload_may_use_the_cipher_and_nothing_that_a_policy_gives_it() {
    let generous = set(&[("^spiffe://.*$", ".*", "super")]);
    for permission in Permission::ALL {
        for path in ["tenants/acme", "spike/system/acl", "spike/system/cipher/exec"] {
            let allowed = permission == Permission::Execute && path == reserved::CIPHER;
            let expected = if allowed {
                Ok("lite_workload".to_owned())
            } else {
                Err(DenyReason::LiteWorkload)
            };
            assert_eq!(ask(&generous, LITE, permission, path), expected, "{permission} {path}");
        }
    }
}

#[test]
fn every_other_role_has_what_policies_give_it() {
    let nothing = set(&[]);
    let generous = set(&[("^spiffe://.*$", ".*", "super")]);
    for name in [
        "pilot/role/recover",
        "pilot/role/restore",
        "nexus",
        "ext-authz",
        "keeper",
        "bootstrap",
        "web",
    ] {
        let who = format!("spiffe://spike.ist/spike/{name}");
        assert_eq!(
            ask(&nothing, &who, Permission::Read, "a"),
            Err(DenyReason::IdentityUnmatched),
            "{name}"
        );
        assert_eq!(
            ask(&generous, &who, Permission::Read, "a"),
            Ok("policy 0".to_owned()),
            "{name}"
        );
    }
}

#[test]
fn a_view_of_another_identity_gives_nothing() {
    let set = set(&[(r"^spiffe://example\.org/web$", ".*", "super")]);
    let view = set.view(&WEB.parse().unwrap());
    let access = |who: &str| Access {
        who: who.parse().unwrap(),
        permission: Permission::Read,
        path: AccessPath::acl(),
    };
    assert!(matches!(decide_in(&view, &roles(), access(WEB)), Verdict::Allow(_)));
    let verdict = decide_in(&view, &roles(), access("spiffe://example.org/webx"));
    assert!(matches!(
        verdict,
        Verdict::Deny(Denial {
            reason: DenyReason::IdentityUnmatched,
            ..
        })
    ));
}

#[test]
fn an_empty_pilot_turns_the_superuser_off() {
    let access = Access {
        who: SUPERUSER.parse().unwrap(),
        permission: Permission::Read,
        path: AccessPath::acl(),
    };
    let verdict = decide(
        &set(&[]),
        &Roles {
            pilot: TrustRoots::default(),
            ..roles()
        },
        access,
    );
    assert!(matches!(
        verdict,
        Verdict::Deny(Denial {
            reason: DenyReason::IdentityUnmatched,
            ..
        })
    ));
}

#[test]
fn every_reason_has_its_word() {
    let mut words: Vec<_> = DenyReason::ALL.map(DenyReason::as_str).to_vec();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "identity_unmatched",
            "lite_workload",
            "path_unmatched",
            "permission_missing",
            "reserved_guard"
        ]
    );
}
