//! What changed lately, so that followers of the policies need not take the whole set each time.
use std::collections::VecDeque;
use std::sync::Arc;

use spike_policy::{Generation, Policy, PolicyName, PolicySet};

/// One committed change of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The generation it made.
    pub generation: Generation,
    /// Created or updated policies.
    pub put: Vec<Arc<Policy>>,
    /// Names that are gone.
    pub removed: Vec<PolicyName>,
}

/// What a follower of the policies needs to catch up.
#[derive(Clone, Debug)]
pub enum CatchUp {
    /// These, in order (none: it is up to date).
    Deltas(Vec<Arc<Delta>>),
    /// It is too far behind, or ahead of us: take the whole set.
    Snapshot(Arc<PolicySet>),
}

/// How many deltas, and how many policies in them, are remembered. Memory is bounded by both.
const DELTAS: usize = 4096;
const POLICIES: usize = 16_384;

/// The latest deltas without a gap. It begins with the generation that this process opened the store at.
#[derive(Debug)]
pub(super) struct ChangeLog {
    /// The generation before the oldest delta.
    base: Generation,
    deltas: VecDeque<Arc<Delta>>,
    policies: usize,
}

impl ChangeLog {
    pub(super) fn from(base: Generation) -> Self {
        Self {
            base,
            deltas: VecDeque::new(),
            policies: 0,
        }
    }

    pub(super) fn push(&mut self, delta: Delta) {
        self.policies += delta.put.len() + delta.removed.len();
        self.deltas.push_back(Arc::new(delta));
        while self.deltas.len() > DELTAS || self.policies > POLICIES {
            let Some(oldest) = self.deltas.pop_front() else { break };
            self.policies -= oldest.put.len() + oldest.removed.len();
            self.base = oldest.generation;
        }
    }

    /// The newest generation that the log reaches.
    fn head(&self) -> Generation {
        self.deltas.back().map_or(self.base, |delta| delta.generation)
    }

    /// The deltas after `generation` up to that of the published set, or the set.
    pub(super) fn catch_up(&self, generation: Generation, published: &Arc<PolicySet>) -> CatchUp {
        let published_at = published.generation();
        if generation < self.base || generation > published_at || self.head() < published_at {
            return CatchUp::Snapshot(Arc::clone(published));
        }
        let wanted = |delta: &&Arc<Delta>| delta.generation > generation && delta.generation <= published_at;
        CatchUp::Deltas(self.deltas.iter().filter(wanted).cloned().collect())
    }
}
