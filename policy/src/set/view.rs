//! What one identity may do under one generation.
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use super::Generation;
use super::bucket::{self, Bucket, FEW, Member, PathIndex};
use super::index::Entry;
use crate::{AccessPath, DenyReason, IdPattern, Permission, Permissions, Policy, SpiffeId};

/// What one identity may do under one generation: the policies whose identity pattern matches it, indexed by path.
///
/// Making one costs by the number of matching patterns, not of policies; the path side of a pattern is shared by every
/// identity that it matches.
#[derive(Clone, Debug)]
pub struct IdentityView {
    who: SpiffeId,
    generation: Generation,
    /// Policies of patterns that have many, each with its own index.
    many: Vec<Arc<Entry<IdPattern, Bucket>>>,
    /// Policies of patterns that have few.
    few: Vec<Arc<Member>>,
    /// An index of `few`, made when it is first needed.
    few_index: OnceLock<PathIndex>,
}

impl IdentityView {
    pub(super) fn new(who: &SpiffeId, generation: Generation) -> Self {
        Self {
            who: who.clone(),
            generation,
            many: Vec::new(),
            few: Vec::new(),
            few_index: OnceLock::new(),
        }
    }

    pub(super) fn add(&mut self, entry: &Arc<Entry<IdPattern, Bucket>>) {
        match entry.value() {
            Bucket::Few(policies) => self.few.extend_from_slice(policies),
            Bucket::Many(..) => self.many.push(Arc::clone(entry)),
        }
    }

    /// Whose.
    pub fn who(&self) -> &SpiffeId {
        &self.who
    }

    /// Of which set.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How many policies name the identity.
    pub fn len(&self) -> usize {
        self.few.len() + self.many.iter().map(|entry| entry.value().len()).sum::<usize>()
    }

    /// Whether no policy names the identity.
    pub fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The policies that name the identity, in no particular order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.few
            .iter()
            .map(|member| member.policy())
            .chain(self.many.iter().flat_map(|entry| entry.value().policies()))
    }

    /// A policy that gives this permission on this path, and that the reserved-namespace guard lets through.
    pub fn find(&self, path: &AccessPath, permission: Permission) -> Option<&Arc<Policy>> {
        self.find_all(path, permission.into())
    }

    /// A single policy that gives all these permissions on this path, and that the guard lets through.
    pub fn find_all(&self, path: &AccessPath, wanted: Permissions) -> Option<&Arc<Policy>> {
        let among_few = if self.few.len() <= FEW {
            bucket::find_in(&self.few, path, wanted)
        } else {
            bucket::find(self.few_index(), path, wanted)
        };
        among_few.or_else(|| self.many.iter().find_map(|entry| entry.value().find(path, wanted)))
    }

    /// Why [`IdentityView::find`] finds nothing.
    pub fn why_not(&self, path: &AccessPath, permission: Permission) -> DenyReason {
        if self.is_empty() {
            return DenyReason::IdentityUnmatched;
        }
        let mut reason = DenyReason::PathUnmatched;
        let visited = self.visit(path, |policy| {
            if policy.rule.permissions.satisfies(permission) {
                return ControlFlow::Break(DenyReason::ReservedGuard);
            }
            reason = DenyReason::PermissionMissing;
            ControlFlow::Continue(())
        });
        visited.break_value().unwrap_or(reason)
    }

    /// Visits the policies whose path pattern matches.
    fn visit<'t, B>(
        &'t self,
        path: &AccessPath,
        mut visit: impl FnMut(&'t Arc<Policy>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.few.len() <= FEW {
            bucket::visit_in(&self.few, path, &mut visit)?;
        } else {
            bucket::visit(self.few_index(), path, &mut visit)?;
        }
        self.many
            .iter()
            .try_for_each(|entry| entry.value().visit(path, &mut visit))
    }

    fn few_index(&self) -> &PathIndex {
        self.few_index
            .get_or_init(|| bucket::index(self.few.iter().map(|member| member.policy())))
    }
}
