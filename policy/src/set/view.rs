//! What one identity may do under one generation.
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
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
    few: Vec<Member>,
    few_index: Index,
}

/// An index of a list, made when the list has been searched often.
#[derive(Debug, Default)]
struct Index {
    searches: AtomicU32,
    made: OnceLock<PathIndex>,
}

/// Making an index takes about as long as searching its list this often. So whoever asks once never waits for an index,
/// and whoever goes on asking has paid at most double.
const SEARCHES: u32 = 128;

impl Clone for Index {
    fn clone(&self) -> Self {
        Self {
            searches: AtomicU32::new(self.searches.load(Ordering::Relaxed)),
            made: self.made.clone(),
        }
    }
}

/// Bytes of a policy in the index of a view: its entry, the places where that is posted, its text there.
const INDEXED: usize = 768;

impl IdentityView {
    pub(super) fn new(who: &SpiffeId, generation: Generation) -> Self {
        Self {
            who: who.clone(),
            generation,
            many: Vec::new(),
            few: Vec::new(),
            few_index: Index::default(),
        }
    }

    pub(super) fn add(&mut self, entry: &Arc<Entry<IdPattern, Bucket>>) {
        match entry.value() {
            Bucket::Few(policies) => self.few.extend_from_slice(policies.as_slice()),
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

    /// Bytes that it comes to take beside what it shares with its set, give or take.
    pub fn weight(&self) -> usize {
        let few: usize = self.few.iter().map(Member::weight).sum();
        let indexed = if self.few.len() > FEW { self.few.len() } else { 0 };
        let many = self.many.len() * size_of::<Arc<Entry<IdPattern, Bucket>>>();
        size_of::<Self>() + self.who.as_str().len() + few + many + indexed * INDEXED
    }

    /// The policies that name the identity, in no particular order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.few
            .iter()
            .map(Member::policy)
            .chain(self.many.iter().flat_map(|entry| entry.value().policies()))
    }

    /// A policy that gives this permission on this path, and that the reserved-namespace guard lets through.
    pub fn find(&self, path: &AccessPath, permission: Permission) -> Option<&Arc<Policy>> {
        self.find_all(path, permission.into())
    }

    /// A single policy that gives all these permissions on this path, and that the guard lets through.
    pub fn find_all(&self, path: &AccessPath, wanted: Permissions) -> Option<&Arc<Policy>> {
        let among_few = match self.few_index() {
            None => bucket::find_in(&self.few, path, wanted),
            Some(index) => bucket::find(index, path, wanted),
        };
        among_few.or_else(|| self.many.iter().find_map(|entry| entry.value().find(path, wanted)))
    }

    /// Why [`IdentityView::find`] finds nothing.
    pub fn why_not(&self, path: &AccessPath, permission: Permission) -> DenyReason {
        if self.is_empty() {
            return DenyReason::IdentityUnmatched;
        }
        let mut why = Why::of(permission);
        let seen = self.visit(path, |policy| why.see(policy));
        why.reason(seen)
    }

    /// Visits the policies whose path pattern matches.
    fn visit<'t, B>(
        &'t self,
        path: &AccessPath,
        mut visit: impl FnMut(&'t Arc<Policy>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self.few_index() {
            None => bucket::visit_in(&self.few, path, &mut visit)?,
            Some(index) => bucket::visit(index, path, &mut visit)?,
        }
        self.many
            .iter()
            .try_for_each(|entry| entry.value().visit(path, &mut visit))
    }

    /// Whether `few` has its index.
    #[cfg(test)]
    pub(super) fn has_index(&self) -> bool {
        self.few_index.made.get().is_some()
    }

    /// The index of `few`, where there are many of them and it is worth it.
    fn few_index(&self) -> Option<&PathIndex> {
        if self.few.len() <= FEW {
            return None;
        }
        let make = || bucket::index(self.few.iter().map(Member::policy));
        let Index { searches, made } = &self.few_index;
        made.get()
            .or_else(|| (searches.fetch_add(1, Ordering::Relaxed) >= SEARCHES).then(|| made.get_or_init(make)))
    }
}

/// Why no policy gives a permission, found by looking at those that name identity and path.
pub(super) struct Why {
    permission: Permission,
    reason: DenyReason,
}

impl Why {
    pub(super) fn of(permission: Permission) -> Self {
        let reason = DenyReason::PathUnmatched;
        Self { permission, reason }
    }

    /// One more policy whose path pattern matches; it broke off when there is no use in seeing another.
    pub(super) fn see(&mut self, policy: &Policy) -> ControlFlow<DenyReason> {
        if policy.rule.permissions.satisfies(self.permission) {
            return ControlFlow::Break(DenyReason::ReservedGuard);
        }
        self.reason = DenyReason::PermissionMissing;
        ControlFlow::Continue(())
    }

    /// The reason, after all were seen or one broke off.
    pub(super) fn reason(self, seen: ControlFlow<DenyReason>) -> DenyReason {
        seen.break_value().unwrap_or(self.reason)
    }
}
