#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use super::*;
use crate::Permission;
use crate::sample::{self, roles};

const WEB: &str = "spiffe://example.org/web";
const SUPERUSER: &str = "spiffe://spike.ist/spike/pilot/role/superuser";
const LITE: &str = "spiffe://spike.ist/spike/workload/role/lite/7";

/// Rows of name, who, path and permissions.
fn set(rows: &[(&str, &str, &str, &str)]) -> PolicySet {
    let rules = rows
        .iter()
        .map(|(name, who, path, permissions)| sample::rule(name, who, path, permissions));
    PolicySet::new(Generation(7), (0..).zip(rules).map(|(n, rule)| sample::policy(n, rule)))
}

fn asked(set: &PolicySet, who: &str, permission: Permission, path: &str) -> Explanation {
    let access = Access {
        who: who.parse().unwrap(),
        permission,
        path: path.parse().unwrap(),
    };
    explain(set, &roles(), access, LIMIT)
}

fn read(set: &PolicySet, who: &str, path: &str) -> Explanation {
    asked(set, who, Permission::Read, path)
}

/// Names and missing links, in order.
fn near(explanation: &Explanation) -> Vec<String> {
    let one = |miss: &NearMiss| {
        let links: Vec<_> = miss.missing().map(Link::as_str).collect();
        format!("{}: {}", miss.policy.rule.name, links.join(" "))
    };
    explanation.near_misses.iter().map(one).collect()
}

#[test]
fn an_access_that_a_policy_gives_names_it_and_the_others_that_give_it_too() {
    let set = set(&[
        ("wide", r"^spiffe://example\.org/", "^tenants/", "super"),
        ("acme", r"^spiffe://example\.org/web$", "^tenants/acme/.*$", "read list"),
        ("other", r"^spiffe://example\.org/web$", "^tenants/beta/", "read"),
        ("write only", r"^spiffe://example\.org/web$", "^tenants/acme/", "write"),
    ]);
    let explanation = read(&set, WEB, "tenants/acme/db");
    assert!(explanation.is_allowed() && explanation.near_misses.is_empty());
    assert_eq!(explanation.reason(), "policy");
    let names: Vec<_> = explanation
        .matching
        .iter()
        .map(|policy| policy.rule.name.as_str())
        .collect();
    assert!(names == ["acme", "wide"] || names == ["wide", "acme"], "{names:?}");
    assert_eq!((explanation.policies, explanation.naming), (4, 4));
    let Verdict::Allow(permit) = &explanation.verdict else {
        unreachable!("it is allowed");
    };
    let Grounds::Policy(decided) = permit.grounds() else {
        unreachable!("by a policy");
    };
    assert_eq!(decided.rule.name.as_str(), names[0], "the one that decided comes first");
}

#[test]
fn an_allowed_access_reads_so() {
    let set = set(&[("acme", r"^spiffe://example\.org/web$", "^tenants/acme/.*$", "read list")]);
    assert_eq!(
        read(&set, WEB, "tenants/acme/db").to_string(),
        concat!(
            "allowed: read on tenants/acme/db for spiffe://example.org/web\n",
            "  because of policy 'acme'\n",
            "    SPIFFE ID pattern ^spiffe://example\\.org/web$\n",
            "    path pattern ^tenants/acme/.*$\n",
            "    permissions read, list\n",
            "  generation 7 has 1 policy, 1 of which names this identity",
        )
    );
    let role = read(&set, SUPERUSER, "x");
    assert_eq!((role.reason(), role.matching.len()), ("superuser", 0));
    assert_eq!(
        role.to_string(),
        concat!(
            "allowed: read on x for spiffe://spike.ist/spike/pilot/role/superuser\n",
            "  because it has the built-in role superuser; no policy is needed\n",
            "  generation 7 has 1 policy, 0 of which name this identity",
        )
    );
}

