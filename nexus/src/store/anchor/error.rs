//! Why a database is not served: it may not be the newest copy, or its anchor cannot be used.
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Why a database was not opened: it may not be the newest copy. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The database ends before the anchor.
    #[error(
        "anchor `{path}`: the database is older than it: it ends at transaction {found}, and transaction {seen} was \
         answered; put back the newest copy, or start once with --accept-rollback to go on from the older state"
    )]
    RolledBack {
        /// The anchor.
        path: PathBuf,
        /// The last transaction in the database.
        found: u64,
        /// The last one that the anchor has seen.
        seen: u64,
    },
    /// The database has an anchor, and it is not there.
    #[error(
        "anchor `{0}`: it is gone, so nobody can tell whether the database is the newest copy; bring it back (is its \
         volume mounted?), or start once with --accept-rollback to go on with a new one"
    )]
    Gone(PathBuf),
    /// It is there, and the database is not.
    #[error(
        "anchor `{0}`: it is there, but its database is not; restore a backup, or remove the anchor to start a new \
         database"
    )]
    NoDatabase(PathBuf),
    /// It was made for another database.
    #[error(
        "anchor `{path}`: it belongs to the database {theirs}, and this one is {ours}; give each database its own \
         nexus.store.anchor, or start once with --accept-rollback to go on with a new anchor"
    )]
    OfAnother {
        /// The anchor.
        path: PathBuf,
        /// Whose it is.
        theirs: Uuid,
        /// Which database was opened.
        ours: Uuid,
    },
    /// It was altered, or is no anchor.
    #[error(
        "anchor `{0}`: it was altered, or is no anchor: it does not verify; bring back the right file, or start once \
         with --accept-rollback to go on with a new one"
    )]
    Damaged(PathBuf),
    /// The operating system refused.
    #[error("anchor `{path}`: could not {action}: {source}")]
    Io {
        /// The anchor.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

pub(super) fn failed(path: &Path, action: &'static str, source: io::Error) -> AnchorError {
    AnchorError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
