//! The two pattern types.
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::dialect::{Language, Program, Row, Subjects};
use super::input::{self, Field};
use super::{InvalidPattern, Shape};

macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            pub(super) program: Arc<Program>,
        }

        impl $name {
            /// The text exactly as written.
            pub fn as_str(&self) -> &str {
                self.program.as_str()
            }

            /// Whether it matches anywhere in the subject, as Go's `MatchString` says. A subject that is not ASCII
            /// never matches.
            pub fn is_match(&self, subject: &str) -> bool {
                self.program.ask(subject)
            }

            /// Whether it matches the whole subject, as Go's `^(?:pattern)$` says. A subject that is not ASCII never
            /// matches.
            pub fn full_match(&self, subject: &str) -> bool {
                self.program.full_match(subject)
            }

            /// Whether every alternative begins with `^` or `\A` and ends with `$` or `\z` (not multi-line), judged on
            /// the parsed expression.
            pub fn is_anchored(&self) -> bool {
                self.program.is_anchored()
            }

            /// The parsed expression, over bytes. Costs a parse; meant for building an index.
            pub(crate) fn hir(&self) -> Option<regex_syntax::hir::Hir> {
                self.program.hir()
            }

            /// All the subjects it matches; `None` if that takes a large DFA. Costs about a millisecond; meant for advice.
            pub(crate) fn language(&self) -> Option<Language> {
                self.program.language()
            }

            /// The pattern as a row of texts and runs, if it is one: on ASCII it answers as the pattern does. Costs a
            /// parse; meant for building an index.
            pub(crate) fn row(&self) -> Option<Row> {
                self.program.row()
            }

            /// Compiles it now, if that was not done before, so that no later question has to wait for it (about 0.1 ms).
            pub fn prepare(&self) {
                self.program.keep();
            }

            /// Whether both run on one shared program (then their texts are equal, too).
            pub fn shares_program_with(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.program, &other.program)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.shares_program_with(other) || self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }
    };
}

pattern!(
    /// Which SPIFFE IDs a policy is about: a regular expression that begins with `spiffe://` or `^spiffe://`, at most
    /// 2,048 bytes.
    ///
    /// ```
    /// use spike_policy::{IdPattern, InvalidPattern};
    ///
    /// let workers: IdPattern = r"^spiffe://example\.org/worker/[a-z]+$".parse()?;
    /// assert!(workers.is_match("spiffe://example.org/worker/mail"));
    ///
    /// let glob = "spiffe://example.org/worker/*".parse::<IdPattern>().unwrap_err();
    /// assert!(glob.to_string().ends_with(r#"Use regex syntax: "spiffe://example\.org/worker/.*""#));
    /// # Ok::<(), InvalidPattern>(())
    /// ```
    IdPattern
);
pattern!(
    /// Which paths a policy is about: a regular expression without a leading slash, at most 500 bytes.
    PathPattern
);

impl IdPattern {
    /// The pattern of this text and its literal shape, for one parse.
    pub(crate) fn with_shape(text: &str) -> Result<(Self, Shape), InvalidPattern> {
        input::check_id(text)?;
        let read = Program::with_shape(text, Subjects::SpiffeIds);
        let (program, shape) = read.map_err(|error| input::refused(Field::SpiffeId, text, &error))?;
        let program = Arc::new(program);
        Ok((Self { program }, shape))
    }

    /// What its literal text says about the SPIFFE IDs it can match. Costs a parse; meant for building an index.
    pub fn literal_shape(&self) -> Shape {
        self.program.shape(Subjects::SpiffeIds)
    }
}

impl PathPattern {
    /// The pattern of this text and the row that it is, if it is one, for one parse.
    pub(crate) fn with_row(text: &str) -> Result<(Self, Option<Row>), InvalidPattern> {
        input::check_path(text)?;
        let (program, row) = Program::with_row(text).map_err(|error| input::refused(Field::Path, text, &error))?;
        let program = Arc::new(program);
        Ok((Self { program }, row))
    }

    /// What its literal text says about the paths it can match. Costs a parse; meant for building an index.
    pub fn literal_shape(&self) -> Shape {
        self.program.shape(Subjects::Printable)
    }
}

impl FromStr for IdPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        input::check_id(text)?;
        let program = Program::parse(text).map_err(|error| input::refused(Field::SpiffeId, text, &error))?;
        Ok(Self {
            program: Arc::new(program),
        })
    }
}

impl FromStr for PathPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        input::check_path(text)?;
        let program = Program::parse(text).map_err(|error| input::refused(Field::Path, text, &error))?;
        Ok(Self {
            program: Arc::new(program),
        })
    }
}
