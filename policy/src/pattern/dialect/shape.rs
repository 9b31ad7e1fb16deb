//! What an expression's literal text says about the subjects it can match.
use super::branch::{Branch, Tail, branches};
use super::tree::Node;

/// How every SPIFFE ID begins. A colon stands nowhere else in one.
const SCHEME: &[u8] = b"spiffe://";

/// What an index may conclude from a pattern, over printable-ASCII subjects (for an `IdPattern`: over SPIFFE IDs).
/// Derived from the parsed expression, never from its text. Lists are sorted and free of duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Matches these whole subjects and no others (an empty list: no subject at all).
    Exact(Vec<String>),
    /// Every subject it matches begins with one of `starts` (never an empty text).
    Prefix {
        /// The beginnings; none of them begins with another one.
        starts: Vec<String>,
        /// Whether beginning with one of them is enough (`true`), or `is_match` has to be asked (`false`).
        decides: bool,
    },
    /// Matches every subject.
    Any,
    /// Nothing useful is known: ask `is_match`.
    Other,
}

/// What is known of the subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Printable ASCII.
    Printable,
    /// SPIFFE IDs: `spiffe://` stands at their start and nowhere else.
    SpiffeIds,
}

/// The shape of a parsed expression.
pub(super) fn shape(root: &Node, subjects: Subjects) -> Shape {
    let mut branches = branches(root);
    if subjects == Subjects::SpiffeIds {
        for branch in &mut branches {
            // What begins with the scheme can only match at the start.
            branch.anchored |= branch.text.starts_with(SCHEME);
        }
    }
    if branches.iter().any(|branch| matches_all(branch, subjects)) {
        return Shape::Any;
    }
    if branches.iter().any(|branch| !branch.anchored) {
        return Shape::Other;
    }
    branches.sort_unstable_by(|a, b| a.text.cmp(&b.text));
    if branches.iter().all(|branch| branch.tail == Tail::End) {
        let mut subjects: Vec<String> = branches.iter().map(text).collect();
        subjects.dedup();
        return Shape::Exact(subjects);
    }
    prefix(&branches)
}

/// Whether the branch alone matches whatever the subject is.
fn matches_all(branch: &Branch, subjects: Subjects) -> bool {
    let everywhere = branch.text.is_empty() || (subjects == Subjects::SpiffeIds && SCHEME.starts_with(&branch.text));
    match branch.tail {
        Tail::Open | Tail::Rest => everywhere,
        Tail::End => branch.text.is_empty() && !branch.anchored,
        Tail::Cut => false,
    }
}

/// The branches are sorted by text.
fn prefix(branches: &[Branch]) -> Shape {
    let mut starts: Vec<String> = Vec::new();
    let mut decides = true;
    for same_text in branches.chunk_by(|a, b| a.text == b.text) {
        let Some(first) = same_text.first() else { continue };
        let start = text(first);
        if starts.last().is_some_and(|covering| start.starts_with(covering)) {
            continue;
        }
        starts.push(start);
        decides &= same_text
            .iter()
            .any(|branch| matches!(branch.tail, Tail::Open | Tail::Rest));
    }
    if starts.iter().any(String::is_empty) {
        return Shape::Other;
    }
    Shape::Prefix { starts, decides }
}

fn text(branch: &Branch) -> String {
    branch.text.iter().map(|&b| char::from(b)).collect()
}

#[cfg(test)]
mod tests;
