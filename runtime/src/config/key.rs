//! One key of a section, and the forms in which it can be read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::fault::Origin;
use super::form::{self, Want};
use super::layers::reason;
use super::notation::{self, Endpoint};
use super::section::Section;
use super::setting::Setting;
use super::yaml::{Node, join};

/// A key to be read: add the environment variables that may give it, then choose a form.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    pub(super) section: Section<'a>,
    pub(super) name: String,
    pub(super) environment: Vec<&'static str>,
    pub(super) secret: bool,
}

impl<'a> Key<'a> {
    pub(super) fn new(section: Section<'a>, name: &str) -> Self {
        Self {
            section,
            name: name.to_owned(),
            environment: Vec::new(),
            secret: false,
        }
    }

    /// An environment variable that gives this key. Of several, the first that is set counts.
    #[must_use]
    pub fn env(mut self, name: &'static str) -> Self {
        self.environment.push(name);
        self
    }

    /// Keeps the value out of faults and out of the effective configuration.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// A text, not empty.
    pub fn string(self) -> Setting<'a, String> {
        let form = form::scalar(Want::Text, "a text, not empty", |text| match text {
            "" => Err("empty".to_owned()),
            text => Ok(text.to_owned()),
        });
        Setting::new(self, form, |value| Value::from(value.as_str()))
    }

    /// `true` or `false`; an environment variable also takes what Go's `ParseBool` takes (`1`, `t`, `F`, …).
    pub fn bool(self) -> Setting<'a, bool> {
        Setting::new(self, form::boolean(), |value| Value::from(*value))
    }

    /// A time span in Go's notation: `250ms`, `5s`, `1h30m`, `0`.
    pub fn duration(self) -> Setting<'a, Duration> {
        const RULE: &str = "a number and a unit of ns, us, ms, s, m, h; such as 250ms, 5s, 1h30m";
        let form = form::scalar(Want::Any, RULE, notation::duration);
        Setting::new(self, form, |value| Value::from(notation::show_duration(*value)))
    }

    /// A number of bytes: `65536`, `64KiB`, `1MiB`, `10MB`.
    pub fn size(self) -> Setting<'a, u64> {
        const RULE: &str = "bytes, or a number and a unit of KiB, MiB, GiB, KB, MB, GB";
        Setting::new(self, form::scalar(Want::Any, RULE, notation::size), |value| {
            Value::from(*value)
        })
    }

    /// A whole number within a range.
    pub fn u64(self, range: RangeInclusive<u64>) -> Setting<'a, u64> {
        let rule = format!("a whole number from {} to {}", range.start(), range.end());
        let form = form::scalar(Want::Number, rule, move |text| match text.parse::<u64>() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) => Err("out of range".to_owned()),
            Err(_) => Err("not a whole number".to_owned()),
        });
        Setting::new(self, form, |value| Value::from(*value))
    }

    /// A path, which need not exist yet. Relative paths are relative to the working directory.
    pub fn path(self) -> Setting<'a, PathBuf> {
        let form = form::scalar(Want::Text, "a path", notation::path);
        Setting::new(self, form, |value| Value::from(value.display().to_string()))
    }

    /// The path of a file that exists and can be read.
    pub fn file(self) -> Setting<'a, PathBuf> {
        let form = form::scalar(Want::Text, "the path of a readable file", |text| {
            let path = notation::path(text)?;
            let kind = File::open(&path).and_then(|file| file.metadata());
            match kind {
                Err(error) => Err(format!("cannot be read, {}", reason(&error))),
                Ok(metadata) if metadata.is_dir() => Err("a directory".to_owned()),
                Ok(_) => Ok(path),
            }
        });
        Setting::new(self, form, |value| Value::from(value.display().to_string()))
    }

    /// An address to listen on or to dial: `127.0.0.1:8553`, `[::1]:8553`; `:8553` means every address of this host.
    pub fn socket_addr(self) -> Setting<'a, SocketAddr> {
        const RULE: &str = "an IP address and a port, such as 127.0.0.1:8553, [::1]:8553 or :8553";
        Setting::new(self, form::scalar(Want::Text, RULE, notation::socket_addr), |value| {
            Value::from(value.to_string())
        })
    }

    /// An IP address with a port, or `unix:///absolute/or/./relative/path`.
    pub fn endpoint(self) -> Setting<'a, Endpoint> {
        const RULE: &str = "an IP address and a port, or unix:///path/to/socket";
        Setting::new(self, form::scalar(Want::Text, RULE, notation::endpoint), |value| {
            Value::from(value.to_string())
        })
    }

    /// One of a closed list of words, in upper or lower case.
    pub fn one_of<T: Copy + PartialEq + 'static>(self, words: &'static [(&'static str, T)]) -> Setting<'a, T> {
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let form = form::scalar(Want::Any, format!("one of {}", list.join(", ")), move |text| {
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| "not a known word".to_owned())
        });
        Setting::new(self, form, move |value| {
            words
                .iter()
                .find(|(_, known)| known == value)
                .map_or(Value::Null, |(word, _)| Value::from(*word))
        })
    }

    /// A text in a form of the caller's: `parse` says what is wrong, `rule` what would be right.
    pub fn parsed<T, E>(self, rule: &str, parse: impl Fn(&str) -> Result<T, E> + 'static) -> Setting<'a, T>
    where
        T: fmt::Display,
        E: fmt::Display,
    {
        let form = form::parsed(rule, parse);
        Setting::new(self, form, |value| Value::from(value.to_string()))
    }

    /// A list of texts; in the environment and in flags separated by commas.
    pub fn strings(self) -> Setting<'a, Vec<String>> {
        self.list("a text, not empty", |text| match text {
            "" => Err("empty"),
            text => Ok(text.to_owned()),
        })
    }

    /// A list whose elements have a form of the caller's; in the environment and in flags separated by commas.
    pub fn list<T, E>(self, rule: &str, parse: impl Fn(&str) -> Result<T, E> + 'static) -> Setting<'a, Vec<T>>
    where
        T: fmt::Display + 'static,
        E: fmt::Display,
    {
        let item = form::parsed(rule, parse);
        Setting::new(self, form::list(item), |values| {
            values.iter().map(|value| Value::from(value.to_string())).collect()
        })
    }

    /// A mapping of names that the user chooses to values in a form of the caller's; in the environment and in flags
    /// as `name=value,name=value`.
    pub fn map<T, E>(
        self,
        rule: &str,
        parse: impl Fn(&str) -> Result<T, E> + 'static,
    ) -> Setting<'a, BTreeMap<String, T>>
    where
        T: fmt::Display + 'static,
        E: fmt::Display,
    {
        let item = form::parsed(rule, parse);
        Setting::new(self, form::map(item), |values| {
            Value::Object(
                values
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.to_string())))
                    .collect(),
            )
        })
    }

    /// The key path.
    pub(super) fn key_path(&self) -> String {
        join(&self.section.path, &self.name)
    }

    /// The value in the file.
    pub(super) fn in_file(&self) -> Option<&'a Node> {
        let entry = self.section.node.and_then(|node| node.child(&self.name))?;
        (!entry.value.is_null()).then_some(&entry.value)
    }

    /// The first variable that is set, and its value.
    pub(super) fn in_environment(&self) -> Option<(&'static str, &'a str)> {
        let layers = self.section.layers;
        let path = self.key_path();
        self.environment
            .iter()
            .find_map(|name| layers.environment(name, &path).map(|value| (*name, value)))
    }

    /// The origin of the highest layer that gives this key; for an absent key the place of its section.
    pub(super) fn deciding_origin(&self) -> Origin {
        let layers = self.section.layers;
        let path = self.key_path();
        if layers.flag(&path).is_some() {
            return Origin::Flag(path);
        }
        if let Some((name, _)) = self.in_environment() {
            return Origin::Environment(name.to_owned());
        }
        layers.origin_at(self.in_file().map(|node| node.at).or(self.section.at))
    }
}
