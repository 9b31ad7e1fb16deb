//! How explanations look.
use std::io;

use serde::Serialize;
use serde_json::Value;
use spike_policy::explain::Listing;
use spike_wire::access::{AccessResponse, PolicyListing};

use super::lines::Lines;
use super::{Format, Output, yaml};

impl Output {
    /// Why an access is allowed or denied.
    pub(crate) fn access(&mut self, answer: &AccessResponse, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.line(&answer.text),
            Format::Json => self.json(answer, "  "),
            Format::Yaml => self.yaml(answer),
        }
    }

    /// Policies that have something in common.
    pub(crate) fn listing(&mut self, listing: &Listing, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.line(&listing.to_string()),
            Format::Json => self.json(&PolicyListing::from(listing), "  "),
            Format::Yaml => self.yaml(&PolicyListing::from(listing)),
        }
    }

    /// A value as YAML.
    pub(super) fn yaml(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut lines = Lines::default();
        if let Value::Object(fields) = serde_json::to_value(value).map_err(io::Error::other)? {
            for (key, value) in &fields {
                field(key, value, 0, &mut lines);
            }
        }
        self.exact(lines.as_str())
    }

    /// A list of values as YAML.
    pub(super) fn yaml_list(&mut self, values: &[impl Serialize]) -> io::Result<()> {
        let mut lines = Lines::default();
        for value in values {
            item(&serde_json::to_value(value).map_err(io::Error::other)?, 0, &mut lines);
        }
        if values.is_empty() {
            lines.add(format_args!("[]"));
        }
        self.exact(lines.as_str())
    }
}

/// One key with its value, so many blanks deep.
fn field(key: &str, value: &Value, depth: usize, lines: &mut Lines) {
    let blanks = " ".repeat(depth);
    match value {
        Value::Array(items) if !items.is_empty() => {
            lines.add(format_args!("{blanks}{key}:"));
            for value in items {
                item(value, depth + 4, lines);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            lines.add(format_args!("{blanks}{key}:"));
            fields
                .iter()
                .for_each(|(key, value)| field(key, value, depth + 4, lines));
        }
        Value::String(text) => lines.add(format_args!("{blanks}{key}: {}", yaml::scalar(text, depth).as_str())),
        // Written alike in JSON and YAML.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            lines.add(format_args!("{blanks}{key}: {value}"));
        }
    }
}

/// One item of a list: its first line behind a dash.
fn item(value: &Value, depth: usize, lines: &mut Lines) {
    let blanks = " ".repeat(depth);
    match value {
        Value::String(text) => lines.add(format_args!("{blanks}- {}", yaml::scalar(text, depth).as_str())),
        Value::Object(fields) if !fields.is_empty() => {
            let mut inner = Lines::default();
            fields
                .iter()
                .for_each(|(key, value)| field(key, value, depth + 2, &mut inner));
            let inner = inner.as_str().trim().to_owned();
            lines.add(format_args!("{blanks}- {inner}"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            lines.add(format_args!("{blanks}- {value}"));
        }
    }
}
