//! A persistent tree of texts: which of them a subject equals or begins with, at a cost of the subject's length.
use std::sync::Arc;

/// A radix tree. Each text holds two lists: of what wants a subject equal to it, and of what wants a subject that
/// begins with it. A clone costs nothing, a change copies one path.
#[derive(Clone, Debug)]
pub(super) struct PrefixTree<T> {
    root: Arc<Node<T>>,
}

/// What a subject has to do with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Equal it.
    Equals,
    /// Begin with it.
    Begins,
}

#[derive(Clone, Debug)]
struct Node<T> {
    /// The bytes between the parent and this node.
    label: Box<[u8]>,
    equals: Vec<T>,
    begins: Vec<T>,
    /// Sorted by the first byte of their labels, of which no two are equal.
    children: Vec<Arc<Node<T>>>,
}

impl<T> Default for PrefixTree<T> {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::new(&[])),
        }
    }
}

impl<T: Clone> PrefixTree<T> {
    /// Puts an item under a text.
    pub(super) fn insert(&mut self, text: &str, relation: Relation, item: T) {
        Arc::make_mut(&mut self.root).insert(text.as_bytes(), relation, item);
    }

    /// Changes the items under a text. Nodes that hold nothing more disappear.
    pub(super) fn change(&mut self, text: &str, relation: Relation, change: &mut impl FnMut(&mut Vec<T>)) {
        Arc::make_mut(&mut self.root).change(text.as_bytes(), relation, change);
    }

    /// How many nodes there are.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        fn below<T>(node: &Node<T>) -> usize {
            1 + node.children.iter().map(|child| below(child)).sum::<usize>()
        }
        below(&self.root)
    }

    /// The items whose texts the subject equals or begins with.
    pub(super) fn matches<'t>(&'t self, subject: &str) -> impl Iterator<Item = &'t T> {
        let mut rest = Some((self.root.as_ref(), subject.as_bytes()));
        let visited = std::iter::from_fn(move || {
            let (node, bytes) = rest.take()?;
            rest = node
                .child(bytes)
                .and_then(|child| Some((child, bytes.strip_prefix(child.label.as_ref())?)));
            let equals: &[T] = if bytes.is_empty() { &node.equals } else { &[] };
            Some(equals.iter().chain(&node.begins))
        });
        visited.flatten()
    }
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self {
            label: label.into(),
            equals: Vec::new(),
            begins: Vec::new(),
            children: Vec::new(),
        }
    }

    fn list(&mut self, relation: Relation) -> &mut Vec<T> {
        match relation {
            Relation::Equals => &mut self.equals,
            Relation::Begins => &mut self.begins,
        }
    }

    fn place(&self, first: u8) -> Result<usize, usize> {
        self.children
            .binary_search_by_key(&Some(first), |child| child.label.first().copied())
    }

    /// The child whose label begins with the first of these bytes.
    fn child(&self, bytes: &[u8]) -> Option<&Self> {
        let at = self.place(*bytes.first()?).ok()?;
        self.children.get(at).map(Arc::as_ref)
    }
}

impl<T: Clone> Node<T> {
    fn insert(&mut self, bytes: &[u8], relation: Relation, item: T) {
        let Some(first) = bytes.first() else {
            self.list(relation).push(item);
            return;
        };
        match self.place(*first) {
            Err(at) => {
                let mut leaf = Self::new(bytes);
                leaf.list(relation).push(item);
                self.children.insert(at, Arc::new(leaf));
            }
            Ok(at) => {
                let Some(child) = self.children.get_mut(at) else { return };
                let child = Arc::make_mut(child);
                let common = child.label.iter().zip(bytes).take_while(|(a, b)| a == b).count();
                child.split(common);
                child.insert(bytes.get(common..).unwrap_or_default(), relation, item);
            }
        }
    }

    /// Keeps the first bytes of the label; the rest, with all that hangs on it, becomes the only child.
    fn split(&mut self, common: usize) {
        let (Some(head), Some(tail)) = (self.label.get(..common), self.label.get(common..)) else {
            return;
        };
        if tail.is_empty() {
            return;
        }
        let (head, lower) = (Self::new(head), Self::new(tail));
        let lower = Self {
            label: lower.label,
            ..std::mem::replace(self, head)
        };
        self.children.push(Arc::new(lower));
    }

    fn change(&mut self, bytes: &[u8], relation: Relation, change: &mut impl FnMut(&mut Vec<T>)) {
        let Some(first) = bytes.first() else {
            change(self.list(relation));
            return;
        };
        let Ok(place) = self.place(*first) else { return };
        let Some(child) = self.children.get_mut(place) else {
            return;
        };
        let Some(rest) = bytes.strip_prefix(child.label.as_ref()) else {
            return;
        };
        let child = Arc::make_mut(child);
        child.change(rest, relation, change);
        if child.equals.is_empty() && child.begins.is_empty() {
            match child.children.len() {
                0 => drop(self.children.remove(place)),
                1 => child.absorb(),
                _ => {}
            }
        }
    }

    /// Takes the place of the only child.
    fn absorb(&mut self) {
        let Some(only) = self.children.pop() else { return };
        let only = Arc::unwrap_or_clone(only);
        let label = [self.label.as_ref(), only.label.as_ref()].concat();
        *self = Self {
            label: label.into(),
            ..only
        };
    }
}
