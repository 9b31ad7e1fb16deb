//! The layers of a configuration and the ledger of what a program asked of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effective::{Effective, EffectiveValue};
use super::fault::{Fault, Faults, Origin, Position};
use super::section::Section;
use super::suggest::nearest;
use super::yaml::{self, Node, Shape, join};

/// The largest configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Environment variables by name. An empty value counts as unset, as in SPIKE.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Result<String, NotUtf8>>);

#[derive(Clone, Copy)]
struct NotUtf8;

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value).ok_or(NotUtf8))))
                .collect(),
        )
    }

    /// Variables from pairs, for tests and embedded use.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), Ok(value.into())))
                .collect(),
        )
    }

    /// `None` when unset or empty.
    fn lookup(&self, name: &str) -> Option<Result<&str, NotUtf8>> {
        let value = self.0.get(name)?.as_deref().map_err(|NotUtf8| NotUtf8);
        (!matches!(value, Ok(""))).then_some(value)
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Built-in < file < environment < flags. Read keys through [`Layers::root`], then call [`Layers::finish`].
#[derive(Debug)]
pub struct Layers {
    file: Option<Loaded>,
    environment: Environment,
    flags: Vec<(String, String)>,
    ledger: RefCell<Ledger>,
}

#[derive(Debug)]
struct Loaded {
    path: Arc<PathBuf>,
    root: Option<Node>,
    complete: bool,
}

#[derive(Debug, Default)]
struct Ledger {
    faults: Vec<Fault>,
    effective: Vec<EffectiveValue>,
    /// Keys asked for, by section path.
    asked: BTreeMap<String, BTreeSet<String>>,
}

impl Layers {
    /// Reads the file, if one is given. Never fails: what is wrong is reported by [`Layers::finish`], with the rest.
    ///
    /// `flags` are pairs of key path (`feed.max_age`) and value; a later pair wins over an earlier one.
    pub fn load(file: Option<&Path>, environment: Environment, flags: &[(String, String)]) -> Self {
        let mut ledger = Ledger::default();
        let file = file.map(|path| load_file(path, &mut ledger.faults));
        Self::above(file, environment, flags, ledger)
    }

    /// As [`Layers::load`], with the text of a file instead of its path; `name` stands in the faults.
    pub fn from_text(name: &str, text: &str, environment: Environment, flags: &[(String, String)]) -> Self {
        let mut ledger = Ledger::default();
        let file = parse_file(Arc::new(PathBuf::from(name)), text, &mut ledger.faults);
        Self::above(Some(file), environment, flags, ledger)
    }

    /// The layers above a file that was read, whose faults stand in the ledger.
    fn above(file: Option<Loaded>, environment: Environment, flags: &[(String, String)], ledger: Ledger) -> Self {
        Self {
            file,
            environment,
            flags: flags.to_vec(),
            ledger: RefCell::new(ledger),
        }
    }

    /// The top of the configuration.
    pub fn root(&self) -> Section<'_> {
        let node = self.file.as_ref().and_then(|file| file.root.as_ref());
        Section::open(self, String::new(), node, None)
    }

    /// A variable that is not a setting but says where things are (`HOME`, `USER`). Empty counts as unset.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.lookup(name)?.ok().map(str::to_owned)
    }

    /// Every fault at once: unreadable file, wrong values, missing, unknown and repeated keys; or the values in force.
    ///
    /// # Errors
    /// [`Faults`], to be printed one per line; the program then ends with [`crate::Exit::Config`].
    pub fn finish(self) -> Result<Effective, Faults> {
        let Self {
            file, flags, ledger, ..
        } = self;
        let Ledger {
            mut faults,
            effective,
            asked,
        } = ledger.into_inner();
        if let Some(Loaded {
            path, root: Some(root), ..
        }) = &file
        {
            UnknownKeys {
                file: path,
                asked: &asked,
                faults: &mut faults,
            }
            .find(root, "");
        }
        faults.extend(flags.iter().filter_map(|(key, _)| unknown_flag(key, &asked)));
        Faults::collect(faults).map_or(Ok(Effective(effective)), Err)
    }

    /// The flag for a key path, the last one given.
    pub(super) fn flag(&self, path: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|(key, _)| key == path)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a flag lies under a section path.
    pub(super) fn has_flag_under(&self, path: &str) -> bool {
        self.flags
            .iter()
            .any(|(key, _)| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// The value of a variable; a value that is not UTF-8 is a fault.
    pub(super) fn environment(&self, name: &str, key: &str) -> Option<&str> {
        let value = self.environment.lookup(name)?;
        if value.is_err() {
            self.fault(Origin::Environment(name.to_owned()), key, "not UTF-8".to_owned());
        }
        value.ok()
    }

    pub(super) fn asked(&self, section: &str, key: &str) {
        self.ledger
            .borrow_mut()
            .asked
            .entry(section.to_owned())
            .or_default()
            .insert(key.to_owned());
    }

    pub(super) fn fault(&self, origin: Origin, key: &str, what: String) {
        self.ledger.borrow_mut().faults.push(Fault {
            origin,
            key: key.to_owned(),
            what,
        });
    }

    pub(super) fn in_force(&self, value: EffectiveValue) {
        self.ledger.borrow_mut().effective.push(value);
    }

    /// The origin for a place in the file.
    pub(super) fn origin_at(&self, at: Option<Position>) -> Origin {
        match &self.file {
            None => Origin::Default,
            Some(file) => Origin::File(Arc::clone(&file.path), at.unwrap_or(Position::START)),
        }
    }

    /// Whether what is absent is known to be absent: a file that could not be read may hold it.
    pub(super) fn is_complete(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.complete)
    }
}

