//! A persistent map: cloning it costs nothing, and a change to the clone copies one path of nodes.
//!
//! A set of 100,000 policies is changed one policy at a time while readers hold the former one, so the maps of a
//! [`super::PolicySet`] must not be copied whole. This one branches sixteenfold on the hash and keeps up to 32 entries
//! in a leaf; the hash is keyed at random, so names chosen by an attacker do not pile up in one leaf.
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::Arc;

/// What an item of a [`HashTrie`] is found by: a part of itself, so that no key is kept twice.
pub(super) trait Keyed<K: ?Sized> {
    /// The key. It never changes.
    fn key(&self) -> &K;
}

/// See the module.
#[derive(Debug)]
pub(super) struct HashTrie<K: ?Sized, T> {
    root: Arc<Node<T>>,
    len: usize,
    hasher: RandomState,
    key: PhantomData<fn(&K)>,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Vec<Hashed<T>>),
    Branch(Box<Children<T>>),
}

type Children<T> = [Arc<Node<T>>; WAYS];

#[derive(Clone, Debug)]
struct Hashed<T> {
    hash: u64,
    item: T,
}

const LEAF_ITEMS: usize = 32;
const BITS: u32 = 4;
const WAYS: usize = 1 << BITS;

impl<K: ?Sized, T> Default for HashTrie<K, T> {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Vec::new())),
            len: 0,
            hasher: RandomState::new(),
            key: PhantomData,
        }
    }
}

impl<K: ?Sized, T> Clone for HashTrie<K, T> {
    fn clone(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
            len: self.len,
            hasher: self.hasher.clone(),
            key: PhantomData,
        }
    }
}

impl<K: Eq + Hash + ?Sized, T: Clone + Keyed<K>> HashTrie<K, T> {
    /// How many items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The item of a key.
    pub(super) fn get(&self, key: &K) -> Option<&T> {
        let hash = self.hasher.hash_one(key);
        let mut node = self.root.as_ref();
        let mut level = 0;
        loop {
            match node {
                Node::Leaf(items) => {
                    return items
                        .iter()
                        .find(|i| i.hash == hash && i.item.key() == key)
                        .map(|i| &i.item);
                }
                Node::Branch(children) => node = child(children, hash, level),
            }
            level += 1;
        }
    }

    /// The item of a key, made our own so that it can be changed. Its key must stay as it is.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut T> {
        self.get(key)?;
        let hash = self.hasher.hash_one(key);
        match leaf(&mut self.root, hash) {
            (Node::Leaf(items), _) => items
                .iter_mut()
                .find(|i| i.hash == hash && i.item.key() == key)
                .map(|i| &mut i.item),
            (Node::Branch(_), _) => None,
        }
    }

    /// Puts an item in and gives the one of the same key that was there.
    pub(super) fn insert(&mut self, item: T) -> Option<T> {
        let hash = self.hasher.hash_one(item.key());
        let (node, level) = leaf(&mut self.root, hash);
        let Node::Leaf(items) = node else { return None };
        if let Some(there) = items.iter_mut().find(|i| i.hash == hash && i.item.key() == item.key()) {
            return Some(std::mem::replace(&mut there.item, item));
        }
        items.push(Hashed { hash, item });
        if items.len() > LEAF_ITEMS && level * BITS < u64::BITS {
            *node = split(std::mem::take(items), level);
        }
        self.len += 1;
        None
    }

    /// Takes the item of a key out.
    pub(super) fn remove(&mut self, key: &K) -> Option<T> {
        self.get(key)?;
        let hash = self.hasher.hash_one(key);
        let (Node::Leaf(items), _) = leaf(&mut self.root, hash) else {
            return None;
        };
        let at = items.iter().position(|i| i.hash == hash && i.item.key() == key)?;
        self.len -= 1;
        Some(items.swap_remove(at).item)
    }

    /// Every item, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut nodes = vec![self.root.as_ref()];
        let leaves = std::iter::from_fn(move || {
            while let Some(node) = nodes.pop() {
                match node {
                    Node::Leaf(items) => return Some(items),
                    Node::Branch(children) => nodes.extend(children.iter().map(Arc::as_ref)),
                }
            }
            None
        });
        leaves.flatten().map(|hashed| &hashed.item)
    }
}

/// The leaf where this hash belongs, made our own, and its level.
fn leaf<T: Clone>(root: &mut Arc<Node<T>>, hash: u64) -> (&mut Node<T>, u32) {
    descend(Arc::make_mut(root), hash, 0)
}

fn descend<T: Clone>(node: &mut Node<T>, hash: u64, level: u32) -> (&mut Node<T>, u32) {
    match node {
        Node::Branch(children) => descend(Arc::make_mut(child_mut(children, hash, level)), hash, level + 1),
        leaf @ Node::Leaf(_) => (leaf, level),
    }
}

fn split<T>(items: Vec<Hashed<T>>, level: u32) -> Node<T> {
    let mut leaves: [Vec<Hashed<T>>; WAYS] = std::array::from_fn(|_| Vec::new());
    for item in items {
        if let Some(leaf) = leaves.get_mut(way(item.hash, level)) {
            leaf.push(item);
        }
    }
    Node::Branch(Box::new(leaves.map(|items| Arc::new(Node::Leaf(items)))))
}

#[expect(clippy::indexing_slicing, reason = "a way is below WAYS, the length of the array")]
fn child<T>(children: &Children<T>, hash: u64, level: u32) -> &Node<T> {
    &children[way(hash, level)]
}

#[expect(clippy::indexing_slicing, reason = "a way is below WAYS, the length of the array")]
fn child_mut<T>(children: &mut Children<T>, hash: u64, level: u32) -> &mut Arc<Node<T>> {
    &mut children[way(hash, level)]
}

/// Which child a hash takes at a level. Beyond the last level there are only leaves.
fn way(hash: u64, level: u32) -> usize {
    let nibble = hash.checked_shr(level * BITS).unwrap_or(0).to_le_bytes()[0] & 0x0f;
    usize::from(nibble)
}
