//! The command line of `spike-nexus`.
use std::path::PathBuf;

use clap::Parser as _;
use spike_runtime::Exit;

/// Keeps versioned secrets and SPIKE policies, encrypted, and serves them over mutual TLS.
#[derive(Debug, clap::Parser)]
#[command(name = "spike-nexus", version)]
pub(crate) struct Args {
    /// The configuration file (YAML). Without it, built-in values and the environment count.
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Overrides one key of the configuration, such as `nexus.listen=127.0.0.1:8553`. May be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,

    /// Checks the configuration, prints the values in force and where each comes from, and ends.
    #[arg(long)]
    pub(crate) check: bool,

    /// Goes on from a database (or backup) that is older than its anchor, or whose anchor is gone. For one start only.
    #[arg(long, global = true)]
    pub(crate) accept_rollback: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Puts a backup in the place of the database, and ends. The server must not run.
    ///
    /// Everything in the backup is verified first: that it is whole and unaltered, that the root key opens it, and
    /// that it is not older than what the anchor of the database has seen. The database that was there is kept under
    /// another name.
    RestoreBackup(RestoreBackup),
}

/// `restore-backup`
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreBackup {
    /// The backup: a file that `spike operator backup` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,

    /// A file with a recovery shard, where the root key is not on this machine. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) share: Vec<PathBuf>,

    /// Replaces the database of another store, too.
    #[arg(long)]
    pub(crate) accept_other_store: bool,

    /// Restores although some records were damaged when the backup was taken.
    #[arg(long)]
    pub(crate) accept_damaged: bool,
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
