#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use proptest::prelude::*;

use super::super::engine::{Effort, Engine};
use super::super::hir::hir;
use super::super::parser::parse;
use super::*;

fn row(text: &str) -> Option<Row> {
    Row::of(&parse(text).unwrap().root)
}

#[test]
fn what_people_write_about_identities_and_paths_is_a_row_of_a_few_dozen_bytes() {
    for (text, elsewhere) in [
        (r"^spiffe://example\.org/ns/shop/sa/web$", false),
        (r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/gateway$", true),
        (r"^spiffe://example\.org/(prod|staging)/[^/]+/worker-[0-9]{1,3}$", true),
        (r"^services/[a-z]+/orders/[0-9]+$", false),
        (r"^tenants/acme/", false),
        (r"^tenants/acme/.*$", false),
        (r"^tenants/acme/(db|cache)/[^/]+/[A-Za-z0-9_-]+$", true),
        ("(?i)^ab", false),
    ] {
        let row = row(text).unwrap_or_else(|| panic!("{text} is no row"));
        let memory = row.memory();
        assert!((memory > 0) == elsewhere && memory <= 96, "{text}: {memory} bytes");
    }
}

#[test]
fn every_set_is_kept_to_the_character() {
    let sets = [
        0,
        1,
        1 << 127,
        u128::MAX,
        u128::MAX >> 1,
        !1,
        !(1 << 47),
        0x5555 << 60,
        u128::from_le_bytes(*b"\xff\0\x01\x80 any bits do"),
    ];
    for set in sets {
        let bits = ranges(set).flat_map(|[first, last]| first..=last);
        let back = bits.fold(0, |set, bit| set | 1_u128 << bit);
        assert_eq!(back, set, "{set:x}");
    }
    assert!(ranges(u128::MAX).eq([[0, 127]]));
    assert!(ranges(0b1101).eq([[0, 0], [2, 3]]));
}

#[test]
fn what_is_not_deterministic_or_not_one_row_is_none() {
    for text in [
        "a",
        "^.*a",
        "^a|^b",
        "^(ab)*$",
        "^a(b|cd*)e",
        r"^a\b",
        "(?m)^a",
        "^a?a",
        "^[a-z]*z",
        "^(?:a$)?",
    ] {
        assert_eq!(row(text), None, "{text}");
    }
    let long = format!("^(?i:{})", "a".repeat(120));
    assert_eq!(row(&long), None, "a row is short, or it is none");
}

#[test]
fn a_text_longer_than_a_step_holds_goes_on_in_the_next() {
    for length in [1, 254, 255, 256, 600] {
        let text = "a".repeat(length);
        let row = row(&format!("^{text}$")).unwrap();
        assert!(row.is_match(&text));
        assert!(!row.is_match(&text[1..]) && !row.is_match(&format!("{text}a")));
    }
}

#[test]
fn counts_are_kept_to_the_one() {
    let row = row("^a{2,4}[b-d]{3}e*$").unwrap();
    let (mut yes, mut no) = (0, 0);
    for (a, b, e) in (0..7).flat_map(|a| (0..6).flat_map(move |b| (0..3).map(move |e| (a, b, e)))) {
        let subject = ["a".repeat(a), "c".repeat(b), "e".repeat(e)].concat();
        let expected = (2..=4).contains(&a) && b == 3;
        assert_eq!(row.is_match(&subject), expected, "{subject}");
        *if expected { &mut yes } else { &mut no } += 1;
    }
    assert_eq!((yes, no), (9, 117));
}

/// Expressions of which many are rows.
fn expression() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        4 => "[a-c/]{1,3}",
        2 => "\\[\\^?[a-c/]{1,2}\\]",
        1 => Just(".".to_owned()),
        1 => "\\((a|b/|ab)\\|(b|c|ca)\\)",
        1 => Just("(?:)".to_owned()),
        1 => Just("$".to_owned()),
        1 => Just("(?i)".to_owned()),
        1 => Just("(?s:.)".to_owned()),
    ];
    let times = prop_oneof![4 => Just(String::new()), 2 => "[*+?]", 1 => "\\{[0-3],?\\}", 1 => "\\{1,3\\}"];
    let steps = prop::collection::vec((step, times), 1..6);
    (steps, "\\$?").prop_map(|(steps, end)| {
        let pieces = steps.into_iter().map(|(step, times)| {
            let stacked = matches!(step.as_str(), "$" | "(?i)" | "(?:)");
            if times.is_empty() || stacked {
                step
            } else {
                format!("(?:{step}){times}")
            }
        });
        format!("^{}{end}", pieces.collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn a_row_answers_as_a_table_of_the_same_expression_does(text in expression(), subjects in prop::collection::vec("[abcAB/]{0,8}", 20)) {
        let root = parse(&text).unwrap().root;
        let row = Row::of(&root);
        prop_assume!(row.is_some());
        let table = Engine::table(&hir(&root), Effort::THOROUGH).unwrap();
        for subject in subjects {
            prop_assert_eq!(row.as_ref().unwrap().is_match(&subject), table.is_match(&subject), "{} on {:?}", &text, &subject);
        }
    }
}
