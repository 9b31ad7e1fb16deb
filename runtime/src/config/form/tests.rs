#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn tells_numbers_and_truth_values_from_texts() {
    for text in ["1", "-1", "1.5", ".5", "1e3", "0x1F", "0o17", "1."] {
        assert!(is_number(text), "{text}");
    }
    for text in ["", "a", "1.2.3", "127.0.0.1:80", "0xZZ", "inf", "nan", "-", "5s", "v1"] {
        assert!(!is_number(text), "{text}");
    }
}

#[test]
fn long_values_are_cut_and_control_characters_escaped() {
    let text = format!("\u{1b}[31m\n{}", "x".repeat(200));
    let shown = shown(Raw::Text(&text)).unwrap();
    assert!(shown.starts_with(r#""\u{1b}[31m\n"#), "{shown}");
    assert!(shown.ends_with("x\"…") && shown.chars().count() < 110, "{shown}");
}

#[test]
fn a_go_truth_value_is_read_from_a_variable_only() {
    let form = boolean();
    for (text, value) in [
        ("1", true),
        ("t", true),
        ("TRUE", true),
        ("0", false),
        ("F", false),
        ("false", false),
    ] {
        assert_eq!(form(Raw::Text(text)), Ok(value), "{text}");
    }
    for text in ["", "yes", "on", "tRUE"] {
        assert!(form(Raw::Text(text)).is_err(), "{text}");
    }
}

#[test]
fn lists_and_maps_are_read_from_one_line() {
    let word = || {
        scalar(Want::Text, "a word", |text| {
            if text.is_empty() {
                Err("empty".to_owned())
            } else {
                Ok(text.to_owned())
            }
        })
    };
    assert_eq!(list(word())(Raw::Text("a, b")).unwrap(), ["a", "b"]);
    let misfits = list(word())(Raw::Text("a,,")).unwrap_err();
    assert_eq!(
        misfits.iter().map(|misfit| misfit.suffix.as_str()).collect::<Vec<_>>(),
        ["[1]", "[2]"]
    );
    let pairs = map(word())(Raw::Text("GET=read, POST=write")).unwrap();
    assert_eq!(
        pairs.into_iter().collect::<Vec<_>>(),
        [
            ("GET".to_owned(), "read".to_owned()),
            ("POST".to_owned(), "write".to_owned())
        ]
    );
    assert!(map(word())(Raw::Text("GET")).is_err());
}
