//! Escapes: of one character, and of a class.
use super::cursor::Cursor;
use super::set::{Beyond, CharSet};
use super::syntax_error::{SyntaxError, SyntaxFault};
use super::unicode;

const MAX_CHAR: u32 = 0x10_FFFF;
const DIGITS: CharSet = CharSet::new(0x3FF << b'0', Beyond::Nothing);
/// Tab, line feed, form feed, carriage return, space: without the vertical tab.
const SPACES: CharSet = CharSet::new((0b11_0110 << 8) | (1 << b' '), Beyond::Nothing);

/// The character of an escape. The cursor stands on its `\` and is moved behind the escape.
pub(super) fn character(at: &mut Cursor<'_>) -> Result<u32, SyntaxError> {
    let start = *at;
    at.next();
    let Some(c) = at.next() else {
        return Err(SyntaxError::new(SyntaxFault::TrailingBackslash, start.rest()));
    };
    let value = match c {
        '1'..='7' if !at.peek().is_some_and(is_octal) => None,
        '0'..='7' => Some(octal(c, at)),
        'x' => hexadecimal(at),
        'a' => Some(0x07),
        'f' => Some(0x0C),
        'n' => Some(0x0A),
        'r' => Some(0x0D),
        't' => Some(0x09),
        'v' => Some(0x0B),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    value.ok_or_else(|| SyntaxError::new(SyntaxFault::Escape, start.until(at)))
}

/// The class of an escape such as `\d`; the cursor is moved behind it. `None` (and no move) if there is none here.
pub(super) fn perl_class(at: &mut Cursor<'_>, fold: bool) -> Option<CharSet> {
    let mut ahead = *at;
    if ahead.next() != Some('\\') {
        return None;
    }
    let letter = ahead.next()?;
    let set = match letter.to_ascii_lowercase() {
        'd' => DIGITS,
        's' => SPACES,
        'w' => word(),
        _ => return None,
    };
    *at = ahead;
    Some(class(set, letter.is_ascii_uppercase(), fold))
}

/// The class of an escape such as `\pL` or `\P{Greek}`; the cursor is moved behind it. `None` (and no move) if there is
/// none here.
pub(super) fn unicode_class(at: &mut Cursor<'_>, fold: bool) -> Result<Option<CharSet>, SyntaxError> {
    let start = *at;
    let mut ahead = *at;
    let (Some('\\'), Some(kind @ ('p' | 'P'))) = (ahead.next(), ahead.next()) else {
        return Ok(None);
    };
    let refused = |piece: &str| SyntaxError::new(SyntaxFault::ClassRange, piece);
    let name_start = ahead;
    let name = if ahead.next() == Some('{') {
        ahead.take_until('}').ok_or_else(|| refused(start.rest()))?
    } else {
        name_start.until(&ahead)
    };
    let (caret, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
    let Some(set) = unicode::class(name, fold) else {
        return Err(refused(start.until(&ahead)));
    };
    *at = ahead;
    let negated = (kind == 'P') != caret;
    Ok(Some(if negated { set.negated() } else { set }))
}

/// The class of a name such as `[:alpha:]` or `[:^alpha:]`.
pub(super) fn posix_class(name: &str, fold: bool) -> Option<CharSet> {
    let inner = name.strip_prefix("[:")?.strip_suffix(":]")?;
    let (caret, inner) = inner.strip_prefix('^').map_or((false, inner), |inner| (true, inner));
    let range = |low: u8, high: u8| CharSet::range(u32::from(low), u32::from(high));
    let letters = || range(b'A', b'Z').union(range(b'a', b'z'));
    let set = match inner {
        "alnum" => letters().union(DIGITS),
        "alpha" => letters(),
        "ascii" => range(0, 0x7F),
        "blank" => range(b'\t', b'\t').union(range(b' ', b' ')),
        "cntrl" => range(0, 0x1F).union(range(0x7F, 0x7F)),
        "digit" => DIGITS,
        "graph" => range(b'!', b'~'),
        "lower" => range(b'a', b'z'),
        "print" => range(b' ', b'~'),
        "punct" => range(b'!', b'/')
            .union(range(b':', b'@'))
            .union(range(b'[', b'`'))
            .union(range(b'{', b'~')),
        "space" => range(0x09, 0x0D).union(range(b' ', b' ')),
        "upper" => range(b'A', b'Z'),
        "word" => word(),
        "xdigit" => DIGITS.union(range(b'A', b'F')).union(range(b'a', b'f')),
        _ => return None,
    };
    Some(class(set, caret, fold))
}

fn word() -> CharSet {
    let range = |low: u8, high: u8| CharSet::range(u32::from(low), u32::from(high));
    DIGITS
        .union(range(b'A', b'Z'))
        .union(range(b'_', b'_'))
        .union(range(b'a', b'z'))
}

/// Folding comes before negation: `(?i)[[:^lower:]]` has no letters at all.
fn class(set: CharSet, negated: bool, fold: bool) -> CharSet {
    let set = if fold { set.folded() } else { set };
    if negated { set.negated() } else { set }
}

fn is_octal(c: char) -> bool {
    ('0'..='7').contains(&c)
}

/// Up to three octal digits, the first of which was read.
fn octal(first: char, at: &mut Cursor<'_>) -> u32 {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = at.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        value = value * 8 + digit;
        at.next();
    }
    value
}

/// Two hexadecimal digits, or any number of them in braces.
fn hexadecimal(at: &mut Cursor<'_>) -> Option<u32> {
    let first = at.next()?;
    if first != '{' {
        let second = at.next();
        return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
    }
    let mut value = 0;
    let mut digits = 0;
    loop {
        let c = at.next()?;
        if c == '}' {
            return (digits > 0).then_some(value);
        }
        value = value * 16 + c.to_digit(16)?;
        digits += 1;
        if value > MAX_CHAR {
            return None;
        }
    }
}
