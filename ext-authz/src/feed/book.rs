//! A feed's lines applied to the policies at hand.
//!
//! **Owns** the order of generations and what became of policies that do not compile. **Refuses** a line that does not
//! follow from what is at hand: then the feed starts again with a snapshot. **Invariant**: a policy that cannot be used
//! allows nothing; in particular the version of it that was replaced is gone.
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use spike_policy::{Generation, Policy, PolicyName, PolicySet};
use spike_wire::feed::{Delta, FeedPolicy, Snapshot};

/// The policies of one store as of one generation. Compiling them takes time: keep this off the async workers.
#[derive(Clone, Debug)]
pub(super) struct Book {
    /// The store that the generations are of.
    pub(super) store: String,
    /// The policies.
    pub(super) policies: Arc<PolicySet>,
    /// Names of policies that cannot be used.
    pub(super) damaged: BTreeSet<String>,
}

/// A line that does not follow from what is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the feed went from generation {from} to {to}")]
pub(super) struct Gap {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Book {
    /// Everything as the snapshot says. Policies that are the same as in `old` are not compiled again.
    pub(super) fn open(snapshot: Snapshot, old: Option<&Self>) -> Self {
        let old = old.filter(|old| old.store == snapshot.store);
        let known: HashMap<&str, &Arc<Policy>> = old
            .iter()
            .flat_map(|old| old.policies.iter())
            .map(|policy| (policy.rule.name.as_str(), policy))
            .collect();
        let mut damaged = BTreeSet::new();
        let policies: Vec<_> = snapshot
            .policies
            .into_iter()
            .filter_map(|line| match known.get(line.name.as_str()) {
                Some(policy) if same(policy, &line) => Some(Arc::clone(policy)),
                Some(_) | None => compiled(line, &mut damaged),
            })
            .collect();
        let policies = PolicySet::new(Generation(snapshot.generation), policies);
        Self {
            store: snapshot.store,
            policies: Arc::new(policies),
            damaged,
        }
    }

    /// The next generation.
    ///
    /// # Errors
    /// [`Gap`]: the delta is not of a later generation.
    pub(super) fn turn(&self, delta: Delta) -> Result<Self, Gap> {
        let from = self.policies.generation().0;
        if delta.generation <= from {
            return Err(Gap {
                from,
                to: delta.generation,
            });
        }
        let mut damaged = self.damaged.clone();
        let mut removed: Vec<PolicyName> = Vec::new();
        for name in delta.removed {
            damaged.remove(&name);
            removed.extend(name.parse().ok());
        }
        let mut put = Vec::with_capacity(delta.put.len());
        for line in delta.put {
            damaged.remove(&line.name);
            let name: Option<PolicyName> = line.name.parse().ok();
            match compiled(line, &mut damaged) {
                Some(policy) => put.push(policy),
                None => removed.extend(name),
            }
        }
        let policies = self.policies.with(Generation(delta.generation), &put, &removed);
        Ok(Self {
            store: self.store.clone(),
            policies: Arc::new(policies),
            damaged,
        })
    }
}

fn same(policy: &Policy, line: &FeedPolicy) -> bool {
    policy.updated_at.0 == line.updated_at && FeedPolicy::from(policy) == *line
}

fn compiled(line: FeedPolicy, damaged: &mut BTreeSet<String>) -> Option<Arc<Policy>> {
    let name = line.name.clone();
    match Policy::try_from(line) {
        Ok(policy) => Some(Arc::new(policy)),
        Err(faults) => {
            let fault = faults.first().and_then(|fault| fault.field).unwrap_or("document");
            tracing::error!(policy = ?name, fault, "a policy on the feed cannot be used; it allows nothing");
            damaged.insert(name);
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
