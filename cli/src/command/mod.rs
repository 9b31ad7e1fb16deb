//! What each command does: check, connect, call, print.
//!
//! **Owns** the order of these steps. **Refuses** to print or to map errors to exit codes itself.
//! **Invariant**: no command asks for an identity before its input is known to be right.
mod audit;
mod backup;
mod cipher;
mod keys;
mod migrate;
mod operator;
mod policy;
mod policy_apply;
mod policy_diff;
mod policy_explain;
mod policy_export;
mod policy_flags;
mod policy_stored;
mod policy_test;
mod prompt;
mod safe;
mod secret;
mod session;
mod shards;
mod status;
mod watch;

use crate::args::{self, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Does what a command line asks for.
pub(crate) fn run(command: Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Policy(command) => policy::run(command, output),
        Command::Secret(command) => secret::run(command, output),
        Command::Cipher(command) => cipher::run(command, output),
        Command::Operator(command) => operator::run(command, output),
        Command::Migrate(args) => migrate::run(&args, output),
        Command::Audit(command) => audit::run(command, output),
        Command::Status(args) => status::run(&args, output),
        Command::Watch(args) => watch::run(&args, output),
        Command::Completion { shell } => Ok(output.raw(&args::completion(shell))?),
    }
}
