//! A YAML file as a tree in which every key and value knows its place.
//!
//! **Owns** the reading of the parser's events. **Refuses** what makes a configuration mean something else than it
//! shows: anchors and aliases, tags, several documents, keys that are not plain words, repeated keys, deep nesting.
//! **Invariant**: a tree holds each key once per mapping; what was refused is a [`Misplaced`].

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};

use super::fault::Position;

/// How deep collections may nest.
pub(super) const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Node,
}

/// Something refused, and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Misplaced {
    pub(super) at: Position,
    pub(super) key: String,
    pub(super) what: String,
}

/// What a text holds: the tree as far as it could be read, and everything that was refused.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// `None` for an empty file and after a syntax error.
    pub(super) root: Option<Node>,
    pub(super) misplaced: Vec<Misplaced>,
    /// Whether the text could be read to its end.
    pub(super) complete: bool,
}

impl Node {
    /// An absent value: `key:`, `key: ~`, `key: null`.
    pub(super) fn is_null(&self) -> bool {
        match &self.shape {
            Shape::Scalar { text, plain } => *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Shape::List(_) | Shape::Map(_) => false,
        }
    }

    /// The value under a key of a mapping.
    pub(super) fn child(&self, key: &str) -> Option<&Entry> {
        match &self.shape {
            Shape::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Shape::Scalar { .. } | Shape::List(_) => None,
        }
    }
}

/// Reads one document.
pub(super) fn read(text: &str) -> Reading {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        misplaced: Vec::new(),
    };
    match reader.document() {
        Ok(root) => Reading {
            root,
            misplaced: reader.misplaced,
            complete: true,
        },
        Err(fatal) => {
            reader.misplaced.push(fatal);
            Reading {
                root: None,
                misplaced: reader.misplaced,
                complete: false,
            }
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, serde_saphyr::granit_parser::StrInput<'t>>,
    misplaced: Vec<Misplaced>,
}

type Fatal = Misplaced;

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Option<Node>, Fatal> {
        let mut root = None;
        let mut documents = 0_usize;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents == 2 {
                        self.refuse(
                            place(&span),
                            "",
                            "a second document starts here (one document per file)",
                        );
                    }
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                node => {
                    let node = self.node(node, &span, "", 0)?;
                    root.get_or_insert(node);
                }
            }
        }
        Ok(root)
    }

    /// The next event that is data: comments are skipped.
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Fatal> {
        loop {
            match self.events.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => {
                    let at = Position {
                        line: error.marker().line(),
                        column: error.marker().col() + 1,
                    };
                    return Err(Fatal {
                        at,
                        key: String::new(),
                        what: format!("not YAML: {}", error.info()),
                    });
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, path: &str, depth: usize) -> Result<Node, Fatal> {
        let at = place(span);
        if depth > MAX_DEPTH {
            let what = format!("nested too deeply (at most {MAX_DEPTH} levels)");
            return Err(Fatal {
                at,
                key: path.to_owned(),
                what,
            });
        }
        let shape = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(at, path, anchor, tag.is_some());
                Shape::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(at, path, anchor, tag.is_some());
                Shape::List(self.list(path, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(at, path, anchor, tag.is_some());
                Shape::Map(self.map(path, depth)?)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(at, path, "an alias (`*name`) is not accepted: write the value out");
                Shape::Scalar {
                    text: String::new(),
                    plain: true,
                }
            }
            // The library's enum is open: what is no value stands where a value belongs.
            _ => {
                return Err(Fatal {
                    at,
                    key: path.to_owned(),
                    what: "not YAML: a value is missing".to_owned(),
                });
            }
        };
        Ok(Node { at, shape })
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Vec<Node>, Fatal> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let path = format!("{path}[{}]", items.len());
            items.push(self.node(event, &span, &path, depth + 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, path: &str, depth: usize) -> Result<Vec<Entry>, Fatal> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let at = place(&span);
            let key = self.node(event, &span, path, depth + 1)?;
            let Some((event, span)) = self.next()? else { break };
            let Shape::Scalar { text: key, .. } = key.shape else {
                self.refuse(at, path, "a list or a mapping is not accepted as a key");
                self.node(event, &span, path, depth + 1)?;
                continue;
            };
            let path = join(path, &key);
            let value = self.node(event, &span, &path, depth + 1)?;
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let what = format!(
                        "repeated key (first given at line {}, column {})",
                        first.at.line, first.at.column
                    );
                    self.refuse(at, &path, &what);
                }
                None => entries.push(Entry { key, at, value }),
            }
        }
        Ok(entries)
    }

    fn refuse_properties(&mut self, at: Position, path: &str, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.refuse(at, path, "an anchor (`&name`) is not accepted: write the value out");
        }
        if tagged {
            self.refuse(at, path, "a tag (`!name`) is not accepted: write the plain value");
        }
    }

    fn refuse(&mut self, at: Position, path: &str, what: &str) {
        self.misplaced.push(Misplaced {
            at,
            key: path.to_owned(),
            what: what.to_owned(),
        });
    }
}

/// A key path with one more key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn place(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

#[cfg(test)]
mod tests;
