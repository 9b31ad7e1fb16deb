//! An expression that is one row of texts and runs of characters: most of what people write about identities and paths.
//!
//! `^services/[a-z]+/[0-9]+$` is a text, a run of letters, a slash, a run of digits, the end. A row is read off the parsed
//! expression without compiling anything, and it lies in one piece of a few dozen bytes, mostly inside the policy list
//! that asks it: a decision among 100,000 patterns then hardly waits for memory, where the states of a DFA are scattered.
//!
//! Only deterministic expressions become rows, so each step takes as much as it can and never has to give back.
use super::determinism::is_deterministic;
use super::set::CharSet;
use super::tree::{Assertion, Literal, Node, Op, Repeat};
use crate::in_place::Bytes;

/// A row: its steps, encoded one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(Bytes<46>);

/// An encoded row of more bytes is not worth it.
const MOST: usize = 1024;

/// A step's first byte. A text: its length, its bytes.
const TEXT: u8 = 0;
/// A run of characters: the fewest, the most ([`NO_LIMIT`]), how many ranges the set has, then the first and last
/// character of each.
const RUN: u8 = 1;
/// One of several texts: how many, then each as its length and its bytes.
const CHOICE: u8 = 2;
/// The end of the subject.
const END: u8 = 3;

const NO_LIMIT: u16 = u16::MAX;

impl Row {
    /// The expression as a row; `None` if it is none.
    pub(super) fn of(root: &Node) -> Option<Self> {
        if !is_deterministic(root) {
            return None;
        }
        let mut steps = Steps::default();
        steps.node(root)?;
        (steps.bytes.len() <= MOST).then(|| Self(steps.bytes.as_slice().into()))
    }

    /// Whether it matches the subject (ASCII).
    pub(crate) fn is_match(&self, subject: &str) -> bool {
        walk(self.0.as_slice(), subject.as_bytes()).unwrap_or(false)
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }
}

/// Takes the steps one by one. `None` for steps that [`Steps`] never writes.
fn walk(mut steps: &[u8], mut rest: &[u8]) -> Option<bool> {
    while let Some((&kind, more)) = steps.split_first() {
        let (left, behind) = match kind {
            TEXT => {
                let (text, behind) = sized(more)?;
                (rest.strip_prefix(text), behind)
            }
            RUN => run(more, rest)?,
            CHOICE => choice(more, rest)?,
            _ => (rest.is_empty().then_some(rest), more),
        };
        let Some(left) = left else { return Some(false) };
        (steps, rest) = (behind, left);
    }
    Some(true)
}

/// What is left of a subject behind a step, if it fits; and the steps behind it.
type Taken<'r, 's> = (Option<&'s [u8]>, &'r [u8]);

fn run<'r, 's>(step: &'r [u8], rest: &'s [u8]) -> Option<Taken<'r, 's>> {
    let (&[least_low, least_high, most_low, most_high], step) = step.split_first_chunk()?;
    let (&ranges, step) = step.split_first()?;
    let (ranges, behind) = step.split_at_checked(2 * usize::from(ranges))?;
    let (ranges, _) = ranges.as_chunks::<2>();
    let least = usize::from(u16::from_le_bytes([least_low, least_high]));
    let most = match u16::from_le_bytes([most_low, most_high]) {
        NO_LIMIT => usize::MAX,
        most => usize::from(most),
    };
    let has = |byte: u8| ranges.iter().any(|[first, last]| (*first..=*last).contains(&byte));
    let length = rest.iter().take(most).take_while(|byte| has(**byte)).count();
    let left = if length < least { None } else { rest.get(length..) };
    Some((left, behind))
}

/// The ranges of a set, in order.
fn ranges(set: u128) -> impl Iterator<Item = [u8; 2]> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next + set.checked_shr(next).filter(|rest| *rest != 0)?.trailing_zeros();
        next = first + (set >> first).trailing_ones();
        Some([u8::try_from(first).ok()?, u8::try_from(next - 1).ok()?])
    })
}

