//! The parsed expression.
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
    BeginLine,
    EndLine,
    BeginText,
    /// The end of the text, and whether it was written `$` (or else `\z`).
    EndText(bool),
    WordBoundary,
    NotWordBoundary,
    Capture(Box<Node>),
    Repeat(Repeat),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
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

impl Node {
    pub(super) fn new(op: Op) -> Self {
        let below = match &op {
            Op::Capture(body) => body.height,
            Op::Repeat(repeat) => repeat.body.height,
            Op::Concat(parts) | Op::Alternate(parts) => parts.iter().map(|part| part.height).max().unwrap_or(0),
            Op::Empty
            | Op::Literal(_)
            | Op::Class(..)
            | Op::AnyButNewline
            | Op::Any
            | Op::BeginLine
            | Op::EndLine
            | Op::BeginText
            | Op::EndText(_)
            | Op::WordBoundary
            | Op::NotWordBoundary => 0,
        };
        Self { op, height: below + 1 }
    }

    /// The set of characters it is, if it is one character wide by its form.
    pub(super) fn as_set(&self) -> Option<CharSet> {
        match &self.op {
            Op::Literal(literal) if literal.rest.is_empty() => Some(literal.set_of(literal.first)),
            Op::Class(set, _) => Some(*set),
            Op::AnyButNewline => Some(CharSet::NEWLINE.negated()),
            Op::Any => Some(CharSet::ALL),
            Op::Literal(_)
            | Op::Empty
            | Op::BeginLine
            | Op::EndLine
            | Op::BeginText
            | Op::EndText(_)
            | Op::WordBoundary
            | Op::NotWordBoundary
            | Op::Capture(_)
            | Op::Repeat(_)
            | Op::Concat(_)
            | Op::Alternate(_) => None,
        }
    }

    /// The node between the ends of the text; `None` if that nests too deeply.
    pub(super) fn whole(self) -> Option<Self> {
        let node = Self::new(Op::Concat(vec![
            Self::new(Op::BeginText),
            self,
            Self::new(Op::EndText(true)),
        ]));
        (node.height <= MAX_HEIGHT).then_some(node)
    }

    /// Whether it asks what the characters on both sides of a place are.
    pub(super) fn looks_around(&self) -> bool {
        match &self.op {
            Op::BeginLine | Op::EndLine | Op::WordBoundary | Op::NotWordBoundary => true,
            Op::Capture(body) => body.looks_around(),
            Op::Repeat(repeat) => repeat.body.looks_around(),
            Op::Concat(parts) | Op::Alternate(parts) => parts.iter().any(Self::looks_around),
            Op::Empty
            | Op::Literal(_)
            | Op::Class(..)
            | Op::AnyButNewline
            | Op::Any
            | Op::BeginText
            | Op::EndText(_) => false,
        }
    }

    /// Whether it begins and ends only at the ends of the text, in every alternative.
    pub(super) fn is_anchored(&self) -> bool {
        self.begins_text() && self.ends_text()
    }

    /// Whether every way to match begins at the beginning of the text.
    pub(super) fn begins_text(&self) -> bool {
        match &self.op {
            Op::BeginText => true,
            Op::Capture(body) => body.begins_text(),
            Op::Repeat(repeat) => repeat.times.min() > 0 && repeat.body.begins_text(),
            Op::Concat(parts) => parts
                .iter()
                .find(|part| part.op != Op::Empty)
                .is_some_and(Self::begins_text),
            Op::Alternate(parts) => parts.iter().all(Self::begins_text),
            Op::Empty
            | Op::Literal(_)
            | Op::Class(..)
            | Op::AnyButNewline
            | Op::Any
            | Op::BeginLine
            | Op::EndLine
            | Op::EndText(_)
            | Op::WordBoundary
            | Op::NotWordBoundary => false,
        }
    }

    fn ends_text(&self) -> bool {
        match &self.op {
            Op::EndText(_) => true,
            Op::Capture(body) => body.ends_text(),
            Op::Repeat(repeat) => repeat.times.min() > 0 && repeat.body.ends_text(),
            Op::Concat(parts) => parts
                .iter()
                .rfind(|part| part.op != Op::Empty)
                .is_some_and(Self::ends_text),
            Op::Alternate(parts) => parts.iter().all(Self::ends_text),
            Op::Empty
            | Op::Literal(_)
            | Op::Class(..)
            | Op::AnyButNewline
            | Op::Any
            | Op::BeginLine
            | Op::EndLine
            | Op::BeginText
            | Op::WordBoundary
            | Op::NotWordBoundary => false,
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
