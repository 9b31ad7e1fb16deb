//! The only place that prints.
//!
//! **Owns** standard output and error, the shapes of what is printed, and the making harmless of control characters.
//! **Refuses** to know what a command is for.
//! **Invariant**: a control character that came from Nexus, a file or the command line never reaches a terminal.
mod access;
mod audit;
mod changes;
mod format;
mod go_json;
mod keys;
mod lines;
mod migration;
mod policies;
mod secrets;
mod yaml;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

pub(crate) use audit::CheckedLog;
pub(crate) use changes::{Change, Changed, Checked, FieldChange, Status, policy_json};
pub(crate) use format::Format;
pub(crate) use migration::{Deleted, Remark, Report};

/// Standard output and standard error.
pub(crate) struct Output {
    out: io::BufWriter<Box<dyn Write>>,
    err: Box<dyn Write>,
    terminal: bool,
}

impl Output {
    /// The process's own.
    pub(crate) fn standard() -> Self {
        Self {
            out: io::BufWriter::new(Box::new(io::stdout())),
            err: Box::new(io::stderr()),
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Prints text of ours with harmless parts of others, as it is but for control characters.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(harmless(text).as_bytes())
    }

    /// Prints a line of text.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.text(text)?;
        self.out.write_all(b"\n")
    }

    /// Prints what others will read: exact bytes into a file or pipe, harmless on a terminal.
    pub(crate) fn exact(&mut self, text: &str) -> io::Result<()> {
        if self.terminal {
            self.text(text)
        } else {
            self.raw(text.as_bytes())
        }
    }

    /// Prints bytes that others will read: as they are into a file or pipe, harmless on a terminal.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.terminal {
            self.text(&String::from_utf8_lossy(bytes))
        } else {
            self.raw(bytes)
        }
    }

    /// Prints bytes of our own making.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Asks a question: no line end, and at once.
    pub(crate) fn prompt(&mut self, question: &str) -> io::Result<()> {
        self.text(question)?;
        self.out.flush()
    }

    /// Prints to standard error, after everything that was printed so far.
    pub(crate) fn error(&mut self, text: &str) -> io::Result<()> {
        let flushed = self.out.flush();
        self.err.write_all(harmless(text).as_bytes())?;
        self.err.flush()?;
        flushed
    }

    /// Hands everything over to the operating system.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The text with every control character but line end and tab spelled out, so that no terminal obeys it.
fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let spelled = |c: char| {
        if is_harmful(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    Cow::Owned(text.chars().map(spelled).collect())
}

/// Control characters, and those that turn the reading direction.
fn is_harmful(c: char) -> bool {
    let turns_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || turns_direction
}

#[cfg(test)]
mod tests;
