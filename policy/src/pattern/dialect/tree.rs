//! The parsed expression.
//!
//! **Owns** the kinds of nodes, and what can be asked of a node whatever it is asked for.
//!
//! **Refuses** what decides no match: the names and numbers of groups, and how an end of the text was spelled.
//!
//! **Invariant**: the height of a node is one more than that of its highest part.
use std::slice;

use super::set::CharSet;

/// Go's limit for the height of a parsed expression.
pub(super) const MAX_HEIGHT: u32 = 1000;

/// One node of a parsed expression, with its height (a leaf has 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) height: u32,
}

/// What a node matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Empty,
    Literal(Literal),
    /// A set, and whether it was written under the flag `i` (already folded in; part of its identity).
    Class(CharSet, bool),
    AnyButNewline,
    Any,
    Assertion(Assertion),
    Capture(Box<Node>),
    Repeat(Repeat),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
}

/// What has to hold at a place. It takes no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    BeginLine,
    EndLine,
    BeginText,
    EndText,
    WordBoundary,
    NotWordBoundary,
}

/// An end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Begin,
    End,
}

/// A run of characters, at least one; under `fold` they match in both cases (and are kept in upper case).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) first: u32,
    /// Most literals live for one character until they join the run before them: no allocation for those.
    pub(super) rest: Vec<u32>,
    pub(super) fold: bool,
}

/// A repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) times: Times,
    pub(super) lazy: bool,
    pub(super) body: Box<Node>,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Star,
    Plus,
    Quest,
    /// Written with braces; `None` is no upper limit.
    Counted(u32, Option<u32>),
}

/// A node that is one character wide by its form.
#[derive(Clone, Copy, Debug)]
pub(super) enum OneChar<'n> {
    Literal(&'n Literal),
    /// As in [`Op::Class`].
    Class(CharSet, bool),
    AnyButNewline,
    Any,
}

impl Node {
    pub(super) fn new(op: Op) -> Self {
        let below = op.parts().iter().map(|part| part.height).max().unwrap_or(0);
        Self { op, height: below + 1 }
    }

    /// One node for several parts; a single part is that node, and none are the empty expression.
    pub(super) fn of_parts(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Op) -> Self {
        if parts.len() > 1 {
            Self::new(join(parts))
        } else {
            parts.pop().unwrap_or_else(|| Self::new(Op::Empty))
        }
    }

    /// The node between the ends of the text; `None` if that nests too deeply.
    pub(super) fn whole(self) -> Option<Self> {
        let [begin, end] = [Assertion::BeginText, Assertion::EndText].map(|edge| Self::new(Op::Assertion(edge)));
        let node = Self::new(Op::Concat(vec![begin, self, end]));
        (node.height <= MAX_HEIGHT).then_some(node)
    }

    /// Its one character, if it is one character wide by its form.
    pub(super) fn one_char(&self) -> Option<OneChar<'_>> {
        match &self.op {
            Op::Literal(literal) if literal.rest.is_empty() => Some(OneChar::Literal(literal)),
            Op::Class(set, fold) => Some(OneChar::Class(*set, *fold)),
            Op::AnyButNewline => Some(OneChar::AnyButNewline),
            Op::Any => Some(OneChar::Any),
            Op::Empty
            | Op::Literal(_)
            | Op::Assertion(_)
            | Op::Capture(_)
            | Op::Repeat(_)
            | Op::Concat(_)
            | Op::Alternate(_) => None,
        }
    }

    /// The set of characters it is, if it is one character wide by its form.
    pub(super) fn as_set(&self) -> Option<CharSet> {
        self.one_char().map(OneChar::set)
    }

    /// Whether it asks what the characters on both sides of a place are.
    pub(super) fn looks_around(&self) -> bool {
        let here = matches!(&self.op, Op::Assertion(assertion) if assertion.looks_around());
        here || self.op.parts().iter().any(Self::looks_around)
    }

    /// Whether it begins and ends only at the ends of the text, in every alternative.
    pub(super) fn is_anchored(&self) -> bool {
        self.is_anchored_at(Edge::Begin) && self.is_anchored_at(Edge::End)
    }

    /// Whether every way to match begins, or ends, at this end of the text.
    pub(super) fn is_anchored_at(&self, edge: Edge) -> bool {
        match &self.op {
            Op::Assertion(assertion) => assertion.is_edge(edge),
            Op::Capture(body) => body.is_anchored_at(edge),
            Op::Repeat(repeat) => repeat.times.min() > 0 && repeat.body.is_anchored_at(edge),
            Op::Concat(parts) => {
                let mut parts = parts.iter().filter(|part| part.op != Op::Empty);
                let outermost = match edge {
                    Edge::Begin => parts.next(),
                    Edge::End => parts.next_back(),
                };
                outermost.is_some_and(|part| part.is_anchored_at(edge))
            }
            Op::Alternate(parts) => parts.iter().all(|part| part.is_anchored_at(edge)),
            Op::Empty | Op::Literal(_) | Op::Class(..) | Op::AnyButNewline | Op::Any => false,
        }
    }
}

