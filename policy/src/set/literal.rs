//! What a pattern's literal text says about one subject, so that most patterns are never compiled.
use super::gram::{BEGIN, END};
use super::required::required_by;
use crate::PathPattern;
use crate::pattern::{Pattern, Shape};

impl Shape {
    /// Whether the pattern matches the subject, as far as its literal text tells; `None` if the pattern has to be asked.
    pub(crate) fn decided(&self, subject: &str) -> Option<bool> {
        match self {
            Self::Exact(texts) => Some(texts.iter().any(|text| text == subject)),
            Self::Prefix { starts, decides } => match starts.iter().any(|start| subject.starts_with(start)) {
                true if !decides => None,
                begins => Some(begins),
            },
            Self::Any => Some(true),
            Self::Other => None,
        }
    }
}

/// The first of these subjects that the pattern matches. The pattern is asked only about subjects that have every text
/// it requires.
pub(crate) fn first_match(pattern: &PathPattern, subjects: &[&'static str]) -> Option<&'static str> {
    if let Some(row) = pattern.row() {
        return subjects.iter().copied().find(|subject| row.is_match(subject));
    }
    let shape = pattern.literal_shape();
    let sets = match shape {
        Shape::Exact(_) | Shape::Any | Shape::Prefix { decides: true, .. } => Vec::new(),
        Shape::Prefix { decides: false, .. } | Shape::Other => required_by(pattern),
    };
    let possible = |subject: &str| {
        let wrapped = format!("{BEGIN}{subject}{END}");
        sets.iter()
            .all(|texts| texts.iter().any(|text| wrapped.contains(text.as_str())))
    };
    let hits = |subject: &&str| {
        shape
            .decided(subject)
            .unwrap_or_else(|| possible(subject) && pattern.is_match(subject))
    };
    subjects.iter().copied().find(hits)
}
