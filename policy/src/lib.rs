//! Who may do what: the pure core that every verdict comes from.
//!
//! **Owns** the names (SPIFFE IDs, policy names, paths, permissions), the patterns and their dialect, what a policy
//! document may say, the compiled [`PolicySet`], [`decide()`], and the reading of a proxied request into an
//! [`Access`].
//!
//! **Refuses** input and output of every kind: no tokio, clock, file system, network or log. It cannot fail, only
//! answer.
//!
//! **Invariant**: [`decide()`] is the only function that says yes, and a [`Permit`] is the only proof that it did.

pub mod decide;
pub mod document;
pub mod explain;
pub mod lint;
pub mod name;
pub mod path;
pub mod pattern;
pub mod permission;
pub mod request;
pub mod reserved;
pub mod role;
pub mod rule;
pub mod set;
pub mod spiffe_id;

mod excerpt;
mod in_place;
#[cfg(test)]
mod sample;

pub use decide::{Access, Denial, DenyReason, Grounds, Permit, Verdict, decide, decide_at_a_glance, decide_in};
pub use document::{Fault, PolicyDocument, Position, parse_rules, parse_yaml, to_yaml};
pub use explain::{Explanation, explain, what_can, who_can};
pub use lint::{Finding, Lint, lint, lint_all};
pub use name::{InvalidName, PolicyId, PolicyName};
pub use path::{AccessPath, InvalidPath, KeyName, SecretPath};
pub use pattern::{IdPattern, InvalidPattern, PathPattern};
pub use permission::{InvalidPermissions, Permission, Permissions};
pub use role::{InvalidTrustRoots, Role, Roles, TrustRoots};
pub use rule::{Policy, Rule, UnixMillis};
pub use set::{Generation, IdentityView, PolicySet, Prepared};
pub use spiffe_id::{InvalidSpiffeId, SpiffeId, SpiffeIdRule, TrustDomain};
