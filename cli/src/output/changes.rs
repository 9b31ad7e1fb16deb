//! How policies look that differ, change or are tested; and the state of Nexus.
use std::io;

use serde::Serialize;
use spike_policy::PolicyDocument;
use spike_wire::feed::{FeedPolicy, Line};
use spike_wire::policies::PutRequest;

use super::lines::Lines;
use super::{Format, Output, go_json};

/// A policy that is not the same in files and in Nexus.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    /// Which.
    pub(crate) name: String,
    /// What applying the files would do to it.
    #[serde(rename = "change")]
    pub(crate) kind: Changed,
    /// Where they differ.
    pub(crate) fields: Vec<FieldChange>,
}

/// What applying files does to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Changed {
    /// Nexus does not have it.
    Created,
    /// Both have it.
    Updated,
    /// The files do not hold it.
    Removed,
}

impl Changed {
    /// This change of the policy of this name.
    pub(crate) fn of(self, name: &str, fields: Vec<FieldChange>) -> Change {
        Change {
            name: name.to_owned(),
            kind: self,
            fields,
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Created => '+',
            Self::Updated => '~',
            Self::Removed => '-',
        }
    }
}

/// A field that differs.
#[derive(Debug, Serialize)]
pub(crate) struct FieldChange {
    /// Its key in a file.
    pub(crate) field: &'static str,
    /// What Nexus has.
    pub(crate) stored: Option<String>,
    /// What the files say.
    pub(crate) written: Option<String>,
}

/// A case of a policy test.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    /// Where it is written.
    pub(crate) place: String,
    /// Who.
    pub(crate) spiffeid: String,
    /// What.
    pub(crate) path: String,
    /// How.
    pub(crate) permission: String,
    /// The verdict.
    pub(crate) allowed: bool,
    /// Its reason.
    pub(crate) reason: String,
    /// Whether that is what was wanted.
    pub(crate) passed: bool,
    /// What is not as it was wanted.
    pub(crate) faults: Vec<String>,
}

/// The state of a Nexus.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// Who asks.
    pub(crate) identity: String,
    /// Whom.
    pub(crate) nexus: String,
    /// `ready`, `not ready` or `unavailable`.
    #[serde(rename = "status")]
    pub(crate) word: &'static str,
}

impl Output {
    /// What applying files would change.
    pub(crate) fn policy_changes(&mut self, changes: &[Change], format: Format) -> io::Result<()> {
        match format {
            Format::Human if changes.is_empty() => self.line("No differences."),
            Format::Human => self.text(changed(changes).as_str()),
            Format::Json => self.json(&changes, "  "),
            Format::Yaml => self.yaml_list(changes),
        }
    }

    /// The cases of a test, and how many passed.
    pub(crate) fn checked_cases(&mut self, cases: &[Checked], format: Format) -> io::Result<()> {
        match format {
            Format::Human => {
                let mut lines = Lines::default();
                for case in cases.iter().filter(|case| !case.passed) {
                    let Checked {
                        place,
                        spiffeid,
                        path,
                        permission,
                        ..
                    } = case;
                    lines.add(format_args!("FAILED {place}: {permission} on {path} for {spiffeid}"));
                    for fault in &case.faults {
                        lines.add(format_args!("    {fault}"));
                    }
                }
                let passed = cases.iter().filter(|case| case.passed).count();
                lines.add(format_args!("{passed} of {} cases passed.", cases.len()));
                self.text(lines.as_str())
            }
            Format::Json => self.json(&cases, "  "),
            Format::Yaml => self.yaml_list(cases),
        }
    }

    /// The state of Nexus.
    pub(crate) fn status(&mut self, status: &Status, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.text(&format!(
                "Identity : {}\nNexus    : {}\nStatus   : {}\n",
                status.identity, status.nexus, status.word
            )),
            Format::Json => self.json(status, "  "),
            Format::Yaml => self.yaml(status),
        }
    }

    /// A line of the policy feed. A heartbeat is nothing for people.
    pub(crate) fn feed_line(&mut self, line: &Line, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.text(for_people(line).as_str()),
            Format::Json => {
                let text = serde_json::to_string(line).map_err(io::Error::other)?;
                self.exact(&text)?;
                self.raw(b"\n")
            }
            Format::Yaml => {
                self.raw(b"---\n")?;
                self.yaml(line)
            }
        }
    }

    /// Policies as a JSON list.
    pub(crate) fn policy_documents(&mut self, documents: &[PolicyDocument]) -> io::Result<()> {
        let documents: Vec<PutRequest> = documents.iter().map(PutRequest::from).collect();
        self.json(&documents, "  ")
    }
}

/// A policy as a JSON file that `apply` reads.
pub(crate) fn policy_json(document: &PolicyDocument) -> io::Result<String> {
    let text = go_json::indented(&PutRequest::from(document), "  ").map_err(io::Error::other)?;
    Ok(format!("{}\n", text.as_str()))
}

fn changed(changes: &[Change]) -> Lines {
    let mut lines = Lines::default();
    for change in changes {
        lines.add(format_args!("{} {}", change.kind.sign(), change.name));
        for field in &change.fields {
            match (&field.stored, &field.written) {
                (Some(stored), Some(written)) => {
                    lines.add(format_args!("    {}: {stored}\n      -> {written}", field.field));
                }
                (Some(one), None) | (None, Some(one)) => lines.add(format_args!("    {}: {one}", field.field)),
                (None, None) => {}
            }
        }
    }
    lines.add(format_args!("Policies that differ: {}", changes.len()));
    lines
}

fn for_people(line: &Line) -> Lines {
    let mut lines = Lines::default();
    let put = |policies: &[FeedPolicy], lines: &mut Lines| {
        for policy in policies {
            let how = policy.permissions.join(", ");
            let (who, what) = (&policy.spiffeid_pattern, &policy.path_pattern);
            lines.add(format_args!("  {}: {how} on {what} for {who}", policy.name));
        }
    };
    match line {
        Line::Snapshot(snapshot) => {
            lines.add(format_args!(
                "generation {}: {} policies",
                snapshot.generation,
                snapshot.policies.len()
            ));
            put(&snapshot.policies, &mut lines);
        }
        Line::Delta(delta) => {
            lines.add(format_args!("generation {}:", delta.generation));
            put(&delta.put, &mut lines);
            for name in &delta.removed {
                lines.add(format_args!("  {name}: removed"));
            }
        }
        Line::Heartbeat(_) => {}
    }
    lines
}
