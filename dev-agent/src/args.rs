//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use spike_runtime::Exit;

/// A stand-in for a SPIRE agent, for development and tests. NOT FOR PRODUCTION.
///
/// Serves the SPIFFE Workload API and Envoy's SDS on Unix sockets. Whoever can open a socket gets its identity.
#[derive(Debug, Parser)]
#[command(
    name = "spike-dev-agent",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Runs the agent with this configuration file (YAML).
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,
    /// Overrides one key of the file, such as `svid_ttl=10s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes the X.509-SVID that a socket gives to svid.pem, key.pem and bundle.pem, for curl and openssl.
    Fetch {
        /// The Workload API's socket, of this agent or of a real one.
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
        /// The directory to write to.
        #[arg(long, value_name = "DIR")]
        write: PathBuf,
    },
}

impl Args {
    /// The command line of this process. Help and usage errors are printed here; the exit code is what is left to do.
    pub(crate) fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            error.print().map_or(Exit::Internal, |()| exit)
        })
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not of the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
