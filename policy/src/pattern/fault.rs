//! Why a text is no pattern.
use std::fmt;

/// Why a text is no pattern. `Display` is the text a person sees (two lines where the fault suggests a correction,
/// one line otherwise).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidPattern {
    fault: PatternFault,
    text: String,
}

impl InvalidPattern {
    pub(super) fn new(fault: PatternFault, text: String) -> Self {
        Self { fault, text }
    }

    /// The same with its reason on the same line.
    pub(super) fn with_reason(mut self, reason: &str) -> Self {
        self.text.push_str(": ");
        self.text.push_str(reason);
        self
    }

    /// The same with a second line.
    pub(super) fn with_line(mut self, line: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(line);
        self
    }

    /// Which rule refused the text.
    pub fn fault(&self) -> PatternFault {
        self.fault
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rules a text can break, in the order they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatternFault {
    /// No text at all.
    Empty,
    /// More bytes than the field allows.
    TooLong,
    /// A byte outside printable ASCII (0x20 to 0x7E).
    NotPrintableAscii,
    /// A SPIFFE ID pattern that begins with neither `spiffe://` nor `^spiffe://`.
    NotSpiffe,
    /// A SPIFFE ID pattern with `*` after a `/`: a glob, not a regular expression.
    Glob,
    /// A path pattern that begins with `/` or `^/`.
    LeadingSlash,
    /// Go's `regexp` would refuse it.
    Syntax,
    /// Its compiled program would be over the size limit.
    TooLarge,
}
