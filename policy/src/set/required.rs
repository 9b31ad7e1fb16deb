//! Texts that every match of an expression must have, read off its parsed form.
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::gram::{BEGIN, END};
use crate::pattern::{Pattern, Subjects};

/// The most alternatives of one set. Beyond that a set is cut in two, and each part finds less.
const MOST: usize = 16;
/// The most characters of one text: far more than a gram needs.
const LONGEST: usize = 64;

/// Sets of texts: every subject that the pattern matches has at least one text of each set. Subjects are printable
/// ASCII with [`BEGIN`] in front and [`END`] behind.
pub(super) fn required_by<P: Pattern>(pattern: &P) -> Vec<Vec<String>> {
    let sets = pattern.hir().map(|hir| required(&hir)).unwrap_or_default();
    match P::SUBJECTS {
        Subjects::Printable => sets,
        Subjects::SpiffeIds => sets
            .into_iter()
            .map(|texts| texts.into_iter().map(beyond_trust_domain).collect())
            .collect(),
    }
}

/// Every identity has the scheme, and most have the same trust domain: a text that only says so finds nothing.
fn beyond_trust_domain(text: String) -> String {
    let after_scheme = text.split_once("spiffe://").map(|(_, rest)| rest);
    match after_scheme.and_then(|rest| rest.split_once('/')) {
        Some((_, path)) if path.len() >= 4 => path.to_owned(),
        Some(_) | None => text,
    }
}

/// The same of a parsed expression.
pub(super) fn required(hir: &Hir) -> Vec<Vec<String>> {
    let mut reader = Reader::default();
    reader.read(hir);
    reader.flush();
    reader.sets
}

/// Reads an expression from left to right.
struct Reader {
    /// What is found so far.
    sets: Vec<Vec<String>>,
    /// The texts that may have been read since the last gap: one of them stands right before what comes next.
    run: Vec<String>,
    /// Whether there was no gap at all: the run is then all that the expression matches.
    exact: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            sets: Vec::new(),
            run: vec![String::new()],
            exact: true,
        }
    }
}

impl Reader {
    fn read(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) if text.is_ascii() => self.append(&[text.to_owned()]),
                Ok(_) | Err(_) => self.gap(),
            },
            HirKind::Class(class) => match few_characters(class) {
                Some(texts) => self.append(&texts),
                None => self.gap(),
            },
            HirKind::Look(look) => self.look(*look),
            HirKind::Repetition(repetition) => self.repeat(&repetition.sub, repetition.min, repetition.max),
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Alternation(branches) => self.alternate(branches),
        }
    }

    /// Lines are no lines: a subject has no line feed, so `(?m)^` is `^`.
    fn look(&mut self, look: Look) {
        match look {
            Look::Start | Look::StartLF | Look::StartCRLF => {
                self.gap();
                self.run = vec![BEGIN.to_string()];
            }
            Look::End | Look::EndLF | Look::EndCRLF => {
                self.append(&[END.to_string()]);
                self.gap();
            }
            // The others have no width and take nothing away.
            _ => {}
        }
    }

    fn repeat(&mut self, body: &Hir, min: u32, max: Option<u32>) {
        match (min, max) {
            (1, Some(1)) => self.read(body),
            (0, Some(1)) => match exactly(body) {
                Some(mut texts) => {
                    texts.push(String::new());
                    self.append(&texts);
                }
                None => self.gap(),
            },
            (0, _) => self.gap(),
            _ => {
                self.read(body);
                self.gap();
                if let Some(texts) = exactly(body) {
                    self.run = texts;
                }
            }
        }
    }

    fn alternate(&mut self, branches: &[Hir]) {
        if let Some(texts) = branches.iter().map(exactly).collect::<Option<Vec<_>>>() {
            let texts = texts.concat();
            if texts.len() <= MOST {
                self.append(&texts);
                return;
            }
        }
        self.gap();
        let longest = |sets: Vec<Vec<String>>| {
            sets.into_iter()
                .max_by_key(|texts| texts.iter().map(String::len).min().unwrap_or(0))
        };
        let best = branches
            .iter()
            .map(|branch| longest(required(branch)))
            .collect::<Option<Vec<_>>>();
        if let Some(texts) = best.map(|sets| sets.concat()).filter(|texts| texts.len() <= MOST) {
            self.sets.push(texts);
        }
    }

    /// One of these texts comes next.
    fn append(&mut self, texts: &[String]) {
        let long = self.run.iter().any(|run| run.len() > LONGEST);
        if long || self.run.len() * texts.len() > MOST {
            self.gap();
        }
        self.run = self
            .run
            .iter()
            .flat_map(|run| texts.iter().map(move |text| format!("{run}{text}")))
            .collect();
    }

    /// Something comes next of which nothing is known.
    fn gap(&mut self) {
        self.flush();
        self.exact = false;
    }

    fn flush(&mut self) {
        let mut run = std::mem::replace(&mut self.run, vec![String::new()]);
        run.sort_unstable();
        run.dedup();
        if run.iter().all(|text| text.len() > 1) {
            self.sets.push(run);
        }
    }
}

/// All that the expression matches, if that is a few texts without a look at their surroundings.
fn exactly(hir: &Hir) -> Option<Vec<String>> {
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let mut reader = Reader::default();
    reader.read(hir);
    if reader.exact && !reader.run.is_empty() {
        Some(reader.run)
    } else {
        None
    }
}

/// The characters of a small class.
fn few_characters(class: &Class) -> Option<Vec<String>> {
    let Class::Bytes(class) = class else { return None };
    let ranges = class.ranges();
    let count: usize = ranges
        .iter()
        .map(|range| usize::from(range.end() - range.start()) + 1)
        .sum();
    if count == 0 || count > 4 || !ranges.iter().all(|range| range.end().is_ascii()) {
        return None;
    }
    Some(
        ranges
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .map(|byte| char::from(byte).to_string())
            .collect(),
    )
}
