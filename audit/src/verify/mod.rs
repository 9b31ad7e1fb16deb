//! Finding out whether somebody changed a log.
//!
//! **Owns** the order of files, the walk along the chain, and naming what is wrong at the first line that does not fit.
//! **Refuses** to repair anything, and to go on behind the first fault: what comes after it proves nothing.
//! **Invariant**: a log that is called whole has, from its first to its last line, exactly the lines that were written
//! in that order, but for those the log itself says were lost. What it cannot see: lines cut off at the end, unless an
//! anchor names one of them; and, without a key, a log that was written anew as a whole.
mod lines;
mod report;
mod sources;
mod walk;

use std::io;

pub use report::{Broken, Fault, Reach, Report, Torn};
pub use sources::{Source, sources};

use crate::chain::{Head, Seal};

/// How to look at a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// What lines are sealed with.
    pub seal: Seal,
    /// The log was taken from standard output or error: other lines may stand between, each start begins a chain of its
    /// own, and several programs may write at once.
    pub stream: bool,
    /// Lines that must be there.
    pub anchors: Vec<Head>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seal: Seal::Plain,
            stream: false,
            anchors: Vec::new(),
        }
    }
}

/// Why a log could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("cannot read `{name}`: {source}")]
    Read {
        /// Which.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// A directory, or everything that was given, holds no log.
    #[error("`{0}` holds no audit log")]
    Nothing(String),
    /// The log was sealed with a key, and none was given, or the other way round.
    #[error("this log is sealed with {log}, not {given}: {hint}")]
    Seal {
        /// What the log says.
        log: String,
        /// What was expected.
        given: &'static str,
        /// What to do.
        hint: &'static str,
    },
}

/// Walks along a log, the oldest file first.
///
/// # Errors
/// [`VerifyError`]; a log that is not whole is no error but a [`Report`] with [`Report::broken`].
pub fn verify(sources: Vec<Source>, options: &Options) -> Result<Report, VerifyError> {
    let lines = lines::Lines::new(sources, options.stream);
    walk::Walk::new(lines, options).run()
}

#[cfg(test)]
mod tests;
