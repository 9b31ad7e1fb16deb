//! The two lists: who can open a path, and what an identity can open.
use std::sync::Arc;

use super::memo::Paths;
use crate::{AccessPath, Generation, Permission, Policy, PolicySet, Role, Roles, SpiffeId};

/// Policies with something in common, by name. `Display` gives several lines for people.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What was asked.
    pub topic: Topic,
    /// Under which generation.
    pub generation: Generation,
    /// How many policies there are in all.
    pub of: usize,
    /// The answer.
    pub policies: Vec<Arc<Policy>>,
}

/// What a list is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The policies that open this path.
    WhoCan {
        /// The path.
        path: AccessPath,
        /// With this permission, or with any.
        permission: Option<Permission>,
    },
    /// The policies of this identity.
    WhatCan {
        /// The identity.
        who: SpiffeId,
        /// What it is, apart from policies.
        role: Role,
    },
}

/// The policies that open this path, to whomever: their path pattern matches, they give the permission (or any), and
/// the reserved-namespace guard lets them through. Built-in identities need no policy and are not told.
///
/// Looks at every policy, and compiles each distinct pattern that begins as the path does, on a copy: some 0.1 ms each.
pub fn who_can(set: &PolicySet, path: &AccessPath, permission: Option<Permission>) -> Listing {
    let mut paths = Paths::new(path, usize::MAX);
    let gives = |policy: &&Arc<Policy>| permission.is_none_or(|wanted| policy.rule.permissions.satisfies(wanted));
    let mut policies = Vec::new();
    for policy in set.iter().filter(gives) {
        if paths.opens(policy) {
            policies.push(Arc::clone(policy));
        }
    }
    let topic = Topic::WhoCan {
        path: path.clone(),
        permission,
    };
    Listing {
        topic,
        generation: set.generation(),
        of: set.len(),
        policies: by_name(policies),
    }
}

/// The policies of this identity: those whose SPIFFE ID pattern matches it. What its role allows or forbids comes first.
pub fn what_can(set: &PolicySet, roles: &Roles, who: &SpiffeId) -> Listing {
    let policies = by_name(set.view(who).policies().cloned().collect());
    let topic = Topic::WhatCan {
        who: who.clone(),
        role: roles.of(who),
    };
    Listing {
        topic,
        generation: set.generation(),
        of: set.len(),
        policies,
    }
}

fn by_name(mut policies: Vec<Arc<Policy>>) -> Vec<Arc<Policy>> {
    policies.sort_unstable_by(|a, b| a.rule.name.cmp(&b.rule.name));
    policies
}
