//! The reserved namespace (SPIKE's ADR-0033): the paths that guard the store itself, and who may reach them.
//!
//! **Owns** the three paths and the guard: a policy reaches one of them only if it *describes* it (its path pattern
//! matches the whole of it) and says precisely *whom* it means (its identity pattern is anchored at both ends).
//!
//! **Refuses** policies that merely brush a reserved path: `system`, `^spike`, `[a-z]+`.
//!
//! **Invariant**: anchoring is judged on the parsed expression (design D8), so neither `^…\$` nor `^a$|x` passes.
use crate::set::first_match;
use crate::{AccessPath, IdPattern, PathPattern, Policy, Rule};

/// Managing policies.
pub const ACL: &str = "spike/system/acl";
/// Listing secrets.
pub const SECRET: &str = "spike/system/secret";
/// Using the cipher.
pub const CIPHER: &str = "spike/system/cipher/exec";

/// The reserved paths, in the order the guard asks about them.
pub const PATHS: [&str; 3] = [ACL, SECRET, CIPHER];

/// Why a rule is refused by the guard when it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReservedFault {
    /// The path pattern matches inside a reserved path without matching the whole of it.
    #[error(
        "Invalid path pattern: \"{pattern}\" matches inside the reserved path `{reserved}`; describe the whole path \
         (`^{reserved}$`) or begin the pattern with `^` and another namespace"
    )]
    Path {
        /// The path pattern.
        pattern: String,
        /// The reserved path.
        reserved: &'static str,
    },
    /// The identity pattern is not anchored.
    #[error(
        "Invalid SPIFFE ID pattern: \"{pattern}\": a policy that reaches the reserved path `{reserved}` must begin its \
         SPIFFE ID pattern with `^` and end it with `$`"
    )]
    Identity {
        /// The identity pattern.
        pattern: String,
        /// The reserved path.
        reserved: &'static str,
    },
}

/// The guard at the time a rule is written: the first reserved path that its path pattern hits must be within reach.
///
/// A rule that describes one reserved path and brushes another passes here, as in SPIKE; at check time it opens only
/// the one it describes.
///
/// # Errors
/// The pattern that is at fault, and the reserved path that it hits.
pub fn check(rule: &Rule) -> Result<(), ReservedFault> {
    check_patterns(&rule.spiffe_id, &rule.path)
}

/// [`check`] before there is a whole rule.
pub(crate) fn check_patterns(who: &IdPattern, path: &PathPattern) -> Result<(), ReservedFault> {
    let Some(reserved) = first_match(path, &PATHS) else {
        return Ok(());
    };
    if !path.full_match(reserved) {
        return Err(ReservedFault::Path {
            pattern: path.as_str().to_owned(),
            reserved,
        });
    }
    if !who.is_anchored() {
        return Err(ReservedFault::Identity {
            pattern: who.as_str().to_owned(),
            reserved,
        });
    }
    Ok(())
}

/// Whether this is one of the reserved paths, to the letter.
pub fn is_reserved(path: &AccessPath) -> bool {
    PATHS.contains(&path.as_str())
}

/// The guard at the time of a check: whether a policy may open this path, if it is a reserved one.
pub fn may_reach(policy: &Policy, path: &AccessPath) -> bool {
    !is_reserved(path) || (policy.rule.path.full_match(path.as_str()) && policy.rule.spiffe_id.is_anchored())
}

#[cfg(test)]
mod tests;
