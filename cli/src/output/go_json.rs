//! Indented JSON as Go's `json.MarshalIndent` writes it.
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use zeroize::Zeroizing;

/// The JSON text with so many blanks per level. May hold a secret, so it is overwritten when dropped.
pub(super) fn indented(value: &impl Serialize, indent: &str) -> Result<Zeroizing<String>, serde_json::Error> {
    let mut text = Zeroizing::new(Vec::new());
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut *text, formatter))?;
    Ok(escaped(&String::from_utf8_lossy(&text)))
}

/// Go writes these five characters, which stand nowhere but in strings, as escapes.
fn escaped(json: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(json.len()));
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn text_is_gos() {
        let map: BTreeMap<_, _> = [("b", "<&>\u{2028}\"\\\n"), ("a", "")].into();
        assert_eq!(
            indented(&map, "    ").unwrap().as_str(),
            "{\n    \"a\": \"\",\n    \"b\": \"\\u003c\\u0026\\u003e\\u2028\\\"\\\\\\n\"\n}"
        );
        assert_eq!(indented(&BTreeMap::<&str, &str>::new(), "  ").unwrap().as_str(), "{}");
        assert_eq!(indented(&Vec::<&str>::new(), "  ").unwrap().as_str(), "[]");
    }
}
