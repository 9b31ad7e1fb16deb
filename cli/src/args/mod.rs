//! What was typed. What it means is the business of the commands.
//!
//! **Owns** the commands, their flags and help, and completion scripts. **Refuses** to judge what a value means.
//! **Invariant**: a command line is read as a whole before anything is done.
mod audit;
mod backup;
mod cipher;
mod keys;
mod migrate;
mod operator;
mod policy;
mod secret;

use std::ffi::OsString;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use audit::{AuditCommand, Verify};
pub(crate) use backup::{Backup, RestoreBackup};
pub(crate) use cipher::{CipherCommand, Decrypt, Encrypt};
pub(crate) use keys::{Rekey, Restore};
pub(crate) use migrate::{Kind, Migrate};
pub(crate) use operator::{OperatorCommand, Recover};
pub(crate) use policy::{
    Apply, Create, Delete, Diff, Explain, Export, Files, Get, Lint, List, PolicyCommand, PolicyFlags, Test, Which,
};
pub(crate) use secret::{MetadataCommand, Put, SecretCommand, SecretVersions};

use crate::failure::Failure;

/// Columns of help texts, whatever the terminal: help is also read by tests and people's notes.
const HELP_WIDTH: usize = 100;

#[derive(Debug, Parser)]
#[command(
    name = "spike",
    bin_name = "spike",
    version,
    about = "SPIKE - Secure your secrets with SPIFFE",
    term_width = HELP_WIDTH,
    disable_help_subcommand = false,
    after_help = "Environment:\n  \
        SPIFFE_ENDPOINT_SOCKET  Workload API of the SPIRE agent\n                          \
        [unix:///tmp/spire-agent/public/api.sock]\n  \
        SPIKE_NEXUS_API_URL     where SPIKE Nexus is [https://localhost:8553]\n  \
        SPIKE_TRUST_ROOT_NEXUS  trust domains a Nexus may have, comma-separated [spike.ist]\n\n\
        Exit codes:\n  \
        0 done, 64 wrong usage, 65 wrong data, 69 SPIKE Nexus or agent unavailable,\n  \
        70 internal, 77 access denied, 78 wrong configuration"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A command of the first level.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Manage policies
    #[command(
        subcommand,
        long_about = "Manage access control policies.\n\nPolicies control which workloads can access \
        which secrets. Each policy grants permissions to the workloads whose SPIFFE ID matches one pattern, on the \
        paths that match another."
    )]
    Policy(PolicyCommand),
    /// Manage secrets
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Encrypt and decrypt with a key that stays in SPIKE Nexus
    #[command(subcommand)]
    Cipher(CipherCommand),
    /// Keep SPIKE Nexus recoverable
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Copy policies and secrets from one SPIKE Nexus to another
    #[command(
        after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/superuser at both ends. The source may be\n\
        an official SPIKE Nexus; it is only read. Can be stopped and run again: what is there already, the\n\
        same, is left alone. The data of deleted versions cannot be read, so only their numbers and times\n\
        are copied.\n\n\
        Examples:\n  \
        spike migrate --from https://old:8553 --to https://new:8553 --dry-run\n  \
        spike migrate --from https://old:8553 --from-trust-root spike.ist \\\n    \
        --to https://new:8553 --to-trust-root example.org --to-socket unix:///run/spire/new.sock\n\n\
        Exits with 0 when everything is in the target, and with 65 when something is in conflict, refused or\n\
        failed."
    )]
    Migrate(Migrate),
    /// Look at audit logs
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Ask whether SPIKE Nexus can be reached and is ready
    Status(FormatFlag),
    /// Follow the policies as they change
    #[command(
        after_help = "Prints all policies, then each change as it is made. JSON is one line for each, with a heartbeat\n\
        every second. Needs read and list on spike/system/acl; an official SPIKE Nexus cannot be followed."
    )]
    Watch(FormatFlag),
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Reads a command line. Help and version are a [`Failure::Help`], which ends in success.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Failure::Help(text),
            _ => Failure::CommandLine(text),
        }
    })
}

/// The completion script of a shell.
pub(crate) fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "spike", &mut script);
    script
}

/// How to print what a command found.
#[derive(Debug, clap::Args)]
pub(crate) struct FormatFlag {
    /// Output format: human/h/plain/p, json/j, or yaml/y
    #[arg(short, long = "format", default_value = "human", value_name = "FORMAT")]
    pub(crate) format: String,
}

fn non_empty() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
