//! YAML as Go's yaml.v3 writes it: four blanks per level, plain scalars where they are safe.
//!
//! What it writes always reads back as the same text; the layout follows yaml.v3 so that output can be compared.
use zeroize::Zeroizing;

/// A text as a YAML scalar. `indent` is the depth of the key it stands behind, in blanks.
pub(super) fn scalar(text: &str, indent: usize) -> Zeroizing<String> {
    if needs_double_quotes(text) {
        return double_quoted(text);
    }
    if text.contains('\n') {
        return literal_block(text, indent);
    }
    if reads_as_something_else(text) {
        return double_quoted(text);
    }
    if is_plain(text) {
        Zeroizing::new(text.to_owned())
    } else {
        single_quoted(text)
    }
}

/// Characters that only a double-quoted scalar can hold.
fn needs_double_quotes(text: &str) -> bool {
    text.is_empty()
        || text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
        || (text.contains('\n') && (text.starts_with([' ', '\n']) || text.trim_matches('\n').is_empty()))
        || text.ends_with("\n\n")
}

/// A plain scalar of this text would be null, a boolean, a number or a time.
fn reads_as_something_else(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "<<",
    ];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || looks_numeric(text)
}

/// Begins as a number or time does and holds nothing that neither can hold. Quotes a little more than Go does.
fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = unsigned
        .strip_prefix('.')
        .unwrap_or(unsigned)
        .starts_with(|c: char| c.is_ascii_digit());
    let words = ["x", "o", "b", "e", "t", "z"];
    let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let fits = |c: char| {
        c.is_ascii_digit()
            || "+-.:_ ".contains(c)
            || words.iter().any(|word| c.to_lowercase().eq(word.chars()))
            || (hex && c.is_ascii_hexdigit())
    };
    (starts && unsigned.chars().all(fits)) || unsigned.eq_ignore_ascii_case(".inf")
}

/// Whether the text can stand without quotes.
fn is_plain(text: &str) -> bool {
    let first_ok = match text.chars().next() {
        Some('-' | '?' | ':') => text.chars().nth(1).is_some_and(|c| !c.is_whitespace()),
        Some(c) => !",[]{}#&*!|>'\"%@` ".contains(c),
        None => false,
    };
    first_ok
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
        && !text.starts_with("...")
}

fn single_quoted(text: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("'{}'", text.replace('\'', "''")))
}

fn double_quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(text.len() + 2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\0"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{1b}' => quoted.push_str("\\e"),
            '\u{85}' => quoted.push_str("\\N"),
            c if c.is_control() => {
                quoted.push_str("\\x");
                let digits = [u32::from(c) >> 4, u32::from(c) & 0xf].map(|digit| char::from_digit(digit, 16));
                quoted.extend(digits.into_iter().flatten().map(|digit| digit.to_ascii_uppercase()));
            }
            '\u{2028}' => quoted.push_str("\\L"),
            '\u{2029}' => quoted.push_str("\\P"),
            '\u{feff}' => quoted.push_str("\\uFEFF"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn literal_block(text: &str, indent: usize) -> Zeroizing<String> {
    let (header, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let margin = " ".repeat(indent + 4);
    let mut block = Zeroizing::new(String::with_capacity(text.len() * 2));
    block.push_str(header);
    for line in body.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&margin);
            block.push_str(line);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What a reader makes of the scalar, with the document in front for the message of a failed test.
    fn read_back(text: &str) -> (String, Option<String>) {
        let document = format!("key: {}\nnext: x\n", scalar(text, 0).as_str());
        let read = serde_saphyr::from_str::<BTreeMap<String, serde_json::Value>>(&document).ok();
        let value = read.and_then(|map| map.get("key")?.as_str().map(str::to_owned));
        (document, value)
    }

    #[test]
    fn scalars_look_as_yaml_v3_writes_them() {
        for (text, written) in [
            ("plain", "plain"),
            (r"^spiffe://example\.org/.*$", r"^spiffe://example\.org/.*$"),
            ("^a{2,3}|b$", "^a{2,3}|b$"),
            ("", "\"\""),
            ("true", "\"true\""),
            ("null", "\"null\""),
            ("123", "\"123\""),
            ("1.5", "\"1.5\""),
            ("0x1F", "\"0x1F\""),
            ("a: b", "'a: b'"),
            ("*alias", "'*alias'"),
            ("[a-z]+", "'[a-z]+'"),
            ("it's", "it's"),
            ("'quoted'", "'''quoted'''"),
            ("a\nb", "|-\n    a\n    b"),
            ("a\nb\n", "|\n    a\n    b"),
            ("tab\there", "\"tab\\there\""),
            ("\u{1b}[0m\u{1}", "\"\\e[0m\\x01\""),
        ] {
            assert_eq!(scalar(text, 0).as_str(), written, "{text:?}");
        }
    }

    #[test]
    fn every_text_reads_back_as_itself() {
        let parts = [
            "",
            " ",
            "\n",
            "\t",
            "a",
            "-",
            "- ",
            "?",
            ":",
            ": ",
            "#",
            " #",
            "'",
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&",
            "*",
            "!",
            "|",
            ">",
            "%",
            "@",
            "`",
            "0",
            "1.5",
            "e",
            "x",
            "true",
            "null",
            "~",
            "é",
            "\u{1b}",
            "\r",
            "\0",
            "\u{85}",
            "\u{7}\u{8}\u{b}\u{c}\u{1}\u{7f}",
            "\u{2028}",
            "---",
            "...",
            "=",
            "<<",
        ];
        let mut tried = 0;
        for first in parts {
            for second in parts {
                for third in ["", "a", "\n", " "] {
                    let text = format!("{first}{second}{third}");
                    let (document, value) = read_back(&text);
                    assert_eq!(value.as_ref(), Some(&text), "{document:?}");
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, parts.len() * parts.len() * 4);
    }
}
