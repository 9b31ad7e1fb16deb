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

use crate::pattern::Interner;
use crate::{IdPattern, Policy, PolicyId, PolicyName, Rule, SpiffeId};

mod bucket;
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

impl PolicySet {
    /// The set of these policies. Of several with one name the last counts.
    pub fn new(generation: Generation, policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        let mut set = Self {
            generation,
            by_name: HashTrie::default(),
            by_id: HashTrie::default(),
            identities: PatternIndex::default(),
            interner: Arc::default(),
        };
        for policy in policies {
            set.put(&policy);
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
            next.put(policy);
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

    fn put(&mut self, policy: &Arc<Policy>) {
        let policy = &self.shared(policy);
        self.remove(&policy.rule.name);
        if let Some(same_id) = self.by_id.get(&policy.id).map(Arc::clone) {
            // Ids are unique in the store. Should they not be, the later policy counts, in every index alike.
            self.remove(&same_id.rule.name);
        }
        self.by_name.insert(Arc::clone(policy));
        self.by_id.insert(Arc::clone(policy));
        self.identities.change(&policy.rule.spiffe_id, |former| match former {
            Some(bucket) => Some(bucket.with(policy)),
            None => Some(Bucket::default().with(policy)),
        });
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
