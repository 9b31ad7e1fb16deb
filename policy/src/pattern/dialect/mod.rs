//! Go's RE2 dialect, exactly: the syntax that `regexp.Compile` accepts, and the verdicts of `MatchString`.
//!
//! **Owns** the parser, the parsed tree, its translation for `regex-automata`, and the size limits.
//!
//! **Refuses** what Go refuses, and what could take long to match (its size limits). Knows nothing of SPIFFE IDs and paths.
//!
//! **Invariant**: on ASCII subjects a [`Program`] answers as Go's `regexp` does; on any other subject it answers no.
//!
//! Source: `regexp/syntax` of Go 1.26 with the flags `regexp.Compile` uses; compared with it by
//! `policy/tests/go_vectors.rs` and `make interop`.

mod bits;
mod branch;
mod class;
mod cursor;
mod determinism;
mod engine;
mod escape;
mod factor;
mod flags;
mod group;
mod hir;
mod language;
mod parser;
mod program;
mod row;
mod set;
mod shape;
mod shelf;
mod size;
mod stack;
mod syntax_error;
mod tree;
mod unicode;

pub use program::Program;
pub use shape::Shape;
pub use syntax_error::{SyntaxError, SyntaxFault};

pub(crate) use language::{Found, Language};
pub(crate) use row::Row;
pub(crate) use shape::Subjects;
