//! The compiled policies of one generation.
use std::sync::Arc;

use crate::{AccessPath, Permission, Policy, SpiffeId};

/// Which policy set this is: rises by one with each committed change, is persisted and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// All policies of one generation, indexed. Immutable.
#[derive(Clone, Debug)]
pub struct PolicySet {
    generation: Generation,
    policies: Vec<Arc<Policy>>,
}

/// What one identity may do under one generation.
#[derive(Clone, Debug)]
pub struct IdentityView {
    generation: Generation,
    policies: Vec<Arc<Policy>>,
}

impl PolicySet {
    /// The set of these policies.
    pub fn new(generation: Generation, policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        Self { generation, policies: policies.into_iter().collect() }
    }
    /// The next generation: `removed` names are gone, `put` policies replace those of the same name.
    #[must_use]
    pub fn with(&self, generation: Generation, put: &[Arc<Policy>], removed: &[crate::PolicyName]) -> Self {
        let mut policies = self.policies.clone();
        policies.retain(|p| !removed.contains(&p.rule.name) && !put.iter().any(|q| q.rule.name == p.rule.name));
        policies.extend(put.iter().cloned());
        Self { generation, policies }
    }
    /// Which set this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }
    /// How many policies.
    pub fn len(&self) -> usize {
        self.policies.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
    /// Every policy, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter()
    }
    /// The policies whose identity pattern matches.
    pub fn view(&self, who: &SpiffeId) -> IdentityView {
        let policies = self.policies.iter().filter(|p| p.rule.spiffe_id.is_match(who.as_str())).cloned().collect();
        IdentityView { generation: self.generation, policies }
    }
}

impl IdentityView {
    /// Of which set.
    pub fn generation(&self) -> Generation {
        self.generation
    }
    /// A policy that gives this permission on this path.
    pub fn find(&self, path: &AccessPath, permission: Permission) -> Option<&Arc<Policy>> {
        self.policies
            .iter()
            .find(|p| p.rule.permissions.satisfies(permission) && p.rule.path.is_match(path.as_str()))
    }
}
