//! The flags that are in force at a place of an expression.

/// Flags in force. All off at the start of an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// `i`: letters match in both cases.
    pub(super) const FOLD: Self = Self(1);
    /// `m`: `^` and `$` also match at line ends.
    pub(super) const MULTI_LINE: Self = Self(2);
    /// `s`: `.` also matches a line feed.
    pub(super) const DOT_NEWLINE: Self = Self(4);
    /// `U`: repetitions prefer fewer (never decides whether there is a match).
    pub(super) const LAZY: Self = Self(8);

    /// The flag of this letter.
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        match letter {
            'i' => Some(Self::FOLD),
            'm' => Some(Self::MULTI_LINE),
            's' => Some(Self::DOT_NEWLINE),
            'U' => Some(Self::LAZY),
            _ => None,
        }
    }

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn set(&mut self, flag: Self, on: bool) {
        self.0 = if on { self.0 | flag.0 } else { self.0 & !flag.0 };
    }
}
