//! How the report of a migration looks.
use std::io;

use serde::Serialize;
use spike_wire::import::Outcome;

use super::lines::Lines;
use super::{Format, Output};

/// What a migration did, or would do.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The source.
    pub(crate) from: String,
    /// The target.
    pub(crate) to: String,
    /// Whether nothing was to be changed.
    pub(crate) dry_run: bool,
    /// Whether everything that the source gives is in the target (or would be).
    pub(crate) complete: bool,
    /// What became of policies.
    pub(crate) policies: Tally,
    /// What became of secrets.
    pub(crate) secrets: Tally,
    /// How many versions with data were read of the source.
    pub(crate) versions: usize,
    /// Deleted versions: their numbers are copied, their data cannot be read.
    pub(crate) deleted_versions: Vec<Deleted>,
    /// Paths of which every version is deleted: listed in the target, but their versions are not even known.
    pub(crate) without_versions: Vec<String>,
    /// Paths for whose versions the source did not say when they were put.
    pub(crate) unknown_times: Vec<String>,
    /// Policies that mean something their authors hardly meant.
    pub(crate) warnings: Vec<Remark>,
}

/// Counts and names of one kind.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    /// How many the source lists.
    pub(crate) listed: usize,
    /// New in the target.
    pub(crate) created: usize,
    /// Continued in the target.
    pub(crate) updated: usize,
    /// There already, the same.
    pub(crate) identical: usize,
    /// Replaced in the target.
    pub(crate) replaced: usize,
    /// Gone from the source since they were listed.
    pub(crate) gone: usize,
    /// Different in the target, and left so.
    pub(crate) conflicts: Vec<String>,
    /// Not taken by the target.
    pub(crate) refused: Vec<Remark>,
    /// Could not be read or written.
    pub(crate) failed: Vec<Remark>,
    /// Not looked at, because the migration stopped.
    pub(crate) not_reached: usize,
}

/// A secret with versions whose data nobody can read.
#[derive(Debug, Serialize)]
pub(crate) struct Deleted {
    /// Which secret.
    pub(crate) path: String,
    /// Which versions.
    pub(crate) versions: Vec<i64>,
}

/// What is to be said about one policy or secret.
#[derive(Debug, Serialize)]
pub(crate) struct Remark {
    /// Its name or path.
    pub(crate) name: String,
    /// What, one text each.
    pub(crate) reasons: Vec<String>,
}

impl Report {
    /// Whether everything went well, for what was wanted.
    pub(crate) fn is_complete(&self) -> bool {
        self.policies.is_complete() && self.secrets.is_complete()
    }

    /// Brings everything into an order that does not depend on the order of answers.
    pub(crate) fn sort(&mut self) {
        for tally in [&mut self.policies, &mut self.secrets] {
            tally.conflicts.sort();
            tally.refused.sort_by(|a, b| a.name.cmp(&b.name));
            tally.failed.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.deleted_versions.sort_by(|a, b| a.path.cmp(&b.path));
        self.without_versions.sort();
        self.unknown_times.sort();
        self.warnings.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl Tally {
    /// Counts an outcome. With `replaces`, a conflict will be replaced when it is no longer a rehearsal.
    pub(crate) fn count(&mut self, name: &str, outcome: Outcome, replaces: bool) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Identical => self.identical += 1,
            Outcome::Replaced => self.replaced += 1,
            Outcome::Conflict if replaces => self.replaced += 1,
            Outcome::Conflict => self.conflicts.push(name.to_owned()),
            Outcome::Refused => self.refuse(name, Vec::new()),
        }
    }

    /// Notes what the target does not take.
    pub(crate) fn refuse(&mut self, name: &str, reasons: Vec<String>) {
        let name = name.to_owned();
        self.refused.push(Remark { name, reasons });
    }

    /// Notes what could not be read or written.
    pub(crate) fn fail(&mut self, name: &str, reason: String) {
        let name = name.to_owned();
        let reasons = vec![reason];
        self.failed.push(Remark { name, reasons });
    }

    fn is_complete(&self) -> bool {
        self.conflicts.is_empty() && self.refused.is_empty() && self.failed.is_empty() && self.not_reached == 0
    }

    fn add_to(&self, kind: &str, lines: &mut Lines) {
        let counts: Vec<String> = [
            (self.created, "created"),
            (self.updated, "updated"),
            (self.replaced, "replaced"),
            (self.identical, "identical"),
            (self.gone, "gone from the source"),
            (self.conflicts.len(), "in conflict"),
            (self.refused.len(), "refused"),
            (self.failed.len(), "failed"),
            (self.not_reached, "not reached"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!(", {count} {word}"))
        .collect();
        let (total, counts) = (self.listed, counts.concat());
        lines.add(format_args!("{kind}: {total} in the source{counts}"));
        for name in &self.conflicts {
            lines.add(format_args!("  conflict: {name}: the target has something else"));
        }
        for (word, remarks) in [("refused", &self.refused), ("failed", &self.failed)] {
            for remark in remarks {
                remark.add_to(word, lines);
            }
        }
    }
}

impl Remark {
    fn add_to(&self, word: &str, lines: &mut Lines) {
        for reason in &self.reasons {
            let reason = reason.replace('\n', " ");
            lines.add(format_args!("  {word}: {}: {reason}", self.name));
        }
    }
}

impl Output {
    /// The report of a migration.
    pub(crate) fn migration(&mut self, report: &Report, format: Format) -> io::Result<()> {
        match format {
            Format::Human => self.text(text_of(report).as_str()),
            Format::Json => self.json(report, "  "),
            Format::Yaml => self.yaml(report),
        }
    }
}

fn text_of(report: &Report) -> Lines {
    let mut lines = Lines::default();
    let kind = if report.dry_run {
        "Dry run: nothing was changed"
    } else {
        "Migration"
    };
    lines.add(format_args!("{kind}, from {} to {}", report.from, report.to));
    report.policies.add_to("Policies", &mut lines);
    for warning in &report.warnings {
        warning.add_to("warning", &mut lines);
    }
    report.secrets.add_to("Secrets", &mut lines);
    lines.add(format_args!("  versions with data read: {}", report.versions));
    for deleted in &report.deleted_versions {
        let numbers: Vec<String> = deleted.versions.iter().map(ToString::to_string).collect();
        let numbers = numbers.join(", ");
        lines.add(format_args!(
            "  skipped: {}: deleted, without data: version {numbers}",
            deleted.path
        ));
    }
    for path in &report.without_versions {
        lines.add(format_args!(
            "  skipped: {path}: every version is deleted; only the path was copied"
        ));
    }
    for path in &report.unknown_times {
        lines.add(format_args!(
            "  times: {path}: the source does not say when each version was put"
        ));
    }
    let ending = if report.complete {
        "Complete."
    } else {
        "Not complete: run it again when the causes are mended; what is done stays done."
    };
    lines.add(format_args!("{ending}"));
    lines
}
