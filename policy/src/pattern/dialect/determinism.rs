//! Whether an expression is plainly deterministic: while it is matched, there is never more than one place in it to be.
//!
//! That is so for nearly everything people write about identities and paths (`^spiffe://a/ns/[a-z-]+/sa/b$`), and means
//! that no engine can be slow on it. The answer "no" only means that this simple look did not see it.
use super::set::CharSet;
use super::tree::{Edge, Node, Op, Repeat};

/// Whether it begins at the beginning of the text and each next character leaves one way to go on.
pub(super) fn is_deterministic(root: &Node) -> bool {
    root.is_anchored_at(Edge::Begin) && one_way(root, CharSet::EMPTY)
}

/// What a node can begin with, and whether it can be skipped.
#[derive(Clone, Copy)]
struct First {
    set: CharSet,
    skippable: bool,
}

impl First {
    const NOTHING: Self = Self {
        set: CharSet::EMPTY,
        skippable: true,
    };

    /// One of these characters, whatever follows.
    fn one_of(set: CharSet) -> Self {
        Self { set, skippable: false }
    }

    fn then(self, next: Self) -> Self {
        if self.skippable {
            Self {
                set: self.set.union(next.set),
                skippable: next.skippable,
            }
        } else {
            self
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            set: self.set.union(other.set),
            skippable: self.skippable || other.skippable,
        }
    }
}

/// Whether there is one way through the node, when `follow` is what may come behind it.
fn one_way(node: &Node, follow: CharSet) -> bool {
    match &node.op {
        Op::Empty | Op::Literal(_) | Op::Class(..) | Op::AnyButNewline | Op::Any | Op::Assertion(_) => true,
        Op::Capture(body) => one_way(body, follow),
        Op::Repeat(repeat) => one_way_round(repeat, follow),
        Op::Concat(parts) => {
            let mut behind = First::one_of(follow);
            parts.iter().rev().all(|part| {
                let fine = one_way(part, behind.set);
                behind = first(part).then(behind);
                fine
            })
        }
        Op::Alternate(parts) => {
            let behind = First::one_of(follow);
            let mut seen = CharSet::EMPTY;
            parts.iter().all(|part| {
                let set = first(part).then(behind).set;
                let fine = !seen.meets(set) && one_way(part, follow);
                seen = seen.union(set);
                fine
            })
        }
    }
}

/// A round more or going on has to show at the next character.
fn one_way_round(repeat: &Repeat, follow: CharSet) -> bool {
    let body = first(&repeat.body);
    let (min, max) = (repeat.times.min(), repeat.times.max());
    let again = max != Some(1);
    let inside = if again { follow.union(body.set) } else { follow };
    let choice = max != Some(min);
    let unclear = body.skippable || choice && body.set.meets(follow);
    !unclear && one_way(&repeat.body, inside)
}

fn first(node: &Node) -> First {
    match &node.op {
        Op::Empty | Op::Assertion(_) => First::NOTHING,
        Op::Literal(literal) => First::one_of(literal.set_of(literal.first)),
        Op::Class(set, _) => First::one_of(*set),
        Op::AnyButNewline => First::one_of(CharSet::ALL_BUT_NEWLINE),
        Op::Any => First::one_of(CharSet::ALL),
        Op::Capture(body) => first(body),
        Op::Repeat(repeat) => {
            let body = first(&repeat.body);
            First {
                skippable: body.skippable || repeat.times.min() == 0,
                ..body
            }
        }
        Op::Concat(parts) => parts.iter().map(first).fold(First::NOTHING, First::then),
        Op::Alternate(parts) => parts.iter().map(first).fold(First::one_of(CharSet::EMPTY), First::or),
    }
}
