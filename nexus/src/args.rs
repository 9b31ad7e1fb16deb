//! What can be said on the command line of a program that holds a Nexus.
//!
//! **Owns** `--accept-rollback` and `restore-backup`. **Refuses** to obey: the program does. **Invariant**: whatever
//! weakens a protection is said for one start, by a flag of its own.
use std::path::PathBuf;

use crate::restore_backup::RestoreBackup;

/// What was said to the Nexus in a program.
#[derive(Clone, Debug, clap::Args)]
pub struct NexusArgs {
    /// Goes on from a database (or backup) that is older than its anchor, or whose anchor is gone. For one start only.
    #[arg(long, global = true)]
    pub accept_rollback: bool,

    #[command(subcommand)]
    instead: Option<Instead>,
}

/// What to do instead of serving.
#[derive(Clone, Debug, clap::Subcommand)]
enum Instead {
    /// Puts a backup in the place of the database, and ends. The server must not run.
    ///
    /// Everything in the backup is verified first: that it is whole and unaltered, that the root key opens it, and
    /// that it is not older than what the anchor of the database has seen. The database that was there is kept under
    /// another name.
    RestoreBackup(RestoreFlags),
}

/// `restore-backup`
#[derive(Clone, Debug, clap::Args)]
struct RestoreFlags {
    /// The backup: a file that `spike operator backup` wrote.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    /// A file with a recovery shard, where the root key is not on this machine. May be repeated.
    #[arg(long, value_name = "FILE")]
    share: Vec<PathBuf>,

    /// Replaces the database of another store, too.
    #[arg(long)]
    accept_other_store: bool,

    /// Restores although some records were damaged when the backup was taken.
    #[arg(long)]
    accept_damaged: bool,
}

impl NexusArgs {
    /// The backup to restore instead of serving, if that is what was said.
    pub fn restore_backup(&self) -> Option<RestoreBackup> {
        match self.instead.as_ref()? {
            Instead::RestoreBackup(flags) => Some(RestoreBackup {
                from: flags.from.clone(),
                shares: flags.share.clone(),
                accept_rollback: self.accept_rollback,
                accept_other_store: flags.accept_other_store,
                accept_damaged: flags.accept_damaged,
            }),
        }
    }
}