fn load_file(path: &Path, faults: &mut Vec<Fault>) -> Loaded {
    let shared = Arc::new(path.to_owned());
    let mut refuse = |what: String| {
        let origin = Origin::WholeFile(Arc::clone(&shared));
        faults.push(Fault {
            origin,
            key: String::new(),
            what,
        });
        Loaded {
            path: Arc::clone(&shared),
            root: None,
            complete: false,
        }
    };
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match read.map(|_| String::from_utf8(bytes)) {
        Err(error) => refuse(format!("cannot read the configuration file: {}", reason(&error))),
        Ok(Ok(text)) if text.len() as u64 > MAX_FILE => refuse(format!("larger than {MAX_FILE} bytes")),
        Ok(Err(error)) => refuse(format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to())),
        Ok(Ok(text)) => parse_file(shared, &text, faults),
    }
}

fn parse_file(path: Arc<PathBuf>, text: &str, faults: &mut Vec<Fault>) -> Loaded {
    let yaml::Reading {
        root,
        misplaced,
        complete,
    } = yaml::read(text);
    faults.extend(misplaced.into_iter().map(|found| Fault {
        origin: Origin::File(Arc::clone(&path), found.at),
        key: found.key,
        what: found.what,
    }));
    Loaded { path, root, complete }
}

/// An I/O error without the number that the standard library appends.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
    })
}

/// Finds the keys that nobody asked for, in every mapping that was opened as a section.
struct UnknownKeys<'a> {
    file: &'a Arc<PathBuf>,
    asked: &'a BTreeMap<String, BTreeSet<String>>,
    faults: &'a mut Vec<Fault>,
}

impl UnknownKeys<'_> {
    fn find(&mut self, node: &Node, path: &str) {
        match &node.shape {
            Shape::Scalar { .. } => {}
            Shape::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.find(item, &format!("{path}[{index}]"));
                }
            }
            Shape::Map(entries) => {
                let Some(known) = self.asked.get(path) else { return };
                for entry in entries {
                    let inner = join(path, &entry.key);
                    if known.contains(&entry.key) {
                        self.find(&entry.value, &inner);
                    } else {
                        let origin = Origin::File(Arc::clone(self.file), entry.at);
                        self.faults.push(Fault {
                            origin,
                            key: inner,
                            what: unknown(&entry.key, known),
                        });
                    }
                }
            }
        }
    }
}

fn unknown_flag(key: &str, asked: &BTreeMap<String, BTreeSet<String>>) -> Option<Fault> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let known = asked.get(section);
    if known.is_some_and(|known| known.contains(name)) {
        return None;
    }
    let what = known.map_or_else(|| "unknown key".to_owned(), |known| unknown(name, known));
    Some(Fault {
        origin: Origin::Flag(key.to_owned()),
        key: String::new(),
        what,
    })
}

fn unknown(key: &str, known: &BTreeSet<String>) -> String {
    let words = || known.iter().map(String::as_str);
    match nearest(key, words()) {
        Some(near) => format!("unknown key (did you mean `{near}`?)"),
        None => format!("unknown key (known here: {})", words().collect::<Vec<_>>().join(", ")),
    }
}
