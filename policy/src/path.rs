//! Paths: of secrets, of keys inside a secret, and the path an access asks for.
use std::fmt;
use std::str::FromStr;

/// A secret's path: 1 to 500 bytes of SPIKE's alphabet, an opaque name (`a/b` and `a//b` differ).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretPath(String);
/// A key inside a secret (policy-name alphabet).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);
/// The path that an access asks for: printable ASCII, without a leading slash that a proxy would add.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessPath(String);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPath(String);

macro_rules! text {
    ($t:ident) => {
        impl $t {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $t {
            type Err = InvalidPath;
            fn from_str(text: &str) -> Result<Self, InvalidPath> {
                Ok(Self(text.to_owned()))
            }
        }
    };
}
text!(SecretPath);
text!(KeyName);
text!(AccessPath);

impl From<&SecretPath> for AccessPath {
    fn from(path: &SecretPath) -> Self {
        Self(path.0.clone())
    }
}
