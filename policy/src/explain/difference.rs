//! A pattern beside a subject that it does not match.
use std::cmp::Reverse;

use crate::pattern::Shape;

/// How a pattern differs from a subject that it does not match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Bytes at the beginning of the subject that agree with the pattern's nearest literal text.
    pub common: usize,
    /// What that text has where the two first differ, to its end; empty when the subject is longer than all the pattern
    /// allows. `None` when literal text does not tell: all of it agrees, or there is none.
    pub wanted: Option<String>,
}

impl Difference {
    /// The first character that differs, counted from 1, where that has a meaning.
    pub fn position(&self) -> Option<usize> {
        self.wanted.as_ref().map(|_| self.common + 1)
    }
}

/// What the literal text of a pattern says about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The pattern matches.
    Match,
    /// It does not, and this is how they differ.
    Differs(Difference),
    /// The pattern has to be asked; so much of the beginning agrees.
    Undecided {
        /// Bytes.
        common: usize,
    },
}

impl Compared {
    /// Whether it is known if the pattern matches.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Match | Self::Differs(_) => true,
            Self::Undecided { .. } => false,
        }
    }
}

/// Compares, as far as literal text goes.
pub(super) fn compared(shape: &Shape, subject: &str) -> Compared {
    match shape.decided(subject) {
        Some(true) => Compared::Match,
        Some(false) => Compared::Differs(nearest(texts(shape), subject)),
        None => Compared::Undecided {
            common: agreeing(texts(shape), subject),
        },
    }
}

/// How a subject differs from the text that agrees with it longest.
fn nearest(texts: &[String], subject: &str) -> Difference {
    let nearest = texts
        .iter()
        .max_by_key(|text| (common(text, subject), Reverse(text.len())));
    let Some(text) = nearest else {
        return Difference::default();
    };
    let common = common(text, subject);
    Difference {
        common,
        wanted: text.get(common..).map(str::to_owned),
    }
}

/// How long the longest text is that the subject begins with.
fn agreeing(texts: &[String], subject: &str) -> usize {
    let begun = texts.iter().filter(|text| subject.starts_with(text.as_str()));
    begun.map(String::len).max().unwrap_or_default()
}

fn texts(shape: &Shape) -> &[String] {
    match shape {
        Shape::Exact(texts) => texts,
        Shape::Prefix { starts, .. } => starts,
        Shape::Any | Shape::Other => &[],
    }
}

/// Bytes that two texts have in common at their beginnings. A subject is ASCII, so the end is between characters.
fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}
