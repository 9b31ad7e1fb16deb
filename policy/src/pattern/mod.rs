//! Patterns: what a policy says about identities and paths, in Go's RE2 dialect.
//!
//! **Owns** the dialect ([`dialect`]), the input rules a person meets when writing a pattern, the two pattern types,
//! the literal [`Shape`] that an index is built from, and the [`Interner`] that lets equal texts share one program.
//!
//! **Refuses** anchoring, rewriting or guessing: a pattern is matched exactly as written, as Go's `MatchString` would.
//!
//! **Invariant**: a pattern that exists was accepted by every rule; it is made by `FromStr` and nothing else.

pub mod dialect;
mod fault;
mod input;
mod interner;
mod typed;

pub use dialect::Shape;
pub use fault::{InvalidPattern, PatternFault};
pub use interner::Interner;
pub use typed::{IdPattern, PathPattern};

pub(crate) use dialect::{Found, Language, Row, Subjects};
pub(crate) use typed::Pattern;

#[cfg(test)]
mod tests;
