//! The life of a server, in one function.
//!
//! **Owns** the order: command line, configuration, preparation, work, end. **Refuses** to prepare a process for a
//! configuration that has a fault. **Invariant**: what is only asked for (help, the version, a check) changes nothing.
use std::process::ExitCode;

use spike_runtime::config::Faults;

use crate::args::{Args, CommandLine, Flags};
use crate::failure::{Failure, Fatal, end};
use crate::process::Process;
use crate::settings::Configuration;
use crate::voice::say;

/// Reads the command line and the configuration, and runs the server in a process that is prepared; or only checks.
/// What went wrong is told before this returns.
///
/// `read` gives the server's own settings `S`; `run` works with them, which is [`Process::serve`] or something instead.
pub fn main<O: Flags, S, E: Fatal>(
    line: &CommandLine,
    read: impl FnOnce(&Args<O>) -> Result<(S, Configuration), Faults>,
    run: impl FnOnce(S, Process) -> Result<(), Failure<E>>,
) -> ExitCode {
    let args = match line.read() {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let work = || {
        let (own, configuration) = read(&args)?;
        if args.is_check() {
            say(&configuration.effective);
            return Ok(());
        }
        run(own, Process::prepare(line.program, configuration)?)
    };
    end(line.program, work())
}
