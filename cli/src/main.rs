//! The `spike` command: policies and secrets of a SPIKE Nexus, from a shell.
//!
//! **Owns** the command line, what is printed and how a command ends; policy files as people write them.
//!
//! **Refuses** to know HTTP or TLS (that is the SDK), and to decide what a policy may say (that is `spike-policy`).
//!
//! **Invariant**: everything that can be checked without Nexus is checked before an identity is asked for; errors go
//! to standard error and end in a non-zero exit code.

mod args;
mod command;
mod exit;
mod failure;
mod manifest;
mod output;

use std::process::ExitCode;

use output::Output;

fn main() -> ExitCode {
    let mut output = Output::standard();
    let result = args::parse(std::env::args_os()).and_then(|command| command::run(command, &mut output));
    exit::finish(result, &mut output)
}
