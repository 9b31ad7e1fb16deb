//! The path of a request: canonical, or refused by a named rule.
//!
//! **Owns** the rules of design D14: every spelling that two programs could read differently (dots, slashes, escapes,
//! parameters) has a rule, and each rule a name and a switch.
//!
//! **Refuses** to decode, fold, merge or trim. The bytes before the first `?` are judged as they are.
//!
//! **Invariant**: what passes the strict rules reads the same raw, with dots removed, decoded once, with slashes merged
//! and with parameters stripped. Four things have no switch: a path is absolute, printable ASCII, short enough, and the
//! one that the upstream will see.
use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Facts, Refusal};
use crate::AccessPath;

/// One switchable rule. Its word is the same in configuration, metrics, audit and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PathRule {
    /// `/./`, `/../`, a trailing `/.` or `/..`, also followed by a parameter (`/..;x`).
    DotSegment,
    /// A segment of three or more dots, which some upstreams fold.
    DotsOnly,
    /// `//` anywhere.
    DoubleSlash,
    /// A `\`, which some upstreams read as `/`.
    Backslash,
    /// A `#`: the fragment never belongs to a request.
    Fragment,
    /// A `;`: some upstreams cut a parameter there.
    Semicolon,
    /// `"`, `<`, `>`, `^`, a backtick, `{`, `|` or `}`, which RFC 3986 wants escaped.
    Unsafe,
    /// `%` without two hex digits.
    BadEscape,
    /// `%2F`.
    EncodedSlash,
    /// `%5C`.
    EncodedBackslash,
    /// `%2E`.
    EncodedDot,
    /// `%25`: the door to decoding twice.
    EncodedPercent,
    /// `%23` and `%3F`: a fragment or a query once decoded.
    EncodedDelimiter,
    /// `%3B`.
    EncodedSemicolon,
    /// `%00` to `%1F` and `%7F`.
    EncodedControl,
    /// `%41` and other escapes of letters, digits, `-`, `_` and `~`, which need none.
    EncodedUnreserved,
    /// `%80` to `%FF` that are not UTF-8 in normal form C.
    EncodedNotUtf8,
    /// More than 64 segments.
    TooManySegments,
}

impl PathRule {
    /// Every rule.
    pub const ALL: [Self; 18] = [
        Self::DotSegment,
        Self::DotsOnly,
        Self::DoubleSlash,
        Self::Backslash,
        Self::Fragment,
        Self::Semicolon,
        Self::Unsafe,
        Self::BadEscape,
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::EncodedDot,
        Self::EncodedPercent,
        Self::EncodedDelimiter,
        Self::EncodedSemicolon,
        Self::EncodedControl,
        Self::EncodedUnreserved,
        Self::EncodedNotUtf8,
        Self::TooManySegments,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DotSegment => "path_dot_segment",
            Self::DotsOnly => "path_dots_only",
            Self::DoubleSlash => "path_double_slash",
            Self::Backslash => "path_backslash",
            Self::Fragment => "path_fragment",
            Self::Semicolon => "path_semicolon",
            Self::Unsafe => "path_unsafe_character",
            Self::BadEscape => "path_bad_escape",
            Self::EncodedSlash => "path_encoded_slash",
            Self::EncodedBackslash => "path_encoded_backslash",
            Self::EncodedDot => "path_encoded_dot",
            Self::EncodedPercent => "path_encoded_percent",
            Self::EncodedDelimiter => "path_encoded_delimiter",
            Self::EncodedSemicolon => "path_encoded_semicolon",
            Self::EncodedControl => "path_encoded_control",
            Self::EncodedUnreserved => "path_encoded_unreserved",
            Self::EncodedNotUtf8 => "path_encoded_not_utf8",
            Self::TooManySegments => "path_too_many_segments",
        }
    }

    /// The sentence a person sees.
    pub fn explain(self) -> &'static str {
        match self {
            Self::DotSegment => "the path has a segment `.` or `..`, which an upstream may resolve to another path",
            Self::DotsOnly => "the path has a segment of dots only, which some upstreams fold",
            Self::DoubleSlash => "the path has an empty segment (`//`), which an upstream may merge",
            Self::Backslash => "the path has a backslash, which some upstreams read as a slash",
            Self::Fragment => "the path has a `#`, and a fragment never belongs to a request",
            Self::Semicolon => "the path has a `;`, where some upstreams cut a parameter",
            Self::Unsafe => "the path has a character that must be percent-encoded (one of \" < > ^ ` { | })",
            Self::BadEscape => "the path has a `%` that two hex digits do not follow",
            Self::EncodedSlash => "the path has an encoded slash (%2F), which an upstream may decode",
            Self::EncodedBackslash => "the path has an encoded backslash (%5C), which an upstream may decode",
            Self::EncodedDot => "the path has an encoded dot (%2E), which an upstream may decode",
            Self::EncodedPercent => "the path has an encoded percent sign (%25), so it may be decoded twice",
            Self::EncodedDelimiter => "the path has an encoded `#` or `?` (%23, %3F), which an upstream may decode",
            Self::EncodedSemicolon => "the path has an encoded `;` (%3B), which an upstream may decode",
            Self::EncodedControl => "the path has an encoded control character (%00 to %1F, %7F)",
            Self::EncodedUnreserved => "the path encodes a character that needs no encoding, such as %61 for `a`",
            Self::EncodedNotUtf8 => "the path has escapes of %80 and above that are not UTF-8 in normal form C",
            Self::TooManySegments => "the path has more than 64 segments",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u8
    }
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no path rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown path rule: `{0}`")]
pub struct UnknownPathRule(String);

