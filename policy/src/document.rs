//! Policy documents: what people write in YAML or send as JSON, turned into rules with every fault at once.
//!
//! **Owns** the four keys of a policy, their second spellings, the limits of a file, and the texts of design D5.
//!
//! **Refuses** whatever could mean something else than it seems: unknown and repeated keys, both spellings of one key,
//! anchors, aliases, tags, numbers and booleans where a text belongs.
//!
//! **Invariant**: a [`Rule`] made from a document broke no rule, the reserved-namespace guard included.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{IdPattern, PathPattern, Permission, Permissions, PolicyName, Rule, reserved};

mod tree;
mod write;
mod yaml;

pub use write::to_yaml;
pub use yaml::{MAX_DOCUMENTS, MAX_FILE_BYTES, parse_rules, parse_yaml};

/// One policy as written: unchecked text. Its serde form is the JSON of the Nexus API; unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// `name`
    pub name: String,
    /// `spiffeidPattern` (or `spiffeid`)
    #[serde(rename = "spiffeidPattern", alias = "spiffeid")]
    pub spiffeid_pattern: String,
    /// `pathPattern` (or `path`)
    #[serde(rename = "pathPattern", alias = "path")]
    pub path_pattern: String,
    /// `permissions`
    pub permissions: Vec<String>,
}

/// A place in a text: line and column, both from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a document or its file.
///
/// `Display` gives the text behind the position, if there is one: `3:7: Policy name cannot be empty`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The document's key, such as `spiffeidPattern`, where the fault belongs to one.
    pub field: Option<&'static str>,
    /// Where, when the document came from a text.
    pub position: Option<Position>,
    /// What is wrong, naming value and rule. Two lines where design D5 says so.
    pub text: String,
}

impl Fault {
    /// A fault of one field, with no place yet.
    pub fn of(field: &'static str, text: impl fmt::Display) -> Self {
        Self {
            field: Some(field),
            position: None,
            text: text.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{position}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// The keys, in their first spelling.
pub(crate) const NAME: &str = "name";
pub(crate) const SPIFFEID_PATTERN: &str = "spiffeidPattern";
pub(crate) const PATH_PATTERN: &str = "pathPattern";
pub(crate) const PERMISSIONS: &str = "permissions";

impl TryFrom<&PolicyDocument> for Rule {
    type Error = Vec<Fault>;

    fn try_from(document: &PolicyDocument) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let name = keep(&mut faults, NAME, document.name.parse::<PolicyName>());
        let spiffe_id = keep(
            &mut faults,
            SPIFFEID_PATTERN,
            document.spiffeid_pattern.parse::<IdPattern>(),
        );
        let path = keep(&mut faults, PATH_PATTERN, document.path_pattern.parse::<PathPattern>());
        let permissions = permissions(&mut faults, &document.permissions);
        if let (Some(who), Some(what)) = (&spiffe_id, &path)
            && let Err(fault) = reserved::check_patterns(who, what)
        {
            let field = match fault {
                reserved::ReservedFault::Path { .. } => PATH_PATTERN,
                reserved::ReservedFault::Identity { .. } => SPIFFEID_PATTERN,
            };
            faults.push(Fault::of(field, fault));
        }
        match (name, spiffe_id, path, permissions) {
            (Some(name), Some(spiffe_id), Some(path), Some(permissions)) if faults.is_empty() => Ok(Self {
                name,
                spiffe_id,
                path,
                permissions,
            }),
            _ => Err(faults),
        }
    }
}

impl From<&Rule> for PolicyDocument {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.as_str().to_owned(),
            spiffeid_pattern: rule.spiffe_id.as_str().to_owned(),
            path_pattern: rule.path.as_str().to_owned(),
            permissions: rule.permissions.iter().map(|p| p.as_str().to_owned()).collect(),
        }
    }
}

fn keep<T, E: fmt::Display>(faults: &mut Vec<Fault>, field: &'static str, result: Result<T, E>) -> Option<T> {
    result.map_err(|e| faults.push(Fault::of(field, e))).ok()
}

/// Every unknown word is its own fault.
fn permissions(faults: &mut Vec<Fault>, words: &[String]) -> Option<Permissions> {
    let before = faults.len();
    for word in words {
        if let Err(e) = word.parse::<Permission>() {
            faults.push(Fault::of(PERMISSIONS, e));
        }
    }
    if faults.len() > before {
        None
    } else {
        keep(faults, PERMISSIONS, Permissions::parse(words))
    }
}

#[cfg(test)]
mod tests;
