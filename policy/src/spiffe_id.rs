//! SPIFFE IDs and trust domains, parsed strictly and once.
//!
//! **Owns** the syntax of a SPIFFE ID (SPIFFE-ID specification §2) and of a trust domain name.
//!
//! **Refuses** every other spelling: upper case in the trust domain, percent signs, queries, dots as segments. Nothing
//! is repaired, so two different texts never name the same identity.
//!
//! **Invariant**: a [`SpiffeId`] is printable ASCII of at most 2048 bytes, and a regex never sees anything else.
use std::fmt;
use std::str::FromStr;

use crate::excerpt;

/// A SPIFFE ID in its canonical text: `spiffe://<trust domain>` and an optional path, at most 2048 bytes.
///
/// ```
/// let id: spike_policy::SpiffeId = "spiffe://example.org/ns/shop/sa/web".parse()?;
/// assert_eq!((id.trust_domain(), id.path()), ("example.org", "/ns/shop/sa/web"));
/// assert!("spiffe://example.org/ns/../admin".parse::<spike_policy::SpiffeId>().is_err());
/// # Ok::<(), spike_policy::InvalidSpiffeId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: String,
    path_at: usize,
}

impl SpiffeId {
    /// The longest ID, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain part.
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path_at).unwrap_or("")
    }

    /// The path part, with its leading slash; empty for a trust domain ID.
    pub fn path(&self) -> &str {
        self.text.get(self.path_at..).unwrap_or("")
    }

    /// Whether there is a path. A trust domain ID (`spiffe://example.org`) is legal, but no workload's SVID carries it.
    pub fn has_path(&self) -> bool {
        self.path_at < self.text.len()
    }

    /// The path's segments; none for a trust domain ID.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').skip(1)
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;

    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        let path_at = check_id(text).map_err(|rule| InvalidSpiffeId {
            value: excerpt::value(text),
            rule,
        })?;
        Ok(Self {
            text: text.to_owned(),
            path_at,
        })
    }
}

impl TryFrom<&[u8]> for SpiffeId {
    type Error = InvalidSpiffeId;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidSpiffeId> {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.parse(),
            Err(_) => Err(InvalidSpiffeId {
                value: excerpt::value(&String::from_utf8_lossy(bytes)),
                rule: SpiffeIdRule::PrintableAscii,
            }),
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A trust domain name: 1 to 255 bytes of `a-z`, `0-9`, `.`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// The name, without scheme.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = InvalidSpiffeId;

    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        check_trust_domain(text).map_err(|rule| InvalidSpiffeId {
            value: excerpt::value(text),
            rule,
        })?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no SPIFFE ID or no trust domain: the value (escaped, shortened) and the first rule it broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SPIFFE ID: {value}: {rule}")]
pub struct InvalidSpiffeId {
    /// The text, escaped and cut to 120 characters, in quotes.
    pub value: String,
    /// The rule it broke.
    pub rule: SpiffeIdRule,
}

/// The rules of SPIFFE-ID §2, each with the sentence a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpiffeIdRule {
    /// Nothing there.
    #[error("it must not be empty")]
    Empty,
    /// Over 2048 bytes.
    #[error("it must not be longer than 2048 bytes")]
    TooLong,
    /// Wrong or missing scheme.
    #[error("it must start with `spiffe://`, in lower case")]
    Scheme,
    /// A byte outside printable ASCII.
    #[error("it must be printable ASCII")]
    PrintableAscii,
    /// `spiffe:///x`.
    #[error("the trust domain must not be empty")]
    TrustDomainEmpty,
    /// A trust domain of 256 bytes or more.
    #[error("the trust domain must not be longer than 255 bytes")]
    TrustDomainTooLong,
    /// A trust domain with another character.
    #[error("the trust domain may hold only lower-case letters, digits, dots, dashes and underscores")]
    TrustDomainCharacter,
    /// `spiffe://example.org/a/`.
    #[error("the path must not end with a slash")]
    TrailingSlash,
    /// `spiffe://example.org//a`.
    #[error("the path must not have an empty segment")]
    EmptySegment,
    /// `/./` or `/../`.
    #[error("the path must not have the segment `.` or `..`")]
    DotSegment,
    /// Another character in the path, such as `%`, `?`, `#` or `,`.
    #[error("the path may hold only letters, digits, dots, dashes and underscores between its slashes")]
    PathCharacter,
}

const SCHEME: &str = "spiffe://";

/// Where the path begins, if every rule holds.
fn check_id(text: &str) -> Result<usize, SpiffeIdRule> {
    if text.is_empty() {
        return Err(SpiffeIdRule::Empty);
    }
    if text.len() > SpiffeId::MAX_BYTES {
        return Err(SpiffeIdRule::TooLong);
    }
    let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdRule::Scheme)?;
    if !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SpiffeIdRule::PrintableAscii);
    }
    let (domain, path) = match rest.split_once('/') {
        Some((domain, path)) => (domain, Some(path)),
        None => (rest, None),
    };
    check_trust_domain(domain)?;
    if let Some(path) = path {
        check_path(path)?;
    }
    Ok(SCHEME.len() + domain.len())
}

fn check_trust_domain(name: &str) -> Result<(), SpiffeIdRule> {
    if name.is_empty() {
        return Err(SpiffeIdRule::TrustDomainEmpty);
    }
    if name.len() > 255 {
        return Err(SpiffeIdRule::TrustDomainTooLong);
    }
    if !name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
    {
        return Err(SpiffeIdRule::TrustDomainCharacter);
    }
    Ok(())
}

/// `path` comes without its first slash.
fn check_path(path: &str) -> Result<(), SpiffeIdRule> {
    if path.is_empty() || path.ends_with('/') {
        return Err(SpiffeIdRule::TrailingSlash);
    }
    for segment in path.split('/') {
        match segment {
            "" => return Err(SpiffeIdRule::EmptySegment),
            "." | ".." => return Err(SpiffeIdRule::DotSegment),
            _ if segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) => {}
            _ => return Err(SpiffeIdRule::PathCharacter),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