#[test]
fn a_denial_says_which_link_is_missing_and_where_the_texts_part() {
    let set = set(&[
        ("acme", r"^spiffe://example\.org/web$", "^tenants/acme/cfg$", "read"),
        ("beta", r"^spiffe://example\.org/web$", "^tenants/beta/", "write"),
        ("typo", r"^spiffe://example\.org/webb$", "^tenants/acme/db$", "read"),
        ("nothing of it", r"^spiffe://example\.org/x$", "^y$", "write"),
        (
            "acl",
            r"spiffe://example\.org/web",
            "^a$|^spike/system/cipher/x$",
            "list",
        ),
        (
            "brush",
            r"^spiffe://example\.org/web$",
            "^spike/system/acl$|system/secret",
            "list",
        ),
    ]);
    let rows = [
        (
            WEB,
            Permission::Read,
            "tenants/acme/db",
            "policies name this identity but not this path (path_unmatched)",
            vec!["typo: identity", "acme: path"],
            vec![
                "policy 'typo' misses identity\n    SPIFFE ID pattern ^spiffe://example\\.org/webb$ does not match: \
                 at character 25 it has \"b\", where nothing follows\n",
                "policy 'acme' misses path\n    path pattern ^tenants/acme/cfg$ does not match: \
                 at character 14 it has \"cfg\" instead of \"db\"\n",
            ],
        ),
        (
            "spiffe://example.org/eve",
            Permission::Read,
            "tenants/acme/db",
            "no policy names this identity (identity_unmatched)",
            vec!["typo: identity"],
            vec!["at character 22 it has \"webb\" instead of \"eve\""],
        ),
        (
            WEB,
            Permission::Read,
            "tenants/beta/db",
            "policies name this identity and this path, but the permission is missing (permission_missing)",
            vec!["beta: permission"],
            vec!["policy 'beta' misses permission\n    it gives write, not read\n"],
        ),
        (
            WEB,
            Permission::List,
            "spike/system/secret",
            "only policies that the guard of the reserved namespace rejects would give it",
            vec!["brush: guard"],
            vec![
                "policy 'brush' misses guard\n    path pattern ^spike/system/acl$|system/secret does not match the \
                 whole path, as the guard of the reserved namespace demands\n",
            ],
        ),
        (
            WEB,
            Permission::Read,
            "/tenants/acme/cfg",
            "policies name this identity but not this path (path_unmatched)",
            vec!["acme: path"],
            vec!["did you mean \"tenants/acme/cfg\", without the leading slash?"],
        ),
    ];
    for (who, permission, path, reason, misses, texts) in rows {
        let explanation = asked(&set, who, permission, path);
        let text = format!("{explanation}\n");
        assert!(!explanation.is_allowed(), "{text}");
        assert!(text.contains(reason), "{reason}:\n{text}");
        assert_eq!(near(&explanation)[..misses.len()], misses, "{text}");
        assert!(!text.contains("nothing of it"), "it misses three links:\n{text}");
        for part in texts {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }
}

#[test]
fn nobody_is_told_near_misses_where_policies_do_not_count() {
    let set = set(&[("all", "^spiffe://.*$", ".*", "super")]);
    let lite = read(&set, LITE, "tenants/acme/db");
    assert_eq!((lite.reason(), lite.near_misses.len()), ("lite_workload", 0));
    assert!(lite.to_string().contains("a lite workload may only use the cipher"));
    let cipher = asked(&set, LITE, Permission::Execute, reserved_cipher());
    assert_eq!((cipher.reason(), cipher.matching.len()), ("lite_workload", 0));
    assert!(cipher.is_allowed());
}

fn reserved_cipher() -> &'static str {
    crate::reserved::CIPHER
}

#[test]
fn near_misses_are_bounded_and_the_nearest_come_first() {
    let names: Vec<_> = (0..200).map(|n| format!("p{n:03}")).collect();
    let paths: Vec<_> = (0..200).map(|n| format!("^tenants/{}x$", "a".repeat(n))).collect();
    let rows: Vec<_> = names
        .iter()
        .zip(&paths)
        .map(|(name, path)| (name.as_str(), r"^spiffe://example\.org/web$", path.as_str(), "read"))
        .collect();
    let set = set(&rows);
    let wanted = format!("tenants/{}y", "a".repeat(150));
    let explanation = read(&set, WEB, &wanted);
    assert_eq!(explanation.near_misses.len(), LIMIT);
    assert_eq!(near(&explanation)[0], "p150: path");
    assert_eq!(near(&explanation)[1], "p151: path");
    let commons: Vec<_> = explanation
        .near_misses
        .iter()
        .map(|miss| miss.path.as_ref().unwrap().common)
        .collect();
    assert!(commons.is_sorted_by(|a, b| a >= b), "{commons:?}");
    let access = explanation.access().clone();
    assert_eq!(explain(&set, &roles(), access, 0).near_misses.len(), 0);
}

#[test]
fn a_pattern_that_literal_text_does_not_decide_is_asked_and_told_without_a_position() {
    let set = set(&[
        ("class", r"^spiffe://example\.org/web$", "^tenants/[a-z]+/0db$", "read"),
        ("open", r"^spiffe://example\.org/web$", "(acme|beta)/[0-9]+", "read"),
    ]);
    let explanation = read(&set, WEB, "tenants/acme/db");
    assert_eq!(near(&explanation), ["class: path", "open: path"]);
    let difference = explanation.near_misses[0].path.clone().unwrap();
    assert_eq!((difference.common, difference.position()), (8, None));
    let text = explanation.to_string();
    assert!(
        text.contains("^tenants/[a-z]+/0db$ does not match, though both begin with \"tenants/\""),
        "{text}"
    );
    assert!(text.contains("(acme|beta)/[0-9]+ does not match"), "{text}");
}