fn choice<'r, 's>(step: &'r [u8], rest: &'s [u8]) -> Option<Taken<'r, 's>> {
    let (&count, mut step) = step.split_first()?;
    let mut left = None;
    for _ in 0..count {
        let (text, behind) = sized(step)?;
        left = left.or_else(|| rest.strip_prefix(text));
        step = behind;
    }
    Some((left, step))
}

/// A text behind its length.
fn sized(step: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, step) = step.split_first()?;
    step.split_at_checked(usize::from(length))
}

/// Writes a row.
#[derive(Default)]
struct Steps {
    bytes: Vec<u8>,
    /// Where the length of the text stands that was written last, if nothing else was written since.
    text_at: Option<usize>,
}

impl Steps {
    fn node(&mut self, node: &Node) -> Option<()> {
        match &node.op {
            Op::Empty => Some(()),
            Op::Assertion(Assertion::BeginText) => self.bytes.is_empty().then_some(()),
            Op::Assertion(Assertion::EndText) => {
                self.step(END);
                Some(())
            }
            Op::Literal(literal) => self.literal(literal),
            Op::Class(..) | Op::Any | Op::AnyButNewline => self.run(node.as_set()?, 1, Some(1)),
            Op::Capture(body) => self.node(body),
            Op::Repeat(repeat) => self.repeat(repeat),
            Op::Concat(parts) => parts.iter().try_for_each(|part| self.node(part)),
            Op::Alternate(parts) => self.choice(parts),
            Op::Assertion(
                Assertion::BeginLine | Assertion::EndLine | Assertion::WordBoundary | Assertion::NotWordBoundary,
            ) => None,
        }
    }

    fn step(&mut self, kind: u8) {
        self.text_at = None;
        self.bytes.push(kind);
    }

    fn literal(&mut self, literal: &Literal) -> Option<()> {
        if let Some(text) = plain(literal) {
            for byte in text {
                self.byte(byte);
            }
            return Some(());
        }
        let mut chars = literal.chars();
        chars.try_for_each(|c| self.run(literal.set_of(c), 1, Some(1)))
    }

    /// One byte more of the text that is being written, or the first of a new one.
    fn byte(&mut self, byte: u8) {
        let length = self.text_at.and_then(|at| self.bytes.get_mut(at));
        if let Some(length) = length.filter(|length| **length < u8::MAX) {
            *length += 1;
        } else {
            self.step(TEXT);
            self.text_at = Some(self.bytes.len());
            self.bytes.push(1);
        }
        self.bytes.push(byte);
    }

    fn run(&mut self, set: CharSet, least: u32, most: Option<u32>) -> Option<()> {
        let most = match most {
            Some(most) => u16::try_from(most).ok().filter(|most| *most != NO_LIMIT)?,
            None => NO_LIMIT,
        };
        self.step(RUN);
        self.bytes.extend_from_slice(&u16::try_from(least).ok()?.to_le_bytes());
        self.bytes.extend_from_slice(&most.to_le_bytes());
        // At most 64 of them.
        self.bytes.push(u8::try_from(ranges(set.ascii()).count()).ok()?);
        self.bytes.extend(ranges(set.ascii()).flatten());
        Some(())
    }

    fn repeat(&mut self, repeat: &Repeat) -> Option<()> {
        let mut body = repeat.body.as_ref();
        while let Op::Capture(inner) = &body.op {
            body = inner;
        }
        self.run(body.as_set()?, repeat.times.min(), repeat.times.max())
    }

    fn choice(&mut self, parts: &[Node]) -> Option<()> {
        self.step(CHOICE);
        self.bytes.push(u8::try_from(parts.len()).ok()?);
        for part in parts {
            let Op::Literal(literal) = &part.op else { return None };
            let text = plain(literal)?;
            self.bytes.push(u8::try_from(text.len()).ok()?);
            self.bytes.extend_from_slice(&text);
        }
        Some(())
    }
}

/// The bytes of a literal of ASCII whose case counts.
fn plain(literal: &Literal) -> Option<Vec<u8>> {
    let byte = |c| u8::try_from(c).ok().filter(u8::is_ascii);
    if literal.fold {
        None
    } else {
        literal.chars().map(byte).collect()
    }
}

#[cfg(test)]
mod tests;
