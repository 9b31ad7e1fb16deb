//! Which patterns match a subject, found without asking them all.
//!
//! What a pattern's parsed expression says about its subjects decides where it is posted: whole texts and beginnings
//! in a [`PrefixTree`], texts that must occur somewhere in a [`GramTable`], and the few about which nothing is known in
//! a list that every subject goes through. Only a pattern whose literal text does not decide is asked itself, and only
//! then is it compiled.
//!
//! **Owns** the choice of the place, and taking an entry down from wherever it was posted.
//!
//! **Refuses** to decide: it offers each matching entry once, in no order, and whoever visits stops it.
//!
//! **Invariant**: an entry is visited exactly if its pattern matches the subject.
use std::ops::ControlFlow;
use std::sync::Arc;

use super::gram::{Gram, GramTable};
use super::hash_trie::{HashTrie, Keyed};
use super::prefix_tree::{PrefixTree, Relation};
use super::required::required_by;
use crate::pattern::{Pattern, Row, Shape};

/// A persistent map from patterns to values that finds the patterns that match a subject.
#[derive(Clone, Debug)]
pub(super) struct PatternIndex<P, V> {
    entries: HashTrie<P, Arc<Entry<P, V>>>,
    literal: PrefixTree<Arc<Entry<P, V>>>,
    grams: GramTable<Asked<P, V>>,
    open: Vec<Asked<P, V>>,
}

/// A pattern and what hangs on it.
#[derive(Debug)]
pub(super) struct Entry<P, V> {
    pattern: P,
    posted: Posted,
    value: V,
}

/// An entry in a list that subjects go through, with what answers for its pattern at hand.
#[derive(Debug)]
struct Asked<P, V> {
    row: Option<Row>,
    entry: Arc<Entry<P, V>>,
    /// Whether it is posted at no other place.
    once: bool,
}

/// A list of more entries than this has their patterns compiled as they come, so that no decision waits for them all.
const CROWD: usize = 16;

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

impl<P: Pattern, V> Keyed<P> for Arc<Entry<P, V>> {
    fn key(&self) -> &P {
        &self.pattern
    }
}

impl<P: Pattern, V> Default for PatternIndex<P, V> {
    fn default() -> Self {
        Self {
            entries: HashTrie::default(),
            literal: PrefixTree::default(),
            grams: GramTable::default(),
            open: Vec::new(),
        }
    }
}

impl<P: Pattern, V> PatternIndex<P, V> {
    /// Changes what hangs on a pattern: from the former value (if any) to a new one, or to nothing.
    pub(super) fn change(&mut self, pattern: &P, change: impl FnOnce(Option<&V>) -> Option<V>) {
        self.change_shaped(pattern, || pattern.literal_shape(), change);
    }

    /// The same with a pattern whose shape is known.
    pub(super) fn change_shaped(
        &mut self,
        pattern: &P,
        shape: impl FnOnce() -> Shape,
        change: impl FnOnce(Option<&V>) -> Option<V>,
    ) {
        let former = self.entries.get(pattern).map(Arc::clone);
        let value = change(former.as_ref().map(|entry| &entry.value));
        match (former, value) {
            (None, None) => {}
            (None, Some(value)) => self.post(pattern, &shape(), value),
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
        let visited = self.visit_some(subject, usize::MAX, |entry| visit(entry).map_break(Some));
        match visited {
            ControlFlow::Break(Some(broken)) => ControlFlow::Break(broken),
            // Nothing is too much.
            ControlFlow::Break(None) | ControlFlow::Continue(()) => ControlFlow::Continue(()),
        }
    }

    /// The same, but with `None` it breaks off when more than `most` patterns would have to be asked.
    pub(super) fn visit_some<'t, B>(
        &'t self,
        subject: &str,
        most: usize,
        mut visit: impl FnMut(&'t Arc<Entry<P, V>>) -> ControlFlow<Option<B>>,
    ) -> ControlFlow<Option<B>> {
        let mut left = most;
        for entry in self.literal.matches(subject) {
            if !entry.posted.decides() {
                left = spent(left, 1)?;
                if !entry.pattern.is_match(subject) {
                    continue;
                }
            }
            visit(entry)?;
        }
        left = spent(left, self.open.len())?;
        for asked in self.open.iter().filter(|asked| asked.is_match(subject)) {
            visit(&asked.entry)?;
        }
        let lists = self.grams.candidates(subject);
        spent(left, lists.iter().map(|list| list.len()).sum())?;
        let mut several = Vec::new();
        for asked in lists.into_iter().flatten().filter(|asked| asked.is_match(subject)) {
            if asked.once {
                visit(&asked.entry)?;
            } else {
                several.push(&asked.entry);
            }
        }
        several.sort_unstable_by_key(|entry| Arc::as_ptr(entry));
        several.dedup_by(|a, b| Arc::ptr_eq(a, b));
        several.into_iter().try_for_each(visit)
    }

    /// Every value.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|entry| &entry.value)
    }

