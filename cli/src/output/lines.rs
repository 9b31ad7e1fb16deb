//! Text that is built line by line.
use std::fmt::{Arguments, Write as _};

/// Whole lines.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(super) fn add(&mut self, line: Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(line).unwrap_or_default();
        self.0.push('\n');
    }

    /// Adds what are whole lines already.
    pub(super) fn append(&mut self, lines: &Self) {
        self.0.push_str(&lines.0);
    }

    /// All of it, with the last line end.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
