#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn id(text: &str) -> IdPattern {
    text.parse().unwrap()
}

fn path(text: &str) -> PathPattern {
    text.parse().unwrap()
}

fn id_error(text: &str) -> (PatternFault, String) {
    let error = text.parse::<IdPattern>().unwrap_err();
    (error.fault(), error.to_string())
}

fn path_error(text: &str) -> (PatternFault, String) {
    let error = text.parse::<PathPattern>().unwrap_err();
    (error.fault(), error.to_string())
}

#[test]
fn a_glob_in_an_identity_pattern_is_answered_with_the_regular_expression_that_was_meant() {
    let (fault, text) = id_error("spiffe://example.org/workload/*");
    assert_eq!(fault, PatternFault::Glob);
    assert_eq!(
        text,
        "Invalid SPIFFE ID pattern: \"spiffe://example.org/workload/*\"\n\
         Use regex syntax: \"spiffe://example\\.org/workload/.*\""
    );
}

#[test]
fn the_suggestion_for_a_glob_is_computed_from_the_input() {
    let table = [
        ("^spiffe://example.org/*", r"^spiffe://example\.org/.*"),
        ("spiffe://example.org/*/web", r"spiffe://example\.org/.*/web"),
        ("spiffe://example.org/**", r"spiffe://example\.org/.*"),
        (r"^spiffe://example\.org/ns/*$", r"^spiffe://example\.org/ns/.*$"),
        ("spiffe://a.b.c/*/x.y/*", r"spiffe://a\.b\.c/.*/x\.y/.*"),
        ("spiffe://a/.*/b.+/[.]/*", r"spiffe://a/.*/b.+/[.]/.*"),
        ("spiffe:///*", "spiffe:///.*"),
        ("spiffe://*", "spiffe://.*"),
    ];
    for (input, suggestion) in table {
        let (fault, text) = id_error(input);
        assert_eq!(fault, PatternFault::Glob, "{input}");
        assert_eq!(
            text.lines().nth(1).unwrap(),
            format!("Use regex syntax: \"{suggestion}\"")
        );
        assert!(
            suggestion.parse::<IdPattern>().is_ok(),
            "the suggestion itself is refused: {suggestion}"
        );
    }
}

#[test]
fn a_star_after_a_slash_inside_a_class_a_quote_or_an_escape_is_no_glob() {
    for text in [
        r"spiffe://a/[/*]+",
        r"spiffe://a/\Q/*\E",
        r"spiffe://a\/*",
        r"spiffe://a/\**",
        r"spiffe://a/[^]/*]b",
        r"spiffe://a/[[:alpha:]/*]b",
    ] {
        assert_eq!(id(text).as_str(), text);
    }
}

#[test]
fn an_identity_pattern_begins_with_the_scheme() {
    for text in [
        ".*",
        "^.*$",
        "SPIFFE://a/b",
        "^^spiffe://a/b",
        "(^spiffe://a/b$)",
        r"^spiffe:\/\/a/b",
        "example.org/web",
        " spiffe://a",
    ] {
        let (fault, error) = id_error(text);
        assert_eq!(fault, PatternFault::NotSpiffe);
        assert_eq!(
            error,
            format!("Invalid SPIFFE ID pattern: \"{text}\"\nIt must begin with \"spiffe://\" or \"^spiffe://\"")
        );
    }
}

#[test]
fn a_leading_slash_of_a_path_pattern_is_answered_with_the_pattern_without_it() {
    let (fault, text) = path_error("/secrets/app/.*");
    assert_eq!(fault, PatternFault::LeadingSlash);
    assert_eq!(
        text,
        "Invalid path pattern: \"/secrets/app/.*\"\nPaths are namespaces, remove leading slash: \"secrets/app/.*\""
    );
    let (_, text) = path_error("^//a$");
    assert_eq!(
        text,
        "Invalid path pattern: \"^//a$\"\nPaths are namespaces, remove leading slash: \"^a$\""
    );
}

