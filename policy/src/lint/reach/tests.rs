#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::lint_all;
use crate::sample::rule;

const WEB: &str = r"^spiffe://example\.org/web$";
const ALL: &str = r"^spiffe://example\.org/.*$";

/// Which rules are shadowed, with the rule that does it.
fn shadows(rules: &[Rule]) -> Vec<(String, String)> {
    let findings = lint_all(rules)
        .into_iter()
        .filter(|(_, found)| found.lint == Lint::Shadowed);
    findings
        .map(|(name, found)| {
            (
                name.to_string(),
                found.explanation.split('`').nth(1).unwrap().to_owned(),
            )
        })
        .collect()
}

fn shadow(inner: (&str, &str, &str), outer: (&str, &str, &str)) -> bool {
    let rules = [
        rule("inner", inner.0, inner.1, inner.2),
        rule("outer", outer.0, outer.1, outer.2),
    ];
    shadows(&rules).iter().any(|(name, _)| name == "inner")
}

#[test]
fn a_wider_policy_shadows_a_narrower_one() {
    for (inner, outer) in [
        ((WEB, "^tenants/acme/db$", "read"), (ALL, "^tenants/acme/.*$", "read")),
        (
            (WEB, "^tenants/acme/db$", "read"),
            (WEB, "^tenants/[a-z]+/db$", "read list"),
        ),
        (
            (WEB, "^tenants/acme/[0-9]{2}$", "read write"),
            (ALL, "^tenants/acme/[a-z0-9]+$", "super"),
        ),
        (
            (r"^spiffe://example\.org/ns/[a-z]+/sa/x$", "^q$", "read"),
            (r"^spiffe://example\.org/ns/[^/]+/sa/x$", "q", "read"),
        ),
        (
            (r"^spiffe://example\.org/(web|db)$", "^q$", "read"),
            (r"^spiffe://[a-z.]+/(db|web|x)$", ".*", "read"),
        ),
        // No SPIFFE ID ends with a slash, so `.*` here says no more than `.+`.
        (
            (r"^spiffe://example\.org/.*$", "^q$", "read"),
            (r"^spiffe://example\.org/.+$", "^q|q0$", "read"),
        ),
    ] {
        assert!(shadow(inner, outer), "{inner:?} by {outer:?}");
    }
}

#[test]
fn what_gives_something_of_its_own_is_not_shadowed() {
    for (inner, outer) in [
        (
            (WEB, "^tenants/acme/.*$", "read"),
            (ALL, "^tenants/acme/[a-z]+$", "read"),
        ),
        (
            (WEB, "^tenants/acme/db$", "read list"),
            (ALL, "^tenants/acme/.*$", "read"),
        ),
        ((ALL, "^tenants/acme/db$", "read"), (WEB, "^tenants/acme/.*$", "read")),
        ((r"spiffe://example\.org/web", "^q$", "read"), (WEB, "^q$", "read")),
        // The guard: the wider one opens no reserved path, for it is not anchored or describes none.
        (
            (WEB, "^spike/system/acl$", "read"),
            (WEB, "^spike/system/secret$|^x$", "read"),
        ),
    ] {
        assert!(!shadow(inner, outer), "{inner:?} by {outer:?}");
    }
}

#[test]
fn of_two_that_say_the_same_in_other_words_one_stays() {
    let rules = [
        rule("a", WEB, "^tenants/(acme|beta)$", "read"),
        rule("b", WEB, "^tenants/acme$|^tenants/beta$", "read"),
        rule("c", WEB, "^(tenants)/(beta|acme)$", "read"),
    ];
    let by = |name: &str, other: &str| (name.to_owned(), other.to_owned());
    assert_eq!(shadows(&rules), [by("b", "a"), by("c", "a")]);
}

#[test]
fn equal_texts_are_duplicates_and_nothing_else() {
    let rules = [rule("a", WEB, "^x$", "read"), rule("b", WEB, "^x$", "read")];
    assert_eq!(shadows(&rules), []);
}

#[test]
fn what_reaches_nothing_is_told_once() {
    for (who, path, field) in [
        (r"^spiffe://example\.org/[a-z]+//[a-z]+$", "^q$", SPIFFEID_PATTERN),
        (r"^spiffe://[A-Z]+/web$", "^q$", SPIFFEID_PATTERN),
        (r"^spiffe://example\.org/(\.|\.\.)$", "^q$", SPIFFEID_PATTERN),
        (WEB, "^a [b-d]+$", PATH_PATTERN),
        (WEB, "q$z", PATH_PATTERN),
        (WEB, "^$", PATH_PATTERN),
    ] {
        let findings = lint_all(&[rule("a", who, path, "read"), rule("b", WEB, "^b$", "read")]);
        let never: Vec<_> = findings
            .iter()
            .filter(|(_, found)| found.lint == Lint::NeverMatches)
            .collect();
        assert!(
            matches!(never[..], [(name, found)] if name.as_str() == "a" && found.field == field),
            "{who} {path}: {findings:?}"
        );
    }
}

#[test]
fn legal_means_what_the_parsers_say() {
    let (ids, paths) = (Program::parse(IDS).unwrap(), Program::parse(PATHS).unwrap());
    let (mut legal, mut illegal) = (0, 0);
    for tail in [
        "", "/", "/a", "/a/", "//a", "/.", "/..", "/...", "/.a", "/..a", "/a.", "/A_b-c.d", "/a/../b", "/a b", "/a%20",
        "/a:b", "/é",
    ] {
        for domain in ["example.org", "EXAMPLE.org", "a_b", "a:8", "", "-.", "a@b"] {
            let text = format!("spiffe://{domain}{tail}");
            assert_eq!(ids.is_match(&text), text.parse::<SpiffeId>().is_ok(), "{text}");
            legal += usize::from(ids.is_match(&text));
        }
        assert_eq!(paths.is_match(tail), tail.parse::<AccessPath>().is_ok(), "{tail}");
        illegal += usize::from(!paths.is_match(tail));
    }
    assert!(legal >= 20 && illegal >= 3, "{legal} {illegal}");
}