impl Op {
    /// The nodes right below.
    pub(super) fn parts(&self) -> &[Node] {
        match self {
            Self::Capture(body) => slice::from_ref(body),
            Self::Repeat(repeat) => slice::from_ref(&repeat.body),
            Self::Concat(parts) | Self::Alternate(parts) => parts,
            Self::Empty | Self::Literal(_) | Self::Class(..) | Self::AnyButNewline | Self::Any | Self::Assertion(_) => {
                &[]
            }
        }
    }
}

impl Assertion {
    fn looks_around(self) -> bool {
        match self {
            Self::BeginLine | Self::EndLine | Self::WordBoundary | Self::NotWordBoundary => true,
            Self::BeginText | Self::EndText => false,
        }
    }

    /// Whether it holds at this end of the text and nowhere else.
    fn is_edge(self, edge: Edge) -> bool {
        match self {
            Self::BeginText => edge == Edge::Begin,
            Self::EndText => edge == Edge::End,
            Self::BeginLine | Self::EndLine | Self::WordBoundary | Self::NotWordBoundary => false,
        }
    }
}

impl OneChar<'_> {
    pub(super) fn set(self) -> CharSet {
        match self {
            Self::Literal(literal) => literal.set_of(literal.first),
            Self::Class(set, _) => set,
            Self::AnyButNewline => CharSet::ALL_BUT_NEWLINE,
            Self::Any => CharSet::ALL,
        }
    }
}

/// Characters of a usual run.
const RUN: usize = 32;

impl Literal {
    pub(super) fn new(c: u32, fold: bool) -> Self {
        Self {
            first: if fold { upper(c) } else { c },
            rest: Vec::new(),
            fold,
        }
    }

    /// Its characters.
    pub(super) fn chars(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    /// What one of its characters matches.
    pub(super) fn set_of(&self, c: u32) -> CharSet {
        if self.fold {
            CharSet::folded_range(c, c)
        } else {
            CharSet::one(c)
        }
    }

    /// This run with the other one behind it.
    pub(super) fn join(&mut self, other: &Self) {
        if self.rest.capacity() == 0 {
            // Runs come together one character at a time.
            self.rest.reserve(RUN);
        }
        self.rest.push(other.first);
        self.rest.extend_from_slice(&other.rest);
    }
}

impl Times {
    pub(super) fn min(self) -> u32 {
        match self {
            Self::Star | Self::Quest => 0,
            Self::Plus => 1,
            Self::Counted(min, _) => min,
        }
    }

    pub(super) fn max(self) -> Option<u32> {
        match self {
            Self::Star | Self::Plus => None,
            Self::Quest => Some(1),
            Self::Counted(_, max) => max,
        }
    }
}

/// The smallest character that differs from this one by case only, as far as ASCII is concerned.
fn upper(c: u32) -> u32 {
    match c {
        0x61..=0x7A => c - 0x20,
        super::set::KELVIN => u32::from(b'K'),
        super::set::LONG_S => u32::from(b'S'),
        _ => c,
    }
}
