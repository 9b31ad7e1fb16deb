//! The identity in `x-forwarded-client-cert`, in its text and its JSON form.
//!
//! Envoy writes URI values into the text form without quotes, so a certificate whose URI holds `,` or `;` can write
//! further pairs. That is why exactly one element with exactly one URI is accepted, and in the text form nothing after
//! the URI: what would follow could be the tail of a longer, illegal one. The JSON form has no such trouble.
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Refusal;
use crate::SpiffeId;

/// The longest header, in bytes: a certificate chain fits.
const MAX_BYTES: usize = 65_536;

/// The one URI of the one element, parsed by the letter.
pub(super) fn identity(values: &[&[u8]]) -> Result<SpiffeId, Refusal> {
    let value = match values {
        [] => return Err(Refusal::XfccMissing),
        [value] => *value,
        _ => return Err(Refusal::XfccElements),
    };
    if value.len() > MAX_BYTES || !value.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        return Err(Refusal::XfccInvalid);
    }
    let text = std::str::from_utf8(value).map_err(|_| Refusal::XfccInvalid)?;
    if text.starts_with('[') { json(text) } else { plain(text) }
}

/// One element of the JSON form (Envoy 1.38 and later).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Element {
    #[serde(default)]
    uri: Vec<String>,
    #[serde(default, rename = "by")]
    _by: IgnoredAny,
    #[serde(default, rename = "hash")]
    _hash: IgnoredAny,
    #[serde(default, rename = "cert")]
    _cert: IgnoredAny,
    #[serde(default, rename = "chain")]
    _chain: IgnoredAny,
    #[serde(default, rename = "subject")]
    _subject: IgnoredAny,
    #[serde(default, rename = "dns")]
    _dns: IgnoredAny,
    #[serde(default, rename = "issuer")]
    _issuer: IgnoredAny,
}

fn json(text: &str) -> Result<SpiffeId, Refusal> {
    let elements: Vec<Element> = serde_json::from_str(text).map_err(|_| Refusal::XfccInvalid)?;
    match elements.as_slice() {
        [] => Err(Refusal::XfccInvalid),
        [element] => match element.uri.as_slice() {
            [uri] => uri.parse().map_err(|_| Refusal::PrincipalInvalid),
            _ => Err(Refusal::XfccUris),
        },
        _ => Err(Refusal::XfccElements),
    }
}

/// The keys of the text form, spelled as Envoy does. `By` and `DNS` repeat when there are several.
const ONCE: [&str; 5] = ["Hash", "Cert", "Chain", "Subject", "Issuer"];
const REPEATED: [&str; 2] = ["By", "DNS"];

fn plain(text: &str) -> Result<SpiffeId, Refusal> {
    let mut rest = text;
    let mut seen: Vec<&str> = Vec::new();
    let mut uris: Vec<&str> = Vec::new();
    let mut after_uri = false;
    loop {
        let (pair, tail) = next_pair(rest)?;
        if pair.key == "URI" {
            uris.push(pair.value);
        } else if ONCE.contains(&pair.key) && !seen.contains(&pair.key) {
            seen.push(pair.key);
            after_uri |= !uris.is_empty();
        } else if REPEATED.contains(&pair.key) {
            after_uri |= !uris.is_empty();
        } else {
            return Err(Refusal::XfccInvalid);
        }
        match tail.strip_prefix(';') {
            Some(more) => rest = more,
            None if tail.is_empty() => break,
            // A comma: another element follows, by this proxy or by whoever chose the text before it.
            None => return Err(Refusal::XfccElements),
        }
    }
    match uris.as_slice() {
        [_] if after_uri => Err(Refusal::XfccUriNotLast),
        [uri] => uri.parse().map_err(|_| Refusal::PrincipalInvalid),
        _ => Err(Refusal::XfccUris),
    }
}

struct Pair<'a> {
    key: &'a str,
    value: &'a str,
}

/// The first pair, and what follows it: nothing, or text that begins with `;` or `,`.
fn next_pair(text: &str) -> Result<(Pair<'_>, &str), Refusal> {
    let (key, rest) = text.split_once('=').ok_or(Refusal::XfccInvalid)?;
    if let Some(quoted) = rest.strip_prefix('"') {
        let end = closing_quote(quoted).ok_or(Refusal::XfccInvalid)?;
        let value = quoted.get(..end).unwrap_or_default();
        let tail = quoted.get(end + 1..).unwrap_or_default();
        if !(tail.is_empty() || tail.starts_with([';', ','])) {
            return Err(Refusal::XfccInvalid);
        }
        return Ok((Pair { key, value }, tail));
    }
    let end = rest.find([';', ',']).unwrap_or(rest.len());
    let (value, tail) = rest.split_at(end);
    if value.contains(['"', ' ']) {
        return Err(Refusal::XfccInvalid);
    }
    Ok((Pair { key, value }, tail))
}

/// Where the quote that ends a value stands; `\` escapes the character after it.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}
