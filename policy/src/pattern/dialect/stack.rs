//! The stack of what was parsed so far, and how it collapses.
//!
//! Collapsing merges what Go merges (adjacent literals, alternatives of one character, common beginnings), because
//! Go's nesting limit counts the levels that are left.
use super::factor::factored;
use super::set::CharSet;
use super::syntax_error::SyntaxFault;
use super::tree::{Literal, MAX_HEIGHT, Node, OneChar, Op};

/// Expressions, and the marks between them.
#[derive(Debug, Default)]
pub(super) struct Stack<F> {
    items: Vec<Item<F>>,
}

#[derive(Debug)]
enum Item<F> {
    Node(Node),
    /// A `(`: whether it captures, and what has to be restored at its `)`.
    Open {
        captures: bool,
        restore: F,
    },
    /// A `|`: the nodes directly below it are alternatives.
    Bar,
}

impl<F> Stack<F> {
    pub(super) fn new() -> Self {
        Self { items: Vec::new() }
    }

    pub(super) fn open(&mut self, captures: bool, restore: F) {
        self.join_literals();
        self.items.push(Item::Open { captures, restore });
    }

    pub(super) fn literal(&mut self, c: u32, fold: bool) -> Result<(), SyntaxFault> {
        self.op(Op::Literal(Literal::new(c, fold)))
    }

    /// A class, or the literal that says the same.
    pub(super) fn class(&mut self, set: CharSet, fold: bool) -> Result<(), SyntaxFault> {
        if let Some(c) = set.single() {
            self.literal(c, false)
        } else if let Some(c) = set.cased_letter() {
            self.literal(c, true)
        } else {
            self.op(Op::Class(set, fold))
        }
    }

    pub(super) fn op(&mut self, op: Op) -> Result<(), SyntaxFault> {
        self.push(Node::new(op))
    }

    /// Puts `wrap` around the last node; `None` if a mark or nothing is there.
    pub(super) fn wrap_last(&mut self, wrap: impl FnOnce(Box<Node>) -> Op) -> Option<Result<&Node, SyntaxFault>> {
        match self.items.pop() {
            Some(Item::Node(last)) => {
                let node = Node::new(wrap(Box::new(last)));
                if node.height > MAX_HEIGHT {
                    return Some(Err(SyntaxFault::NestingDepth));
                }
                self.items.push(Item::Node(node));
                self.last().map(Ok)
            }
            Some(mark @ (Item::Open { .. } | Item::Bar)) => {
                self.items.push(mark);
                None
            }
            None => None,
        }
    }

    /// A `|`.
    pub(super) fn bar(&mut self) -> Result<(), SyntaxFault> {
        self.concat()?;
        if !self.swap_bar() {
            self.join_literals();
            self.items.push(Item::Bar);
        }
        Ok(())
    }

    /// A `)`: returns what its `(` told to restore; `None` if nothing was open.
    pub(super) fn close(&mut self) -> Result<Option<F>, SyntaxFault> {
        self.finish_alternatives()?;
        let Some(Item::Node(body)) = self.items.pop() else {
            return Ok(None);
        };
        let Some(Item::Open { captures, restore }) = self.items.pop() else {
            return Ok(None);
        };
        if captures {
            self.op(Op::Capture(Box::new(body)))?;
        } else {
            self.push(body)?;
        }
        Ok(Some(restore))
    }

    /// The whole expression; `None` if something is still open.
    pub(super) fn finish(mut self) -> Result<Option<Node>, SyntaxFault> {
        self.finish_alternatives()?;
        let node = self.items.pop();
        match (node, self.items.is_empty()) {
            (Some(Item::Node(node)), true) => Ok(Some(node)),
            (Some(Item::Node(_) | Item::Open { .. } | Item::Bar) | None, _) => Ok(None),
        }
    }

    fn last(&self) -> Option<&Node> {
        match self.items.last() {
            Some(Item::Node(node)) => Some(node),
            Some(Item::Open { .. } | Item::Bar) | None => None,
        }
    }

    fn push(&mut self, node: Node) -> Result<(), SyntaxFault> {
        self.join_literals();
        if node.height > MAX_HEIGHT {
            return Err(SyntaxFault::NestingDepth);
        }
        self.items.push(Item::Node(node));
        Ok(())
    }

