//! How large a program an expression becomes, before it is compiled.
use super::tree::{Node, Op, Times};

/// Instructions of Go's program, as Go counts them when it limits the size.
pub(super) fn instructions(node: &Node) -> u64 {
    let count = match &node.op {
        Op::Literal(literal) => literal.rest.len() as u64 + 1,
        Op::Capture(body) => 2 + instructions(body),
        Op::Repeat(repeat) => {
            let body = instructions(&repeat.body);
            match repeat.times {
                Times::Star | Times::Counted(0, None) => 2 + body,
                Times::Plus | Times::Quest => 1 + body,
                Times::Counted(min, None) => 1 + u64::from(min) * body,
                Times::Counted(min, Some(max)) => u64::from(max) * body + u64::from(max - min),
            }
        }
        Op::Concat(parts) => parts.iter().map(instructions).sum(),
        Op::Alternate(parts) => parts.iter().map(|part| 1 + instructions(part)).sum(),
        Op::Empty | Op::Class(..) | Op::AnyButNewline | Op::Any | Op::Assertion(_) => 1,
    };
    count.max(1)
}
