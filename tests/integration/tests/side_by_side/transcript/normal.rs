//! What is compared of a command's output, and what is set aside because it must differ:
//!
//! | part | compared as |
//! |---|---|
//! | times (RFC 3339, or `2026-01-31 12:00:00 UTC`) | `<time>` |
//! | UUIDs | `<uuid>` |
//! | a sealed stream (first byte 1, 28 bytes or more) | version byte and length |
//! | lines of `secret get` and `secret metadata get` for people | sorted: the official order is that of a Go map |
//! | the ciphertext of `cipher encrypt --plaintext` | its length |
//! | the shell's directory, the server's address | `<home>`, `<server>` |
//! | other bytes that are no UTF-8 | escaped |

use super::Form;

/// An output in its compared form.
pub(super) fn text(bytes: &[u8], form: Form) -> String {
    // Random bytes may begin with a brace, too.
    if form == Form::Sealed && !bytes.starts_with(b"{\n  \"version\"") {
        return format!("<{} bytes>", bytes.len());
    }
    if let ([1, rest @ ..], true) = (bytes, bytes.len() > 28) {
        return format!("<1, {} bytes>", rest.len());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bytes.escape_ascii().to_string();
    };
    let mut text = replaced(text);
    if form == Form::AnyOrder {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        text = lines.join("\n");
    }
    text
}

fn replaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let known = [
            time_length(rest).map(|length| (length, "<time>")),
            uuid_length(rest).map(|length| (length, "<uuid>")),
        ];
        if let Some((length, name)) = known.into_iter().flatten().next() {
            out.push_str(name);
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The length of the time that a text begins with. The zero time is none.
fn time_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let shape = bytes.get(..19)?;
    let fits = shape.iter().zip(b"0000-00-00T00:00:00").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b' '),
        separator => byte == separator,
    });
    if !fits || !text.starts_with("20") {
        return None;
    }
    let rest = &bytes[19..];
    let fraction = match rest.first() {
        Some(b'.') => 1 + rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let zone = match &rest[fraction..] {
        [b'Z', ..] => 1,
        [b' ', b'U', b'T', b'C', ..] => 4,
        _ => return None,
    };
    Some(19 + fraction + zone)
}

fn uuid_length(text: &str) -> Option<usize> {
    let shape = text.as_bytes().get(..36)?;
    let fits = shape.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    fits.then_some(36)
}
