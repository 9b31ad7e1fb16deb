#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn refused(text: &str) -> Vec<String> {
    let show = |found: Misplaced| format!("{}:{} {} {}", found.at.line, found.at.column, found.key, found.what);
    read(text).misplaced.into_iter().map(show).collect()
}

#[test]
fn keys_and_values_know_their_places() {
    let text = "# comment\nа: # кириллица\n  - x\n  - {b: 'y'}\n\"quoted key\": 1\n";
    let root = read(text).root.unwrap();
    let entry = root.child("а").unwrap();
    assert_eq!(entry.at, Position { line: 2, column: 1 });
    let Shape::List(items) = &entry.value.shape else {
        unreachable!("a list was written")
    };
    let places: Vec<_> = items.iter().map(|item| (item.at.line, item.at.column)).collect();
    assert_eq!(places, [(3, 5), (4, 5)]);
    let inner = items.last().and_then(|item| item.child("b")).unwrap();
    assert_eq!((inner.at.column, inner.value.at.column), (6, 9));
    assert_eq!(
        root.child("quoted key").unwrap().value.at,
        Position { line: 5, column: 15 }
    );
}

#[test]
fn a_repeated_key_is_refused_at_its_second_place() {
    assert_eq!(
        refused("a:\n  b: 1\n  c: 2\n  b: 3\n"),
        ["4:3 a.b repeated key (first given at line 2, column 3)"]
    );
}

#[test]
fn anchors_aliases_tags_and_merge_keys_are_refused() {
    let text = "a: &x {k: 1}\nb: *x\nc: !!str 5\n";
    let found = refused(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|line| line.contains("a an anchor")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("2:4 b an alias")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("c a tag")), "{found:?}");
}

#[test]
fn a_second_document_is_refused() {
    assert_eq!(
        refused("a: 1\n---\nb: 2\n"),
        ["2:1  a second document starts here (one document per file)"]
    );
}

#[test]
fn a_list_as_a_key_is_refused_and_the_rest_is_read() {
    let reading = read("? [a, b]\n: 1\nc: 2\n");
    assert_eq!(reading.misplaced.len(), 1);
    assert!(reading.root.unwrap().child("c").is_some());
}

#[test]
fn a_syntax_error_is_one_refusal_with_its_place() {
    for (text, place) in [
        ("a: [1, 2\nb: 3\n", "2:"),
        ("a: \"x\n", "2:"),
        ("a:\n\t- b\n", "2:"),
        ("a: b: c\n", "1:"),
    ] {
        let reading = read(text);
        assert!(!reading.complete && reading.root.is_none(), "{text}");
        let found = refused(text);
        assert!(
            found.len() == 1
                && found
                    .iter()
                    .all(|line| line.contains("not YAML: ") && line.starts_with(place)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_before_it_costs_anything() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let deep = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert!(read(&deep(MAX_DEPTH)).complete, "{open}");
        let found = refused(&deep(MAX_DEPTH + 1));
        assert!(
            found.iter().any(|line| line.contains("nested too deeply")),
            "{open}: {found:?}"
        );
    }
    assert!(!read(&"[".repeat(200_000)).complete);
}

#[test]
fn nothing_and_null_are_no_value() {
    assert!(read("").complete && read("").root.is_none());
    assert!(read("# only a comment\n").root.is_none());
    for text in ["a:", "a: ~", "a: null"] {
        assert!(read(text).root.unwrap().child("a").unwrap().value.is_null(), "{text}");
    }
    for text in ["a: ''", "a: 'null'", "a: 0", "a: []"] {
        assert!(!read(text).root.unwrap().child("a").unwrap().value.is_null(), "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(read("\u{feff}a: 1\n").root.unwrap().child("a").is_some());
}
