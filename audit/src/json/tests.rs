#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;

fn shown(text: &[u8], cap: usize) -> String {
    let mut out = Vec::new();
    super::string(&mut out, text, cap);
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn plain_text_is_itself() {
    assert_eq!(shown(b"/orders/7", 100), r#""/orders/7""#);
}

#[test]
fn quotes_controls_and_unicode_are_escaped() {
    assert_eq!(
        shown("a\"\\\n\u{1b}[31mé😀".as_bytes(), 100),
        r#""a\"\\\u000a\u001b[31m\u00e9\ud83d\ude00""#
    );
    assert_eq!(shown(b"\xff\xfe", 100), r#""\ufffd\ufffd""#);
}

#[test]
fn a_cut_string_says_so() {
    assert_eq!(shown(b"abcdef", 3), r#""abc\u2026""#);
}

#[test]
fn numbers_are_decimal() {
    for value in [0, 7, 10, 12_345, u64::MAX] {
        let mut out = Vec::new();
        super::number(&mut out, value);
        assert_eq!(String::from_utf8_lossy(&out), value.to_string());
    }
}

proptest! {
    #[test]
    fn any_bytes_become_one_line_of_ascii_that_json_reads_back(bytes: Vec<u8>, cap in 0usize..200) {
        let text = shown(&bytes, cap);
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let back: String = serde_json::from_str(&text).expect("valid JSON");
        let cut = &bytes[..cap.min(bytes.len())];
        let ellipsis = if cut.len() < bytes.len() { "…" } else { "" };
        prop_assert_eq!(back, format!("{}{}", String::from_utf8_lossy(cut), ellipsis));
    }
}
