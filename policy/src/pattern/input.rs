//! The rules a text has to pass before the dialect reads it (design D5): each names field, value and rule.
use super::dialect::{SyntaxError, SyntaxFault};
use super::{InvalidPattern, PatternFault};
use crate::excerpt::as_it_is;

/// Longest SPIFFE ID pattern, in bytes: as long as the longest SPIFFE ID.
pub(super) const MAX_ID_PATTERN: usize = 2048;
/// Longest path pattern, in bytes: SPIKE's limit.
pub(super) const MAX_PATH_PATTERN: usize = 500;
/// Characters of a value that an error repeats.
const SHOWN: usize = 256;

/// Which of the two patterns, as a person calls it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    SpiffeId,
    Path,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::SpiffeId => "SPIFFE ID pattern",
            Self::Path => "path pattern",
        }
    }

    fn max(self) -> usize {
        match self {
            Self::SpiffeId => MAX_ID_PATTERN,
            Self::Path => MAX_PATH_PATTERN,
        }
    }
}

/// What the dialect makes of a text, once the rules of its field let the text pass.
pub(super) fn read<T>(
    field: Field,
    text: &str,
    read: impl FnOnce(&str) -> Result<T, SyntaxError>,
) -> Result<T, InvalidPattern> {
    match field {
        Field::SpiffeId => check_id(text)?,
        Field::Path => check_path(text)?,
    }
    read(text).map_err(|error| refused(field, text, &error))
}

/// Checks what an identity pattern may look like.
fn check_id(text: &str) -> Result<(), InvalidPattern> {
    check_text(Field::SpiffeId, text)?;
    let bare = text.strip_prefix('^').unwrap_or(text);
    if !bare.starts_with("spiffe://") {
        return Err(invalid(Field::SpiffeId, text, PatternFault::NotSpiffe)
            .with_line("It must begin with \"spiffe://\" or \"^spiffe://\""));
    }
    if has_glob_star(text) {
        let corrected = glob_as_regex(text);
        return Err(invalid(Field::SpiffeId, text, PatternFault::Glob)
            .with_line(&format!("Use regex syntax: \"{}\"", as_it_is(&corrected, SHOWN))));
    }
    Ok(())
}

/// Checks what a path pattern may look like.
fn check_path(text: &str) -> Result<(), InvalidPattern> {
    check_text(Field::Path, text)?;
    let (caret, bare) = text.strip_prefix('^').map_or(("", text), |bare| ("^", bare));
    if bare.starts_with('/') {
        let corrected = format!("{caret}{}", bare.trim_start_matches('/'));
        return Err(
            invalid(Field::Path, text, PatternFault::LeadingSlash).with_line(&format!(
                "Paths are namespaces, remove leading slash: \"{}\"",
                as_it_is(&corrected, SHOWN)
            )),
        );
    }
    Ok(())
}

/// What the dialect refused.
fn refused(field: Field, text: &str, error: &SyntaxError) -> InvalidPattern {
    let too_large = error.fault() == SyntaxFault::TooLarge;
    let fault = if too_large {
        PatternFault::TooLarge
    } else {
        PatternFault::Syntax
    };
    invalid(field, text, fault).with_reason(&error.to_string())
}

/// The rules of both fields.
fn check_text(field: Field, text: &str) -> Result<(), InvalidPattern> {
    if text.is_empty() {
        return Err(invalid(field, text, PatternFault::Empty).with_reason("it must not be empty"));
    }
    if text.len() > field.max() {
        let reason = format!("{} bytes, at most {} are allowed", text.len(), field.max());
        return Err(invalid(field, text, PatternFault::TooLong).with_reason(&reason));
    }
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| c != ' ' && !c.is_ascii_graphic()) {
        let reason = format!(
            "only printable ASCII is allowed, found {} at byte {at}",
            c.escape_unicode()
        );
        return Err(invalid(field, text, PatternFault::NotPrintableAscii).with_reason(&reason));
    }
    Ok(())
}

fn invalid(field: Field, text: &str, fault: PatternFault) -> InvalidPattern {
    InvalidPattern::new(
        fault,
        format!("Invalid {}: \"{}\"", field.name(), as_it_is(text, SHOWN)),
    )
}

/// Whether a `*` follows a plain `/`: outside classes, quotes and escapes.
fn has_glob_star(text: &str) -> bool {
    let mut slash = false;
    for (piece, kind) in pieces(text) {
        if slash && kind == Piece::Plain && piece == "*" {
            return true;
        }
        slash = kind == Piece::Plain && piece == "/";
    }
    false
}

/// The glob as a regular expression: `/*` becomes `/.*`, a dot that nothing repeats is escaped.
fn glob_as_regex(text: &str) -> String {
    let mut regex = String::with_capacity(text.len() + 8);
    let mut before = "";
    let mut pieces = pieces(text).peekable();
    while let Some((piece, kind)) = pieces.next() {
        let repeats = |next: &str| matches!(next, "*" | "+" | "?" | "{");
        let repeated = pieces
            .peek()
            .is_some_and(|&(next, kind)| kind == Piece::Plain && repeats(next));
        match (kind, piece) {
            (Piece::Plain, "*") if before == "/" => regex.push_str(".*"),
            (Piece::Plain, "*") if before == "*" => continue,
            (Piece::Plain, ".") if !repeated => regex.push_str("\\."),
            (Piece::Plain | Piece::Other, _) => regex.push_str(piece),
        }
        before = if kind == Piece::Plain { piece } else { "" };
    }
    regex
}

/// What a piece of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// One character that stands for itself or is an operator.
    Plain,
    /// An escape, a quote or a class.
    Other,
}

fn pieces(text: &str) -> impl Iterator<Item = (&str, Piece)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (length, kind) = match first {
            '\\' if rest.starts_with("\\Q") => (rest.find("\\E").map_or(rest.len(), |end| end + 2), Piece::Other),
            '\\' => (rest.chars().take(2).map(char::len_utf8).sum(), Piece::Other),
            '[' => (class_length(rest), Piece::Other),
            _ => (first.len_utf8(), Piece::Plain),
        };
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        Some((piece, kind))
    })
}

/// How long the class is that the text begins with.
fn class_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    chars.next_if(|&(_, c)| c == '^');
    chars.next_if(|&(_, c)| c == ']');
    while let Some((at, c)) = chars.next() {
        match c {
            ']' => return at + 1,
            '\\' => drop(chars.next()),
            '[' if text.get(at..).is_some_and(|rest| rest.starts_with("[:")) => {
                let end = text
                    .get(at..)
                    .and_then(|rest| rest.find(":]"))
                    .map_or(at, |end| at + end + 1);
                while chars.next_if(|&(inside, _)| inside <= end).is_some() {}
            }
            _ => {}
        }
    }
    text.len()
}
