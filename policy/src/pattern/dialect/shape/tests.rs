#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::super::Program;
use super::*;

fn printable(text: &str) -> Shape {
    Program::parse(text).unwrap().shape(Subjects::Printable)
}

fn of_ids(text: &str) -> Shape {
    Program::parse(text).unwrap().shape(Subjects::SpiffeIds)
}

fn exact(subjects: &[&str]) -> Shape {
    Shape::Exact(subjects.iter().map(ToString::to_string).collect())
}

fn prefix(starts: &[&str], decides: bool) -> Shape {
    Shape::Prefix {
        starts: starts.iter().map(ToString::to_string).collect(),
        decides,
    }
}

#[test]
fn anchored_literals_and_their_alternations_are_exact() {
    let table = [
        ("^abc$", exact(&["abc"])),
        (r"^a\.b$", exact(&["a.b"])),
        (r"\Aabc\z", exact(&["abc"])),
        (r"^\Qa.b\E$", exact(&["a.b"])),
        ("(^abc$)", exact(&["abc"])),
        ("^(abc)$", exact(&["abc"])),
        ("^b$|^a$", exact(&["a", "b"])),
        ("^(web|db)/(r|w)$", exact(&["db/r", "db/w", "web/r", "web/w"])),
        ("^[abc]x$", exact(&["ax", "bx", "cx"])),
        ("^ab?$", exact(&["a", "ab"])),
        ("^a{3}$", exact(&["aaa"])),
        ("^a{2,3}$", exact(&["aa", "aaa"])),
        ("^(|a)$", exact(&["", "a"])),
        ("^$", exact(&[""])),
        ("(?i)^ab$", exact(&["AB", "Ab", "aB", "ab"])),
        ("^a$$", exact(&["a"])),
        ("^^a$", exact(&["a"])),
        ("^a{0}b$", exact(&["b"])),
        (r"^\x{212A}$", exact(&[])),
        (r"(?i)^\x{212A}$", exact(&["K", "k"])),
        (r"[^\x00-\x{10FFFF}]", exact(&[])),
        (r"^a\x{e9}$|^b$", exact(&["b"])),
    ];
    for (text, shape) in table {
        assert_eq!(printable(text), shape, "{text}");
    }
}

#[test]
fn an_anchored_beginning_is_a_prefix_and_decides_when_anything_may_follow() {
    let table = [
        ("^abc", prefix(&["abc"], true)),
        ("^abc.*", prefix(&["abc"], true)),
        ("^abc.*$", prefix(&["abc"], true)),
        ("^abc(.*)$", prefix(&["abc"], true)),
        (r"^abc[\x20-\x7e]*$", prefix(&["abc"], true)),
        ("(?s)^abc.*$", prefix(&["abc"], true)),
        ("^abc.+$", prefix(&["abc"], false)),
        ("^abc[^/]*$", prefix(&["abc"], false)),
        ("^abc.*x", prefix(&["abc"], false)),
        ("^abc.*^x", prefix(&["abc"], false)),
        ("^abc.*x?$", prefix(&["abc"], true)),
        ("^abc.*$x", prefix(&["abc"], false)),
        ("^a/|^b/", prefix(&["a/", "b/"], true)),
        ("^a/|^ab/", prefix(&["a/", "ab/"], true)),
        ("^a|^ab$", prefix(&["a"], true)),
        ("^a$|^ab", prefix(&["a"], false)),
        ("^a$|^b/.*$", prefix(&["a", "b/"], false)),
        (r"^a\b", prefix(&["a"], false)),
        ("^a(?m)$", prefix(&["a"], false)),
        ("^ab*$", prefix(&["a"], false)),
        ("^ab*", prefix(&["a"], true)),
        ("^ab+c$", prefix(&["ab"], false)),
        ("^a{2,}$", prefix(&["aa"], false)),
        ("^(a|b)[a-z]+$", prefix(&["a", "b"], false)),
        ("^a{1000}$", prefix(&[&"a".repeat(16)], false)),
    ];
    for (text, shape) in table {
        assert_eq!(printable(text), shape, "{text}");
    }
}

#[test]
fn what_matches_everything_is_any() {
    for text in [
        "",
        ".*",
        "^.*$",
        "^.*",
        ".*$",
        "(.*)",
        "^",
        "$",
        "a*",
        "a|",
        "a?",
        "^a|.*",
        "(?i).*",
        ".*|^b$",
        "^(a|.*)$",
        "()",
        "(|a)*",
        r"[\x20-\x7e]*",
        "^(|.*)$",
    ] {
        assert_eq!(printable(text), Shape::Any, "{text}");
    }
}

#[test]
fn nothing_is_claimed_where_a_match_may_begin_anywhere_or_with_anything() {
    for text in [
        "abc",
        "abc$",
        "^a|b",
        "^a$|b$",
        ".+",
        ".",
        "^.$",
        "^[a-z]+$",
        "^.+$",
        "(?m)^abc$",
        r"\babc",
        "a^b",
        "(^a)?b",
        "^a*$",
        "^(a|)b*$",
        "^$|^a",
        "^[^x]*$",
        "x*^a",
        "(a|^b)c",
    ] {
        assert_eq!(printable(text), Shape::Other, "{text}");
    }
}

#[test]
fn the_scheme_of_a_spiffe_id_anchors_by_itself() {
    let table = [
        ("spiffe://a/b", prefix(&["spiffe://a/b"], true)),
        ("spiffe://a/b$", exact(&["spiffe://a/b"])),
        ("spiffe://a/b$|^spiffe://c$", exact(&["spiffe://a/b", "spiffe://c"])),
        ("spiffe://a/.*/b", prefix(&["spiffe://a/"], false)),
        ("spiffe://(a|b)/.*", prefix(&["spiffe://a/", "spiffe://b/"], true)),
        ("spiffe://.*", Shape::Any),
        ("^spiffe://.*$", Shape::Any),
        ("^spiffe://", Shape::Any),
        ("spiffe://a|b", Shape::Other),
        ("spiffe:/+a", Shape::Other),
        ("^spiffe://$", exact(&["spiffe://"])),
    ];
    for (text, shape) in table {
        assert_eq!(of_ids(text), shape, "{text}");
    }
    assert_eq!(printable("spiffe://a/b"), Shape::Other);
}

#[test]
fn what_would_fan_out_is_cut_to_a_prefix() {
    let fan = printable("^x[ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab]$");
    let Shape::Prefix { starts, decides: false } = &fan else {
        unreachable!("{fan:?}")
    };
    assert!(
        starts.len() <= 512 && starts.iter().all(|start| start.starts_with('x')),
        "{}",
        starts.len()
    );
    let names = (0..400).map(|n| format!("n{n}")).collect::<Vec<_>>().join("|");
    assert!(matches!(
        printable(&format!("^({names})$")),
        Shape::Exact(_) | Shape::Prefix { .. }
    ));
    assert_eq!(
        printable(&format!("^y{}z", "(?:(?:()()){16}){16}".repeat(12))),
        prefix(&["y"], false)
    );
}
