//! YAML text as trees of values with their positions.
use serde_saphyr::granit_parser::{self as granit, ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use super::{Fault, Position};

/// A list of policies, a policy, its list of permissions: three, and some for a better message than "too deep".
const MAX_DEPTH: usize = 8;
/// After this many faults the rest of the text is not worth reading.
pub(super) const MAX_FAULTS: usize = 100;

/// A value as it was written, with the position of its first character.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

impl Node {
    /// Whether it, or an item of it, was refused.
    pub(super) fn is_refused(&self) -> bool {
        match &self.value {
            Value::Refused => true,
            Value::List(items) => items.iter().any(Self::is_refused),
            Value::Text(_) | Value::Other(..) | Value::Map(_) => false,
        }
    }
}

/// A value. What YAML can say besides is refused.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// A plain scalar that YAML reads as something else than a text: its kind and its source.
    Other(&'static str, String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// An alias, or a node with an anchor or a tag. Its fault is already told.
    Refused,
}

/// The documents of a text, and the faults met on the way.
pub(super) struct Trees<'t> {
    source: &'t str,
    parser: Events<'t>,
    ended: bool,
    /// What was refused, and where the text is no YAML.
    pub(super) faults: Vec<Fault>,
}

type Events<'t> = Parser<'t, granit::StrInput<'t>>;

impl<'t> Trees<'t> {
    pub(super) fn new(source: &'t str) -> Self {
        let parser = Parser::new_from_str_with_options(source, options());
        Self {
            source,
            parser,
            ended: false,
            faults: Vec::new(),
        }
    }

    /// The next document. After a syntax error reading goes on with the one behind.
    pub(super) fn next_document(&mut self) -> Option<Node> {
        while !self.ended && self.faults.len() < MAX_FAULTS {
            match self.document() {
                Ok(Some(node)) => return Some(node),
                Ok(None) => self.ended = true,
                Err(e) => {
                    self.syntax(&e);
                    self.ended = !matches!(self.parser.proceed_next_document(), Ok(true));
                }
            }
        }
        None
    }

    /// Tells a fault.
    pub(super) fn fault(&mut self, field: Option<&'static str>, position: Position, text: String) {
        self.faults.push(Fault {
            field,
            position: Some(position),
            text,
        });
    }

    fn document(&mut self) -> Result<Option<Node>, ScanError> {
        loop {
            match self.parser.next_event().transpose()? {
                None | Some((Event::StreamEnd, _)) => return Ok(None),
                Some((Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _)) => {}
                Some((event, span)) => return self.node(event, span).map(Some),
            }
        }
    }

    /// Builds the value that begins with this event. The parser bounds the depth.
    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, ScanError> {
        let position = position(&span);
        let refused = self.refuse(&event, position);
        let value = match event {
            Event::Scalar(text, style, _, _) => scalar(&text, style),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some(item) = self.next()? {
                    items.push(item);
                }
                Value::List(items)
            }
            Event::MappingStart(..) => {
                let mut pairs = Vec::new();
                while let Some(key) = self.next()? {
                    let Some(value) = self.next()? else { break };
                    pairs.push((key, value));
                }
                Value::Map(pairs)
            }
            _ => Value::Refused,
        };
        Ok(Node {
            position,
            value: if refused { Value::Refused } else { value },
        })
    }

    /// The next item of a collection; `None` at its end.
    fn next(&mut self) -> Result<Option<Node>, ScanError> {
        match self.parser.next_event().transpose()? {
            None | Some((Event::SequenceEnd | Event::MappingEnd, _)) => Ok(None),
            Some((event, span)) => self.node(event, span).map(Some),
        }
    }

    /// Tells the fault of an alias, an anchor or a tag.
    fn refuse(&mut self, event: &Event<'_>, position: Position) -> bool {
        let what = match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => "an alias (`*`)",
            _ if event.anchor_id().is_some_and(|id| id != 0) => "an anchor (`&`)",
            _ if event.tag().is_some() => "a tag (`!`)",
            _ => return false,
        };
        self.fault(
            None,
            position,
            format!("{what} is not allowed in a policy file; put the text in quotes"),
        );
        true
    }

    fn syntax(&mut self, error: &ScanError) {
        let marker = error.marker();
        let position = Position {
            line: marker.line(),
            column: marker.col() + 1,
        };
        let (position, text) = match error.kind() {
            ErrorKind::UnknownQuotedScalarEscape => self.escape(position, marker.byte_offset()),
            ErrorKind::RecursionLimitExceeded => {
                (position, format!("values are nested deeper than {MAX_DEPTH} levels"))
            }
            _ => (position, format!("this is no YAML: {}", error.info())),
        };
        self.fault(None, position, text);
    }

    /// `"\."` in double quotes: the most frequent mistake in policy files, SPIKE's own examples included. The parser
    /// tells where the text begins; the escape itself stands somewhere behind.
    fn escape(&self, begin: Position, offset: Option<usize>) -> (Position, String) {
        let text = offset.and_then(|at| self.source.get(at..)).unwrap_or("");
        let (mut position, mut shown) = (begin, "this backslash".to_owned());
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            match c {
                '\n' => {
                    position = Position {
                        line: position.line + 1,
                        column: 0,
                    }
                }
                '\\' => match characters.next() {
                    Some(escaped) if !ESCAPES.contains(escaped) => {
                        shown = format!("`\\{}`", escaped.escape_debug());
                        break;
                    }
                    Some(_) | None => position.column += 1,
                },
                _ => {}
            }
            position.column += 1;
        }
        let text = format!(
            "between double quotes YAML reads {shown} as an escape of its own, and knows none; put the pattern in \
             single quotes ('example\\.org') or double the backslash (\"example\\\\.org\")"
        );
        (position, text)
    }
}

fn options() -> granit::Options {
    let mut options = granit::Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    // A JSON file may have a whole policy on the line of its first key.
    options.simple_key_max_lookahead = 1024;
    options
}

/// What may follow a backslash between double quotes in YAML 1.2.
const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\n\r";

fn position(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let kind = match style {
        ScalarStyle::Plain => kind(text),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => None,
    };
    match kind {
        Some(kind) => Value::Other(kind, text.to_owned()),
        None => Value::Text(text.to_owned()),
    }
}

/// What YAML (1.1 or 1.2, whichever sees more) reads in a plain scalar, if not a text.
fn kind(text: &str) -> Option<&'static str> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Some("null");
    }
    let lower = text.to_ascii_lowercase();
    if matches!(
        lower.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    ) {
        return Some("boolean");
    }
    let digits = lower.trim_start_matches(['+', '-']);
    let radix = ["0x", "0o", "0b"].into_iter().any(|prefix| digits.starts_with(prefix));
    let number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (radix && digits.bytes().skip(2).all(|b| b.is_ascii_hexdigit() || b == b'_')
            || digits.replace('_', "").parse::<f64>().is_ok()
            || matches!(digits, ".inf" | ".nan"));
    number.then_some("number")
}
