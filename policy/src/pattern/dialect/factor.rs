//! Common beginnings of alternatives, taken out as Go takes them out: `abc|abd` becomes `ab[cd]`.
use super::stack::{alternated, merged};
use super::tree::{Literal, Node, Op, Repeat, Times};

/// The alternatives with their common beginnings taken out.
pub(super) fn factored(alternatives: Vec<Node>) -> Vec<Node> {
    if alternatives.len() < 2 {
        return alternatives;
    }
    let alternatives = by_literal(alternatives);
    let alternatives = by_first_part(alternatives);
    let mut alternatives = merge_neighbours(alternatives);
    alternatives.dedup_by(|next, before| next.op == Op::Empty && before.op == Op::Empty);
    alternatives
}

/// Neighbours that begin with the same characters.
fn by_literal(alternatives: Vec<Node>) -> Vec<Node> {
    let mut out = Vec::with_capacity(alternatives.len());
    let mut run: Vec<Node> = Vec::new();
    let mut common: Vec<u32> = Vec::new();
    let mut fold = false;
    for node in alternatives {
        let (lead, lead_fold) = leading_literal(&node);
        let same = common.iter().zip(&lead).take_while(|(a, b)| a == b).count();
        if lead_fold == fold && same > 0 {
            common.truncate(same);
        } else {
            finish_literal_run(&mut out, std::mem::take(&mut run), &common, fold);
            (common, fold) = (lead, lead_fold);
        }
        run.push(node);
    }
    finish_literal_run(&mut out, run, &common, fold);
    out
}

fn finish_literal_run(out: &mut Vec<Node>, run: Vec<Node>, common: &[u32], fold: bool) {
    let (Some((&first, rest)), true) = (common.split_first(), run.len() > 1) else {
        out.extend(run);
        return;
    };
    let prefix = Node::new(Op::Literal(Literal {
        first,
        rest: rest.to_vec(),
        fold,
    }));
    let suffixes = run
        .into_iter()
        .map(|node| without_literal(node, common.len()))
        .collect();
    out.push(Node::new(Op::Concat(vec![prefix, alternated(suffixes)])));
}

/// Neighbours that begin with the same class, or the same fixed repetition of one.
fn by_first_part(alternatives: Vec<Node>) -> Vec<Node> {
    let mut out = Vec::with_capacity(alternatives.len());
    let mut run: Vec<Node> = Vec::new();
    let mut common: Option<Node> = None;
    for node in alternatives {
        let lead = leading_class(&node);
        if common.is_none() || lead != common {
            finish_class_run(&mut out, std::mem::take(&mut run), common.take());
            common = lead;
        }
        run.push(node);
    }
    finish_class_run(&mut out, run, common);
    out
}

fn finish_class_run(out: &mut Vec<Node>, run: Vec<Node>, common: Option<Node>) {
    let (Some(prefix), true) = (common, run.len() > 1) else {
        out.extend(run);
        return;
    };
    let suffixes = run.into_iter().map(without_first_part).collect();
    out.push(Node::new(Op::Concat(vec![prefix, alternated(suffixes)])));
}

/// Neighbours of one character each become one class.
fn merge_neighbours(alternatives: Vec<Node>) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::with_capacity(alternatives.len());
    for node in alternatives {
        match out.last_mut() {
            Some(before) => match merged(before, &node) {
                Some(both) => *before = both,
                None => out.push(node),
            },
            None => out.push(node),
        }
    }
    out
}

fn leading_literal(node: &Node) -> (Vec<u32>, bool) {
    if let Op::Literal(literal) = &first_part(node).op {
        (literal.chars().collect(), literal.fold)
    } else {
        (Vec::new(), false)
    }
}

fn leading_class(node: &Node) -> Option<Node> {
    let lead = first_part(node);
    let fixed = if let Op::Repeat(Repeat {
        times: Times::Counted(min, max),
        body,
        ..
    }) = &lead.op
    {
        *max == Some(*min) && body.as_set().is_some()
    } else {
        false
    };
    (fixed || lead.as_set().is_some()).then(|| lead.clone())
}

fn first_part(node: &Node) -> &Node {
    if let Op::Concat(parts) = &node.op {
        parts.first().unwrap_or(node)
    } else {
        node
    }
}

fn without_literal(node: Node, count: usize) -> Node {
    match node.op {
        Op::Concat(mut parts) => {
            if let Some(first) = parts.first_mut() {
                let lead = std::mem::replace(first, Node::new(Op::Empty));
                *first = without_literal(lead, count);
            }
            if parts.first().is_some_and(|first| first.op == Op::Empty) {
                parts.remove(0);
            }
            Node::of_parts(parts, Op::Concat)
        }
        Op::Literal(literal) => {
            let mut rest = literal.chars().skip(count);
            match rest.next() {
                Some(first) => {
                    let rest = rest.collect();
                    Node::new(Op::Literal(Literal {
                        first,
                        rest,
                        fold: literal.fold,
                    }))
                }
                None => Node::new(Op::Empty),
            }
        }
        op => Node {
            op,
            height: node.height,
        },
    }
}

fn without_first_part(node: Node) -> Node {
    let Op::Concat(mut parts) = node.op else {
        return Node::new(Op::Empty);
    };
    if !parts.is_empty() {
        parts.remove(0);
    }
    Node::of_parts(parts, Op::Concat)
}