#[test]
fn the_other_rules_of_both_fields_answer_in_one_line_that_names_field_value_and_rule() {
    let long_id = format!("spiffe://{}", "a".repeat(2040));
    let table = [
        (
            id_error(""),
            PatternFault::Empty,
            "Invalid SPIFFE ID pattern: \"\": it must not be empty",
        ),
        (
            path_error(""),
            PatternFault::Empty,
            "Invalid path pattern: \"\": it must not be empty",
        ),
        (
            id_error(&long_id),
            PatternFault::TooLong,
            "2049 bytes, at most 2048 are allowed",
        ),
        (
            path_error(&"a".repeat(501)),
            PatternFault::TooLong,
            "501 bytes, at most 500 are allowed",
        ),
        (
            path_error("a\tb"),
            PatternFault::NotPrintableAscii,
            "found \\u{9} at byte 1",
        ),
        (
            id_error("spiffe://é"),
            PatternFault::NotPrintableAscii,
            "found \\u{e9} at byte 9",
        ),
        (
            path_error("a**"),
            PatternFault::Syntax,
            "Invalid path pattern: \"a**\": repetition of a repetition: `**`",
        ),
        (
            id_error("spiffe://["),
            PatternFault::Syntax,
            "Invalid SPIFFE ID pattern: \"spiffe://[\": missing closing ]: `[`",
        ),
        (
            path_error("(a|aa|aaa|aaaa|aaaaa){1000}x"),
            PatternFault::TooLarge,
            "expression too large when compiled",
        ),
    ];
    for ((fault, text), expected_fault, part) in table {
        assert_eq!(fault, expected_fault, "{text}");
        assert!(text.contains(part), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert!(text.len() < 500, "{text}");
    }
    assert!("a".repeat(500).parse::<PathPattern>().is_ok());
    assert!(format!("spiffe://{}", "a".repeat(2039)).parse::<IdPattern>().is_ok());
}

/// `reference` for SPIKE's alphabets: what its server accepts.
#[test]
fn what_spike_accepts_is_accepted() {
    for text in [
        r"^spiffe://example\.org/web/.*$",
        "spiffe://.*",
        "^spiffe://.*$",
        r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/x$",
        r"^spiffe://example\.org/\d+$",
        r"^spiffe://example\.org$",
        r"^spiffe://example\.org/web/",
        r"^spiffe://example\.org//a$",
        r"^spiffe://example\.org/web-service/$",
        r"^spiffe://example\.org/acme/web\$",
    ] {
        assert_eq!(id(text).as_str(), text);
    }
    for text in [
        "s{2}",
        "(?i)a",
        "[^/]+",
        "a|b",
        r"\Qa.b\E",
        "secrets/*",
        "e/*",
        "^$",
        "a$b^c",
        "x{",
        "]",
        r"a\-b",
        "^^a$$",
    ] {
        assert_eq!(path(text).as_str(), text);
    }
}

#[test]
fn what_spikes_alphabet_needlessly_refuses_is_accepted() {
    for text in [
        r"^spiffe://example\.org/",
        r"^spiffe://example\.org/[^/]+/web$",
        r"^spiffe://example\.org/(a|b)$",
        r"^spiffe://example\.org/a{2,3}$",
        "^spiffe://a/b$|^spiffe://c/d$",
        r"^spiffe://my_domain/a$",
        "spiffe://a/(?:b|c)",
    ] {
        assert_eq!(id(text).as_str(), text);
    }
    for text in ["a{2,3}", "(?:a|b)", "[[:alpha:]]+", "(?P<name>a)", "a b", "a,b:c=d@e~f"] {
        assert_eq!(path(text).as_str(), text);
    }
}

#[test]
fn matching_is_a_search_anywhere_in_the_subject() {
    assert!(path("e/a").is_match("secrets/e/abc"));
    assert!(!path("^e/a").is_match("secrets/e/abc"));
    assert!(path("e*").is_match(""));
    assert!(!path("^e/a$").is_match("e/a/b"));
    assert!(id("spiffe://example.org/web").is_match("spiffe://exampleXorg/web/1"));
}

#[test]
fn a_subject_beyond_ascii_never_matches() {
    for text in [".*", "a", "^[^x]*$", "a?"] {
        assert!(!path(text).is_match("aé"), "{text}");
        assert!(!path(text).full_match("aé"), "{text}");
    }
}

/// `spike.md` §3.6: which path patterns describe the reserved path.
#[test]
fn a_full_match_is_go_with_the_pattern_in_a_group_between_the_ends() {
    let reserved = "spike/system/acl";
    for text in [
        "^spike/system/acl$",
        reserved,
        "^spike/system/.*$",
        ".*",
        "^.*$",
        "(?i)SPIKE/SYSTEM/ACL",
        "spike|spike/.*",
        "^[^x]*$",
    ] {
        assert!(path(text).full_match(reserved), "{text}");
    }
    for text in [
        "acl",
        "system",
        "spike",
        "secret",
        "exec",
        "^spike",
        "acl$",
        r"spike/system/acl\Q",
        r"\Qspike/system/acl",
    ] {
        assert!(!path(text).full_match(reserved), "{text}");
    }
}

#[test]
fn anchored_is_judged_on_the_parsed_expression() {
    let anchored = [
        "^spiffe://a/b$",
        r"^spiffe://a/.*\z",
        "^spiffe://a/(b|c)$",
        "^spiffe://a$|^spiffe://b$",
        "^spiffe://a/(?i)b$",
    ];
    for text in anchored {
        assert!(id(text).is_anchored(), "{text}");
    }
    let not = [
        "spiffe://a/b",
        "^spiffe://a/b",
        "spiffe://a/b$",
        "^spiffe://a$|spiffe://b$",
        "^spiffe://a|^spiffe://b$",
        r"^spiffe://a/b\$",
        "^spiffe://a/(?m)b$",
        "^spiffe://a/(b$|c)",
        "^spiffe://a/b$?",
        "^spiffe://a/[$]",
        r"^spiffe://a/\Q$",
        "^spiffe://a/b$|",
    ];
    for text in not {
        assert!(!id(text).is_anchored(), "{text}");
    }
    for (text, expected) in [
        ("(^a$)", true),
        ("(^a|^b)$", true),
        ("(?m)^a$", false),
        ("(^a$)*", false),
        ("(^a$)+", true),
        (r"\Aa\z", true),
        (r"^a$\Q", false),
        ("^(a$|b$)", true),
        ("^$", true),
    ] {
        assert_eq!(path(text).is_anchored(), expected, "{text}");
    }
}

#[test]
fn equal_texts_share_one_program_and_different_ones_do_not() {
    let interner = Interner::new();
    let [a, b] = [(); 2].map(|()| interner.id_pattern("^spiffe://a/b$").unwrap());
    let other = interner.id_pattern("^spiffe://a/c$").unwrap();
    assert!(a.shares_program_with(&b) && !a.shares_program_with(&other));
    assert!(!a.shares_program_with(&id("^spiffe://a/b$")));
    assert_eq!(a, id("^spiffe://a/b$"));
    assert!(interner.share_id(id("^spiffe://a/b$")).shares_program_with(&a));
    assert_eq!(interner.live(), 2);
    drop((a, b));
    assert_eq!(interner.live(), 1);
    assert!(interner.path_pattern("/a").is_err());
}

#[test]
fn an_interner_forgets_programs_that_died() {
    let interner = Interner::new();
    for number in 0..10_000 {
        interner.path_pattern(&format!("^a/{number}$")).unwrap();
    }
    assert_eq!(interner.live(), 0);
    assert!(interner.remembered() <= 2048, "{}", interner.remembered());
}
