//! Policy names and ids.
use std::fmt;
use std::str::FromStr;

/// A policy's unique name: 1 to 250 bytes of letters, digits, `-`, `_` and space; never a UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName(String);

/// Why a text is no policy name. Its `Display` is the whole line shown to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

impl PolicyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl FromStr for PolicyName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName("Policy name cannot be empty".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}
impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
    /// The id that [`PolicyId::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }
}
impl FromStr for PolicyId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        uuid::Uuid::parse_str(text).map(Self).map_err(|_| InvalidName(format!("not a policy id: {text:?}")))
    }
}
impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
