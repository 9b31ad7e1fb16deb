//! `spike operator backup` and `spike operator restore-backup`
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `spike operator backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Write the backup to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `spike operator restore-backup`
#[derive(Debug, Args)]
pub(crate) struct RestoreBackup {
    /// The server program that owns the database, found on PATH: spike-nexus or spike-ext-authz
    #[arg(long, value_name = "PROGRAM", default_value = "spike-nexus")]
    pub(crate) server: OsString,
    /// What the server's restore-backup takes, such as --config FILE --from BACKUP
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "FLAGS"
    )]
    pub(crate) flags: Vec<OsString>,
}
