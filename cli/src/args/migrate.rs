//! `spike migrate`
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use spike_sdk::NexusUrl;

use super::FormatFlag;

/// `spike migrate`
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The SPIKE Nexus to copy from; it is only read
    #[arg(long, value_name = "URL")]
    pub(crate) from: NexusUrl,
    /// The SPIKE Nexus to copy to
    #[arg(long, value_name = "URL")]
    pub(crate) to: NexusUrl,
    #[arg(
        long,
        value_name = "LIST",
        help = "Trust domains that the source may have, comma-separated [default: SPIKE_TRUST_ROOT_NEXUS]"
    )]
    pub(crate) from_trust_root: Option<String>,
    #[arg(
        long,
        value_name = "LIST",
        help = "Trust domains that the target may have, comma-separated [default: SPIKE_TRUST_ROOT_NEXUS]"
    )]
    pub(crate) to_trust_root: Option<String>,
    #[arg(
        long,
        value_name = "ADDRESS",
        help = "Workload API that gives our identity towards the source [default: SPIFFE_ENDPOINT_SOCKET]"
    )]
    pub(crate) from_socket: Option<String>,
    #[arg(
        long,
        value_name = "ADDRESS",
        help = "Workload API that gives our identity towards the target [default: SPIFFE_ENDPOINT_SOCKET]"
    )]
    pub(crate) to_socket: Option<String>,
    /// Copy only these
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) only: Option<Kind>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace what differs in the target; otherwise it stays, and is reported as a conflict
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// How many calls are under way at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) jobs: usize,
    /// Report no progress on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) format: FormatFlag,
}

/// What a Nexus holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Policies
    Policies,
    /// Secrets
    Secrets,
}
