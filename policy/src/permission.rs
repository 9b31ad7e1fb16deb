//! The five permissions and sets of them.
//!
//! **Owns** SPIKE's five words and what satisfies what (design D2).
//!
//! **Refuses** any other word, any other case, and the empty set.
//!
//! **Invariant**: `super` satisfies every permission; nothing else implies anything.
use std::fmt;
use std::str::FromStr;

/// One permission, in SPIKE's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Permission {
    /// `read`
    Read = 1,
    /// `write`
    Write = 2,
    /// `list`
    List = 4,
    /// `execute`
    Execute = 8,
    /// `super`: satisfies every other one.
    Super = 16,
}

impl Permission {
    /// All five, in SPIKE's order.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::List, Self::Execute, Self::Super];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
            Self::Execute => "execute",
            Self::Super => "super",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why words are no permissions. The texts are SPIKE's (spike.md §5.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPermissions {
    /// Not one of the five; the word.
    #[error("invalid permission: '{0}'. valid permissions: 'read, write, list, execute, super'")]
    Unknown(String),
    /// No word at all.
    #[error("permissions cannot be empty. valid permissions: 'read, write, list, execute, super'")]
    Empty,
}

impl FromStr for Permission {
    type Err = InvalidPermissions;

    fn from_str(word: &str) -> Result<Self, InvalidPermissions> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == word)
            .ok_or_else(|| InvalidPermissions::Unknown(word.chars().take(60).flat_map(char::escape_debug).collect()))
    }
}

/// A non-empty set of permissions. Order and duplicates of the input are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// The set of these words.
    ///
    /// # Errors
    /// The first word that is none of the five; or that there is no word at all.
    pub fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Self, InvalidPermissions> {
        let mut bits = 0;
        for word in words {
            bits |= word.as_ref().parse::<Permission>()? as u8;
        }
        if bits == 0 {
            return Err(InvalidPermissions::Empty);
        }
        Ok(Self(bits))
    }

    /// Whether a wanted permission is satisfied: it is in the set, or `super` is.
    pub fn satisfies(self, wanted: Permission) -> bool {
        self.0 & (wanted as u8 | Permission::Super as u8) != 0
    }

    /// Whether every wanted permission is satisfied.
    pub fn satisfies_all(self, wanted: Self) -> bool {
        self.contains(Permission::Super) || self.0 & wanted.0 == wanted.0
    }

    /// Whether this very permission is a member (`super` contains no other).
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }

    /// The members in SPIKE's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |p| self.contains(*p))
    }
}

impl From<Permission> for Permissions {
    fn from(permission: Permission) -> Self {
        Self(permission as u8)
    }
}

#[cfg(test)]
mod tests;