    /// Joins the last two literals. Done before each push, so that the last character stays alone until it is certain
    /// that no repetition follows.
    fn join_literals(&mut self) {
        let [
            ..,
            Item::Node(Node {
                op: Op::Literal(run), ..
            }),
            Item::Node(Node {
                op: Op::Literal(last), ..
            }),
        ] = self.items.as_mut_slice()
        else {
            return;
        };
        if run.fold == last.fold {
            run.join(last);
            self.items.pop();
        }
    }

    fn concat(&mut self) -> Result<(), SyntaxFault> {
        self.join_literals();
        let parts = self.pop_nodes();
        self.push(concatenated(parts))
    }

    fn finish_alternatives(&mut self) -> Result<(), SyntaxFault> {
        self.concat()?;
        if self.swap_bar() {
            self.items.pop();
        }
        let parts = self.pop_nodes();
        self.push(alternated(parts))
    }

    fn pop_nodes(&mut self) -> Vec<Node> {
        let from = self
            .items
            .iter()
            .rposition(|item| !matches!(item, Item::Node(_)))
            .map_or(0, |mark| mark + 1);
        let nodes = self.items.drain(from..);
        nodes
            .filter_map(|item| match item {
                Item::Node(node) => Some(node),
                Item::Open { .. } | Item::Bar => None,
            })
            .collect()
    }

    /// If the last item is a node above a bar: brings the node below the bar, merging it with the alternative there if
    /// both are one character wide.
    fn swap_bar(&mut self) -> bool {
        if !matches!(self.items.as_slice(), [.., Item::Bar, Item::Node(_)]) {
            return false;
        }
        if let [.., Item::Node(below), Item::Bar, Item::Node(above)] = self.items.as_mut_slice()
            && let Some(merged) = merged(below, above)
        {
            *below = merged;
            self.items.pop();
            return true;
        }
        let last = self.items.len().saturating_sub(1);
        self.items.swap(last.saturating_sub(1), last);
        true
    }
}

/// The parts one behind the other; a concatenation among them gives its own parts.
pub(super) fn concatenated(parts: Vec<Node>) -> Node {
    let flat = flattened(parts, |op| match op {
        Op::Concat(inner) => Ok(inner),
        other => Err(other),
    });
    Node::of_parts(flat, Op::Concat)
}

/// The parts as alternatives, factored; an alternation among them gives its own parts.
pub(super) fn alternated(parts: Vec<Node>) -> Node {
    let flat = flattened(parts, |op| match op {
        Op::Alternate(inner) => Ok(inner),
        other => Err(other),
    });
    Node::of_parts(factored(flat), Op::Alternate)
}

fn flattened(parts: Vec<Node>, inner: impl Fn(Op) -> Result<Vec<Node>, Op>) -> Vec<Node> {
    if parts.len() < 2 {
        return parts;
    }
    let mut flat = Vec::with_capacity(parts.len());
    for Node { op, height } in parts {
        match inner(op) {
            Ok(parts) => flat.extend(parts),
            Err(op) => flat.push(Node { op, height }),
        }
    }
    flat
}

/// One node for two alternatives of one character each.
pub(super) fn merged(a: &Node, b: &Node) -> Option<Node> {
    let (first, second) = (a.one_char()?, b.one_char()?);
    // Go keeps the more complex form of the two (of equals the first), and the flag that this was written under.
    let fold = match (first, second) {
        (OneChar::Literal(_), OneChar::Literal(_)) if a.op == b.op => return Some(a.clone()),
        (OneChar::Literal(literal), OneChar::Literal(_)) => literal.fold,
        (OneChar::Class(_, fold), OneChar::Literal(_) | OneChar::Class(..))
        | (OneChar::Literal(_), OneChar::Class(_, fold)) => fold,
        (OneChar::AnyButNewline | OneChar::Any, _) | (_, OneChar::AnyButNewline | OneChar::Any) => false,
    };
    Some(Node::new(class_or_any(first.set().union(second.set()), fold)))
}

fn class_or_any(set: CharSet, fold: bool) -> Op {
    if set == CharSet::ALL {
        Op::Any
    } else if set == CharSet::ALL_BUT_NEWLINE {
        Op::AnyButNewline
    } else {
        Op::Class(set, fold)
    }
}
