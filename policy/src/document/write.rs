//! Documents as YAML text, for export.
use std::fmt::Write as _;

use super::PolicyDocument;

/// The documents as one YAML text that [`super::parse_yaml`] reads back to the same documents.
///
/// Every text is single-quoted, so no backslash is an escape and no word a number.
pub fn to_yaml<'a>(documents: impl IntoIterator<Item = &'a PolicyDocument>) -> String {
    let mut text = String::new();
    for document in documents {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        line(&mut text, "name: ", &document.name);
        line(&mut text, "spiffeidPattern: ", &document.spiffeid_pattern);
        line(&mut text, "pathPattern: ", &document.path_pattern);
        if document.permissions.is_empty() {
            text.push_str("permissions: []\n");
        } else {
            text.push_str("permissions:\n");
        }
        for permission in &document.permissions {
            line(&mut text, "  - ", permission);
        }
    }
    text
}

/// A value on one line. Texts that single quotes cannot hold (a rule never has one) are double-quoted with escapes.
fn line(text: &mut String, key: &str, value: &str) {
    text.push_str(key);
    if is_word(value) {
        text.push_str(value);
    } else if value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        text.push('\'');
        text.push_str(&value.replace('\'', "''"));
        text.push('\'');
    } else {
        text.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                ' '..='~' => text.push(c),
                // Writing to a `String` cannot fail.
                _ => text
                    .write_fmt(format_args!("\\U{:08x}", u32::from(c)))
                    .unwrap_or_default(),
            }
        }
        text.push('"');
    }
    text.push('\n');
}

/// One of the five permissions: the only words that read well, and surely, without quotes.
fn is_word(value: &str) -> bool {
    value.parse::<crate::Permission>().is_ok()
}
