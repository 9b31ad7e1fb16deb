//! Which patterns match a subject, found without asking them all.
//!
//! What a pattern's parsed expression says about its subjects decides where it is posted: whole texts and beginnings
//! in a [`PrefixTree`], texts that must occur somewhere in a [`GramTable`], and the few about which nothing is known in
//! a list that every subject goes through. Only a pattern whose literal text does not decide is asked itself, and only
//! then is it compiled.
use std::hash::Hash;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::gram::{Gram, GramTable};
use super::hash_trie::{HashTrie, Keyed};
use super::prefix_tree::{PrefixTree, Relation};
use super::required::required;
use crate::pattern::Shape;
use crate::{IdPattern, PathPattern};

/// What an index asks of a pattern.
pub(super) trait Indexed: Clone + Eq + Hash {
    /// Whether it matches.
    fn is_match(&self, subject: &str) -> bool;
    /// What its literal text says.
    fn shape(&self) -> Shape;
    /// Sets of texts: every subject it matches has at least one text of each set. A text may begin with
    /// [`super::gram::BEGIN`] and end with [`super::gram::END`].
    fn required(&self) -> Vec<Vec<String>>;
}

/// A persistent map from patterns to values that finds the patterns that match a subject.
#[derive(Clone, Debug)]
pub(super) struct PatternIndex<P, V> {
    entries: HashTrie<P, Arc<Entry<P, V>>>,
    literal: PrefixTree<Arc<Entry<P, V>>>,
    grams: GramTable<Arc<Entry<P, V>>>,
    open: Vec<Arc<Entry<P, V>>>,
}

/// A pattern and what hangs on it.
#[derive(Debug)]
pub(super) struct Entry<P, V> {
    pattern: P,
    posted: Posted,
    value: V,
}

/// Where an entry is posted, so that it can be taken down.
#[derive(Clone, Debug)]
enum Posted {
    /// Under the texts of its shape; whether they decide.
    Literal { decides: bool },
    /// Under one gram for each of its required texts.
    Grams(Box<[Gram]>),
    /// In the list; whether it matches everything.
    Open { decides: bool },
}

impl<P, V> Entry<P, V> {
    /// What hangs on the pattern.
    pub(super) fn value(&self) -> &V {
        &self.value
    }
}

impl<P: Indexed, V> Keyed<P> for Arc<Entry<P, V>> {
    fn key(&self) -> &P {
        &self.pattern
    }
}

impl<P: Indexed, V> Default for PatternIndex<P, V> {
    fn default() -> Self {
        Self {
            entries: HashTrie::default(),
            literal: PrefixTree::default(),
            grams: GramTable::default(),
            open: Vec::new(),
        }
    }
}

impl<P: Indexed, V> PatternIndex<P, V> {
    /// Changes what hangs on a pattern: from the former value (if any) to a new one, or to nothing.
    pub(super) fn change(&mut self, pattern: &P, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let former = self.entries.get(pattern).map(Arc::clone);
        let value = change(former.as_ref().map(|entry| &entry.value));
        match (former, value) {
            (None, None) => {}
            (None, Some(value)) => self.post(pattern, value),
            (Some(former), Some(value)) => self.replace(&former, value),
            (Some(former), None) => self.take_down(&former),
        }
    }

