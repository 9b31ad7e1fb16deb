#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::sample;

fn precise() -> IdPattern {
    r"^spiffe://example\.org/admin$".parse().unwrap()
}

fn accepts(who: &str, path: &str) -> Result<(), ReservedFault> {
    check_patterns(&who.parse().unwrap(), &path.parse().unwrap())
}

#[test]
fn patterns_that_describe_the_path_are_told_from_those_that_brush_it() {
    for path in [
        "^spike/system/acl$",
        "spike/system/acl",
        "^spike/system/.*$",
        ".*",
        "^.*$",
        ".+",
        "^[^x]*$",
    ] {
        assert!(path.parse::<PathPattern>().unwrap().full_match(ACL), "{path}");
        assert_eq!(check_patterns(&precise(), &path.parse().unwrap()), Ok(()), "{path}");
    }
    for path in [
        "acl", "system", "spike", "^spike", "acl$", "s", "x?system", "[a-z]+", "^spike/", ".", "^", "$", "x|",
    ] {
        let fault = check_patterns(&precise(), &path.parse().unwrap()).unwrap_err();
        assert!(
            matches!(fault, ReservedFault::Path { reserved: ACL, .. }),
            "{path}: {fault}"
        );
    }
    for (path, hit) in [("secret", SECRET), ("exec", CIPHER), ("cipher", CIPHER)] {
        assert!(!path.parse::<PathPattern>().unwrap().full_match(ACL));
        let fault = check_patterns(&precise(), &path.parse().unwrap()).unwrap_err();
        assert!(
            matches!(fault, ReservedFault::Path { reserved, .. } if reserved == hit),
            "{path}: {fault}"
        );
    }
    for path in ["secrets", "^tenants/", "^spike/app/.*$", "^$", "^spike/system/$"] {
        assert_eq!(accepts("spiffe://example.org/x", path), Ok(()), "{path}");
    }
}

#[test]
fn what_is_stored_may_still_be_skipped_at_a_check() {
    for path in [
        "^a$|^spike/system/acl",
        "(?i)SPIKE/SYSTEM/ACL",
        "^spike/system/acl$|secret",
    ] {
        assert_eq!(check_patterns(&precise(), &path.parse().unwrap()), Ok(()), "{path}");
    }
    let rule = sample::rule(
        "both",
        r"^spiffe://example\.org/admin$",
        "^spike/system/acl$|secret",
        "read",
    );
    let policy = sample::policy(0, rule);
    assert!(may_reach(&policy, &AccessPath::acl()));
    assert!(!may_reach(&policy, &AccessPath::secret()));
    assert!(may_reach(&policy, &"my/secret".parse().unwrap()));
}

#[test]
fn the_identity_has_to_be_anchored_by_what_it_says_not_by_how_it_looks() {
    for who in [
        r"^spiffe://example\.org/admin$",
        r"^spiffe://example\.org/.*$",
        "^spiffe://a/b$|^spiffe://c/d$",
    ] {
        assert_eq!(accepts(who, "^spike/system/acl$"), Ok(()), "{who}");
    }
    for who in [
        r"spiffe://example\.org/admin",
        r"^spiffe://example\.org/admin",
        r"spiffe://example\.org/admin$",
        r"^spiffe://example\.org/acme/web\$",
        "^spiffe://a/b$|x",
        r"^spiffe://a/b|c$",
        r"^spiffe://a/b[$]",
    ] {
        let fault = accepts(who, "^spike/system/acl$").unwrap_err();
        assert!(
            matches!(fault, ReservedFault::Identity { reserved: ACL, .. }),
            "{who}: {fault}"
        );
    }
}

#[test]
fn a_fault_names_pattern_and_reserved_path() {
    assert_eq!(
        accepts(r"^spiffe://example\.org/a$", "^spike").unwrap_err().to_string(),
        "Invalid path pattern: \"^spike\" matches inside the reserved path `spike/system/acl`; describe the whole path \
         (`^spike/system/acl$`) or begin the pattern with `^` and another namespace"
    );
    assert_eq!(
        accepts(r"spiffe://example\.org/a", ".*").unwrap_err().to_string(),
        "Invalid SPIFFE ID pattern: \"spiffe://example\\.org/a\": a policy that reaches the reserved path \
         `spike/system/acl` must begin its SPIFFE ID pattern with `^` and end it with `$`"
    );
}

#[test]
fn reserved_means_equal_to_the_letter() {
    for path in PATHS {
        assert!(is_reserved(&path.parse().unwrap()));
        for other in [
            format!("{path}/"),
            format!("/{path}"),
            format!("{path}x"),
            path.to_uppercase(),
        ] {
            assert!(!is_reserved(&other.parse().unwrap()), "{other}");
        }
    }
}
