//! `spike audit …`
use spike_audit::Seal;
use spike_audit::verify::{Options, VerifyError, sources, verify};

use crate::args::{AuditCommand, Verify};
use crate::failure::Failure;
use crate::output::{CheckedLog, Format, Output};

/// Does an audit command.
pub(super) fn run(command: AuditCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(args) => check(args, output),
    }
}

fn check(args: Verify, output: &mut Output) -> Result<(), Failure> {
    let format: Format = args.format.format.parse()?;
    let seal = match &args.key {
        Some(key) => Seal::from_file(key).map_err(|error| Failure::System(error.to_string()))?,
        None => Seal::Plain,
    };
    let logs = sources(&args.files).map_err(|error| failed(&error))?;
    if logs.len() > 1 && !args.anchors.is_empty() {
        let names = "an anchor is of one log, and there are several: give the files of one".to_owned();
        return Err(Failure::Usage(names));
    }
    let options = Options {
        seal,
        stream: args.stream,
        anchors: args.anchors,
    };
    let mut checked = Vec::new();
    for files in logs {
        let name = files.last().map(|file| file.name.clone()).unwrap_or_default();
        let report = verify(files, &options).map_err(|error| failed(&error))?;
        checked.push(CheckedLog { name, report });
    }
    output.checked_logs(&checked, format)?;
    let whole = checked.iter().all(|log| log.report.broken.is_none());
    if whole { Ok(()) } else { Err(Failure::Incomplete) }
}

fn failed(error: &VerifyError) -> Failure {
    match error {
        VerifyError::Read { .. } => Failure::System(error.to_string()),
        VerifyError::Nothing(_) | VerifyError::Seal { .. } => Failure::data(error.to_string()),
    }
}
