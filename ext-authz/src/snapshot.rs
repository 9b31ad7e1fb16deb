//! What one identity may do, at hand for the next Check.
//!
//! **Owns** the view cache, keyed by generation and identity. **Refuses** a view of other policies than the ones the
//! Check loaded. **Invariant**: [`Views::decide`] answers exactly as `decide_in(&set.view(who), ..)` would; the cache
//! saves time, never decides.
//!
//! Only what costs is kept: for most identities finding their policies takes less time than finding a view among
//! 100,000 kept ones, so they are decided at a glance and leave nothing behind.
//!
//! Two things keep that true. The generation is part of the key, so a change of policies is a change of key and an
//! evaluation that was slow cannot answer for a later generation. And an entry remembers the very set it was made of,
//! so that a store which starts its generations anew (a restored backup, another Nexus) is not taken for the old one.
//! The TTL only bounds memory and guards against mistakes in the first two.
mod bound;

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use moka::Equivalent;
use moka::sync::Cache;
use spike_policy::{
    Access, Generation, IdentityView, PolicySet, Roles, SpiffeId, Verdict, decide_at_a_glance, decide_in,
};
use spike_runtime::metrics::Counter;

pub use bound::Bound;

/// Per identity views of the policies.
#[derive(Clone, Debug)]
pub struct Views {
    cache: Option<Cache<Key, Entry>>,
    lookups: Lookups,
}

/// How often a view was looked up and was there, or had to be made. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// It was there.
    pub hits: Counter,
    /// It was made.
    pub misses: Counter,
}

#[derive(Clone, Debug)]
struct Entry {
    made_of: Weak<PolicySet>,
    view: Arc<IdentityView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    generation: Generation,
    who: SpiffeId,
}

/// A [`Key`] that borrows, for looking up.
struct Lookup<'a> {
    generation: Generation,
    who: &'a SpiffeId,
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.generation.hash(state);
        self.who.hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.generation == key.generation && *self.who == key.who
    }
}

impl Views {
    /// A cache that keeps a view for at most `ttl`, and no more of them than `bound` says. A `ttl` of zero means no
    /// cache.
    pub fn new(ttl: Duration, bound: impl Into<Bound>, lookups: Lookups) -> Self {
        let bound = bound.into();
        let cache = || {
            Cache::builder()
                .time_to_live(ttl)
                .weigher(move |key, entry| bound.weight(key, entry))
                .max_capacity(bound.bytes)
                .build()
        };
        Self {
            cache: (!ttl.is_zero()).then(cache),
            lookups,
        }
    }

    /// Decides under `set`. Without a cache every policy of the identity is found anew, and all of them.
    pub fn decide(&self, set: &Arc<PolicySet>, roles: &Roles, access: Access) -> Verdict {
        let Some(cache) = &self.cache else {
            return decide_in(&set.view(&access.who), roles, access);
        };
        decide_at_a_glance(set, roles, access)
            .unwrap_or_else(|access| decide_in(&self.kept(cache, set, &access.who), roles, access))
    }

    fn kept(&self, cache: &Cache<Key, Entry>, set: &Arc<PolicySet>, who: &SpiffeId) -> Arc<IdentityView> {
        let lookup = Lookup {
            generation: set.generation(),
            who,
        };
        if let Some(entry) = cache.get(&lookup)
            && std::ptr::eq(entry.made_of.as_ptr(), Arc::as_ptr(set))
        {
            self.lookups.hits.inc();
            return entry.view;
        }
        self.lookups.misses.inc();
        let view = Arc::new(set.view(who));
        let key = Key {
            generation: set.generation(),
            who: who.clone(),
        };
        cache.insert(
            key,
            Entry {
                made_of: Arc::downgrade(set),
                view: Arc::clone(&view),
            },
        );
        view
    }
}

#[cfg(test)]
mod tests;