impl FromStr for PathRule {
    type Err = UnknownPathRule;

    fn from_str(word: &str) -> Result<Self, UnknownPathRule> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.as_str() == word)
            .ok_or_else(|| UnknownPathRule(word.to_owned()))
    }
}

/// Which rules are on. All are, by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRules {
    on: u32,
}

impl PathRules {
    /// The most segments that [`PathRule::TooManySegments`] lets pass.
    pub const MAX_SEGMENTS: usize = 64;

    /// Every rule.
    pub fn strict() -> Self {
        Self {
            on: PathRule::ALL.into_iter().fold(0, |bits, rule| bits | rule.bit()),
        }
    }

    /// The same without one rule: what it refused is then matched as it is written.
    #[must_use]
    pub fn without(self, rule: PathRule) -> Self {
        Self {
            on: self.on & !rule.bit(),
        }
    }

    /// Whether a rule is on.
    pub fn is_on(self, rule: PathRule) -> bool {
        self.on & rule.bit() != 0
    }

    fn refuse(self, rule: PathRule) -> Result<(), Refusal> {
        if self.is_on(rule) {
            Err(Refusal::Path(rule))
        } else {
            Ok(())
        }
    }
}

impl Default for PathRules {
    fn default() -> Self {
        Self::strict()
    }
}

/// The path that an access asks for: the route's prefix, and the request's path without its query.
pub(super) fn access_path(rules: PathRules, facts: &Facts<'_>) -> Result<AccessPath, Refusal> {
    let prefix = prefix(facts)?;
    let path = canonical(rules, facts)?;
    let tail = path.strip_prefix('/').ok_or(Refusal::PathNotAbsolute)?;
    if prefix.is_empty() && tail.is_empty() {
        return Err(Refusal::PathRoot);
    }
    let text = if prefix.is_empty() {
        tail.to_owned()
    } else {
        [prefix, path].concat()
    };
    AccessPath::try_from(text).map_err(|_| Refusal::PathTooLong)
}

/// The route's prefix: an operator's word, held to the strictest rules; empty when there is none.
pub(super) fn prefix<'a>(facts: &Facts<'a>) -> Result<&'a str, Refusal> {
    let Some(bytes) = facts.hints.path_prefix else {
        return Ok("");
    };
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::HintPathPrefix)?;
    let fits = !text.is_empty() && text.len() <= AccessPath::MAX_PREFIX_BYTES;
    let plain = |s: &str| {
        !s.is_empty()
            && s.bytes().any(|b| b != b'.')
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b))
    };
    if fits && text.split('/').all(plain) {
        Ok(text)
    } else {
        Err(Refusal::HintPathPrefix)
    }
}

/// The path before its query, if every rule lets it pass.
fn canonical<'a>(rules: PathRules, facts: &Facts<'a>) -> Result<&'a str, Refusal> {
    let bytes = before_query(whole(facts)?);
    if bytes.is_empty() {
        return Err(Refusal::PathMissing);
    }
    if bytes.len() > AccessPath::MAX_REQUEST_BYTES {
        return Err(Refusal::PathTooLong);
    }
    if let Some(byte) = bytes.iter().find(|b| !b.is_ascii_graphic()) {
        return Err(if byte.is_ascii() {
            Refusal::PathControl
        } else {
            Refusal::PathNotAscii
        });
    }
    if facts.raw_path.is_none() && bytes.contains(&b'!') {
        return Err(Refusal::PathLossy);
    }
    // Graphic ASCII was just checked, so this cannot fail.
    let path = std::str::from_utf8(bytes).map_err(|_| Refusal::PathNotAscii)?;
    if !path.starts_with('/') {
        return Err(Refusal::PathNotAbsolute);
    }
    characters(rules, path)?;
    segments(rules, path)?;
    escapes(rules, path)?;
    Ok(path)
}

