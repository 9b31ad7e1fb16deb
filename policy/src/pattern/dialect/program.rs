//! A program: an expression that was accepted, compiled when it is first asked.
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use regex_syntax::hir::Hir;

use super::determinism::is_deterministic;
use super::engine::{Effort, Engine};
use super::language::Language;
use super::parser::{Parsed, parse};
use super::shelf::SHELF;
use super::syntax_error::{SyntaxError, SyntaxFault};
use super::tree::Node;
use super::{Row, Shape, Subjects, hir, shape, size};

/// Bytes of an expression that are read at all: far beyond what any field allows.
const MAX_TEXT: usize = 16 * 1024;
/// Instructions as Go counts them; its own limit is 3.3 million.
const MAX_INSTRUCTIONS: u64 = 20_000;
/// Up to here an expression is cheap on any engine, and compiled when it is first asked. A larger one is compiled at
/// once and refused if no engine is fast on it, unless it is deterministic.
const SMALL: u64 = 64;
/// The same for one with word boundaries or line ends.
const SMALL_WITH_CONTEXT: u64 = 16;
/// Up to here a deterministic expression is cheap on any engine.
const DETERMINISTIC: u64 = 2_000;

/// An expression of the dialect, compiled when it is first asked. A few dozen bytes beside its text until then.
pub struct Program {
    text: Box<str>,
    compiled: ArcSwapOption<Engine>,
    anchored: bool,
}

impl Program {
    /// Reads an expression. Accepts what Go's `regexp.Compile` accepts, up to a size.
    ///
    /// # Errors
    /// What Go refuses; and [`SyntaxFault::TooLarge`] for what could take long to match: an expression of more than 64
    /// instructions (counted repetitions multiplied out) has to be deterministic, or to become a DFA of at most 512 KiB
    /// or an NFA of at most 127 places.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Self::read(text, |_| ()).map(|(program, ())| program)
    }

    /// The program and what its literal text says, for one parse.
    pub(in crate::pattern) fn with_shape(text: &str, subjects: Subjects) -> Result<(Self, Shape), SyntaxError> {
        Self::read(text, |root| shape::shape(root, subjects))
    }

    /// The program and the row that it is, if it is one, for one parse.
    pub(in crate::pattern) fn with_row(text: &str) -> Result<(Self, Option<Row>), SyntaxError> {
        Self::read(text, Row::of)
    }

    fn read<T>(text: &str, look: impl FnOnce(&Node) -> T) -> Result<(Self, T), SyntaxError> {
        let too_large = || SyntaxError::new(SyntaxFault::TooLarge, text);
        if text.len() > MAX_TEXT {
            return Err(too_large());
        }
        let Parsed { root, open_quote } = parse(text)?;
        let instructions = size::instructions(&root);
        if instructions > MAX_INSTRUCTIONS {
            return Err(too_large());
        }
        let mut compiled = None;
        let small = if root.looks_around() { SMALL_WITH_CONTEXT } else { SMALL };
        let cheap = instructions <= small || (instructions <= DETERMINISTIC && is_deterministic(&root));
        if !cheap {
            let hir = hir::hir(&root);
            let engine = Engine::table(&hir, Effort::THOROUGH)
                .or_else(|| Engine::bits(&hir))
                .ok_or_else(too_large)?;
            compiled = Some(Arc::new(engine));
        }
        let program = Self {
            text: text.into(),
            compiled: ArcSwapOption::new(compiled),
            anchored: root.is_anchored() && !open_quote,
        };
        Ok((program, look(&root)))
    }

    /// The text exactly as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Go's unanchored `MatchString`. A subject that is not ASCII never matches.
    pub fn is_match(&self, subject: &str) -> bool {
        subject.is_ascii() && self.engine().is_some_and(|engine| engine.is_match(subject))
    }

    /// The same. What has to be compiled for it is kept as long as there is room for it.
    pub(in crate::pattern) fn ask(self: &Arc<Self>, subject: &str) -> bool {
        if !subject.is_ascii() {
            return false;
        }
        if let Some(engine) = self.compiled.load().as_deref() {
            return engine.is_match(subject);
        }
        self.kept().is_some_and(|engine| engine.is_match(subject))
    }

    /// Compiles it now, if it is not compiled, and keeps that as long as there is room for it.
    pub(in crate::pattern) fn keep(self: &Arc<Self>) {
        self.kept();
    }

    fn kept(self: &Arc<Self>) -> Option<Arc<Engine>> {
        if let Some(engine) = self.compiled.load_full() {
            return Some(engine);
        }
        let engine = self.engine()?;
        SHELF.put(self, engine.weight());
        Some(engine)
    }

    /// Go's `MatchString` of `^(?:text)$`, where that compiles (not when the text leaves a `\Q` open, or nests to the
    /// limit). A subject that is not ASCII never matches. Compiled for each question: it is seldom asked.
    pub fn full_match(&self, subject: &str) -> bool {
        let whole = || {
            let parsed = parse(&self.text).ok().filter(|parsed| !parsed.open_quote)?;
            compile(&parsed.root.whole()?)
        };
        subject.is_ascii() && whole().is_some_and(|engine| engine.is_match(subject))
    }

    /// Compiles it now, if that was not done before, so that no later question has to wait for it (about 0.1 ms).
    pub fn prepare(&self) {
        self.engine();
    }

    /// Whether every alternative begins with `^` or `\A` and ends with `$` or `\z`, outside multi-line mode. Not when the
    /// text leaves a `\Q` open: what is anchored here would not be in a longer text.
    pub fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// What its literal text says about the subjects it can match.
    pub(in crate::pattern) fn shape(&self, subjects: Subjects) -> Shape {
        parse(&self.text).map_or(Shape::Other, |parsed| shape::shape(&parsed.root, subjects))
    }

    /// The expression as a row of texts and runs, if it is one.
    pub(in crate::pattern) fn row(&self) -> Option<Row> {
        Row::of(&parse(&self.text).ok()?.root)
    }

    /// The parsed expression, over bytes. An index reads off it what every match must have.
    pub(in crate::pattern) fn hir(&self) -> Option<Hir> {
        parse(&self.text).ok().map(|parsed| hir::hir(&parsed.root))
    }

    /// All the subjects it matches; `None` if that takes a large DFA.
    pub(crate) fn language(&self) -> Option<Language> {
        Language::of(&self.text)
    }

    /// Whether a compiled form is at hand.
    pub fn is_compiled(&self) -> bool {
        self.compiled.load().is_some()
    }

    /// Bytes of the compiled form at hand.
    pub fn memory(&self) -> usize {
        self.compiled.load().as_deref().map_or(0, Engine::memory)
    }

    /// Drops the compiled form. Not for one that was compiled when it was read: that may take long.
    pub(super) fn forget(&self) {
        self.compiled.store(None);
    }

    /// `None`: it does not compile (which the size check at parse rules out), and matches nothing.
    fn engine(&self) -> Option<Arc<Engine>> {
        if let Some(engine) = self.compiled.load_full() {
            return Some(engine);
        }
        let engine = Arc::new(compile(&parse(&self.text).ok()?.root)?);
        self.compiled.store(Some(Arc::clone(&engine)));
        Some(engine)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

fn compile(root: &Node) -> Option<Engine> {
    Engine::row(root).or_else(|| {
        let hir = hir::hir(root);
        Engine::table(&hir, Effort::QUICK)
            .or_else(|| Engine::bits(&hir))
            .or_else(|| Engine::general(&hir))
    })
}

#[cfg(test)]
mod tests;
