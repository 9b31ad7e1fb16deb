//! A place in the text of an expression.

/// A place in the text: what is still to be read. A copy is a mark to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// What is still to be read.
    pub(super) fn rest(self) -> &'a str {
        self.rest
    }

    pub(super) fn peek(self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    /// Moves behind this text if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What comes before the next `end`; moves behind that. `None` (and no move) if there is none.
    pub(super) fn take_until(&mut self, end: char) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    /// The text between here and a later place.
    pub(super) fn until(self, later: &Cursor<'a>) -> &'a str {
        self.rest
            .get(..self.rest.len().saturating_sub(later.rest.len()))
            .unwrap_or(self.rest)
    }
}