    fn post(&mut self, pattern: &P, shape: &Shape, value: V) {
        let posted = match shape {
            Shape::Exact(_) | Shape::Prefix { decides: true, .. } => Posted::Literal { decides: true },
            Shape::Any => Posted::Open { decides: true },
            Shape::Prefix { decides: false, .. } | Shape::Other => match self.grams.choose(&required_by(pattern)) {
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
                for (text, relation) in texts(shape) {
                    self.literal.insert(text, relation, Arc::clone(&entry));
                }
            }
            Posted::Grams(grams) => {
                let asked = Asked::of(&entry);
                let mut most = 0;
                for gram in grams {
                    most = most.max(self.grams.insert(*gram, asked.clone()));
                }
                asked.ready_for(most);
            }
            Posted::Open { .. } => {
                let asked = Asked::of(&entry);
                asked.ready_for(self.open.len());
                self.open.push(asked);
            }
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
        let next = Some(&entry);
        self.at_places(&Exchange { former, next });
    }

    fn take_down(&mut self, former: &Arc<Entry<P, V>>) {
        self.entries.remove(&former.pattern);
        self.at_places(&Exchange { former, next: None });
    }

    /// Makes an exchange wherever an entry is posted.
    fn at_places(&mut self, exchange: &Exchange<'_, P, V>) {
        let in_tree = |list: &mut Vec<Arc<_>>| list.retain_mut(|entry| exchange.make(entry));
        let in_list = |list: &mut Vec<Asked<_, _>>| list.retain_mut(|asked| exchange.make(&mut asked.entry));
        match &exchange.former.posted {
            Posted::Literal { .. } => {
                for (text, relation) in texts(&exchange.former.pattern.literal_shape()) {
                    self.literal.change(text, relation, &mut { in_tree });
                }
            }
            Posted::Grams(grams) => {
                for gram in grams {
                    self.grams.change(*gram, &mut { in_list });
                }
            }
            Posted::Open { .. } => in_list(&mut self.open),
        }
    }
}

/// An entry goes; another one of the same pattern takes its place, or none.
struct Exchange<'e, P, V> {
    former: &'e Arc<Entry<P, V>>,
    next: Option<&'e Arc<Entry<P, V>>>,
}

impl<P, V> Exchange<'_, P, V> {
    /// Whether the place is kept.
    fn make(&self, place: &mut Arc<Entry<P, V>>) -> bool {
        match self.next {
            _ if !Arc::ptr_eq(place, self.former) => true,
            Some(next) => {
                *place = Arc::clone(next);
                true
            }
            None => false,
        }
    }
}

impl<P: Pattern, V> Asked<P, V> {
    fn of(entry: &Arc<Entry<P, V>>) -> Self {
        Self {
            row: entry.pattern.row(),
            entry: Arc::clone(entry),
            once: !matches!(&entry.posted, Posted::Grams(grams) if grams.len() > 1),
        }
    }

    fn is_match(&self, subject: &str) -> bool {
        match &self.row {
            Some(row) => row.is_match(subject),
            None => self.entry.posted.decides() || self.entry.pattern.is_match(subject),
        }
    }

    /// Compiles the pattern if it stands in a crowd.
    fn ready_for(&self, crowd: usize) {
        if crowd > CROWD && self.row.is_none() && !self.entry.posted.decides() {
            self.entry.pattern.prepare();
        }
    }
}

impl<P, V> Clone for Asked<P, V> {
    fn clone(&self) -> Self {
        Self {
            row: self.row.clone(),
            entry: Arc::clone(&self.entry),
            once: self.once,
        }
    }
}

/// What is left; breaks off with `None` when it is not enough.
fn spent<B>(left: usize, cost: usize) -> ControlFlow<Option<B>, usize> {
    left.checked_sub(cost)
        .map_or(ControlFlow::Break(None), ControlFlow::Continue)
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
