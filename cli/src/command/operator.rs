//! `spike operator …`
use super::backup;
use super::keys;
use super::safe::Safe;
use super::session::Session;
use crate::args::{OperatorCommand, Recover};
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Does an operator command.
pub(super) fn run(command: OperatorCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Recover(args) => recover(&args, output),
        OperatorCommand::Restore(args) => keys::restore(&args, output),
        OperatorCommand::Rotate => keys::rotate(output),
        OperatorCommand::Rekey(args) => keys::rekey(&args, output),
        OperatorCommand::Status(format) => keys::status(&format, output),
        OperatorCommand::Backup(args) => backup::take(&args, output),
        OperatorCommand::RestoreBackup(args) => backup::restore(&args),
    }
}

fn recover(args: &Recover, output: &mut Output) -> Result<(), Failure> {
    let safe = Safe::below(args.directory.as_ref(), args.home.as_ref(), "recover")?;
    safe.prepare()?;
    let session = Session::open()?;
    let shards = session.call(Subject::Recovery, session.client().operator().recover())?;
    if shards.is_empty() {
        return Err(Failure::data("SPIKE Nexus gave no shards"));
    }
    safe.save_shards(&shards)?;
    Ok(output.text(&format!(
        "
  SPIKE Recovery shards saved to the recovery directory:
  {}

  Please make sure that:
    1. You encrypt these shards and keep them safe.
    2. Securely erase the shards from the
       recovery directory after you encrypt them
       and save them to a safe location.

  If you lose these shards, you will not be able to recover
  SPIKE Nexus in the unlikely event of a total system crash.

",
        safe.path().display()
    ))?)
}
