//! The compiled policies of one generation.
//!
//! **Owns** the set of policies and the index that finds an identity's policies without asking them all.
//!
//! **Refuses** to change: [`PolicySet::with`] gives a new set that shares all but a few nodes with the former one, so a
//! reader keeps what it began with, and one changed policy costs nothing for the others.
//!
//! **Invariant**: the index only saves work. A view holds exactly the policies whose identity pattern matches, and
//! [`IdentityView::find`] finds a policy exactly if a scan of them all would.
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::pattern::{Interner, Pattern, Shape};
use crate::{Access, DenyReason, IdPattern, InvalidPattern, PathPattern, Policy, PolicyId, PolicyName, Rule, SpiffeId};

mod bucket;
mod glance;
mod gram;
mod hash_trie;
mod index;
mod literal;
mod prefix_tree;
mod required;
mod view;

use bucket::Bucket;
use hash_trie::{HashTrie, Keyed};
use index::PatternIndex;
pub use view::IdentityView;

pub(crate) use literal::first_match;

/// Which policy set this is: rises by one with each committed change, is persisted and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// All policies of one generation, indexed. Immutable; a clone costs nothing.
#[derive(Clone, Debug)]
pub struct PolicySet {
    generation: Generation,
    by_name: HashTrie<PolicyName, Arc<Policy>>,
    by_id: HashTrie<PolicyId, Arc<Policy>>,
    identities: PatternIndex<IdPattern, Bucket>,
    /// Policies of equal texts share one compiled program, over all generations.
    interner: Arc<Interner>,
}

/// A policy and what an index reads off its patterns. Reading that is most of the work of putting it into a set and
/// needs no set, so many can be prepared at the same time.
#[derive(Clone, Debug)]
pub struct Prepared {
    policy: Arc<Policy>,
    identity: Shape,
    path: bucket::Path,
}

impl From<Arc<Policy>> for Prepared {
    fn from(policy: Arc<Policy>) -> Self {
        Self {
            identity: policy.rule.spiffe_id.literal_shape(),
            path: bucket::Path::of(&policy.rule.path, policy.rule.path.row()),
            policy,
        }
    }
}

impl Prepared {
    /// The policy of these patterns. Cheaper than `Prepared::from`: each text is parsed once.
    ///
    /// # Errors
    /// As `text.parse::<IdPattern>()` and `text.parse::<PathPattern>()`.
    pub fn read(
        spiffe_id: &str,
        path: &str,
        policy: impl FnOnce(IdPattern, PathPattern) -> Policy,
    ) -> Result<Self, InvalidPattern> {
        let (spiffe_id, identity) = IdPattern::with_shape(spiffe_id)?;
        let (pattern, row) = PathPattern::with_row(path)?;
        let path = bucket::Path::of(&pattern, row);
        Ok(Self {
            policy: Arc::new(policy(spiffe_id, pattern)),
            identity,
            path,
        })
    }
}

impl PolicySet {
    /// The set of these policies. Of several with one name the last counts.
    pub fn new(generation: Generation, policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        Self::of_prepared(generation, policies.into_iter().map(Prepared::from))
    }

    /// The same of policies that were prepared.
    pub fn of_prepared(generation: Generation, policies: impl IntoIterator<Item = Prepared>) -> Self {
        let mut set = Self {
            generation,
            by_name: HashTrie::default(),
            by_id: HashTrie::default(),
            identities: PatternIndex::default(),
            interner: Arc::default(),
        };
        for policy in policies {
            set.put(policy);
        }
        set
    }

    /// The next generation: `removed` names are gone, `put` policies replace those of the same name.
    #[must_use]
    pub fn with(&self, generation: Generation, put: &[Arc<Policy>], removed: &[PolicyName]) -> Self {
        let mut next = Self {
            generation,
            ..self.clone()
        };
        for name in removed {
            next.remove(name);
        }
        for policy in put {
            next.put(Prepared::from(Arc::clone(policy)));
        }
        next
    }

    /// Which set this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How many policies.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The policy of this name.
    pub fn get(&self, name: &PolicyName) -> Option<&Arc<Policy>> {
        self.by_name.get(name)
    }

    /// The policy of this id.
    pub fn get_by_id(&self, id: PolicyId) -> Option<&Arc<Policy>> {
        self.by_id.get(&id)
    }

    /// Every policy, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_name.iter()
    }

    /// What this identity may do: the policies whose identity pattern matches it.
    pub fn view(&self, who: &SpiffeId) -> IdentityView {
        let mut view = IdentityView::new(who, self.generation);
        let visited: ControlFlow<()> = self.identities.visit(who.as_str(), |entry| {
            view.add(entry);
            ControlFlow::Continue(())
        });
        debug_assert!(visited.is_continue(), "nothing stops the visit");
        view
    }

    /// What a view of the identity says about the access, found without making one; `None` for an identity whose policies
    /// are so many, or so hard to find, that a view should be made.
    pub(crate) fn glance(&self, access: &Access) -> Option<Result<&Arc<Policy>, DenyReason>> {
        glance::judge(&self.identities, access)
    }

    fn put(&mut self, prepared: Prepared) {
        let Prepared { policy, identity, path } = prepared;
        let policy = &self.shared(&policy);
        self.remove(&policy.rule.name);
        if let Some(same_id) = self.by_id.get(&policy.id).map(Arc::clone) {
            // Ids are unique in the store. Should they not be, the later policy counts, in every index alike.
            self.remove(&same_id.rule.name);
        }
        self.by_name.insert(Arc::clone(policy));
        self.by_id.insert(Arc::clone(policy));
        let with = |former: Option<&Bucket>| match former {
            Some(bucket) => Some(bucket.with(policy, path)),
            None => Some(Bucket::default().with(policy, path)),
        };
        self.identities.change_shaped(&policy.rule.spiffe_id, || identity, with);
    }

    /// The policy on programs that others of the same texts use already.
    fn shared(&self, policy: &Arc<Policy>) -> Arc<Policy> {
        let rule = &policy.rule;
        let spiffe_id = self.interner.share_id(rule.spiffe_id.clone());
        let path = self.interner.share_path(rule.path.clone());
        if spiffe_id.shares_program_with(&rule.spiffe_id) && path.shares_program_with(&rule.path) {
            return Arc::clone(policy);
        }
        let rule = Rule {
            spiffe_id,
            path,
            ..rule.clone()
        };
        Arc::new(Policy { rule, ..**policy })
    }

    fn remove(&mut self, name: &PolicyName) {
        let Some(policy) = self.by_name.remove(name) else {
            return;
        };
        self.by_id.remove(&policy.id);
        self.identities
            .change(&policy.rule.spiffe_id, |former| former?.without(&policy));
    }
}

impl Keyed<PolicyName> for Arc<Policy> {
    fn key(&self) -> &PolicyName {
        &self.rule.name
    }
}

impl Keyed<PolicyId> for Arc<Policy> {
    fn key(&self) -> &PolicyId {
        &self.id
    }
}

#[cfg(test)]
mod tests;
