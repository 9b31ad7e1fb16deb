//! How the report about an audit log looks.
use std::io;

use serde_json::{Value, json};
use spike_audit::verify::{Fault, Report};

use super::lines::Lines;
use super::{Format, Output};

/// A log that was looked at.
pub(crate) struct CheckedLog {
    /// The last of its files.
    pub(crate) name: String,
    /// What was found.
    pub(crate) report: Report,
}

impl Output {
    /// What was found in audit logs.
    pub(crate) fn checked_logs(&mut self, logs: &[CheckedLog], format: Format) -> io::Result<()> {
        let values = || json!({"logs": logs.iter().map(value).collect::<Vec<_>>()});
        match format {
            Format::Human => {
                let mut lines = Lines::default();
                for log in logs {
                    describe(log, &mut lines);
                }
                self.text(lines.as_str())
            }
            Format::Json => self.json(&values(), "  "),
            Format::Yaml => self.yaml(&values()),
        }
    }
}

fn describe(log: &CheckedLog, lines: &mut Lines) {
    let report = &log.report;
    let files = if report.files == 1 { "file" } else { "files" };
    lines.add(format_args!("Log    : {} ({} {files})", log.name, report.files));
    match (report.chains.first(), report.chains.last()) {
        (Some(first), Some(last)) if report.chains.len() == 1 => lines.add(format_args!(
            "Lines  : {}, numbers {} to {}, of one start",
            report.lines, first.first, last.last
        )),
        (Some(first), Some(last)) => lines.add(format_args!(
            "Lines  : {}, numbers {} to {}, of {} starts",
            report.lines,
            first.first,
            last.last,
            report.chains.len()
        )),
        (None, _) | (_, None) => lines.add(format_args!("Lines  : 0")),
    }
    if report.foreign > 0 {
        lines.add(format_args!(
            "Others : {} lines that are not of the audit",
            report.foreign
        ));
    }
    if let Some(behind) = report.behind {
        let (seq, chain) = (behind.seq, behind.chain);
        lines.add(format_args!(
            "Behind : line {seq} of chain {chain}, which is not in these files"
        ));
    }
    if report.lost > 0 {
        lines.add(format_args!("Lost   : {} lines, as the log itself says", report.lost));
    }
    for torn in &report.torn {
        lines.add(format_args!(
            "Torn   : {}:{}: half a line, {} bytes; the program was killed and went on behind it",
            torn.file, torn.line, torn.bytes
        ));
    }
    if let Some(head) = report.head {
        lines.add(format_args!("Head   : {head}"));
    }
    match &report.broken {
        Some(broken) => lines.add(format_args!(
            "Result : BROKEN at {}:{}, {}",
            broken.file, broken.line, broken.fault
        )),
        None if report.ended => lines.add(format_args!("Result : whole")),
        None => lines.add(format_args!(
            "Result : whole, but open at its end: the program runs, was killed, or the end was cut off"
        )),
    }
}

fn value(log: &CheckedLog) -> Value {
    let report = &log.report;
    let chains = report
        .chains
        .iter()
        .map(|reach| json!({"chain": reach.chain.to_string(), "first": reach.first, "last": reach.last}));
    let torn = report
        .torn
        .iter()
        .map(|torn| json!({"file": torn.file, "line": torn.line, "bytes": torn.bytes}));
    let broken = report.broken.as_ref().map(|broken| {
        let missing = match &broken.fault {
            Fault::Removed(lines) => *lines,
            Fault::Edited
            | Fault::Reordered
            | Fault::Inserted
            | Fault::Duplicated
            | Fault::TornTail { .. }
            | Fault::Unlinked
            | Fault::AnchorMissing(_) => None,
        };
        json!({
            "file": broken.file,
            "line": broken.line,
            "fault": broken.fault.as_str(),
            "missing": missing,
            "text": broken.fault.to_string(),
        })
    });
    json!({
        "log": log.name,
        "files": report.files,
        "lines": report.lines,
        "foreign": report.foreign,
        "chains": chains.collect::<Vec<_>>(),
        "behind": report.behind.map(|head| head.to_string()),
        "head": report.head.map(|head| head.to_string()),
        "lost": report.lost,
        "torn": torn.collect::<Vec<_>>(),
        "ended": report.ended,
        "whole": report.broken.is_none(),
        "broken": broken,
    })
}
