//! `spike operator …`
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What operators do with the root key.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Save the recovery shards of SPIKE Nexus to files
    #[command(after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/recover.\n\
        Writes spike.recovery.<number>.txt, in place of any that are there. Whoever has enough of these files\n\
        has the root key: bring each to a different safe place, and delete it here.")]
    Recover(Recover),
}

/// `spike operator recover`
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Write below this directory, to its subdirectory `recover` [default: ~/.spike/recover itself]
    #[arg(long, value_name = "DIR", env = "SPIKE_PILOT_RECOVERY_DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    pub(crate) home: Option<PathBuf>,
}
