//! The literal beginnings of the ways in which an expression can match.
use super::set::CharSet;
use super::tree::{Assertion, Literal, Node, Op, Repeat};

/// More branches than this are not told apart.
const MAX_BRANCHES: usize = 256;
/// A literal longer than this is not followed: no subject is.
const MAX_LENGTH: usize = 2048;
/// A class of more members is not spelled out.
const MAX_MEMBERS: u32 = 8;
/// Copies of a repetition that are spelled out.
const MAX_COPIES: u32 = 16;
/// Steps of one walk: bounds the work for nested repetitions of nothing.
const FUEL: u32 = 4_000;

/// One way to match, as far as it is literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) text: Vec<u8>,
    /// Whether it begins at the beginning of the subject.
    pub(super) anchored: bool,
    pub(super) tail: Tail,
}

/// What follows the literal text of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing (so far): the text is all of it.
    Open,
    /// The end of the subject.
    End,
    /// Anything at all, to the end of the subject.
    Rest,
    /// Something that is not literal: the branch says no more than how a match begins.
    Cut,
}

/// Every way in which the expression can match. Without [`Tail::Cut`] a branch is exact, with it a necessary beginning.
pub(super) fn branches(root: &Node) -> Vec<Branch> {
    let start = Branch {
        text: Vec::new(),
        anchored: false,
        tail: Tail::Open,
    };
    Walk { fuel: FUEL }.extend(vec![start], root)
}

struct Walk {
    fuel: u32,
}

impl Walk {
    fn extend(&mut self, before: Vec<Branch>, node: &Node) -> Vec<Branch> {
        if before.iter().all(|branch| branch.tail == Tail::Cut) {
            return before;
        }
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 {
            return cut(before);
        }
        match &node.op {
            Op::Empty => before,
            Op::Literal(literal) => extend_literal(before, literal),
            Op::Class(set, _) => extend_set(before, *set),
            Op::Any => extend_set(before, CharSet::ALL),
            Op::AnyButNewline => extend_set(before, CharSet::ALL_BUT_NEWLINE),
            Op::Assertion(Assertion::BeginText) => before.into_iter().map(begin).collect(),
            Op::Assertion(Assertion::EndText) => before.into_iter().map(end).collect(),
            Op::Assertion(
                Assertion::BeginLine | Assertion::EndLine | Assertion::WordBoundary | Assertion::NotWordBoundary,
            ) => cut(before),
            Op::Capture(body) => self.extend(before, body),
            Op::Repeat(repeat) => self.extend_repeat(before, repeat),
            Op::Concat(parts) => parts.iter().fold(before, |before, part| self.extend(before, part)),
            Op::Alternate(parts) => self.extend_alternatives(before, parts),
        }
    }

    fn extend_repeat(&mut self, before: Vec<Branch>, repeat: &Repeat) -> Vec<Branch> {
        let (min, max) = (repeat.times.min(), repeat.times.max());
        if min == 0 && max.is_none() && repeat.body.as_set().is_some_and(CharSet::has_all_printable) {
            return before.into_iter().map(rest).collect();
        }
        if max == Some(0) {
            return before;
        }
        let copies = min.min(MAX_COPIES);
        let mut after = before;
        for _ in 0..copies {
            after = self.extend(after, &repeat.body);
        }
        if copies < min {
            return cut(after);
        }
        match max {
            Some(max) if max == min => after,
            Some(max) if max == min + 1 => {
                let more = self.extend(after.clone(), &repeat.body);
                both(after, more)
            }
            Some(_) | None => {
                let more = cut(after.clone());
                both(after, more)
            }
        }
    }

    fn extend_alternatives(&mut self, before: Vec<Branch>, parts: &[Node]) -> Vec<Branch> {
        let mut after = Vec::new();
        for part in parts {
            after.extend(self.extend(before.clone(), part));
            if after.len() > MAX_BRANCHES {
                return cut(before);
            }
        }
        after
    }
}

fn extend_literal(before: Vec<Branch>, literal: &Literal) -> Vec<Branch> {
    let plain = |c: u32| u8::try_from(c).ok().filter(|b| matches!(b, b' '..=b'~'));
    let text: Option<Vec<u8>> = if literal.fold {
        None
    } else {
        literal.chars().map(plain).collect()
    };
    match text {
        // The usual case, and no other outcome than one character at a time.
        Some(text) if before.iter().all(|branch| branch.text.len() + text.len() < MAX_LENGTH) => {
            before.into_iter().map(|branch| lengthened(branch, &text)).collect()
        }
        Some(_) | None => literal
            .chars()
            .fold(before, |before, c| extend_set(before, literal.set_of(c))),
    }
}

fn lengthened(mut branch: Branch, text: &[u8]) -> Branch {
    match branch.tail {
        Tail::Open => branch.text.extend_from_slice(text),
        Tail::End | Tail::Rest | Tail::Cut => branch.tail = Tail::Cut,
    }
    branch
}

fn extend_set(before: Vec<Branch>, set: CharSet) -> Vec<Branch> {
    let members = set.printable();
    let open = before.iter().filter(|branch| branch.tail == Tail::Open).count();
    if members.count_ones() > MAX_MEMBERS || open * members.count_ones() as usize + before.len() > 2 * MAX_BRANCHES {
        return cut(before);
    }
    let mut after = Vec::with_capacity(before.len());
    for mut branch in before {
        match branch.tail {
            Tail::Open if members.is_power_of_two() && branch.text.len() < MAX_LENGTH => {
                branch.text.extend(bytes(members));
                after.push(branch);
            }
            Tail::Open if branch.text.len() < MAX_LENGTH => after.extend(bytes(members).map(|b| {
                let mut longer = branch.clone();
                longer.text.push(b);
                longer
            })),
            Tail::Cut => after.push(branch),
            Tail::Open | Tail::End | Tail::Rest => after.push(Branch {
                tail: Tail::Cut,
                ..branch
            }),
        }
    }
    after
}

fn bytes(mut members: u128) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let lowest = u8::try_from(members.trailing_zeros()).ok().filter(u8::is_ascii)?;
        members &= members - 1;
        Some(lowest)
    })
}

fn begin(mut branch: Branch) -> Branch {
    match branch.tail {
        Tail::Open if branch.text.is_empty() => branch.anchored = true,
        Tail::Open | Tail::End | Tail::Rest | Tail::Cut => branch.tail = Tail::Cut,
    }
    branch
}

fn end(mut branch: Branch) -> Branch {
    if branch.tail == Tail::Open {
        branch.tail = Tail::End;
    }
    branch
}

fn rest(mut branch: Branch) -> Branch {
    if branch.tail == Tail::Open {
        branch.tail = Tail::Rest;
    }
    branch
}

fn cut(mut branches: Vec<Branch>) -> Vec<Branch> {
    for branch in &mut branches {
        branch.tail = Tail::Cut;
    }
    branches
}

fn both(mut some: Vec<Branch>, more: Vec<Branch>) -> Vec<Branch> {
    if some.len() + more.len() > MAX_BRANCHES {
        return cut(some);
    }
    some.extend(more);
    some
}
