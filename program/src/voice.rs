//! What a server says outside its log.
//!
//! **Owns** standard output and standard error for results, the ready line and last words. **Refuses** to fail: nothing
//! can be done when even the terminal is gone. **Invariant**: what is said ends with one line break.
use std::fmt::Display;
use std::io::Write;

/// A result on standard output: one line, or a text that ends with one.
pub fn say(result: &impl Display) {
    drop(writeln!(std::io::stdout(), "{}", result.to_string().trim_end()));
}

/// A line on standard error, for people and scripts.
pub(crate) fn tell(line: &impl Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
