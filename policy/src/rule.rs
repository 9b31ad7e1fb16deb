//! A policy: what an operator wrote, and when.
use crate::{IdPattern, PathPattern, Permissions, PolicyId, PolicyName};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

/// What an operator writes: one allow rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique name.
    pub name: PolicyName,
    /// Who.
    pub spiffe_id: IdPattern,
    /// What.
    pub path: PathPattern,
    /// How.
    pub permissions: Permissions,
}

/// A stored rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Drawn at creation, kept for ever.
    pub id: PolicyId,
    /// The rule.
    pub rule: Rule,
    /// First put.
    pub created_at: UnixMillis,
    /// Last put.
    pub updated_at: UnixMillis,
}
