use super::*;
use crate::sample::rule;

const WHO: &str = r"^spiffe://example\.org/web$";
const PATH: &str = "^tenants/acme/db$";

/// The words of the findings about one pattern, with its suggestion.
fn found(who: &str, path: &str, permissions: &str) -> Vec<(&'static str, Option<String>)> {
    lint(&rule("a", who, path, permissions))
        .into_iter()
        .map(|f| (f.lint.as_str(), f.suggestion))
        .collect()
}

fn better(word: &'static str, suggestion: &str) -> (&'static str, Option<String>) {
    (word, Some(suggestion.to_owned()))
}

#[test]
fn a_good_policy_has_no_finding() {
    for path in [PATH, "^tenants/acme/.*$", "^tenants/[a-z]+/db$", "^a/(b|c)/.*$"] {
        assert_eq!(found(WHO, path, "read"), [], "{path}");
    }
    assert_eq!(found(WHO, PATH, "super"), []);
}

#[test]
fn what_is_not_anchored_gets_its_anchors() {
    for (who, suggestion) in [
        (r"spiffe://example\.org/web", WHO),
        (r"^spiffe://example\.org/web", WHO),
        (r"spiffe://example\.org/web$", WHO),
        (r"^spiffe://example\.org/web/", r"^spiffe://example\.org/web/.*$"),
        (
            r"^spiffe://example\.org/acme/web\$",
            r"^spiffe://example\.org/acme/web\$$",
        ),
    ] {
        assert!(
            found(who, PATH, "read").contains(&better("unanchored", suggestion)),
            "{who}"
        );
    }
    assert_eq!(
        found(WHO, "tenants/acme/", "read"),
        [better("unanchored", "^tenants/acme/.*$")]
    );
    assert_eq!(found(WHO, "^q$|zz", "read"), [better("unanchored", "^(^q$|zz)$")]);
    assert_eq!(found(WHO, "q|zz", "read"), [better("unanchored", "^(q|zz)$")]);
    assert_eq!(found(WHO, "q[|]z", "read"), [better("unanchored", "^q[|]z$")]);
}

#[test]
fn a_bare_dot_in_the_trust_domain_is_escaped() {
    let who = "^spiffe://a.example.org/web.v1$";
    assert_eq!(
        found(who, PATH, "read"),
        [better("bare-dot", r"^spiffe://a\.example\.org/web.v1$")]
    );
    for meant in [
        r"^spiffe://example\.org/web.v1$",
        "^spiffe://.*/web$",
        "^spiffe://[a.]+/web$",
    ] {
        assert_eq!(found(meant, PATH, "read"), [], "{meant}");
    }
}

#[test]
fn a_glob_is_written_as_a_regex() {
    let findings = found(WHO, "^secrets/*$", "read");
    assert_eq!(findings, [better("glob-like", "^secrets/.*$")]);
    assert_eq!(found(WHO, "^secrets/.*$", "read"), []);
    assert_eq!(found(WHO, r"^secrets/\*$", "read"), []);
}

#[test]
fn what_can_never_match_is_told() {
    assert_eq!(
        found(r"^spiffe://example\.org/web-service/$", PATH, "read"),
        [better("trailing-slash", r"^spiffe://example\.org/web-service$")]
    );
    for who in [
        r"^spiffe://Example\.org/web$",
        r"^spiffe://a//b$",
        r"^spiffe://a/\.\./b$",
        "^spiffe://a b/c$",
    ] {
        assert!(found(who, PATH, "read").contains(&("never-matches", None)), "{who}");
    }
    for who in [r"^spiffe://Example\.org/.*$", r"^spiffe://a//.*$", r"^spiffe://a/b:.*$"] {
        assert!(found(who, PATH, "read").contains(&("never-matches", None)), "{who}");
    }
    for who in [
        "^spiffe://.*$",
        "^spiffe://a.*$",
        r"^spiffe://a/.*$",
        r"^spiffe://a/b.*$",
        r"^spiffe://a/\..*$",
    ] {
        assert!(!found(who, PATH, "read").contains(&("never-matches", None)), "{who}");
    }
    assert_eq!(found(WHO, "^$", "read"), [("never-matches", None)]);
    assert_eq!(
        found(WHO, "^a b$", "read"),
        [("never-matches", None), ("not-portable", None)]
    );
}

