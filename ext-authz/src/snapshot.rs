//! What one identity may do, at hand for the next Check.
//!
//! **Owns** the view cache, keyed by generation and identity. **Refuses** a view of other policies than the ones the
//! Check loaded. **Invariant**: [`Views::of`] answers exactly as `set.view(who)` would; the cache saves time, never
//! decides.
//!
//! Two things keep that true. The generation is part of the key, so a change of policies is a change of key and an
//! evaluation that was slow cannot answer for a later generation. And an entry remembers the very set it was made of,
//! so that a store which starts its generations anew (a restored backup, another Nexus) is not taken for the old one.
//! The TTL only bounds memory and guards against mistakes in the first two.
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use moka::Equivalent;
use moka::sync::Cache;
use spike_policy::{Generation, IdentityView, PolicySet, SpiffeId};

/// Per identity views of the policies.
#[derive(Clone, Debug)]
pub struct Views {
    cache: Option<Cache<Key, Entry>>,
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
    /// A cache that keeps a view for at most `ttl` and holds at most `entries` of them. A `ttl` of zero means no cache.
    pub fn new(ttl: Duration, entries: u64) -> Self {
        if ttl.is_zero() {
            return Self { cache: None };
        }
        Self {
            cache: Some(Cache::builder().time_to_live(ttl).max_capacity(entries).build()),
        }
    }

    /// What `who` may do under `set`.
    pub fn of(&self, set: &Arc<PolicySet>, who: &SpiffeId) -> Arc<IdentityView> {
        let Some(cache) = &self.cache else {
            return Arc::new(set.view(who));
        };
        let lookup = Lookup {
            generation: set.generation(),
            who,
        };
        if let Some(entry) = cache.get(&lookup)
            && std::ptr::eq(entry.made_of.as_ptr(), Arc::as_ptr(set))
        {
            return entry.view;
        }
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
