#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use proptest::prelude::*;

use super::*;

fn fault(text: &str) -> SyntaxFault {
    Program::parse(text).unwrap_err().fault()
}

#[test]
fn an_error_names_the_rule_and_the_piece_of_the_text_that_broke_it() {
    use SyntaxFault as F;
    let table = [
        (r"a\Zb", F::Escape, r"invalid escape sequence: `\Z`"),
        (r"\C", F::Escape, r"invalid escape sequence: `\C`"),
        (r"(a)\1", F::Escape, r"invalid escape sequence: `\1`"),
        (r"\u0041", F::Escape, r"`\u`"),
        (r"\x{110000}", F::Escape, r"`\x{110000`"),
        (r"[\b]", F::Escape, r"`\b`"),
        (r"\E", F::Escape, r"`\E`"),
        ("a\\", F::TrailingBackslash, "trailing backslash: `\\`"),
        ("[z-a]", F::ClassRange, "`z-a`"),
        ("[a--b]", F::ClassRange, "`a--`"),
        ("[[:foo:]]", F::ClassRange, "`[:foo:]`"),
        (r"\p{Foo}", F::ClassRange, r"`\p{Foo}`"),
        ("x[a", F::MissingBracket, "`[a`"),
        ("a(b", F::MissingParen, "missing closing ): `a(b`"),
        ("a)b", F::UnexpectedParen, "unexpected ): `a)b`"),
        ("(?P<n.>a)", F::GroupName, "`(?P<n.>`"),
        ("(?=a)", F::Group, "`(?=`"),
        ("(?x)a", F::Group, "`(?x`"),
        ("(?<!a)", F::GroupName, "`(?<!a)`"),
        ("*a", F::MissingRepeatArgument, "`*`"),
        ("a|{2}", F::MissingRepeatArgument, "`{2}`"),
        ("ba**", F::StackedRepeat, "`**`"),
        ("a{2}{3}", F::StackedRepeat, "`{2}{3}`"),
        ("a{1001}", F::RepeatCount, "`{1001}`"),
        ("a{3,2}", F::RepeatCount, "`{3,2}`"),
        ("(a{100}){11}", F::RepeatCount, "`{11}`"),
        ("a\u{1}[", F::MissingBracket, "`[`"),
    ];
    for (text, expected, part) in table {
        let error = Program::parse(text).unwrap_err();
        assert_eq!(error.fault(), expected, "{text}");
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    let long = Program::parse(&format!("{}(", "a".repeat(1000))).unwrap_err();
    assert!(long.to_string().len() < 200);
}

#[test]
fn nesting_is_allowed_to_a_thousand_levels_and_no_further() {
    let nested = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(Program::parse(&nested(999)).unwrap().is_match("a"));
    assert_eq!(fault(&nested(1000)), SyntaxFault::NestingDepth);
    assert!(
        Program::parse(&format!("{}a{}", "(?:b".repeat(499), ")*".repeat(499)))
            .unwrap()
            .is_match("")
    );
    assert_eq!(fault(&"(".repeat(5000)), SyntaxFault::MissingParen);
}

#[test]
fn what_people_write_is_compiled_when_it_is_first_asked_and_stays_small() {
    let texts = [
        (r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/gateway$", true),
        (r"^spiffe://example\.org/(prod|staging)/[^/]+/worker-[0-9]{1,3}$", true),
        (r"^secrets/[a-z]+/db/(read|write)$", true),
        (r"^services/[^/]+/orders/[0-9a-f]{8}-[0-9a-f]{4}$", true),
        (r"^secrets/(a/[a-z]+|b)/db$", false),
        (r"spiffe://example\.org/.*/web", false),
        ("db/.*", false),
        (r"\badmin\b", false),
    ];
    for (text, row) in texts {
        let program = Program::parse(text).unwrap();
        assert!(!program.is_compiled(), "{text}");
        assert_eq!(program.memory(), 0);
        program.prepare();
        assert!(program.is_compiled());
        assert!(program.memory() <= 4096, "{text}: {} bytes", program.memory());
        match program.engine().as_deref() {
            Some(Engine::Row(_)) => assert!(row, "{text}"),
            Some(Engine::Table(_)) => assert!(!row, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// `reliability.md` E5: a policy author as attacker.
#[test]
fn an_adversarial_expression_is_refused_or_bounded() {
    let families = [
        "(a|aa|aaa|aaaa|aaaaa){N}x",
        "(a?){N}a{N}x",
        "(.*a){N}x",
        r"(?:[a-z]{1,60}\.){N}",
        "[ab]*a[ab]{N}x",
        "^[ab]*a[ab]{N}$",
        "(?:a|b|ab){N}c",
        "(?:(?:a{1,10}){1,N}b)+x",
        "a{N}",
        "(.{1,N})!",
        ".*a.{N}!",
        "(?:a.{N}|b.{N})!",
        r"(\w+\W?){N}!",
        "(?:[a-f]|[b-g]|[c-h]){N}!",
        "^(.*/){N}x$",
        "([a-c][a-d]?){N}x",
        "x?.{N}k",
        "[^/]*a[^/]{N}/",
        r"\PS{N}B",
        "(?:a.*|b.{N}|c)x!",
        "(x+x+)+y{N}",
        "(a*)*{N}b",
        "((a|b)*c|d){N}e",
        r"(\b|a){N}z",
        "(?i)(k|s|ks){N}!",
    ];
    let subject = "abcab".repeat(200);
    let (mut refused, mut tables, mut small) = (0, 0, 0);
    for family in families {
        for n in [
            1, 2, 3, 5, 8, 13, 20, 30, 40, 50, 64, 80, 100, 150, 200, 300, 400, 500, 750, 1000,
        ] {
            let text = family
                .replace("{N}", &format!("{{{n}}}"))
                .replace(",N}", &format!(",{n}}}"));
            let Ok(program) = Program::parse(&text) else {
                refused += 1;
                continue;
            };
            program.is_match(&subject);
            assert!(program.memory() <= 1024 * 1024, "{text}: {} bytes", program.memory());
            match &*program.engine().unwrap() {
                // One step per byte of the subject, whatever it is.
                Engine::Row(_) | Engine::Table(_) => tables += 1,
                // At most 127 places: a step of the subject touches each once.
                Engine::Bits(_) => small += 1,
                // A few states only.
                Engine::General(_) => {
                    let root = parse(&text).unwrap().root;
                    assert!(
                        size::instructions(&root) <= SMALL_WITH_CONTEXT || is_deterministic(&root),
                        "{text}"
                    );
                    small += 1;
                }
            }
        }
    }
    assert_eq!(refused + tables + small, families.len() * 20);
    assert!(
        refused > 50 && tables > 200 && small > 20,
        "{refused} refused, {tables} tables, {small} small"
    );
}

#[test]
fn a_large_expression_is_refused_whatever_it_is_made_of() {
    for text in [
        "(a|aa|aaa|aaaa|aaaaa){1000}x".to_owned(),
        format!("(?:{}){{1000}}", "()*".repeat(600)),
        "[ab]*a[ab]{200}".to_owned(),
        "a".repeat(20_000),
        "(?:[a-z]{1,63}.){15}!".to_owned(),
    ] {
        assert_eq!(fault(&text), SyntaxFault::TooLarge, "{}", &text[..20]);
    }
}

#[test]
fn deterministic_means_one_way_to_go_on() {
    let root = |text: &str| parse(text).unwrap().root;
    for text in [
        "^a[b-d]+/x$",
        "^(a|b)c$",
        "^a(bc)*d$",
        "^[^/]+/[^/]+$",
        "^a?b$",
        r"^a{3}b{1,9}c$",
        "^a/.*$",
        "^(ab|cd)*$",
        "^a|^b",
        "(?i)^ab$",
    ] {
        assert!(is_deterministic(&root(text)), "{text}");
    }
    for text in [
        "a",
        "^.*a",
        "^(a|ab)c[a]*a",
        "^[a-z]*z",
        "^a?a",
        "^(a*)*",
        "^(a|[a-c]x)",
        "^a*a$",
        "^(a*b?)*c",
        "^a{1,3}a",
        "a|^b",
    ] {
        assert!(!is_deterministic(&root(text)), "{text}");
    }
}

/// A deliberately simple matcher: the set of places reached, straight from the tree.
fn naive(node: &super::super::tree::Node, subject: &[u8], from: usize) -> Vec<usize> {
    use super::super::tree::{Assertion, Op};
    let mut ends = match &node.op {
        Op::Empty => vec![from],
        Op::Literal(literal) => literal
            .chars()
            .try_fold(from, |place, c| {
                subject
                    .get(place)
                    .is_some_and(|&b| literal.set_of(c).has(b))
                    .then_some(place + 1)
            })
            .into_iter()
            .collect(),
        Op::Class(..) | Op::Any | Op::AnyButNewline => {
            let set = node.as_set().unwrap();
            subject
                .get(from)
                .is_some_and(|&b| set.has(b))
                .then_some(from + 1)
                .into_iter()
                .collect()
        }
        Op::Assertion(assertion) => {
            let word = |place: Option<&u8>| place.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
            let before = from.checked_sub(1).and_then(|before| subject.get(before));
            let boundary = word(before) != word(subject.get(from));
            let holds = match assertion {
                Assertion::BeginText => from == 0,
                Assertion::EndText => from == subject.len(),
                Assertion::BeginLine => from == 0 || before == Some(&b'\n'),
                Assertion::EndLine => from == subject.len() || subject.get(from) == Some(&b'\n'),
                Assertion::WordBoundary => boundary,
                Assertion::NotWordBoundary => !boundary,
            };
            holds.then_some(from).into_iter().collect()
        }
        Op::Capture(body) => naive(body, subject, from),
        Op::Repeat(repeat) => {
            let mut reached = vec![from];
            for _ in 0..repeat.times.min() {
                reached = reached
                    .iter()
                    .flat_map(|&place| naive(&repeat.body, subject, place))
                    .collect();
                reached.sort_unstable();
                reached.dedup();
            }
            let more = repeat.times.max().map_or(100, |max| max - repeat.times.min());
            for _ in 0..more {
                let next: Vec<usize> = reached
                    .iter()
                    .flat_map(|&place| naive(&repeat.body, subject, place))
                    .collect();
                let before = reached.len();
                reached.extend(next);
                reached.sort_unstable();
                reached.dedup();
                if reached.len() == before {
                    break;
                }
            }
            reached
        }
        Op::Concat(parts) => parts.iter().fold(vec![from], |places, part| {
            let mut next: Vec<usize> = places.iter().flat_map(|&place| naive(part, subject, place)).collect();
            next.sort_unstable();
            next.dedup();
            next
        }),
        Op::Alternate(parts) => parts.iter().flat_map(|part| naive(part, subject, from)).collect(),
    };
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn expression() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        "[abc01/]",
        Just(".".to_owned()),
        "\\[\\^?[a-c/]{1,3}\\]",
        Just("[a-c]".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned()),
        Just(r"\b".to_owned()),
        Just("(?i)".to_owned()),
        Just(r"\d".to_owned()),
    ];
    atom.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), "[*+?]|\\{[0-3],?\\}|\\{1,3\\}").prop_map(|(body, times)| format!("(?:{body}){times}")),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner, 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|[a-c(){}\\[\\]\\\\^$.|?*+,0-9:<>PQEpi-]{0,40}") {
        if let Ok(program) = Program::parse(&text) {
            program.is_match("abc");
            program.full_match("abc");
        }
    }

    #[test]
    fn a_program_agrees_with_the_naive_matcher(text in expression(), subject in "[abcAB01/]{0,8}") {
        let Ok(program) = Program::parse(&text) else { return Ok(()) };
        let root = parse(&text).unwrap().root;
        let bytes = subject.as_bytes();
        let found = (0..=bytes.len()).any(|from| !naive(&root, bytes, from).is_empty());
        prop_assert_eq!(program.is_match(&subject), found, "{} on {:?}", &text, &subject);
        let engines = [Engine::row(&root), Engine::bits(&hir::hir(&root)), Engine::general(&hir::hir(&root))];
        for engine in engines.into_iter().flatten() {
            prop_assert_eq!(engine.is_match(&subject), found, "{} on {:?}", &text, &subject);
        }
        prop_assert_eq!(program.full_match(&subject), naive(&root, bytes, 0).contains(&bytes.len()), "{} in full on {:?}", &text, &subject);
    }
}
