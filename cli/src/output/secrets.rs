//! How secrets look.
use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde::ser::SerializeMap;
use spike_sdk::SecretData;
use spike_wire::secrets::{MetadataResponse, VersionInfo};
use zeroize::Zeroizing;

use super::lines::Lines;
use super::policies::with_zone;
use super::{Format, Output, go_json, yaml};

const RULE: &str = "--------------------------------------------------";

impl Output {
    /// Every key and value of a secret.
    pub(crate) fn secret_data(&mut self, data: &SecretData, format: Format) -> io::Result<()> {
        match format {
            Format::Human => {
                for (key, value) in data.iter() {
                    self.exact(&Zeroizing::new(format!("{key}: {value}\n")))?;
                }
                Ok(())
            }
            Format::Json => {
                let text = go_json::indented(&Exposed(data), "    ").map_err(io::Error::other)?;
                self.exact(&Zeroizing::new(format!("{}\n", text.as_str())))
            }
            Format::Yaml if data.is_empty() => self.text("{}\n\n"),
            Format::Yaml => {
                for (key, value) in data.iter() {
                    let (key, value) = (yaml::scalar(key, 0), yaml::scalar(value, 0));
                    self.exact(&Zeroizing::new(format!("{}: {}\n", key.as_str(), value.as_str())))?;
                }
                self.line("")
            }
        }
    }

    /// One value of a secret.
    pub(crate) fn secret_value(&mut self, value: &str, format: Format) -> io::Result<()> {
        let text = match format {
            Format::Human => Zeroizing::new(format!("{value}\n")),
            Format::Json => {
                let json = go_json::indented(&value, "    ").map_err(io::Error::other)?;
                Zeroizing::new(format!("{}\n", json.as_str()))
            }
            Format::Yaml => Zeroizing::new(format!("{}\n\n", yaml::scalar(value, 0).as_str())),
        };
        self.exact(&text)
    }

    /// The paths of secrets.
    pub(crate) fn secret_list(&mut self, paths: &[String], format: Format) -> io::Result<()> {
        match format {
            Format::Human if paths.is_empty() => self.line("No secrets found."),
            Format::Json | Format::Yaml if paths.is_empty() => self.line("[]"),
            Format::Json => self.json(&paths, "  "),
            Format::Human => paths.iter().try_for_each(|path| self.line(&format!("- {path}"))),
            Format::Yaml => paths
                .iter()
                .try_for_each(|path| self.line(&format!("- {}", yaml::scalar(path, 0).as_str()))),
        }
    }

    /// The versions and times of a secret.
    pub(crate) fn secret_metadata(&mut self, metadata: &MetadataResponse, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.text(metadata_for_people(metadata).as_str()),
            Format::Json => self.json(metadata, "  "),
            Format::Yaml => self.text(metadata_as_yaml(metadata).as_str()),
        }
    }
}

/// A secret that is written out on purpose.
struct Exposed<'a>(&'a SecretData);

impl Serialize for Exposed<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Versions by number. (On the wire they are sorted as text.)
fn by_number(metadata: &MetadataResponse) -> BTreeMap<i64, &VersionInfo> {
    metadata
        .versions
        .iter()
        .filter_map(|(key, info)| Some((key.number()?, info)))
        .collect()
}

fn metadata_for_people(metadata: &MetadataResponse) -> Lines {
    let info = &metadata.metadata;
    let mut lines = Lines::default();
    lines.add(format_args!("\nMetadata:\n{RULE}"));
    lines.add(format_args!("Current Version : {}", info.current_version));
    lines.add(format_args!("Oldest Version  : {}", info.oldest_version));
    lines.add(format_args!("Created Time    : {}", with_zone(info.created_time)));
    lines.add(format_args!("Last Updated    : {}", with_zone(info.updated_time)));
    lines.add(format_args!("Max Versions    : {}\n{RULE}", info.max_versions));
    let mut versions = Lines::default();
    for (number, version) in by_number(metadata) {
        versions.add(format_args!(
            "Version {number}:\n  Created: {}",
            with_zone(version.created_time)
        ));
        if let Some(deleted) = version.deleted_time {
            versions.add(format_args!("  Deleted: {}", with_zone(deleted)));
        }
        versions.add(format_args!("{RULE}"));
    }
    if !versions.as_str().is_empty() {
        lines.add(format_args!("\nSecret Versions:\n{RULE}"));
        lines.append(&versions);
    }
    lines
}

/// Go's field names in lower case, as SPIKE prints them.
fn metadata_as_yaml(metadata: &MetadataResponse) -> Lines {
    let mut lines = Lines::default();
    let versions = by_number(metadata);
    lines.add(format_args!(
        "{}",
        if versions.is_empty() {
            "versions: {}"
        } else {
            "versions:"
        }
    ));
    for (number, version) in versions {
        let deleted = version
            .deleted_time
            .map_or_else(|| "null".to_owned(), |time| time.to_string());
        lines.add(format_args!(
            "    {number}:\n        createdtime: {}",
            version.created_time
        ));
        lines.add(format_args!(
            "        version: {}\n        deletedtime: {deleted}",
            version.version
        ));
    }
    let info = &metadata.metadata;
    lines.add(format_args!("metadata:\n    currentversion: {}", info.current_version));
    lines.add(format_args!("    oldestversion: {}", info.oldest_version));
    lines.add(format_args!(
        "    createdtime: {}\n    updatedtime: {}",
        info.created_time, info.updated_time
    ));
    lines.add(format_args!("    maxversions: {}", info.max_versions));
    lines
}
