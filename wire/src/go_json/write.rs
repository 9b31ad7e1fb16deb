//! Writing as Go's `json.Marshal` does: no blanks, no trailing newline, `<`, `>`, `&`, U+2028 and U+2029 escaped.
use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use zeroize::Zeroizing;

/// The JSON text of an answer, wiped when dropped because it may hold secrets.
///
/// # Errors
/// Only what the value's own `Serialize` reports; none of this crate's types fails.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(256));
    value.serialize(&mut Serializer::with_formatter(&mut *text, GoFormatter))?;
    Ok(text)
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, special) in fragment.match_indices(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            writer.write_all(fragment.get(plain..at).unwrap_or_default().as_bytes())?;
            writer.write_all(escape(special).as_bytes())?;
            plain = at + special.len();
        }
        writer.write_all(fragment.get(plain..).unwrap_or_default().as_bytes())
    }
}

fn escape(special: &str) -> &'static str {
    match special {
        "<" => "\\u003c",
        ">" => "\\u003e",
        "&" => "\\u0026",
        "\u{2028}" => "\\u2028",
        _ => "\\u2029",
    }
}
