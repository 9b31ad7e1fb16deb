#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn broken(text: &str) -> SpiffeIdRule {
    text.parse::<SpiffeId>().unwrap_err().rule
}

#[test]
fn an_id_is_taken_apart() {
    let id: SpiffeId = "spiffe://example.org/ns/shop".parse().unwrap();
    assert_eq!(
        (id.trust_domain(), id.path(), id.has_path()),
        ("example.org", "/ns/shop", true)
    );
    assert_eq!(id.segments().collect::<Vec<_>>(), ["ns", "shop"]);
    let domain: SpiffeId = "spiffe://a_b.c-1".parse().unwrap();
    assert_eq!(
        (domain.trust_domain(), domain.path(), domain.has_path()),
        ("a_b.c-1", "", false)
    );
    assert_eq!(domain.segments().count(), 0);
}

#[test]
fn every_broken_rule_has_its_own_name() {
    let long = format!("spiffe://a/{}", "x".repeat(2048));
    let long_domain = format!("spiffe://{}/x", "d".repeat(256));
    for (text, rule) in [
        ("", SpiffeIdRule::Empty),
        (long.as_str(), SpiffeIdRule::TooLong),
        ("https://a/b", SpiffeIdRule::Scheme),
        ("SPIFFE://a/b", SpiffeIdRule::Scheme),
        ("spiffe:/a/b", SpiffeIdRule::Scheme),
        ("spiffe://a/b c", SpiffeIdRule::PrintableAscii),
        ("spiffe://a/é", SpiffeIdRule::PrintableAscii),
        ("spiffe://a/b\n", SpiffeIdRule::PrintableAscii),
        ("spiffe://", SpiffeIdRule::TrustDomainEmpty),
        ("spiffe:///b", SpiffeIdRule::TrustDomainEmpty),
        (long_domain.as_str(), SpiffeIdRule::TrustDomainTooLong),
        ("spiffe://A/b", SpiffeIdRule::TrustDomainCharacter),
        ("spiffe://a:1/b", SpiffeIdRule::TrustDomainCharacter),
        ("spiffe://a%/b", SpiffeIdRule::TrustDomainCharacter),
        ("spiffe://a?x", SpiffeIdRule::TrustDomainCharacter),
        ("spiffe://a/", SpiffeIdRule::TrailingSlash),
        ("spiffe://a/b/", SpiffeIdRule::TrailingSlash),
        ("spiffe://a//b", SpiffeIdRule::EmptySegment),
        ("spiffe://a/b//c", SpiffeIdRule::EmptySegment),
        ("spiffe://a/./b", SpiffeIdRule::DotSegment),
        ("spiffe://a/..", SpiffeIdRule::DotSegment),
        ("spiffe://a/%2e", SpiffeIdRule::PathCharacter),
        ("spiffe://a/b?c", SpiffeIdRule::PathCharacter),
        ("spiffe://a/b#c", SpiffeIdRule::PathCharacter),
        ("spiffe://a/b:c", SpiffeIdRule::PathCharacter),
        ("spiffe://a/b~", SpiffeIdRule::PathCharacter),
    ] {
        assert_eq!(broken(text), rule, "{text}");
    }
}

#[test]
fn limits_are_inclusive() {
    let longest = format!("spiffe://a/{}", "x".repeat(2048 - 11));
    assert_eq!(longest.parse::<SpiffeId>().unwrap().as_str().len(), 2048);
    assert!("d".repeat(255).parse::<TrustDomain>().is_ok());
    assert!(format!("spiffe://{}/x", "d".repeat(255)).parse::<SpiffeId>().is_ok());
}

#[test]
fn an_error_names_value_and_rule_without_control_characters() {
    let error = "spiffe://a/\x1b[31m".parse::<SpiffeId>().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"not a SPIFFE ID: "spiffe://a/\u{1b}[31m": it must be printable ASCII"#
    );
    let long = format!("spiffe://A/{}", "x".repeat(1000));
    assert!(long.parse::<SpiffeId>().unwrap_err().to_string().len() < 260);
    assert_eq!(
        SpiffeId::try_from(&b"spiffe://a/\xff"[..]).unwrap_err().rule,
        SpiffeIdRule::PrintableAscii
    );
}

#[test]
fn a_trust_domain_is_a_bare_name() {
    assert_eq!("example.org".parse::<TrustDomain>().unwrap().to_string(), "example.org");
    for wrong in ["", "Example.org", "spiffe://example.org", "a/b", "a b", "a:1", "é"] {
        assert!(wrong.parse::<TrustDomain>().is_err(), "{wrong}");
    }
}

#[test]
fn what_parses_prints_as_it_was() {
    for text in ["spiffe://a/b", "spiffe://a", "spiffe://a.b_c-d/E.f_g-h/..."] {
        assert_eq!(text.parse::<SpiffeId>().unwrap().to_string(), text);
        assert_eq!(SpiffeId::try_from(text.as_bytes()).unwrap().as_str(), text);
    }
}
