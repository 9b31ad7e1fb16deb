//! Why an access is allowed or denied, and who can do what.
//!
//! **Owns** the policies that give an access, the near misses of a denied one (which link of identity, path, permission
//! and guard is missing, and where a literal text first differs), the two lists "who can open this path" and "what can
//! this identity open", and their texts for people.
//!
//! **Refuses** to judge: the verdict is [`decide_in`]'s, told and never formed anew.
//!
//! **Invariant**: a near miss is a policy that does not give the access, and each link it is said to miss is missing.
//! Asking leaves nothing behind: a pattern is compiled on a copy, so that looking at every policy costs no memory later.
mod difference;
mod link;
mod listing;
mod memo;
mod near;
mod text;

use std::sync::Arc;

pub use difference::Difference;
pub use link::Link;
pub use listing::{Listing, Topic, what_can, who_can};
pub use near::NearMiss;
pub use text::sentence;

use crate::decide::decide_in;
use crate::role::Scope;
use crate::{Access, Generation, Grounds, Policy, PolicySet, Role, Roles, Verdict};

/// How many near misses and matching policies are told when the asker has no opinion.
pub const LIMIT: usize = 10;

/// A verdict with what led to it. `Display` gives several lines for people.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What [`crate::decide()`] says. Its arms own the access.
    pub verdict: Verdict,
    /// What the identity is, apart from policies.
    pub role: Role,
    /// Under which generation.
    pub generation: Generation,
    /// How many policies there are.
    pub policies: usize,
    /// How many of them name the identity.
    pub naming: usize,
    /// Policies that give the access: first the one that decided, then others by name. Empty when a built-in identity
    /// decided.
    pub matching: Vec<Arc<Policy>>,
    /// For a denial by policy, nearest first: fewest missing links, then the longest agreement from the beginning.
    /// A policy that misses three links is no near miss.
    pub near_misses: Vec<NearMiss>,
}

impl Explanation {
    /// What was asked.
    pub fn access(&self) -> &Access {
        match &self.verdict {
            Verdict::Allow(permit) => permit.access(),
            Verdict::Deny(denial) => &denial.access,
        }
    }

    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allow(_))
    }

    /// The low-cardinality word: the reason of a denial; `policy`, or the role that allowed it.
    pub fn reason(&self) -> &'static str {
        match &self.verdict {
            Verdict::Allow(permit) => match permit.grounds() {
                Grounds::Policy(_) => "policy",
                Grounds::Role(role) => role.as_str(),
            },
            Verdict::Deny(denial) => denial.reason.as_str(),
        }
    }
}

/// Explains one access under one policy set, with at most `limit` matching policies and near misses each.
///
/// A denial costs by the number of policies, for every distinct pattern is parsed: fit for a person or an operator's
/// tool, not for every request.
pub fn explain(set: &PolicySet, roles: &Roles, access: Access, limit: usize) -> Explanation {
    let role = roles.of(&access.who);
    let view = set.view(&access.who);
    let verdict = decide_in(&view, roles, access);
    let mut explanation = Explanation {
        verdict,
        role,
        generation: set.generation(),
        policies: set.len(),
        naming: view.len(),
        matching: Vec::new(),
        near_misses: Vec::new(),
    };
    match role.scope() {
        Scope::Everything | Scope::OnlyCipher => {}
        Scope::ByPolicy => match &explanation.verdict {
            Verdict::Allow(permit) => {
                explanation.matching = near::matching(&view, permit, limit);
            }
            Verdict::Deny(denial) => {
                explanation.near_misses = near::misses(set, &view, &denial.access, limit);
            }
        },
    }
    explanation
}

#[cfg(test)]
mod tests;
