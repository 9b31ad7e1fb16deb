//! From text to tree: what Go's `regexp.Compile` accepts, and nothing else.
//!
//! **Owns** the order in which tokens are read, the flags in force at each, and the limits of counts.
//!
//! **Refuses** what Go refuses, and names the rule and the piece of the text that broke it.
//!
//! **Invariant**: a tree that comes out is the one that Go's parser makes, as far as it decides a match or a limit.
use super::class;
use super::cursor::Cursor;
use super::escape;
use super::flags::Flags;
use super::group::{self, Group};
use super::stack::Stack;
use super::syntax_error::{SyntaxError, SyntaxFault};
use super::tree::{Assertion, Node, Op, Repeat, Times};

/// Go's limit for a repetition count, and for the product of nested ones.
const MAX_COUNT: u32 = 1000;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) root: Node,
    /// Whether it ends inside a `\Q` that has no `\E`: whatever were glued behind it would be quoted, too.
    pub(super) open_quote: bool,
}

/// Parses a whole expression.
pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxError> {
    let mut parser = Parser {
        text,
        stack: Stack::new(),
        flags: Flags::default(),
        open_quote: false,
    };
    let mut at = Cursor::new(text);
    let mut repeated = None;
    while let Some(c) = at.peek() {
        repeated = parser.token(c, &mut at, repeated)?;
    }
    let open_quote = parser.open_quote;
    match parser.stack.finish() {
        Ok(Some(root)) => Ok(Parsed { root, open_quote }),
        Ok(None) => Err(SyntaxError::new(SyntaxFault::MissingParen, text)),
        Err(fault) => Err(SyntaxError::new(fault, text)),
    }
}

struct Parser<'a> {
    text: &'a str,
    stack: Stack<Flags>,
    flags: Flags,
    open_quote: bool,
}

impl<'a> Parser<'a> {
    /// Reads one token, of which `c` is the first character. Returns where it began, if it was a repetition: `repeated`
    /// for the token after it.
    fn token(
        &mut self,
        c: char,
        at: &mut Cursor<'a>,
        repeated: Option<Cursor<'a>>,
    ) -> Result<Option<Cursor<'a>>, SyntaxError> {
        match c {
            '*' | '+' | '?' | '{' => return self.repetition_or_brace(at, repeated),
            '(' if at.rest().starts_with("(?") => self.group(at)?,
            '\\' => self.escape(at)?,
            '[' => {
                let fold = self.flags.has(Flags::FOLD);
                let set = class::bracketed(at, fold)?;
                self.checked(|stack| stack.class(set, fold))?;
            }
            ')' => {
                at.next();
                self.close()?;
            }
            '(' => {
                at.next();
                self.stack.open(true, self.flags);
            }
            '|' => {
                at.next();
                self.checked(Stack::bar)?;
            }
            _ => {
                at.next();
                self.plain(c)?;
            }
        }
        Ok(None)
    }

    fn plain(&mut self, c: char) -> Result<(), SyntaxError> {
        let flags = self.flags;
        let op = match c {
            '^' if flags.has(Flags::MULTI_LINE) => Op::Assertion(Assertion::BeginLine),
            '^' => Op::Assertion(Assertion::BeginText),
            '$' if flags.has(Flags::MULTI_LINE) => Op::Assertion(Assertion::EndLine),
            '$' => Op::Assertion(Assertion::EndText),
            '.' if flags.has(Flags::DOT_NEWLINE) => Op::Any,
            '.' => Op::AnyButNewline,
            _ => return self.checked(|stack| stack.literal(u32::from(c), flags.has(Flags::FOLD))),
        };
        self.checked(|stack| stack.op(op))
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        match self.stack.close() {
            Ok(Some(flags)) => {
                self.flags = flags;
                Ok(())
            }
            Ok(None) => Err(SyntaxError::new(SyntaxFault::UnexpectedParen, self.text)),
            Err(fault) => Err(SyntaxError::new(fault, self.text)),
        }
    }

    fn group(&mut self, at: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        match group::header(at, self.flags)? {
            Group::Named => self.stack.open(true, self.flags),
            Group::Plain(inside) => {
                self.stack.open(false, self.flags);
                self.flags = inside;
            }
            Group::Flags(from_here) => self.flags = from_here,
        }
        Ok(())
    }

    fn escape(&mut self, at: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let fold = self.flags.has(Flags::FOLD);
        let start = *at;
        let mut ahead = *at;
        ahead.next();
        let op = match ahead.next() {
            Some('A') => Op::Assertion(Assertion::BeginText),
            Some('z') => Op::Assertion(Assertion::EndText),
            Some('b') => Op::Assertion(Assertion::WordBoundary),
            Some('B') => Op::Assertion(Assertion::NotWordBoundary),
            Some('C') => return Err(SyntaxError::new(SyntaxFault::Escape, start.until(&ahead))),
            Some('Q') => {
                *at = ahead;
                return self.quoted(at);
            }
            _ => {
                if let Some(set) = escape::unicode_class(at, fold)? {
                    return self.checked(|stack| stack.class(set, fold));
                }
                if let Some(set) = escape::perl_class(at, fold) {
                    return self.checked(|stack| stack.class(set, fold));
                }
                let c = escape::character(at)?;
                return self.checked(|stack| stack.literal(c, fold));
            }
        };
        *at = ahead;
        self.checked(|stack| stack.op(op))
    }

    /// Everything up to `\E` (or the end) stands for itself.
    fn quoted(&mut self, at: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let (quoted, rest) = at.rest().split_once("\\E").unwrap_or_else(|| {
            self.open_quote = true;
            (at.rest(), "")
        });
        *at = Cursor::new(rest);
        let fold = self.flags.has(Flags::FOLD);
        quoted
            .chars()
            .try_for_each(|c| self.checked(|stack| stack.literal(u32::from(c), fold)))
    }

    fn repetition_or_brace(
        &mut self,
        at: &mut Cursor<'a>,
        repeated: Option<Cursor<'a>>,
    ) -> Result<Option<Cursor<'a>>, SyntaxError> {
        let start = *at;
        let times = match at.next() {
            Some('*') => Times::Star,
            Some('+') => Times::Plus,
            Some('?') => Times::Quest,
            _ => {
                *at = start;
                match counts(at) {
                    // A brace that does not begin a count stands for itself.
                    None => {
                        at.next();
                        let fold = self.flags.has(Flags::FOLD);
                        return self.checked(|stack| stack.literal(u32::from('{'), fold)).map(|()| None);
                    }
                    Some(Ok(times)) => times,
                    Some(Err(fault)) => return Err(SyntaxError::new(fault, start.until(at))),
                }
            }
        };
        let lazy = at.take("?") != self.flags.has(Flags::LAZY);
        if let Some(before) = repeated {
            return Err(SyntaxError::new(SyntaxFault::StackedRepeat, before.until(at)));
        }
        match self.stack.wrap_last(|body| Op::Repeat(Repeat { times, lazy, body })) {
            None => Err(SyntaxError::new(SyntaxFault::MissingRepeatArgument, start.until(at))),
            Some(Err(fault)) => Err(SyntaxError::new(fault, self.text)),
            Some(Ok(node)) if !counts_fit(node, times) => {
                Err(SyntaxError::new(SyntaxFault::RepeatCount, start.until(at)))
            }
            Some(Ok(_)) => Ok(Some(start)),
        }
    }

    fn checked(&mut self, act: impl FnOnce(&mut Stack<Flags>) -> Result<(), SyntaxFault>) -> Result<(), SyntaxError> {
        act(&mut self.stack).map_err(|fault| SyntaxError::new(fault, self.text))
    }
}

