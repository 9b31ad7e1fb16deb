//! JSON text from hostile bytes.
//!
//! **Owns** escaping and length caps for audit lines, and for whatever else repeats hostile text. **Refuses** to print anything but printable
//! ASCII: a path or an ID is attacker text, and a terminal or a log pipeline must not be steered by it.
//! **Invariant**: the output is one JSON string on one line, whatever went in.

/// Appends `text` as a JSON string of at most `cap` input bytes; a cut string ends with an ellipsis.
pub fn string(out: &mut Vec<u8>, text: &[u8], cap: usize) {
    let shown = text.get(..cap).unwrap_or(text);
    out.push(b'"');
    if shown.iter().all(|&byte| plain(byte)) {
        out.extend_from_slice(shown);
    } else {
        escaped(out, shown);
    }
    if shown.len() < text.len() {
        out.extend_from_slice(b"\\u2026");
    }
    out.push(b'"');
}

/// Appends a number.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        used += 1;
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for unit in chunk.valid().encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if plain(byte) => out.push(byte),
                Ok(byte @ (b'"' | b'\\')) => out.extend_from_slice(&[b'\\', byte]),
                Ok(_) | Err(_) => unicode(out, unit),
            }
        }
        if !chunk.invalid().is_empty() {
            unicode(out, 0xfffd);
        }
    }
}

fn unicode(out: &mut Vec<u8>, unit: u16) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX.get(usize::from(unit >> shift & 15)).copied().unwrap_or(b'0'));
    }
}

#[cfg(test)]
mod tests;
