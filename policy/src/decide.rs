//! The only function that says yes.
//!
//! **Owns** the order of a decision (superuser, lite workload, policies: spike.md §2.3) and the closed set of reasons for
//! saying no.
//!
//! **Refuses** to fail: whatever is unknown is a denial with a reason.
//!
//! **Invariant**: a [`Permit`] is made here and nowhere else.
//!
//! ```compile_fail
//! # fn forge(access: spike_policy::Access, grounds: spike_policy::Grounds) -> spike_policy::Permit {
//! spike_policy::Permit { access, grounds }
//! # }
//! ```
use std::sync::Arc;

use crate::role::Scope;
use crate::{AccessPath, IdentityView, Permission, Policy, PolicySet, Role, Roles, SpiffeId, reserved};

/// One question: may this identity do this to this path?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who asks.
    pub who: SpiffeId,
    /// How.
    pub permission: Permission,
    /// What.
    pub path: AccessPath,
}

/// The answer. Both arms own the access they judged.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Yes, and why.
    Allow(Permit),
    /// No, and why.
    Deny(Denial),
}

/// Proof that [`decide`] said yes to one access. Nothing else makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    access: Access,
    grounds: Grounds,
}

impl Permit {
    /// What was allowed.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Why it was allowed.
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }
}

/// Why an access was allowed.
#[derive(Clone, Debug)]
pub enum Grounds {
    /// This policy gives it.
    Policy(Arc<Policy>),
    /// The identity is built in (Pilot superuser; lite workload on the cipher).
    Role(Role),
}

/// A refused access.
#[derive(Clone, Debug)]
pub struct Denial {
    /// What was asked.
    pub access: Access,
    /// Why not.
    pub reason: DenyReason,
}

/// Why an access was refused by policy: a closed set; its words are the same in audit, metrics and metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenyReason {
    /// No policy names this identity.
    IdentityUnmatched,
    /// Policies name the identity, none of them this path.
    PathUnmatched,
    /// Policies name identity and path, none gives the permission.
    PermissionMissing,
    /// Only policies that the reserved-namespace guard rejects would give it.
    ReservedGuard,
    /// A lite workload may only use the cipher.
    LiteWorkload,
}

impl DenyReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 5] = [
        Self::IdentityUnmatched,
        Self::PathUnmatched,
        Self::PermissionMissing,
        Self::ReservedGuard,
        Self::LiteWorkload,
    ];

    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentityUnmatched => "identity_unmatched",
            Self::PathUnmatched => "path_unmatched",
            Self::PermissionMissing => "permission_missing",
            Self::ReservedGuard => "reserved_guard",
            Self::LiteWorkload => "lite_workload",
        }
    }
}

/// Decides one access under one policy set.
pub fn decide(set: &PolicySet, roles: &Roles, access: Access) -> Verdict {
    decide_at_a_glance(set, roles, access).unwrap_or_else(|access| decide_in(&set.view(&access.who), roles, access))
}

/// Decides as [`decide`] does, where that needs no view.
///
/// # Errors
/// The access, undecided: its identity's policies are so many, or so hard to find, that a view should be made, and kept
/// for its next access.
pub fn decide_at_a_glance(set: &PolicySet, roles: &Roles, access: Access) -> Result<Verdict, Access> {
    by_role(roles, access).or_else(|access| match set.glance(&access) {
        Some(Ok(policy)) => Ok(allow(access, Grounds::Policy(Arc::clone(policy)))),
        Some(Err(reason)) => Ok(deny(access, reason)),
        None => Err(access),
    })
}

/// Decides with a view that the caller has at hand. A view of another identity than `access.who` gives nothing.
pub fn decide_in(view: &IdentityView, roles: &Roles, access: Access) -> Verdict {
    by_role(roles, access).unwrap_or_else(|access| by_policy(view, access))
}

/// What a built-in identity may do whatever the policies say; the access back when they are to be asked.
fn by_role(roles: &Roles, access: Access) -> Result<Verdict, Access> {
    let role = roles.of(&access.who);
    match role.scope() {
        Scope::Everything => Ok(allow(access, Grounds::Role(role))),
        Scope::OnlyCipher => {
            if access.permission == Permission::Execute && access.path.as_str() == reserved::CIPHER {
                Ok(allow(access, Grounds::Role(role)))
            } else {
                Ok(deny(access, DenyReason::LiteWorkload))
            }
        }
        Scope::ByPolicy => Err(access),
    }
}

fn by_policy(view: &IdentityView, access: Access) -> Verdict {
    if *view.who() != access.who {
        return deny(access, DenyReason::IdentityUnmatched);
    }
    if let Some(policy) = view.find(&access.path, access.permission) {
        return allow(access, Grounds::Policy(Arc::clone(policy)));
    }
    let reason = view.why_not(&access.path, access.permission);
    deny(access, reason)
}

fn allow(access: Access, grounds: Grounds) -> Verdict {
    Verdict::Allow(Permit { access, grounds })
}

fn deny(access: Access, reason: DenyReason) -> Verdict {
    Verdict::Deny(Denial { access, reason })
}

#[cfg(test)]
mod tests;