#[test]
fn the_reserved_namespace_is_named() {
    assert_eq!(found(WHO, "^spike/system/acl$", "read"), [("reserved", None)]);
    let findings = lint(&rule("a", WHO, ".*", "read"));
    let text = "reserved: pathPattern: it opens the reserved spike/system/acl, spike/system/secret, \
                spike/system/cipher/exec, which guards the store itself";
    assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>(), [text]);
}

#[test]
fn super_is_wide_on_many_paths_or_for_many_identities() {
    let wide = |who, path| found(who, path, "super").iter().any(|(word, _)| *word == "wide-super");
    assert!(!wide(WHO, PATH) && !wide(WHO, "^tenants/acme/.*$") && !wide(r"^spiffe://a\.b/ns/x/.*$", PATH));
    assert!(wide(WHO, ".*") && wide(WHO, "^tenants/.*$") && wide(WHO, "tenants/acme/db"));
    assert!(wide("^spiffe://.*$", PATH) && wide(r"^spiffe://example\.org/.*$", PATH));
}

#[test]
fn policies_that_say_the_same_are_told_once() {
    let rules = [
        rule("a", WHO, PATH, "read"),
        rule("b", WHO, PATH, "read list"),
        rule("c", WHO, PATH, "list"),
        rule("d", WHO, "^other$", "read"),
        rule("e", WHO, PATH, "write"),
        rule("f", WHO, PATH, "super"),
    ];
    let told: Vec<_> = lint_all(&rules)
        .into_iter()
        .map(|(name, f)| (name.to_string(), f.explanation))
        .collect();
    let by = |name: &str, other: &str| {
        (
            name.to_owned(),
            format!("the policy `{other}` has the same patterns and gives at least the same"),
        )
    };
    assert_eq!(
        told,
        [
            by("a", "b"),
            by("c", "b"),
            by("a", "f"),
            by("b", "f"),
            by("c", "f"),
            by("e", "f")
        ]
    );
}

#[test]
fn what_spike_refuses_is_not_portable() {
    for who in [
        r"^spiffe://example\.org/[^/]+/web$",
        r"^spiffe://example\.org/(a|b)$",
        r"^spiffe://example\.org/a{2}$",
        r"^spiffe://example\.org/",
        r"^spiffe://exa_mple\.org/a$",
        r"^spiffe://example\.org/a:b$",
    ] {
        assert!(!portable::is_id_pattern(who), "{who}");
    }
    for who in [
        r"^spiffe://example\.org/web/.*$",
        "spiffe://.*",
        "^spiffe://.*$",
        r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/x$",
        r"^spiffe://example\.org/\d+$",
        r"^spiffe://example\.org$",
        r"^spiffe://example\.org/web/",
        r"^spiffe://example\.org//a$",
        r"^spiffe://example\.org/web-service/$",
    ] {
        assert!(portable::is_id_pattern(who), "{who}");
    }
    for path in ["a b", "a,b", "a:b", "a=b", "a@b", "a~b", "{2,3}", "(?:a)", ""] {
        assert!(!portable::is_path_pattern(path), "{path}");
    }
    for path in ["a{2}", "(?i)a", "[^/]+", "a|b", r"\Qa\E", "^a$"] {
        assert!(portable::is_path_pattern(path), "{path}");
    }
    assert!(found(WHO, "^a{2,3}$", "read").contains(&("not-portable", None)));
}

#[test]
fn every_kind_has_its_word() {
    let mut words = Lint::ALL.map(Lint::as_str).to_vec();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Lint::ALL.len());
}
