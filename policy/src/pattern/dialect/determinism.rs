//! Whether an expression is plainly deterministic: while it is matched, there is never more than one place in it to be.
//!
//! That is so for nearly everything people write about identities and paths (`^spiffe://a/ns/[a-z-]+/sa/b$`), and means
//! that no engine can be slow on it. The answer "no" only means that this simple look did not see it.
use super::set::CharSet;
use super::tree::{Node, Op, Repeat};

/// Whether it begins at the beginning of the text and each next character leaves one way to go on.
pub(super) fn is_deterministic(root: &Node) -> bool {
    root.begins_text() && one_way(root, CharSet::EMPTY)
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
}

/// Whether there is one way through the node, when `follow` is what may come behind it.
fn one_way(node: &Node, follow: CharSet) -> bool {
    match &node.op {
        Op::Empty
        | Op::Literal(_)
        | Op::Class(..)
        | Op::AnyButNewline
        | Op::Any
        | Op::BeginText
        | Op::EndText(_)
        | Op::BeginLine
        | Op::EndLine
        | Op::WordBoundary
        | Op::NotWordBoundary => true,
        Op::Capture(body) => one_way(body, follow),
        Op::Repeat(repeat) => one_way_round(repeat, follow),
        Op::Concat(parts) => {
            let mut behind = First {
                set: follow,
                skippable: false,
            };
            parts.iter().rev().all(|part| {
                let fine = one_way(part, behind.set);
                behind = first(part).then(behind);
                fine
            })
        }
        Op::Alternate(parts) => {
            let mut seen = CharSet::EMPTY;
            parts.iter().all(|part| {
                let first = first(part);
                let set = if first.skippable {
                    first.set.union(follow)
                } else {
                    first.set
                };
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
        Op::Empty
        | Op::BeginText
        | Op::EndText(_)
        | Op::BeginLine
        | Op::EndLine
        | Op::WordBoundary
        | Op::NotWordBoundary => First::NOTHING,
        Op::Literal(literal) => First {
            set: literal.set_of(literal.first),
            skippable: false,
        },
        Op::Class(set, _) => First {
            set: *set,
            skippable: false,
        },
        Op::AnyButNewline => First {
            set: CharSet::NEWLINE.negated(),
            skippable: false,
        },
        Op::Any => First {
            set: CharSet::ALL,
            skippable: false,
        },
        Op::Capture(body) => first(body),
        Op::Repeat(repeat) => {
            let body = first(&repeat.body);
            First {
                skippable: body.skippable || repeat.times.min() == 0,
                ..body
            }
        }
        Op::Concat(parts) => parts
            .iter()
            .fold(First::NOTHING, |before, part| before.then(first(part))),
        Op::Alternate(parts) => parts.iter().map(first).fold(
            First {
                set: CharSet::EMPTY,
                skippable: false,
            },
            |all, one| First {
                set: all.set.union(one.set),
                skippable: all.skippable || one.skippable,
            },
        ),
    }
}
