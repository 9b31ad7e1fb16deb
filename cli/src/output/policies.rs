//! How policies look.
use std::io;

use serde::Serialize;
use spike_wire::policies::{Applied, GetResponse, ListItem};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::lines::Lines;
use super::{Format, Output, go_json, yaml};

impl Output {
    /// A list of policies.
    pub(crate) fn policy_list(&mut self, items: &[ListItem], format: Format) -> io::Result<()> {
        match format {
            Format::Human if items.is_empty() => self.line("No policies found."),
            Format::Json | Format::Yaml if items.is_empty() => self.line("[]"),
            Format::Human => {
                self.text("POLICIES\n========\n\n")?;
                for item in items {
                    self.text(&format!("Name: {}\n--------\n\n", item.name))?;
                }
                self.line("")
            }
            Format::Json => self.json(&items, "  "),
            Format::Yaml => {
                for item in items {
                    let (id, name) = (yaml::scalar(&item.id, 2), yaml::scalar(&item.name, 2));
                    self.text(&format!("- id: {}\n  name: {}\n", id.as_str(), name.as_str()))?;
                }
                self.line("")
            }
        }
    }

    /// One policy.
    pub(crate) fn policy(&mut self, policy: &GetResponse, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.line(details(policy).as_str()),
            Format::Json => self.json(policy, "  "),
            Format::Yaml => self.line(yaml_fields(policy).as_str()),
        }
    }

    /// What became of applied policies: SPIKE's line for one, and what happened to each of several.
    pub(crate) fn applied(&mut self, applied: &[Applied]) -> io::Result<()> {
        for policy in applied {
            self.line(&format!(
                "Policy '{}' applied successfully ({})",
                policy.name,
                policy.outcome.as_str()
            ))?;
        }
        Ok(())
    }

    /// A value as indented JSON.
    pub(super) fn json(&mut self, value: &impl Serialize, indent: &str) -> io::Result<()> {
        let text = go_json::indented(value, indent).map_err(io::Error::other)?;
        self.exact(&text)?;
        self.raw(b"\n")
    }
}

fn details(policy: &GetResponse) -> Lines {
    let mut lines = Lines::default();
    lines.add(format_args!("POLICY DETAILS\n=============\n"));
    lines.add(format_args!("Name: {}", policy.name));
    lines.add(format_args!("SPIFFE ID Pattern: {}", policy.spiffeid_pattern));
    lines.add(format_args!("Path Pattern: {}", policy.path_pattern));
    lines.add(format_args!(
        "Permissions: {}",
        policy.permissions.as_deref().unwrap_or_default().join(", ")
    ));
    lines.add(format_args!("Created At: {}", seconds(policy.created_at)));
    if !policy.updated_at.is_zero() {
        lines.add(format_args!("Updated At: {}", seconds(policy.updated_at)));
    }
    lines
}

/// Go's field names in lower case, as SPIKE prints them.
fn yaml_fields(policy: &GetResponse) -> Lines {
    let mut lines = Lines::default();
    for (key, value) in [
        ("id", &policy.id),
        ("name", &policy.name),
        ("spiffeidpattern", &policy.spiffeid_pattern),
        ("pathpattern", &policy.path_pattern),
    ] {
        lines.add(format_args!("{key}: {}", yaml::scalar(value, 0).as_str()));
    }
    match policy.permissions.as_deref().unwrap_or_default() {
        [] => lines.add(format_args!("permissions: []")),
        words => {
            lines.add(format_args!("permissions:"));
            for word in words {
                lines.add(format_args!("    - {}", yaml::scalar(word, 4).as_str()));
            }
        }
    }
    lines.add(format_args!("createdat: {}", policy.created_at));
    lines.add(format_args!("updatedat: {}", policy.updated_at));
    lines.add(format_args!("idregex: null\npathregex: null"));
    lines
}

/// RFC 3339 to the second, as Go prints a time for people.
fn seconds(time: spike_wire::Timestamp) -> String {
    let whole = time.date_time().replace_nanosecond(0).unwrap_or(time.date_time());
    whole.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// `2006-01-02 15:04:05 MST`: UTC is called so, another zone by its offset (its name is not on the wire).
pub(super) fn with_zone(time: spike_wire::Timestamp) -> String {
    let time = time.date_time();
    let date = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let zone = format_description!("[offset_hour sign:mandatory][offset_minute]");
    let zone = if time.offset().is_utc() {
        Ok("UTC".to_owned())
    } else {
        time.format(zone)
    };
    match (time.format(date), zone) {
        (Ok(date), Ok(zone)) => format!("{date} {zone}"),
        _ => time.to_string(),
    }
}
