#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::pattern::dialect::Program;

const PATTERNS: [&str; 22] = [
    "^a$",
    "a",
    "^ab*$",
    "^(a|b)+$",
    "^[^a]*$",
    "b$",
    "^a.*b$",
    "",
    ".*",
    "^$",
    "^a{2}$",
    "^(ab)*$",
    "(?i)A",
    r"\bab\b",
    "^a|b$",
    "a.b",
    "^.{3}$",
    "^[ab]{1,2}$",
    "aa|bb",
    r"^a\z",
    "(?:^a)?b",
    "c",
];
const LEGAL: &str = "^[!-~]+$";

/// Every text of one to four of these letters: enough to tell the patterns above apart.
fn subjects() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|text| ["a", "b", "-"].map(|letter| format!("{text}{letter}")))
            .collect();
        all.extend_from_slice(&last);
    }
    all.retain(|text| !text.is_empty());
    all
}

fn language(text: &str) -> Language {
    Language::of(text).unwrap()
}

#[test]
fn one_is_within_another_exactly_if_no_subject_says_otherwise() {
    let (legal, subjects) = (language(LEGAL), subjects());
    let mut within = 0;
    for inner in PATTERNS {
        for outer in PATTERNS {
            let (inside, outside) = (Program::parse(inner).unwrap(), Program::parse(outer).unwrap());
            match language(inner).beyond(&language(outer), &legal) {
                Found::Nothing => {
                    within += 1;
                    let other = subjects.iter().find(|s| inside.is_match(s) && !outside.is_match(s));
                    assert_eq!(other, None, "{inner:?} in {outer:?}");
                }
                Found::Subject(text) => {
                    assert!(
                        inside.is_match(&text) && !outside.is_match(&text),
                        "{inner:?} in {outer:?}: {text}"
                    );
                }
                Found::Unknown => unreachable!("{inner:?} in {outer:?}"),
            }
        }
    }
    assert!(
        (80..300).contains(&within),
        "{within} of {} pairs",
        PATTERNS.len() * PATTERNS.len()
    );
}

#[test]
fn a_common_subject_is_one_of_the_shortest() {
    let (legal, subjects) = (language(LEGAL), subjects());
    let mut empty = Vec::new();
    for pattern in PATTERNS {
        let program = Program::parse(pattern).unwrap();
        match language(pattern).common(&legal) {
            Found::Subject(text) => {
                assert!(program.is_match(&text) && !text.is_empty(), "{pattern:?}: {text}");
                let shorter = subjects.iter().find(|s| program.is_match(s) && s.len() < text.len());
                assert_eq!(shorter, None, "{pattern:?}: {text}");
            }
            Found::Nothing => empty.push(pattern),
            Found::Unknown => unreachable!("{pattern:?}"),
        }
    }
    assert_eq!(empty, ["^$"]);
}

#[test]
fn what_is_large_is_not_known() {
    assert!(Language::of(".*a.{14}b.{14}c").is_none());
    let (one, other) = (language("^([ab]{97})*$"), language("^([ab]{101})*$"));
    assert!(matches!(one.beyond(&other, &language(LEGAL)), Found::Subject(text) if text.len() == 97));
    let (one, other) = (language("^([ab]{97})+$"), language("^([ab]{103})+c$"));
    assert_eq!(one.common(&other), Found::Nothing);
    let (one, other) = (language("^([ab]{97})+$"), language("^([ab]{107})+$"));
    assert_eq!(one.common(&other), Found::Unknown, "the shortest has 10,379 letters");
}
