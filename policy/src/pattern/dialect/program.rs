//! A program: an expression that was accepted, compiled when it is first asked.
use std::fmt;
use std::sync::OnceLock;

use regex_syntax::hir::Hir;

use super::determinism::is_deterministic;
use super::engine::{Effort, Engine};
use super::parser::{Parsed, parse};
use super::syntax_error::{SyntaxError, SyntaxFault};
use super::{Shape, Subjects, hir, shape, size};

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
    search: Compiled,
    whole: Compiled,
    anchored: bool,
}

/// `None` inside: it did not compile (which the size check at parse rules out), and matches nothing.
type Compiled = OnceLock<Option<Engine>>;

impl Program {
    /// Reads an expression. Accepts what Go's `regexp.Compile` accepts, up to a size.
    ///
    /// # Errors
    /// What Go refuses; and [`SyntaxFault::TooLarge`] for what could take long to match: an expression of more than 64
    /// instructions (counted repetitions multiplied out) has to be deterministic, or to become a DFA of at most 512 KiB
    /// or an NFA of at most 127 places.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let too_large = || SyntaxError::new(SyntaxFault::TooLarge, text);
        if text.len() > MAX_TEXT {
            return Err(too_large());
        }
        let Parsed { root, open_quote } = parse(text)?;
        let instructions = size::instructions(&root);
        if instructions > MAX_INSTRUCTIONS {
            return Err(too_large());
        }
        let search = Compiled::new();
        let small = if root.looks_around() { SMALL_WITH_CONTEXT } else { SMALL };
        let cheap = instructions <= small || (instructions <= DETERMINISTIC && is_deterministic(&root));
        if !cheap {
            let hir = hir::hir(&root);
            let engine = Engine::table(&hir, Effort::THOROUGH)
                .or_else(|| Engine::bits(&hir))
                .ok_or_else(too_large)?;
            search.get_or_init(|| Some(engine));
        }
        Ok(Self {
            text: text.into(),
            search,
            whole: Compiled::new(),
            anchored: root.is_anchored() && !open_quote,
        })
    }

    /// The text exactly as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Go's unanchored `MatchString`. A subject that is not ASCII never matches.
    pub fn is_match(&self, subject: &str) -> bool {
        subject.is_ascii() && self.engine().is_some_and(|engine| engine.is_match(subject))
    }

    /// Go's `MatchString` of `^(?:text)$`, where that compiles (not when the text leaves a `\Q` open, or nests to the
    /// limit). A subject that is not ASCII never matches.
    pub fn full_match(&self, subject: &str) -> bool {
        let engine = self.whole.get_or_init(|| {
            let parsed = parse(&self.text).ok().filter(|parsed| !parsed.open_quote)?;
            compile(&hir::hir(&parsed.root.whole()?))
        });
        subject.is_ascii() && engine.as_ref().is_some_and(|engine| engine.is_match(subject))
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

    /// The parsed expression, over bytes. An index reads off it what every match must have.
    pub(in crate::pattern) fn hir(&self) -> Option<Hir> {
        parse(&self.text).ok().map(|parsed| hir::hir(&parsed.root))
    }

    /// Whether it was compiled already.
    pub fn is_compiled(&self) -> bool {
        self.search.get().is_some()
    }

    /// Bytes of the compiled form so far.
    pub fn memory(&self) -> usize {
        let of = |compiled: &Compiled| compiled.get().and_then(Option::as_ref).map_or(0, Engine::memory);
        of(&self.search) + of(&self.whole)
    }

    fn engine(&self) -> Option<&Engine> {
        let compiled = self
            .search
            .get_or_init(|| compile(&hir::hir(&parse(&self.text).ok()?.root)));
        compiled.as_ref()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

fn compile(hir: &Hir) -> Option<Engine> {
    Engine::table(hir, Effort::QUICK)
        .or_else(|| Engine::bits(hir))
        .or_else(|| Engine::general(hir))
}

#[cfg(test)]
mod tests;
