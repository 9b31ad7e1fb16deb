//! The two pattern types.
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::dialect::{Language, Program, Row, Subjects};
use super::input::{self, Field};
use super::{InvalidPattern, Shape};

/// What the two pattern types have in common, for whatever treats them alike: an index, advice.
pub(crate) trait Pattern: Clone + Eq + Hash {
    /// What is known of the subjects that it is asked about.
    const SUBJECTS: Subjects;

    /// What runs it.
    fn program(&self) -> &Arc<Program>;

    /// Whether it matches anywhere in the subject, as Go's `MatchString` says. A subject that is not ASCII never matches.
    fn is_match(&self, subject: &str) -> bool {
        self.program().ask(subject)
    }

    /// Compiles it now, if that was not done before, so that no later question has to wait for it (about 0.1 ms).
    fn prepare(&self) {
        self.program().keep();
    }

    /// What its literal text says about the subjects it can match. Costs a parse; meant for building an index.
    fn literal_shape(&self) -> Shape {
        self.program().shape(Self::SUBJECTS)
    }

    /// The pattern as a row of texts and runs, if it is one: on ASCII it answers as the pattern does. Costs a parse;
    /// meant for building an index.
    fn row(&self) -> Option<Row> {
        self.program().row()
    }

    /// The parsed expression, over bytes. Costs a parse; meant for building an index.
    fn hir(&self) -> Option<Hir> {
        self.program().hir()
    }

    /// All the subjects it matches; `None` if that takes a large DFA. Costs about a millisecond; meant for advice.
    fn language(&self) -> Option<Language> {
        self.program().language()
    }
}

macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident, $field:expr, $subjects:expr) => {
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
                Pattern::is_match(self, subject)
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

            /// What its literal text says about the subjects it can match. Costs a parse; meant for building an index.
            pub fn literal_shape(&self) -> Shape {
                Pattern::literal_shape(self)
            }

            /// Compiles it now, if that was not done before, so that no later question has to wait for it (about 0.1 ms).
            pub fn prepare(&self) {
                Pattern::prepare(self);
            }

            /// Whether both run on one shared program (then their texts are equal, too).
            pub fn shares_program_with(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.program, &other.program)
            }
        }

        impl Pattern for $name {
            const SUBJECTS: Subjects = $subjects;

            fn program(&self) -> &Arc<Program> {
                &self.program
            }
        }

        impl FromStr for $name {
            type Err = InvalidPattern;

            fn from_str(text: &str) -> Result<Self, InvalidPattern> {
                let program = input::read($field, text, Program::parse)?;
                Ok(Self {
                    program: Arc::new(program),
                })
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.shares_program_with(other) || self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
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
    IdPattern,
    Field::SpiffeId,
    Subjects::SpiffeIds
);
pattern!(
    /// Which paths a policy is about: a regular expression without a leading slash, at most 500 bytes.
    PathPattern,
    Field::Path,
    Subjects::Printable
);

impl IdPattern {
    /// The pattern of this text and its literal shape, for one parse.
    pub(crate) fn with_shape(text: &str) -> Result<(Self, Shape), InvalidPattern> {
        let read = |text: &str| Program::with_shape(text, Self::SUBJECTS);
        let (program, shape) = input::read(Field::SpiffeId, text, read)?;
        let program = Arc::new(program);
        Ok((Self { program }, shape))
    }
}

impl PathPattern {
    /// The pattern of this text and the row that it is, if it is one, for one parse.
    pub(crate) fn with_row(text: &str) -> Result<(Self, Option<Row>), InvalidPattern> {
        let (program, row) = input::read(Field::Path, text, Program::with_row)?;
        let program = Arc::new(program);
        Ok((Self { program }, row))
    }
}