    /// Visits the entries whose patterns match the subject, each once.
    pub(super) fn visit<'t, B>(
        &'t self,
        subject: &str,
        mut visit: impl FnMut(&'t Arc<Entry<P, V>>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for entry in self.literal.matches(subject).chain(&self.open) {
            if entry.posted.decides() || entry.pattern.is_match(subject) {
                visit(entry)?;
            }
        }
        for entry in self.grams.candidates(subject) {
            if entry.pattern.is_match(subject) {
                visit(entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Every value.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|entry| &entry.value)
    }

    fn post(&mut self, pattern: &P, value: V) {
        let shape = pattern.shape();
        let posted = match &shape {
            Shape::Exact(_) | Shape::Prefix { decides: true, .. } => Posted::Literal { decides: true },
            Shape::Any => Posted::Open { decides: true },
            Shape::Prefix { decides: false, .. } | Shape::Other => match self.grams.choose(&pattern.required()) {
                Some(grams) => Posted::Grams(grams),
                None if matches!(shape, Shape::Other) => Posted::Open { decides: false },
                None => Posted::Literal { decides: false },
            },
        };
        let entry = Arc::new(Entry {
            pattern: pattern.clone(),
            posted,
            value,
        });
        self.entries.insert(Arc::clone(&entry));
        match &entry.posted {
            Posted::Literal { .. } => {
                for (text, relation) in texts(&shape) {
                    self.literal.insert(text, relation, Arc::clone(&entry));
                }
            }
            Posted::Grams(grams) => {
                for gram in grams {
                    self.grams.insert(*gram, Arc::clone(&entry));
                }
            }
            Posted::Open { .. } => self.open.push(Arc::clone(&entry)),
        }
    }

    fn replace(&mut self, former: &Arc<Entry<P, V>>, value: V) {
        let entry = Entry {
            pattern: former.pattern.clone(),
            posted: former.posted.clone(),
            value,
        };
        let entry = Arc::new(entry);
        self.entries.insert(Arc::clone(&entry));
        let swap = |list: &mut Vec<Arc<Entry<P, V>>>| {
            for place in list.iter_mut().filter(|place| Arc::ptr_eq(place, former)) {
                *place = Arc::clone(&entry);
            }
        };
        self.at_places(former, swap);
    }

    fn take_down(&mut self, former: &Arc<Entry<P, V>>) {
        self.entries.remove(&former.pattern);
        self.at_places(former, |list| list.retain(|entry| !Arc::ptr_eq(entry, former)));
    }

    /// Changes every list in which an entry is posted.
    fn at_places(&mut self, entry: &Entry<P, V>, mut change: impl FnMut(&mut Vec<Arc<Entry<P, V>>>)) {
        match &entry.posted {
            Posted::Literal { .. } => {
                for (text, relation) in texts(&entry.pattern.shape()) {
                    self.literal.change(text, relation, &mut change);
                }
            }
            Posted::Grams(grams) => {
                for gram in grams {
                    self.grams.change(*gram, &mut change);
                }
            }
            Posted::Open { .. } => change(&mut self.open),
        }
    }
}

impl Posted {
    fn decides(&self) -> bool {
        match self {
            Self::Literal { decides } | Self::Open { decides } => *decides,
            Self::Grams(_) => false,
        }
    }
}

/// The texts of a shape and what a subject has to do with them.
fn texts(shape: &Shape) -> impl Iterator<Item = (&str, Relation)> {
    let (texts, relation): (&[String], _) = match shape {
        Shape::Exact(texts) => (texts, Relation::Equals),
        Shape::Prefix { starts, .. } => (starts, Relation::Begins),
        Shape::Any | Shape::Other => (&[], Relation::Equals),
    };
    texts.iter().map(move |text| (text.as_str(), relation))
}

/// Every identity has the scheme, and most have the same trust domain: a text that only says so finds nothing.
fn beyond_trust_domain(text: String) -> String {
    let after_scheme = text.split_once("spiffe://").map(|(_, rest)| rest);
    match after_scheme.and_then(|rest| rest.split_once('/')) {
        Some((_, path)) if path.len() >= 4 => path.to_owned(),
        Some(_) | None => text,
    }
}

impl Indexed for IdPattern {
    fn is_match(&self, subject: &str) -> bool {
        self.is_match(subject)
    }

    fn shape(&self) -> Shape {
        self.literal_shape()
    }

    fn required(&self) -> Vec<Vec<String>> {
        let sets = self.hir().map(|hir| required(&hir)).unwrap_or_default();
        sets.into_iter()
            .map(|texts| texts.into_iter().map(beyond_trust_domain).collect())
            .collect()
    }
}

impl Indexed for PathPattern {
    fn is_match(&self, subject: &str) -> bool {
        self.is_match(subject)
    }

    fn shape(&self) -> Shape {
        self.literal_shape()
    }

    fn required(&self) -> Vec<Vec<String>> {
        self.hir().map(|hir| required(&hir)).unwrap_or_default()
    }
}
