//! Paths: of secrets, of keys inside a secret, and the path that an access asks for.
//!
//! **Owns** their alphabets and lengths.
//!
//! **Refuses** to clean anything: paths are opaque names, `a/b` and `a//b` are two of them, and none is a file name.
//!
//! **Invariant**: an [`AccessPath`] is 1 or more bytes of printable ASCII (0x21 to 0x7e), so no pattern ever meets an
//! empty subject, a blank or a byte that two programs read differently.
use std::fmt;
use std::str::FromStr;

use crate::excerpt;
use crate::name::is_name_byte;
use crate::reserved;

/// A secret's path: 1 to 500 bytes of SPIKE's alphabet (spike.md §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretPath(String);

/// A key inside a secret: 1 to 250 bytes of letters, digits, `-`, `_` and space. A dot is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

/// The path that an access asks for, without the leading slash that a proxy's request has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessPath(String);

/// Why a text is no path or key. Its `Display` is the whole line shown to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// No character at all; of what.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// Too many bytes: of what, how many, how many are allowed.
    #[error("{0} must not be longer than {2} bytes, this one has {1}")]
    TooLong(&'static str, usize, usize),
    /// A character outside the alphabet: of what, the value, the rule.
    #[error("{0} {1}: {2}")]
    Character(&'static str, String, &'static str),
}

impl SecretPath {
    /// The longest path, in bytes.
    pub const MAX_BYTES: usize = 500;

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        SECRET_PATH.check(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl KeyName {
    /// The longest key, in bytes.
    pub const MAX_BYTES: usize = 250;

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        KEY_NAME.check(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl AccessPath {
    /// The longest path of a request, in bytes, before the route's prefix is put in front.
    pub const MAX_REQUEST_BYTES: usize = 8_192;
    /// The longest prefix (`spike.path-prefix`), in bytes.
    pub const MAX_PREFIX_BYTES: usize = 512;
    /// The longest path in all: prefix, slash, request.
    pub const MAX_BYTES: usize = Self::MAX_PREFIX_BYTES + 1 + Self::MAX_REQUEST_BYTES;

    /// Managing policies ([`reserved::ACL`]).
    pub fn acl() -> Self {
        Self(reserved::ACL.to_owned())
    }

    /// Listing secrets ([`reserved::SECRET`]).
    pub fn secret() -> Self {
        Self(reserved::SECRET.to_owned())
    }

    /// Using the cipher ([`reserved::CIPHER`]).
    pub fn cipher() -> Self {
        Self(reserved::CIPHER.to_owned())
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for AccessPath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        ACCESS_PATH.check(&text)?;
        Ok(Self(text))
    }
}

impl From<&SecretPath> for AccessPath {
    fn from(path: &SecretPath) -> Self {
        Self(path.0.clone())
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AccessPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the three kinds of text have in common: a length and a set of bytes.
struct Alphabet {
    what: &'static str,
    most: usize,
    holds: fn(u8) -> bool,
    rule: &'static str,
}

const SECRET_PATH: Alphabet = Alphabet {
    what: "secret path",
    most: SecretPath::MAX_BYTES,
    holds: is_secret_path_byte,
    rule: r"only letters, digits and ._-/()?+*|[]{}\ are allowed",
};

const KEY_NAME: Alphabet = Alphabet {
    what: "secret key",
    most: KeyName::MAX_BYTES,
    holds: is_name_byte,
    rule: "only letters, digits, hyphen, underscore and space are allowed",
};

const ACCESS_PATH: Alphabet = Alphabet {
    what: "path",
    most: AccessPath::MAX_BYTES,
    holds: |byte| byte.is_ascii_graphic(),
    rule: "only printable ASCII without blanks is allowed",
};

impl Alphabet {
    fn check(&self, text: &str) -> Result<(), InvalidPath> {
        if text.is_empty() {
            return Err(InvalidPath::Empty(self.what));
        }
        if text.len() > self.most {
            return Err(InvalidPath::TooLong(self.what, text.len(), self.most));
        }
        if text.bytes().all(self.holds) {
            return Ok(());
        }
        Err(InvalidPath::Character(self.what, excerpt::value(text), self.rule))
    }
}

/// `[a-zA-Z0-9._\-/()?+*|[\]{}\\]` of SPIKE's `ValidatePath`.
fn is_secret_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || br"._-/()?+*|[]{}\".contains(&byte)
}

#[cfg(test)]
mod tests;
