//! The command line of `spike-nexus`.
use std::path::PathBuf;

use clap::Parser as _;
use spike_runtime::Exit;

/// Keeps versioned secrets and SPIKE policies, encrypted, and serves them over mutual TLS.
#[derive(Debug, clap::Parser)]
#[command(name = "spike-nexus", version)]
pub(crate) struct Args {
    /// The configuration file (YAML). Without it, built-in values and the environment count.
    #[arg(long, short = 'c', value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Overrides one key of the configuration, such as `nexus.listen=127.0.0.1:8553`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,

    /// Checks the configuration, prints the values in force and where each comes from, and ends.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Args {
    /// Reads the command line. Help, the version and usage errors are printed here, and say how to end.
    pub(crate) fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|stop| match (stop.print(), stop.use_stderr()) {
            (Err(_), _) => Exit::Internal,
            (Ok(()), true) => Exit::Usage,
            (Ok(()), false) => Exit::Ok,
        })
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
