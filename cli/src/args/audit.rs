//! `spike audit …`
use std::path::PathBuf;

use clap::{Args, Subcommand};
use spike_audit::Head;

use super::FormatFlag;

/// What is done with an audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that nobody changed an audit log
    #[command(
        after_help = "Give the file that is written to (the finished ones beside it, FILE.000001 and so on, are read with\n\
        it), several files in the order in which they were written, or a directory. Needs no SPIKE Nexus.\n\n\
        A log that was cut off at its end, or written anew as a whole without a key, fits all the same: compare\n\
        with an anchor, which the servers write to their own log (`the audit stands at`).\n\n\
        Examples:\n  \
        spike audit verify /var/log/spike/audit.log\n  \
        spike audit verify --key /etc/spike/audit.key --anchor 0f…:4711:9c… /var/log/spike\n  \
        docker logs nexus 2>&1 | spike audit verify --stream /dev/stdin\n\n\
        Exits with 0 when the log is whole, and with 65 when it is not."
    )]
    Verify(Verify),
}

/// `spike audit verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Files, the oldest first, or one directory
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The key file that the log is sealed with (`audit.key`)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// A line that must be there, as the log of a server names it; may be repeated
    #[arg(long = "anchor", value_name = "CHAIN:SEQUENCE:HASH")]
    pub(crate) anchors: Vec<Head>,
    /// It was taken from standard output or error: other lines may stand between, each start stands alone
    #[arg(long)]
    pub(crate) stream: bool,
    #[command(flatten)]
    pub(crate) format: FormatFlag,
}
