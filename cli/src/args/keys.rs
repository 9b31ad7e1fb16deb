//! `spike operator restore`, `rotate`, `rekey` and `status`
use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// `spike operator restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Hand in the shards of these files, one on each line; `-` is standard input
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// `spike operator rekey`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").args(["confirm", "cancel"]))]
pub(crate) struct Rekey {
    /// Hand in shards of the new root key: with enough of them the old one is gone
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Keep the old root key: the new one opens nothing any more
    #[arg(long, conflicts_with = "files")]
    pub(crate) cancel: bool,
    /// With --confirm, hand in the shards of these files, one on each line; `-` is standard input
    #[arg(long = "file", value_name = "FILE", requires = "confirm")]
    pub(crate) files: Vec<PathBuf>,
    /// Write below this directory, to its subdirectory `rekey` [default: ~/.spike/rekey itself]
    #[arg(long, value_name = "DIR", env = "SPIKE_PILOT_RECOVERY_DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    pub(crate) home: Option<PathBuf>,
}
