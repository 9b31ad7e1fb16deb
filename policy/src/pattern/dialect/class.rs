//! Character classes in brackets.
use super::cursor::Cursor;
use super::escape;
use super::set::CharSet;
use super::syntax_error::{SyntaxError, SyntaxFault};

/// The class of a bracket expression. The cursor stands on its `[` and is moved behind its `]`.
pub(super) fn bracketed(at: &mut Cursor<'_>, fold: bool) -> Result<CharSet, SyntaxError> {
    let start = *at;
    at.next();
    let negated = at.take("^");
    let mut set = CharSet::EMPTY;
    // A ] in the first place stands for itself.
    let mut first = true;
    while first || at.peek() != Some(']') {
        first = false;
        set = set.union(element(at, start, fold)?);
    }
    at.next();
    Ok(if negated { set.negated() } else { set })
}

fn element<'a>(at: &mut Cursor<'a>, start: Cursor<'a>, fold: bool) -> Result<CharSet, SyntaxError> {
    if let Some(set) = named(at, fold)? {
        return Ok(set);
    }
    if let Some(set) = escape::unicode_class(at, fold)? {
        return Ok(set);
    }
    if let Some(set) = escape::perl_class(at, fold) {
        return Ok(set);
    }
    range(at, start, fold)
}

/// A class with a name, `[:alpha:]`. Whatever stands between `[:` and the next `:]` is its name.
fn named(at: &mut Cursor<'_>, fold: bool) -> Result<Option<CharSet>, SyntaxError> {
    let length = at.rest().strip_prefix("[:").and_then(|inner| inner.find(":]"));
    let Some(length) = length else {
        return Ok(None);
    };
    let name = at.rest().get(..length + 4).unwrap_or_default();
    let set = escape::posix_class(name, fold).ok_or_else(|| SyntaxError::new(SyntaxFault::ClassRange, name))?;
    at.take(name);
    Ok(Some(set))
}

/// A character or a range of them. `&&`, `--`, `~~` and `[` have no meaning of their own here.
fn range<'a>(at: &mut Cursor<'a>, start: Cursor<'a>, fold: bool) -> Result<CharSet, SyntaxError> {
    let here = *at;
    let low = character(at, start)?;
    let mut high = low;
    let mut ahead = *at;
    if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| c != ']') {
        *at = ahead;
        high = character(at, start)?;
        if high < low {
            return Err(SyntaxError::new(SyntaxFault::ClassRange, here.until(at)));
        }
    }
    Ok(if fold {
        CharSet::folded_range(low, high)
    } else {
        CharSet::range(low, high)
    })
}

fn character<'a>(at: &mut Cursor<'a>, start: Cursor<'a>) -> Result<u32, SyntaxError> {
    match at.peek() {
        None => Err(SyntaxError::new(SyntaxFault::MissingBracket, start.rest())),
        Some('\\') => escape::character(at),
        Some(c) => {
            at.next();
            Ok(u32::from(c))
        }
    }
}