/// Reads `{2}`, `{2,}` or `{2,3}` and moves behind it. `None` (and no move): not of that form. `Some(Err(_))`: of
/// that form, but over the limit or backwards.
fn counts(at: &mut Cursor<'_>) -> Option<Result<Times, SyntaxFault>> {
    let mut ahead = *at;
    let started = ahead.take("{");
    let min = if started { number(&mut ahead)? } else { return None };
    let max = if !ahead.take(",") {
        Some(min)
    } else if ahead.peek() == Some('}') {
        None
    } else {
        Some(number(&mut ahead)?)
    };
    if !ahead.take("}") {
        return None;
    }
    *at = ahead;
    let fits = min <= MAX_COUNT && max.is_none_or(|max| max <= MAX_COUNT && min <= max);
    Some(if fits {
        Ok(Times::Counted(min, max))
    } else {
        Err(SyntaxFault::RepeatCount)
    })
}

/// Decimal digits without leading zeros; anything over the limit is some number over the limit.
fn number(at: &mut Cursor<'_>) -> Option<u32> {
    let digits = at.rest().bytes().take_while(u8::is_ascii_digit).count();
    let text = at.rest().get(..digits)?;
    if text.is_empty() || (digits > 1 && text.starts_with('0')) {
        return None;
    }
    *at = Cursor::new(at.rest().get(digits..)?);
    Some(text.parse().unwrap_or(u32::MAX))
}

/// Whether nested counts stay within the limit when multiplied. Only a count of two or more can break it.
fn counts_fit(node: &Node, times: Times) -> bool {
    match times {
        Times::Counted(min, max) if min >= 2 || max.is_some_and(|max| max >= 2) => product_fits(node, MAX_COUNT),
        Times::Counted(..) | Times::Star | Times::Plus | Times::Quest => true,
    }
}

fn product_fits(node: &Node, mut budget: u32) -> bool {
    if let Op::Repeat(repeat) = &node.op
        && let Times::Counted(min, max) = repeat.times
    {
        if max == Some(0) {
            return true;
        }
        let copies = max.unwrap_or(min);
        if copies > budget {
            return false;
        }
        budget = budget.checked_div(copies).unwrap_or(budget);
    }
    node.op.parts().iter().all(|part| product_fits(part, budget))
}
