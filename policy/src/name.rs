//! Policy names and ids.
//!
//! **Owns** the alphabet of names (SPIKE's, spike.md §3.3) and the form of ids.
//!
//! **Refuses** a name that reads as a UUID, because the wire's `id` field finds a policy by name *or* id, and blanks are
//! never trimmed: `a` and `a ` are two names.
//!
//! **Invariant**: no text is both a [`PolicyName`] and a [`PolicyId`].
use std::fmt;
use std::str::FromStr;

use crate::excerpt;

/// A policy's unique name: 1 to 250 bytes of letters, digits, `-`, `_` and space; never a UUID. Case counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName(Box<str>);

/// Why a text is no policy name or id. Its `Display` is the whole line shown to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No character at all.
    #[error("Policy name cannot be empty")]
    Empty,
    /// Over 250 bytes; the count.
    #[error("Invalid policy name: {0} bytes are too many, 250 are the most")]
    TooLong(usize),
    /// A character outside the alphabet; the name.
    #[error("Invalid policy name: {0}: only letters, digits, hyphen, underscore and space are allowed")]
    Character(String),
    /// The name would read as a policy id.
    #[error("Invalid policy name: {0}: it reads as a UUID, which is kept for policy ids")]
    Uuid(String),
    /// Not a UUID of version 4.
    #[error("Invalid policy id: {0}: it must be a UUID of version 4")]
    NotAnId(String),
}

impl PolicyName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 250;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidName::TooLong(text.len()));
        }
        if !text.bytes().all(is_name_byte) {
            return Err(InvalidName::Character(excerpt::value(text)));
        }
        if uuid::Uuid::parse_str(text).is_ok() {
            return Err(InvalidName::Uuid(excerpt::value(text)));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SPIKE's `[a-zA-Z0-9-_ ]`, shared by policy names and the keys inside a secret.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' ')
}

/// A policy's id: a UUID version 4, drawn by Nexus when the policy is created, kept for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(uuid::Uuid);

impl PolicyId {
    /// An id from 16 bytes of the operating system's random source (version and variant bits are set here).
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The id as it is stored.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The text of the id, as `Display` writes it: 36 bytes of ASCII, without a detour through the heap.
    pub fn text(&self) -> [u8; 36] {
        let mut text = [0; 36];
        self.0.hyphenated().encode_lower(&mut text);
        text
    }

    /// The id that [`PolicyId::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }
}

impl FromStr for PolicyId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match uuid::Uuid::parse_str(text) {
            Ok(id) if id.get_version() == Some(uuid::Version::Random) => Ok(Self(id)),
            Ok(_) | Err(_) => Err(InvalidName::NotAnId(excerpt::value(text))),
        }
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests;