#[test]
fn patterns_are_asked_up_to_a_bound_and_the_nearest_still_come_first() {
    let rows: Vec<_> = (0..600)
        .map(|n| (format!("p{n}"), format!("^tenants/[a-z]+/{n}$")))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, path)| (name.as_str(), r"^spiffe://example\.org/other$", path.as_str(), "read"))
        .collect();
    let set = set(&rows);
    let explanation = read(&set, WEB, "tenants/acme/5");
    assert_eq!((explanation.policies, explanation.near_misses.len()), (600, LIMIT));
    assert_eq!(near(&explanation)[0], "p5: identity");
    assert_eq!(
        who_can(&set, &"tenants/acme/599".parse().unwrap(), None).policies.len(),
        1
    );
}

#[test]
fn a_difference_is_where_the_nearest_literal_parts() {
    let rows = [
        ("^a/b$", "a/c", Some((3, "b"))),
        ("^a/b$", "a/bc", Some((4, ""))),
        ("^a/bcd$", "a/b", Some((4, "cd"))),
        ("^(?:a/b|a/cc)$", "a/cd", Some((4, "c"))),
        ("^a/b", "a/c", Some((3, "b"))),
        ("^a/b", "x", Some((1, "a/b"))),
        ("^a/[0-9]$", "a/x", None),
        ("[0-9]", "a/x", None),
        ("^(?i)a/b$", "x", Some((1, "a/b"))),
        ("^[a-z]+/[0-9]$", "x", None),
    ];
    for (pattern, path, expected) in rows {
        let set = set(&[("p", r"^spiffe://example\.org/web$", pattern, "read")]);
        let explanation = read(&set, WEB, path);
        let difference = explanation.near_misses[0].path.as_ref().unwrap();
        let found = difference.position().zip(difference.wanted.as_deref());
        assert_eq!(found, expected, "{pattern} and {path}");
    }
}

#[test]
fn the_lists_name_who_can_open_a_path_and_what_an_identity_can_open() {
    let set = set(&[
        ("b", r"^spiffe://example\.org/web$", "^tenants/acme/", "read"),
        ("a", r"^spiffe://example\.org/db$", "^tenants/[a-z]+/db$", "write list"),
        (
            "c",
            r"^spiffe://example\.org/web$",
            "^spike/system/acl$|system/secret",
            "list",
        ),
    ]);
    let who = |path: &str, permission| who_can(&set, &path.parse().unwrap(), permission);
    let names = |listing: &Listing| -> Vec<String> {
        listing
            .policies
            .iter()
            .map(|policy| policy.rule.name.to_string())
            .collect()
    };
    for (path, permission, expected) in [
        ("tenants/acme/db", None, vec!["a", "b"]),
        ("tenants/acme/db", Some(Permission::Read), vec!["b"]),
        ("tenants/acme/db", Some(Permission::List), vec!["a"]),
        ("tenants/acme/db", Some(Permission::Super), vec![]),
        ("tenants/beta/db", None, vec!["a"]),
        ("spike/system/acl", None, vec!["c"]),
        ("spike/system/secret", None, vec![]),
        ("elsewhere", None, vec![]),
    ] {
        assert_eq!(names(&who(path, permission)), expected, "{path} {permission:?}");
    }
    assert_eq!(
        who("tenants/acme/db", Some(Permission::Read)).to_string(),
        concat!(
            "1 of 3 policies opens tenants/acme/db for read (generation 7)\n",
            "policy 'b' gives read\n  to ^spiffe://example\\.org/web$\n  on ^tenants/acme/",
        )
    );
    let web = what_can(&set, &roles(), &WEB.parse().unwrap());
    assert_eq!(names(&web), ["b", "c"]);
    assert!(
        web.to_string()
            .starts_with("2 of 3 policies name spiffe://example.org/web (generation 7)\npolicy 'b'")
    );
    let pilot = what_can(&set, &roles(), &SUPERUSER.parse().unwrap());
    assert!(pilot.to_string().contains("superuser: it can do everything"), "{pilot}");
    let lite = what_can(&set, &roles(), &LITE.parse().unwrap());
    assert!(
        lite.to_string().contains("only execute spike/system/cipher/exec"),
        "{lite}"
    );
}

#[test]
fn every_reason_has_its_sentence_and_every_link_its_word() {
    let mut sentences = crate::DenyReason::ALL.map(sentence).to_vec();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), crate::DenyReason::ALL.len());
    assert_eq!(
        Link::ALL.map(|link| link.to_string()),
        ["identity", "path", "permission", "guard"]
    );
}
