//! From tree to `regex_syntax::hir`: bytes, ASCII, no captures.
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::set::CharSet;
use super::tree::{Assertion, Literal, Node, Op};

/// What the node matches, over ASCII subjects.
pub(super) fn hir(node: &Node) -> Hir {
    match &node.op {
        Op::Empty => Hir::empty(),
        Op::Literal(literal) => literal_hir(literal),
        Op::Class(set, _) => class_hir(*set),
        Op::AnyButNewline => class_hir(CharSet::ALL_BUT_NEWLINE),
        Op::Any => class_hir(CharSet::ALL),
        Op::Assertion(assertion) => Hir::look(look(*assertion)),
        // Whether there is a match does not depend on what is captured.
        Op::Capture(body) => hir(body),
        Op::Repeat(repeat) => Hir::repetition(Repetition {
            min: repeat.times.min(),
            max: repeat.times.max(),
            greedy: !repeat.lazy,
            sub: Box::new(hir(&repeat.body)),
        }),
        Op::Concat(parts) => Hir::concat(parts.iter().map(hir).collect()),
        Op::Alternate(parts) => Hir::alternation(parts.iter().map(hir).collect()),
    }
}

fn literal_hir(literal: &Literal) -> Hir {
    if !literal.fold
        && let Some(bytes) = literal.chars().map(ascii).collect::<Option<Vec<u8>>>()
    {
        return Hir::literal(bytes);
    }
    Hir::concat(literal.chars().map(|c| class_hir(literal.set_of(c))).collect())
}

fn look(assertion: Assertion) -> Look {
    match assertion {
        Assertion::BeginLine => Look::StartLF,
        Assertion::EndLine => Look::EndLF,
        Assertion::BeginText => Look::Start,
        Assertion::EndText => Look::End,
        Assertion::WordBoundary => Look::WordAscii,
        Assertion::NotWordBoundary => Look::WordAsciiNegate,
    }
}

fn class_hir(set: CharSet) -> Hir {
    let ranges = set
        .ranges()
        .into_iter()
        .map(|(low, high)| ClassBytesRange::new(low, high));
    // An empty class matches nothing: what a character beyond ASCII does here.
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}

fn ascii(c: u32) -> Option<u8> {
    u8::try_from(c).ok().filter(u8::is_ascii)
}
