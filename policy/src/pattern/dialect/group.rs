//! What follows `(?`: named groups, groups without a capture, flags.
use super::cursor::Cursor;
use super::flags::Flags;
use super::syntax_error::{SyntaxError, SyntaxFault};

/// What a `(?` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// A capturing group with a name (names may repeat).
    Named,
    /// A group without a capture, and the flags inside.
    Plain(Flags),
    /// No group: the flags from here on.
    Flags(Flags),
}

/// Reads what a `(?` begins. The cursor stands on its `(` and is moved behind it.
pub(super) fn header(at: &mut Cursor<'_>, flags: Flags) -> Result<Group, SyntaxError> {
    let mut inside = *at;
    inside.take("(?");
    // With nothing behind its `<`, Go reads a bad group and no name.
    let named = inside.rest().len() > 2 && inside.take("P<") || inside.rest().len() > 1 && inside.take("<");
    if named {
        return name(at, inside);
    }
    flag_list(at, inside, flags)
}

fn name<'a>(at: &mut Cursor<'a>, mut inside: Cursor<'a>) -> Result<Group, SyntaxError> {
    let start = *at;
    let Some(name) = inside.take_until('>') else {
        return Err(SyntaxError::new(SyntaxFault::GroupName, start.rest()));
    };
    if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
        return Err(SyntaxError::new(SyntaxFault::GroupName, start.until(&inside)));
    }
    *at = inside;
    Ok(Group::Named)
}

fn flag_list<'a>(at: &mut Cursor<'a>, mut inside: Cursor<'a>, mut flags: Flags) -> Result<Group, SyntaxError> {
    let start = *at;
    let mut on = true;
    // A minus has to be followed by a flag.
    let mut minus_pending = false;
    while let Some(c) = inside.next() {
        if let Some(flag) = Flags::of_letter(c) {
            flags.set(flag, on);
            minus_pending = false;
            continue;
        }
        match c {
            '-' if on => (on, minus_pending) = (false, true),
            ':' if !minus_pending => {
                *at = inside;
                return Ok(Group::Plain(flags));
            }
            ')' if !minus_pending => {
                *at = inside;
                return Ok(Group::Flags(flags));
            }
            _ => break,
        }
    }
    Err(SyntaxError::new(SyntaxFault::Group, start.until(&inside)))
}
