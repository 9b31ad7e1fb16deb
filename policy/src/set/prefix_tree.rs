//! A persistent tree of texts: which of them a subject equals or begins with, at a cost of the subject's length.
use std::sync::Arc;

use super::label::{Label, List};

/// A radix tree. Each text holds two lists: of what wants a subject equal to it, and of what wants a subject that
/// begins with it. A clone costs nothing, a change copies one path.
///
/// Going down a level is one step elsewhere in memory: the children of a node lie side by side, and which one it is
/// says the node itself.
#[derive(Clone, Debug)]
pub(super) struct PrefixTree<T> {
    root: Node<T>,
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
    label: Label,
    /// The first byte of each child's label: sorted, no two are equal.
    firsts: Label,
    children: Option<Arc<[Node<T>]>>,
    equals: List<T>,
    begins: List<T>,
}

impl<T> Default for PrefixTree<T> {
    fn default() -> Self {
        Self { root: Node::new(&[]) }
    }
}

impl<T: Clone> PrefixTree<T> {
    /// Puts an item under a text.
    pub(super) fn insert(&mut self, text: &str, relation: Relation, item: T) {
        self.root.insert(text.as_bytes(), relation, item);
    }

    /// Changes the items under a text. Nodes that hold nothing more disappear.
    pub(super) fn change(&mut self, text: &str, relation: Relation, change: &mut impl FnMut(&mut Vec<T>)) {
        self.root.change(text.as_bytes(), relation, change);
    }

    /// How many nodes there are.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        fn below<T>(node: &Node<T>) -> usize {
            1 + node
                .children
                .iter()
                .flat_map(|children| children.iter())
                .map(below)
                .sum::<usize>()
        }
        below(&self.root)
    }

    /// The items whose texts the subject equals or begins with.
    pub(super) fn matches<'t>(&'t self, subject: &str) -> impl Iterator<Item = &'t T> {
        let mut rest = Some((&self.root, subject.as_bytes()));
        let visited = std::iter::from_fn(move || {
            let (node, bytes) = rest.take()?;
            rest = node
                .child(bytes)
                .and_then(|child| Some((child, bytes.strip_prefix(child.label.as_bytes())?)));
            let equals = if bytes.is_empty() { node.equals.as_slice() } else { &[] };
            Some(equals.iter().chain(node.begins.as_slice()))
        });
        visited.flatten()
    }
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self {
            label: label.into(),
            firsts: Label::from(&[][..]),
            children: None,
            equals: List::Empty,
            begins: List::Empty,
        }
    }

    fn list(&mut self, relation: Relation) -> &mut List<T> {
        match relation {
            Relation::Equals => &mut self.equals,
            Relation::Begins => &mut self.begins,
        }
    }

    fn place(&self, first: u8) -> Result<usize, usize> {
        self.firsts.as_bytes().binary_search(&first)
    }

    /// The child whose label begins with the first of these bytes.
    fn child(&self, bytes: &[u8]) -> Option<&Self> {
        let at = self.place(*bytes.first()?).ok()?;
        self.children.as_ref()?.get(at)
    }

    fn set_children(&mut self, children: Vec<Self>) {
        let firsts = children.iter().filter_map(|child| child.label.as_bytes().first());
        self.firsts = firsts.copied().collect::<Vec<_>>().as_slice().into();
        self.children = (!children.is_empty()).then(|| children.into());
    }
}

impl<T: Clone> Node<T> {
    fn insert(&mut self, bytes: &[u8], relation: Relation, item: T) {
        let Some(first) = bytes.first() else {
            self.list(relation).change(|items| items.push(item));
            return;
        };
        match self.place(*first) {
            Err(at) => {
                let mut leaf = Self::new(bytes);
                leaf.list(relation).change(|items| items.push(item));
                let mut children = self.take_children();
                children.insert(at, leaf);
                self.set_children(children);
            }
            Ok(at) => {
                let Some(child) = self.child_mut(at) else { return };
                let label = child.label.as_bytes().iter();
                let common = label.zip(bytes).take_while(|(a, b)| a == b).count();
                child.split(common);
                child.insert(bytes.get(common..).unwrap_or_default(), relation, item);
            }
        }
    }

    /// The children, to be put back; copies of them if another tree has them, too.
    fn take_children(&mut self) -> Vec<Self> {
        let Some(mut children) = self.children.take() else {
            return Vec::new();
        };
        match Arc::get_mut(&mut children) {
            Some(own) => own
                .iter_mut()
                .map(|child| std::mem::replace(child, Self::new(&[])))
                .collect(),
            None => children.to_vec(),
        }
    }

    fn child_mut(&mut self, at: usize) -> Option<&mut Self> {
        Arc::make_mut(self.children.as_mut()?).get_mut(at)
    }

    /// Keeps the first bytes of the label; the rest, with all that hangs on it, becomes the only child.
    fn split(&mut self, common: usize) {
        let Some((head, tail)) = self.label.as_bytes().split_at_checked(common) else {
            return;
        };
        if tail.is_empty() {
            return;
        }
        let (head, label) = (Self::new(head), Label::from(tail));
        let lower = Self {
            label,
            ..std::mem::replace(self, head)
        };
        self.set_children(vec![lower]);
    }

    fn change(&mut self, bytes: &[u8], relation: Relation, change: &mut impl FnMut(&mut Vec<T>)) {
        let Some(first) = bytes.first() else {
            self.list(relation).change(change);
            return;
        };
        let Ok(place) = self.place(*first) else { return };
        let label = self.child(bytes).map(|child| child.label.as_bytes());
        let Some(rest) = label.and_then(|label| bytes.strip_prefix(label)) else {
            return;
        };
        let Some(child) = self.child_mut(place) else { return };
        child.change(rest, relation, change);
        if child.equals.is_empty() && child.begins.is_empty() {
            match child.firsts.as_bytes().len() {
                0 => {
                    let mut children = self.take_children();
                    children.remove(place);
                    self.set_children(children);
                }
                1 => child.absorb(),
                _ => {}
            }
        }
    }

    /// Takes the place of the only child.
    fn absorb(&mut self) {
        let Some(only) = self.take_children().pop() else { return };
        let label = [self.label.as_bytes(), only.label.as_bytes()].concat();
        *self = Self {
            label: label.as_slice().into(),
            ..only
        };
    }
}
