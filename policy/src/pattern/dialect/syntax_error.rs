//! Why a text is no expression of the dialect.
use std::fmt;

use crate::excerpt::as_it_is;

/// Longest piece of an expression that an error repeats, in characters.
const PIECE: usize = 80;

/// Why a text is no expression: the rule, and the piece of the text that broke it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: `{piece}`")]
pub struct SyntaxError {
    fault: SyntaxFault,
    piece: String,
}

impl SyntaxError {
    pub(super) fn new(fault: SyntaxFault, piece: &str) -> Self {
        Self {
            fault,
            piece: as_it_is(piece, PIECE),
        }
    }

    /// Which rule.
    pub fn fault(&self) -> SyntaxFault {
        self.fault
    }
}

/// The rules of the dialect that a text can break: Go's, and one of our own ([`SyntaxFault::TooLarge`], stricter than
/// Go's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyntaxFault {
    /// An escape that the dialect does not have, such as `\Z`, `\1` or `\C`.
    Escape,
    /// A `\` at the very end.
    TrailingBackslash,
    /// A range that runs backwards, or a class name that does not exist.
    ClassRange,
    /// A `[` that is never closed.
    MissingBracket,
    /// A `(` that is never closed.
    MissingParen,
    /// A `)` that nothing opened.
    UnexpectedParen,
    /// A group name that is not made of letters, digits and underscores, or is never closed.
    GroupName,
    /// What follows `(?` is neither a group nor flags out of `imsU`: look-around, for instance.
    Group,
    /// A repetition with nothing before it.
    MissingRepeatArgument,
    /// A repetition of a repetition, such as `a**`.
    StackedRepeat,
    /// A repetition count over 1000 (nested counts multiply), or a range of counts that runs backwards.
    RepeatCount,
    /// More than 1000 levels.
    NestingDepth,
    /// A program over our size limit.
    TooLarge,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "invalid escape sequence",
            Self::TrailingBackslash => "trailing backslash",
            Self::ClassRange => "invalid character class range or name",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::UnexpectedParen => "unexpected )",
            Self::GroupName => "invalid group name (letters, digits and _ are allowed)",
            Self::Group => "unsupported group or flag after (? (flags are i, m, s and U; there is no look-around)",
            Self::MissingRepeatArgument => "repetition with nothing to repeat",
            Self::StackedRepeat => "repetition of a repetition",
            Self::RepeatCount => "invalid repeat count (at most 1000, nested counts multiplied)",
            Self::NestingDepth => "more than 1000 nested levels",
            Self::TooLarge => "expression too large when compiled",
        })
    }
}
