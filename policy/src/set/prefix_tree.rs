//! A persistent tree of texts: which of them a subject equals or begins with, at a cost of the subject's length.
use std::sync::Arc;

use crate::in_place::Bytes;

/// A radix tree. Each text holds two lists: of what wants a subject equal to it, and of what wants a subject that
/// begins with it. A clone costs nothing, a change copies one path.
///
/// Going down a level is one step elsewhere in memory: the children of a node lie side by side, which one it is says the
/// node itself, and a node is no longer than a line of a processor's cache.
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
    items: Items<T>,
}

/// Four of this size are a node.
type Label = Bytes<14>;

/// What hangs on a text: mostly nothing, or one item.
#[derive(Clone, Debug, Default)]
enum Items<T> {
    #[default]
    Nothing,
    Equals(T),
    Begins(T),
    More(Box<Lists<T>>),
}

#[derive(Clone, Debug)]
struct Lists<T> {
    equals: Vec<T>,
    begins: Vec<T>,
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
                .and_then(|child| Some((child, bytes.strip_prefix(child.label.as_slice())?)));
            let equals = if bytes.is_empty() {
                node.items.list(Relation::Equals)
            } else {
                &[]
            };
            Some(equals.iter().chain(node.items.list(Relation::Begins)))
        });
        visited.flatten()
    }
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self {
            label: label.into(),
            firsts: Label::EMPTY,
            children: None,
            items: Items::Nothing,
        }
    }

    fn place(&self, first: u8) -> Result<usize, usize> {
        self.firsts.as_slice().binary_search(&first)
    }

    /// The child whose label begins with the first of these bytes.
    fn child(&self, bytes: &[u8]) -> Option<&Self> {
        let at = self.place(*bytes.first()?).ok()?;
        self.children.as_ref()?.get(at)
    }

    fn set_children(&mut self, children: Vec<Self>) {
        let firsts = children.iter().filter_map(|child| child.label.as_slice().first());
        self.firsts = firsts.copied().collect::<Vec<_>>().as_slice().into();
        self.children = (!children.is_empty()).then(|| children.into());
    }
}

impl<T> Items<T> {
    fn list(&self, relation: Relation) -> &[T] {
        match (self, relation) {
            (Self::Equals(item), Relation::Equals) | (Self::Begins(item), Relation::Begins) => {
                std::slice::from_ref(item)
            }
            (Self::More(lists), Relation::Equals) => &lists.equals,
            (Self::More(lists), Relation::Begins) => &lists.begins,
            (Self::Nothing | Self::Equals(_) | Self::Begins(_), _) => &[],
        }
    }

    fn change(&mut self, relation: Relation, change: impl FnOnce(&mut Vec<T>)) {
        let (mut equals, mut begins) = match std::mem::take(self) {
            Self::Nothing => (Vec::new(), Vec::new()),
            Self::Equals(item) => (vec![item], Vec::new()),
            Self::Begins(item) => (Vec::new(), vec![item]),
            Self::More(lists) => (lists.equals, lists.begins),
        };
        change(match relation {
            Relation::Equals => &mut equals,
            Relation::Begins => &mut begins,
        });
        *self = match (equals.len(), begins.len()) {
            (1, 0) => equals.pop().map_or(Self::Nothing, Self::Equals),
            (0, 1) => begins.pop().map_or(Self::Nothing, Self::Begins),
            (0, 0) => Self::Nothing,
            _ => Self::More(Box::new(Lists { equals, begins })),
        };
    }
}

impl<T: Clone> Node<T> {
    fn insert(&mut self, bytes: &[u8], relation: Relation, item: T) {
        let Some(first) = bytes.first() else {
            self.items.change(relation, |items| items.push(item));
            return;
        };
        match self.place(*first) {
            Err(at) => {
                let mut leaf = Self::new(bytes);
                leaf.items.change(relation, |items| items.push(item));
                let mut children = self.take_children();
                children.insert(at, leaf);
                self.set_children(children);
            }
            Ok(at) => {
                let Some(child) = self.child_mut(at) else { return };
                let label = child.label.as_slice().iter();
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
        let Some((head, tail)) = self.label.as_slice().split_at_checked(common) else {
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
            self.items.change(relation, change);
            return;
        };
        let Ok(place) = self.place(*first) else { return };
        let label = self.child(bytes).map(|child| child.label.as_slice());
        let Some(rest) = label.and_then(|label| bytes.strip_prefix(label)) else {
            return;
        };
        let Some(child) = self.child_mut(place) else { return };
        child.change(rest, relation, change);
        if matches!(child.items, Items::Nothing) {
            match child.firsts.as_slice().len() {
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
        let label = [self.label.as_slice(), only.label.as_slice()].concat();
        *self = Self {
            label: label.as_slice().into(),
            ..only
        };
    }
}
