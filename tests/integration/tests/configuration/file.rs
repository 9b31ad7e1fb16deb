//! A configuration file made of key paths, in which the place of every key and value is known.
use std::collections::BTreeMap;

/// Line and column, from 1.
pub(crate) type Place = (usize, usize);

/// A file, and where its keys and values are.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) keys: BTreeMap<String, Place>,
    pub(crate) values: BTreeMap<String, Place>,
    lines: usize,
    open: Vec<String>,
    /// The next line begins an element of a list.
    dash: bool,
}

impl File {
    /// Writes keys such as `check.listen.uds.path` and `entries[0].socket`; those of one section follow each other.
    pub(crate) fn of<'k>(keys: impl IntoIterator<Item = (&'k str, &'k str)>) -> Self {
        let mut file = Self::default();
        for (key, value) in keys {
            file.push(key, value);
        }
        file
    }

    /// Adds a key to the section it belongs to.
    pub(crate) fn push(&mut self, key: &str, value: &str) {
        let mut sections: Vec<&str> = key.split('.').collect();
        let leaf = sections.pop().unwrap_or_default();
        let common = self
            .open
            .iter()
            .zip(&sections)
            .take_while(|(open, wanted)| open == wanted)
            .count();
        self.open.truncate(common);
        for section in sections.iter().skip(common) {
            self.line(&format!("{}:", section.trim_end_matches("[0]")));
            self.dash = section.ends_with("[0]");
            self.open.push((*section).to_owned());
        }
        let column = self.line(&format!("{leaf}: {value}"));
        self.keys.insert(key.to_owned(), (self.lines, column));
        self.values
            .insert(key.to_owned(), (self.lines, column + leaf.len() + 2));
    }

    fn line(&mut self, text: &str) -> usize {
        let indent = self.open.len() * 2;
        let margin = if std::mem::take(&mut self.dash) {
            format!("{:1$}- ", "", indent - 2)
        } else {
            " ".repeat(indent)
        };
        self.text.extend([&margin, text, "\n"]);
        self.lines += 1;
        indent + 1
    }
}