/// Path and query as the upstream gets them.
fn whole<'a>(facts: &Facts<'a>) -> Result<&'a [u8], Refusal> {
    match facts.raw_path {
        None => Ok(facts.path),
        Some(raw) if facts.path.is_empty() || facts.path == raw => Ok(raw),
        // The proxy writes `!` for bytes that are no UTF-8: in the query that is no matter, and a path with such a byte
        // is refused for it.
        Some(raw) if !raw.is_ascii() && same_or_not_ascii(facts.path, raw) => Ok(raw),
        Some(_) => Err(Refusal::PathDisagrees),
    }
}

fn same_or_not_ascii(cooked: &[u8], raw: &[u8]) -> bool {
    let raw = before_query(raw);
    !raw.is_ascii() || raw == before_query(cooked)
}

fn before_query(whole: &[u8]) -> &[u8] {
    whole.split(|b| *b == b'?').next().unwrap_or_default()
}

fn characters(rules: PathRules, path: &str) -> Result<(), Refusal> {
    for byte in path.bytes() {
        match byte {
            b'#' => rules.refuse(PathRule::Fragment)?,
            b'\\' => rules.refuse(PathRule::Backslash)?,
            b';' => rules.refuse(PathRule::Semicolon)?,
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => rules.refuse(PathRule::Unsafe)?,
            _ => {}
        }
    }
    Ok(())
}

fn segments(rules: PathRules, path: &str) -> Result<(), Refusal> {
    if path.contains("//") {
        rules.refuse(PathRule::DoubleSlash)?;
    }
    let mut count = 0_usize;
    for segment in path.split('/').skip(1) {
        count += 1;
        let name = segment.split(';').next().unwrap_or_default();
        match name {
            "." | ".." => rules.refuse(PathRule::DotSegment)?,
            _ if name.len() > 2 && name.bytes().all(|b| b == b'.') => rules.refuse(PathRule::DotsOnly)?,
            _ => {}
        }
    }
    if count > PathRules::MAX_SEGMENTS {
        rules.refuse(PathRule::TooManySegments)?;
    }
    Ok(())
}

fn escapes(rules: PathRules, path: &str) -> Result<(), Refusal> {
    let mut parts = path.split('%');
    parts.next();
    let mut beyond_ascii = false;
    for part in parts {
        match escaped(part) {
            None => rules.refuse(PathRule::BadEscape)?,
            Some(byte) => {
                beyond_ascii |= !byte.is_ascii();
                escape(rules, byte)?;
            }
        }
    }
    if beyond_ascii && rules.is_on(PathRule::EncodedNotUtf8) && !is_normal(path) {
        return Err(Refusal::Path(PathRule::EncodedNotUtf8));
    }
    Ok(())
}

/// The byte of an escape, from the text after its `%`.
fn escaped(part: &str) -> Option<u8> {
    let digits = part.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

fn escape(rules: PathRules, byte: u8) -> Result<(), Refusal> {
    match byte {
        b'/' => rules.refuse(PathRule::EncodedSlash),
        b'\\' => rules.refuse(PathRule::EncodedBackslash),
        b'.' => rules.refuse(PathRule::EncodedDot),
        b'%' => rules.refuse(PathRule::EncodedPercent),
        b'#' | b'?' => rules.refuse(PathRule::EncodedDelimiter),
        b';' => rules.refuse(PathRule::EncodedSemicolon),
        0..=0x1f | 0x7f => rules.refuse(PathRule::EncodedControl),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => rules.refuse(PathRule::EncodedUnreserved),
        _ => Ok(()),
    }
}

/// Whether the path, decoded, is UTF-8 in normal form C. The rare path that has such escapes pays for a copy.
fn is_normal(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut parts = path.split('%');
    decoded.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        match (escaped(part), part.get(2..)) {
            (Some(byte), Some(rest)) => {
                decoded.push(byte);
                decoded.extend_from_slice(rest.as_bytes());
            }
            (_, _) => decoded.extend_from_slice(part.as_bytes()),
        }
    }
    std::str::from_utf8(&decoded).is_ok_and(|text| ComposingNormalizerBorrowed::new_nfc().is_normalized(text))
}
