//! How the state of the keys looks.
use std::io;

use spike_wire::operator::StatusResponse;

use super::{Format, Output};

impl Output {
    /// How the keys of a Nexus are.
    pub(crate) fn keys(&mut self, status: &StatusResponse, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.human_keys(status),
            Format::Json => self.json(status, "  "),
            Format::Yaml => self.yaml(status),
        }
    }

    fn human_keys(&mut self, status: &StatusResponse) -> io::Result<()> {
        self.line(&format!("State         : {}", status.state))?;
        self.line(&format!("Root key      : {}", root_key(status)))?;
        self.line(&format!("Rekey         : {}", status.rekey))?;
        if status.store.is_empty() {
            return Ok(());
        }
        self.line(&format!("Store         : {}", status.store))?;
        self.line(&format!(
            "Data key      : {} ({} records sealed)",
            status.term, status.seals
        ))?;
        self.line(&format!("Re-encryption : {}", re_encryption(status)))?;
        self.line(&format!("Generation    : {}", status.generation))
    }
}

fn root_key(status: &StatusResponse) -> String {
    let shares = match status.key_source.as_str() {
        "memory" => String::new(),
        _ => format!(", {} of {} shares", status.threshold, status.shares),
    };
    let collected = match status.collected {
        0 => String::new(),
        count => format!(", {count} handed in"),
    };
    format!("{}{shares}{collected}", status.key_source)
}

fn re_encryption(status: &StatusResponse) -> String {
    match (status.re_encryption.as_str(), status.waiting, status.old_terms) {
        ("done", ..) => "done".to_owned(),
        (stage, waiting, old) => format!("{stage}, {waiting} records under {old} older data keys"),
    }
}
