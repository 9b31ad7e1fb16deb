//! What is wrong with a configuration, and where.
//!
//! **Owns** [`Fault`], [`Faults`] and their text. **Refuses** to hold the value of a secret key. **Invariant**: faults
//! are handed out in reading order: the file from top to bottom, then the environment, then the flags.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A place in a file: line and column, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Where a value came from, in rising priority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(Arc<PathBuf>, Position),
    /// The whole file, when no place in it can be named.
    WholeFile(Arc<PathBuf>),
    /// An environment variable, by name.
    Environment(String),
    /// A flag, by its key path.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, at) => write!(f, "{}:{}:{}", path.display(), at.line, at.column),
            Self::WholeFile(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(key) => write!(f, "flag {key}"),
        }
    }
}

/// One thing that is wrong, where, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where.
    pub origin: Origin,
    /// The key path, such as `feed.max_age` or `entries[2].socket`; empty when the fault is about a whole file.
    pub key: String,
    /// What is wrong: the problem, the value and the rule.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            // A required key that nobody gave, and no file to point into.
            Origin::Default => "configuration".to_owned(),
            Origin::File(..) | Origin::WholeFile(_) | Origin::Environment(_) | Origin::Flag(_) => {
                self.origin.to_string()
            }
        };
        if self.key.is_empty() {
            write!(f, "{origin}: {}", self.what)
        } else {
            write!(f, "{origin}: {}: {}", self.key, self.what)
        }
    }
}

/// Everything that is wrong with a configuration, one line each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The faults in reading order; `None` when there are none.
    pub fn collect(mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
        faults.dedup();
        if faults.is_empty() { None } else { Some(Self(faults)) }
    }

    /// The faults in reading order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// How many there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty by construction")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}
