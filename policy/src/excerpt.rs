//! Pieces of a text that somebody else wrote, as messages show them: one line, cut to a length.
//!
//! **Owns** the two forms: in quotes, and as it is so that it can be copied.
//!
//! **Refuses** control characters and line ends: what is shown cannot move a cursor or forge a line of a log.
//!
//! **Invariant**: at most so many characters of the text are shown as asked for, and `…` tells of the others.

/// Characters of a refused value that an error repeats.
const VALUE: usize = 120;

/// A refused value: quoted, escaped, at most 120 characters.
pub(crate) fn value(text: &str) -> String {
    quoted(text, VALUE)
}

/// In quotes and escaped, at most `most` characters.
pub(crate) fn quoted(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

/// At most `most` characters: printable ASCII as it is (no doubled backslash), the rest escaped.
pub(crate) fn as_it_is(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            line.push('…');
            break;
        }
        if c == ' ' || c.is_ascii_graphic() {
            line.push(c);
        } else {
            line.extend(c.escape_unicode());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_line_of_at_most_so_many_characters() {
        for (text, shown_in_quotes, shown_as_it_is) in [
            ("", r#""""#, ""),
            (r"a\.b", r#""a\\.b""#, r"a\.b"),
            ("a\nb", r#""a\nb""#, r"a\u{a}b"),
            ("\u{1b}[2J", r#""\u{1b}[2J""#, r"\u{1b}[2J"),
            ("abcde", r#""abcde""#, "abcde"),
            ("abcdef", r#""abcde"…"#, "abcde…"),
            ("ééééé\u{1b}", r#""ééééé"…"#, r"\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}…"),
        ] {
            assert_eq!(quoted(text, 5), shown_in_quotes);
            assert_eq!(as_it_is(text, 5), shown_as_it_is);
        }
        assert_eq!(value(&"a".repeat(121)).chars().filter(|c| *c == 'a').count(), VALUE);
    }
}
