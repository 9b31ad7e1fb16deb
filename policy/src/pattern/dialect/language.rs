//! An expression as a whole: the subjects it matches, compared with those of another one.
//!
//! What [`super::Program`] answers for one subject, this answers for all of them, by walking the states of the DFAs side
//! by side. It costs milliseconds, so it is for advice about policies and never for a decision.
use std::array;
use std::collections::{HashMap, HashSet};

use regex_automata::Input;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;

use super::engine;
use super::hir::hir;
use super::parser::parse;

/// A whole DFA.
type Dfa = dense::DFA<Vec<u32>>;

/// Combinations of states that are looked at to answer one question.
const MOST_COMBINATIONS: usize = 10_000;

/// The subjects that an expression matches.
pub(crate) struct Language {
    dfa: Dfa,
}

/// What a search over all subjects found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A shortest such subject.
    Subject(String),
    /// There is none.
    Nothing,
    /// There are too many combinations to look at.
    Unknown,
}

impl Language {
    /// Of an expression; `None` if it does not parse or its DFA is large.
    pub(super) fn of(text: &str) -> Option<Self> {
        let parsed = parse(text).ok()?;
        engine::whole_table(&hir(&parsed.root)).map(|dfa| Self { dfa })
    }

    /// A subject that both match.
    pub(crate) fn common(&self, legal: &Self) -> Found {
        search([(self, true), (legal, true)])
    }

    /// A legal subject that this one matches and the other does not. [`Found::Nothing`]: the other matches all of them.
    pub(crate) fn beyond(&self, other: &Self, legal: &Self) -> Found {
        search([(self, true), (other, false), (legal, true)])
    }
}

/// How far one DFA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// It has matched, and whatever comes does not change that: a search is not anchored at its end.
    Matched,
    At(StateID),
}

/// A shortest subject that each of the languages matches, or does not match, as it says. Breadth first.
fn search<const N: usize>(wanted: [(&Language, bool); N]) -> Found {
    let dfas = wanted.map(|(language, _)| &language.dfa);
    let Some(start) = start(dfas) else {
        return Found::Unknown;
    };
    let letters = letters(dfas);
    let mut reached = Reached::from(start);
    let mut at = 0;
    while let Some(places) = reached.places(at) {
        let ends: [bool; N] = array::from_fn(|i| dfas.get(i).zip(places.get(i)).is_some_and(|(d, p)| p.ends(d)));
        if wanted.iter().zip(ends).all(|((_, wanted), ends)| *wanted == ends) {
            return Found::Subject(reached.subject(at));
        }
        for &letter in &letters {
            let mut next = places;
            for (place, dfa) in next.iter_mut().zip(dfas) {
                *place = place.after(dfa, letter);
            }
            let in_vain = (0..N).any(|i| match (wanted.get(i), next.get(i), dfas.get(i)) {
                (Some((_, true)), Some(place), Some(dfa)) => place.is_dead(dfa),
                (Some((_, false)), Some(place), Some(_)) => *place == Place::Matched,
                _ => false,
            });
            if !in_vain {
                reached.add(next, at, letter);
            }
        }
        at += 1;
        if reached.len() > MOST_COMBINATIONS {
            return Found::Unknown;
        }
    }
    Found::Nothing
}

fn start<const N: usize>(dfas: [&Dfa; N]) -> Option<[Place; N]> {
    let mut places = [Place::Matched; N];
    for (place, dfa) in places.iter_mut().zip(dfas) {
        *place = Place::At(dfa.start_state_forward(&Input::new("")).ok()?);
    }
    Some(places)
}

/// One byte of each kind that some DFA tells apart, of those that stand in subjects.
fn letters<const N: usize>(dfas: [&Dfa; N]) -> Vec<u8> {
    let mut kinds = HashMap::new();
    for letter in b'!'..=b'~' {
        let kind = dfas.map(|dfa| dfa.byte_classes().get(letter));
        kinds.entry(kind).or_insert(letter);
    }
    let mut letters: Vec<u8> = kinds.into_values().collect();
    letters.sort_unstable();
    letters
}

impl Place {
    fn after(self, dfa: &Dfa, letter: u8) -> Self {
        match self {
            Self::Matched => Self::Matched,
            Self::At(state) => {
                let next = dfa.next_state(state, letter);
                // A DFA of this crate tells of a match one byte later.
                if dfa.is_match_state(next) {
                    Self::Matched
                } else {
                    Self::At(next)
                }
            }
        }
    }

    /// Whether a subject that ends here is matched.
    fn ends(self, dfa: &Dfa) -> bool {
        match self {
            Self::Matched => true,
            Self::At(state) => dfa.is_match_state(dfa.next_eoi_state(state)),
        }
    }

    fn is_dead(self, dfa: &Dfa) -> bool {
        match self {
            Self::Matched => false,
            Self::At(state) => dfa.is_dead_state(state) || dfa.is_quit_state(state),
        }
    }
}

/// The combinations seen so far, each with the one before it.
struct Reached<const N: usize> {
    steps: Vec<([Place; N], usize, u8)>,
    known: HashSet<[Place; N]>,
}

impl<const N: usize> Reached<N> {
    fn from(start: [Place; N]) -> Self {
        Self {
            steps: vec![(start, usize::MAX, 0)],
            known: HashSet::from([start]),
        }
    }

    fn len(&self) -> usize {
        self.steps.len()
    }

    fn places(&self, at: usize) -> Option<[Place; N]> {
        self.steps.get(at).map(|(places, _, _)| *places)
    }

    fn add(&mut self, places: [Place; N], before: usize, letter: u8) {
        if self.known.insert(places) {
            self.steps.push((places, before, letter));
        }
    }

    fn subject(&self, mut at: usize) -> String {
        let mut letters = Vec::new();
        while let Some((_, before, letter)) = self.steps.get(at).filter(|(_, before, _)| *before != usize::MAX) {
            letters.push(char::from(*letter));
            at = *before;
        }
        letters.into_iter().rev().collect()
    }
}

#[cfg(test)]
mod tests;
