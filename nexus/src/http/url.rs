//! Paths and queries, read as Go's `net/url` and `ServeMux` read them.
use std::borrow::Cow;

/// The decoded path; `None` for a bad `%` escape or bytes that are no UTF-8.
pub(super) fn decode_path(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    unescape(raw, false).map(Cow::Owned)
}

/// The first value of a query parameter. As in Go, a pair with `;` or a bad escape does not count.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(key, true)?, unescape(value, true)?))
        })
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Where Go would send a client that asks for this path, as it stands in the request: `None` when it is clean already.
/// Go cleans the path undecoded and escapes the result once more, so `%20` arrives as `%2520`; so it does here.
pub(super) fn cleaned(raw: &str) -> Option<String> {
    let clean = clean(raw);
    (clean != raw).then(|| escape_path(&clean))
}

/// Go's `cleanPath`: no empty, `.` or `..` segment; a trailing slash stays.
fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut clean = format!("/{}", segments.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    clean
}

/// The bytes that Go leaves as they are in a path.
fn escape_path(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(hex_digit));
        }
    }
    escaped
}

fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let (digits, tail) = rest.split_first_chunk::<2>()?;
                bytes.push(hex(*digits)?);
                rest = tail;
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_strictly() {
        for (raw, path) in [
            ("/v1/store/secret%73", Some("/v1/store/secrets")),
            ("/v1%2fstore/secrets", Some("/v1/store/secrets")),
            ("/a%2573", Some("/a%73")),
            ("/a+b", Some("/a+b")),
            ("/a%", None),
            ("/a%7", None),
            ("/a%zz", None),
            ("/a%+1", None),
            ("/a%ff", None),
        ] {
            assert_eq!(decode_path(raw).as_deref(), path, "{raw}");
        }
    }

    #[test]
    fn the_first_well_formed_action_counts() {
        for (query, action) in [
            ("", None),
            ("action", Some("")),
            ("action=get", Some("get")),
            ("action=get&action=list", Some("get")),
            ("x=1&action=list", Some("list")),
            ("%61ction=l%69st", Some("list")),
            ("action=a+b", Some("a b")),
            ("action=list;x", None),
            ("action=%zz&action=get", Some("get")),
            ("Action=get", None),
            ("&&action=get", Some("get")),
            ("action=get=x", Some("get=x")),
        ] {
            assert_eq!(parameter(query, "action").as_deref(), action, "{query}");
        }
    }

    #[test]
    fn unclean_paths_are_sent_where_go_sends_them() {
        for (path, location) in [
            ("/v1/store/secrets", None),
            ("/v1/store/secrets/", None),
            ("/", None),
            ("//v1/store/secrets", Some("/v1/store/secrets")),
            ("/v1//store/./secrets", Some("/v1/store/secrets")),
            ("/v1/x/../store/secrets", Some("/v1/store/secrets")),
            ("/../v1", Some("/v1")),
            ("/v1/..", Some("/")),
            ("/v1/./", Some("/v1/")),
            ("//a%20b%25c", Some("/a%2520b%2525c")),
            ("/v1/%2e%2e/a", None),
            ("", Some("/")),
        ] {
            assert_eq!(cleaned(path).as_deref(), location, "{path}");
        }
    }
}
