//! Documents from YAML text, and so from JSON text, which is YAML.
use std::ops::ControlFlow;

use super::tree::{MAX_FAULTS, Node, Trees, Value};
use super::{Fault, NAME, PATH_PATTERN, PERMISSIONS, PolicyDocument, Position, SPIFFEID_PATTERN};
use crate::Rule;
use crate::excerpt;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// The most policies in one file.
pub const MAX_DOCUMENTS: usize = 10_000;

/// Reads the policies of a file: YAML documents, each one policy or a list of policies; JSON is read as YAML.
///
/// # Errors
/// Every fault of the file, each with its position. After a syntax error reading goes on with the next document.
pub fn parse_yaml(text: &str) -> Result<Vec<(PolicyDocument, Position)>, Vec<Fault>> {
    let (documents, faults) = read(text);
    if faults.is_empty() {
        Ok(documents.into_iter().map(|d| (d.document, d.position)).collect())
    } else {
        Err(faults)
    }
}

/// Reads and checks: [`parse_yaml`], then `Rule::try_from` with the position of the key that each fault belongs to.
///
/// # Errors
/// Every fault of the file.
pub fn parse_rules(text: &str) -> Result<Vec<(Rule, Position)>, Vec<Fault>> {
    let (documents, mut faults) = read(text);
    let mut rules = Vec::new();
    for written in documents {
        match Rule::try_from(&written.document) {
            Ok(rule) => rules.push((rule, written.position)),
            Err(found) => faults.extend(found.into_iter().filter_map(|f| written.locate(f))),
        }
    }
    faults.sort_by_key(|f| f.position);
    if faults.len() > MAX_FAULTS {
        let text = format!("and {} more faults", faults.len() - MAX_FAULTS);
        faults.truncate(MAX_FAULTS);
        faults.push(Fault {
            field: None,
            position: None,
            text,
        });
    }
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

/// A document and where its parts stand.
#[derive(Debug)]
struct Written {
    document: PolicyDocument,
    position: Position,
    keys: Vec<(&'static str, Position)>,
    /// Fields whose fault is already told, so that their empty text is no second one.
    told: Vec<&'static str>,
}

impl Written {
    fn at(&self, field: &'static str) -> Option<Position> {
        self.keys
            .iter()
            .find(|(key, _)| *key == field)
            .map(|(_, position)| *position)
    }

    /// The fault with its position; nothing if its field has one already.
    fn locate(&self, fault: Fault) -> Option<Fault> {
        if fault.field.is_some_and(|field| self.told.contains(&field)) {
            return None;
        }
        let position = fault.field.and_then(|field| self.at(field)).unwrap_or(self.position);
        Some(Fault {
            position: Some(position),
            ..fault
        })
    }
}

/// What could be read, and every fault of reading.
fn read(text: &str) -> (Vec<Written>, Vec<Fault>) {
    let whole = |text: String| {
        vec![Fault {
            field: None,
            position: None,
            text,
        }]
    };
    if text.len() > MAX_FILE_BYTES {
        return (
            Vec::new(),
            whole(format!(
                "the file has {} bytes; {MAX_FILE_BYTES} are the most",
                text.len()
            )),
        );
    }
    let mut reader = Reader {
        trees: Trees::new(text),
        documents: Vec::new(),
    };
    while let Some(node) = reader.trees.next_document() {
        if reader.policies(node).is_break() {
            break;
        }
    }
    let (documents, faults) = (reader.documents, reader.trees.faults);
    if faults.is_empty() && documents.is_empty() {
        return (documents, whole("the file holds no policy".to_owned()));
    }
    (documents, faults)
}

/// Makes documents of trees.
struct Reader<'t> {
    trees: Trees<'t>,
    documents: Vec<Written>,
}

impl Reader<'_> {
    /// A document is one policy, a list of policies, or nothing.
    fn policies(&mut self, node: Node) -> ControlFlow<()> {
        match node.value {
            Value::List(nodes) => {
                for node in nodes {
                    self.policy(node)?;
                }
                ControlFlow::Continue(())
            }
            Value::Other("null", _) => ControlFlow::Continue(()),
            Value::Text(_) | Value::Other(..) | Value::Map(_) | Value::Refused => self.policy(node),
        }
    }

    fn policy(&mut self, node: Node) -> ControlFlow<()> {
        if self.documents.len() >= MAX_DOCUMENTS {
            self.trees.fault(
                None,
                node.position,
                format!("the file has more than {MAX_DOCUMENTS} policies"),
            );
            return ControlFlow::Break(());
        }
        let position = node.position;
        match node.value {
            Value::Map(pairs) => self.pairs(pairs, position),
            Value::Refused => {}
            Value::Text(_) | Value::Other(..) | Value::List(_) => {
                self.trees.fault(
                    None,
                    position,
                    "a policy must be a mapping with name, spiffeidPattern, pathPattern and permissions".to_owned(),
                );
            }
        }
        ControlFlow::Continue(())
    }

    fn pairs(&mut self, pairs: Vec<(Node, Node)>, position: Position) {
        let mut written = Written {
            document: PolicyDocument::default(),
            position,
            keys: Vec::new(),
            told: Vec::new(),
        };
        let mut spellings: Vec<String> = Vec::new();
        for (key, value) in pairs {
            let Some((field, spelling)) = self.key(&key) else {
                continue;
            };
            if written.at(field).is_some() {
                self.repeated(&spellings, &spelling, key.position);
                continue;
            }
            spellings.push(spelling);
            written.keys.push((field, value.position));
            let before = self.trees.faults.len();
            let refused = value.is_refused();
            self.value(&mut written.document, field, value);
            if refused || self.trees.faults.len() > before {
                written.told.push(field);
            }
        }
        for (field, text) in REQUIRED {
            if written.at(field).is_none() {
                self.trees.fault(Some(field), position, text.to_owned());
                written.told.push(field);
            }
        }
        self.documents.push(written);
    }

    /// Which field a key means, and how it is spelled.
    fn key(&mut self, key: &Node) -> Option<(&'static str, String)> {
        let Value::Text(text) = &key.value else {
            if !matches!(key.value, Value::Refused) {
                self.trees
                    .fault(None, key.position, format!("a key must be a text; {KEYS}"));
            }
            return None;
        };
        let field = match text.as_str() {
            "name" => NAME,
            "spiffeidPattern" | "spiffeid" => SPIFFEID_PATTERN,
            "pathPattern" | "path" => PATH_PATTERN,
            "permissions" => PERMISSIONS,
            _ => {
                self.trees.fault(
                    None,
                    key.position,
                    format!("unknown key {}; {KEYS}", excerpt::value(text)),
                );
                return None;
            }
        };
        Some((field, text.clone()))
    }

    fn repeated(&mut self, spellings: &[String], spelling: &str, position: Position) {
        let text = if spellings.iter().any(|s| s == spelling) {
            format!("the key `{spelling}` is repeated")
        } else {
            format!("the key `{spelling}` is another spelling of a key that is already given; keep one of them")
        };
        self.trees.fault(None, position, text);
    }

    fn value(&mut self, document: &mut PolicyDocument, field: &'static str, node: Node) {
        match field {
            NAME => self.text(field, node, &mut document.name),
            SPIFFEID_PATTERN => self.text(field, node, &mut document.spiffeid_pattern),
            PATH_PATTERN => self.text(field, node, &mut document.path_pattern),
            _ => self.words(node, &mut document.permissions),
        }
    }

    fn words(&mut self, node: Node, words: &mut Vec<String>) {
        match node.value {
            Value::List(items) => {
                for item in items {
                    let mut word = String::new();
                    self.text(PERMISSIONS, item, &mut word);
                    words.push(word);
                }
            }
            Value::Refused => {}
            Value::Text(_) | Value::Other(..) | Value::Map(_) => {
                self.trees.fault(
                    Some(PERMISSIONS),
                    node.position,
                    "permissions must be a list, such as [read, list]".to_owned(),
                );
            }
        }
    }

    fn text(&mut self, field: &'static str, node: Node, into: &mut String) {
        let text = match node.value {
            Value::Text(text) => {
                *into = text;
                return;
            }
            Value::Refused => return,
            Value::Other("null", _) => format!("{field} is empty; YAML reads it as null"),
            Value::Other(kind, source) => {
                format!(
                    "{field} must be a text, and YAML reads {} as a {kind}; put it in quotes",
                    excerpt::value(&source)
                )
            }
            Value::List(_) | Value::Map(_) => format!("{field} must be a text"),
        };
        self.trees.fault(Some(field), node.position, text);
    }
}

const KEYS: &str = "the keys are name, spiffeidPattern (or spiffeid), pathPattern (or path) and permissions";

/// SPIKE's texts for keys that are not there (spike.md §5.3).
const REQUIRED: [(&str, &str); 4] = [
    (NAME, "policy name is required in YAML file"),
    (SPIFFEID_PATTERN, "spiffeidPattern is required in YAML file"),
    (PATH_PATTERN, "pathPattern is required in YAML file"),
    (PERMISSIONS, "permissions are required in YAML file"),
];
