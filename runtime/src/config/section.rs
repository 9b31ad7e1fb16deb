//! One mapping of a configuration.

use super::fault::{Origin, Position};
use super::key::Key;
use super::layers::Layers;
use super::yaml::{Node, Shape, join};

/// A mapping in which keys are read. Whatever the file holds beside the keys that were asked for is a fault.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    pub(super) layers: &'a Layers,
    pub(super) path: String,
    /// The mapping in the file; `None` when the file has none here.
    pub(super) node: Option<&'a Node>,
    /// The nearest place in the file, for what is missing.
    pub(super) at: Option<Position>,
}

impl<'a> Section<'a> {
    pub(super) fn open(layers: &'a Layers, path: String, node: Option<&'a Node>, at: Option<Position>) -> Self {
        let at = node.map(|node| node.at).or(at);
        let node = match node {
            Some(node) if node.is_null() => None,
            Some(node) if !matches!(node.shape, Shape::Map(_)) => {
                layers.fault(
                    layers.origin_at(at),
                    &path,
                    "not a mapping (write `key: value` lines below it)".to_owned(),
                );
                None
            }
            other => other,
        };
        Self { layers, path, node, at }
    }

    /// The key path of this section; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A key of this section, to be read in one of its forms.
    pub fn key(&self, name: &str) -> Key<'a> {
        self.layers.asked(&self.path, name);
        Key::new(self.clone(), name)
    }

    /// A nested section; empty when nothing is given.
    #[must_use]
    pub fn section(&self, name: &str) -> Section<'a> {
        self.layers.asked(&self.path, name);
        let entry = self.node.and_then(|node| node.child(name));
        let at = entry.map(|entry| entry.at).or(self.at);
        Section::open(self.layers, join(&self.path, name), entry.map(|entry| &entry.value), at)
    }

    /// A nested section that means something by being there: `None` when neither the file nor a flag names it.
    pub fn optional_section(&self, name: &str) -> Option<Section<'a>> {
        let section = self.section(name);
        let given = self.node.is_some_and(|node| node.child(name).is_some());
        (given || self.layers.has_flag_under(&section.path)).then_some(section)
    }

    /// A list of sections; empty when absent.
    pub fn sections(&self, name: &str) -> Vec<Section<'a>> {
        self.layers.asked(&self.path, name);
        let path = join(&self.path, name);
        let Some(entry) = self.node.and_then(|node| node.child(name)) else {
            return Vec::new();
        };
        match &entry.value.shape {
            Shape::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Section::open(self.layers, format!("{path}[{index}]"), Some(item), None))
                .collect(),
            Shape::Scalar { .. } if entry.value.is_null() => Vec::new(),
            Shape::Scalar { .. } | Shape::Map(_) => {
                let origin = self.layers.origin_at(Some(entry.value.at));
                self.layers
                    .fault(origin, &path, "not a list (start each element with `- `)".to_owned());
                Vec::new()
            }
        }
    }

    /// A nested section whose keys are names that the user chooses: name and section of each, in file order.
    pub fn named_sections(&self, name: &str) -> Vec<(String, Section<'a>)> {
        let outer = self.section(name);
        let Some(Shape::Map(entries)) = outer.node.map(|node| &node.shape) else {
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| (entry.key.clone(), outer.section(&entry.key)))
            .collect()
    }

    /// Records a fault that only the caller can see, such as two keys that exclude each other, at the place that
    /// decided the key's value. An empty `name` is the section itself. What is absent from a file that could not be read
    /// may stand in it, so nothing is said about that.
    pub fn refuse(&self, name: &str, what: impl Into<String>) {
        let (origin, path, absent) = if name.is_empty() {
            (self.layers.origin_at(self.at), self.path.clone(), self.node.is_none())
        } else {
            let key = Key::new(self.clone(), name);
            let absent = key.in_file().is_none();
            (key.deciding_origin(), key.key_path(), absent)
        };
        let from_elsewhere = matches!(origin, Origin::Environment(_) | Origin::Flag(_));
        if self.layers.is_complete() || !absent || from_elsewhere {
            self.layers.fault(origin, &path, what.into());
        }
    }
}
