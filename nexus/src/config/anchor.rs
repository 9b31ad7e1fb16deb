//! Where rollbacks of the database are noticed.
use std::path::{Path, PathBuf};

use spike_runtime::config::Section;

use super::Backend;
use crate::store::Anchoring;

const NONE: &str = "none";

/// `store.anchor`: a file, `none`, or by default `anchor` in the directory above the database's.
pub(super) fn read(store: &Section<'_>, backend: &Backend) -> Option<Anchoring> {
    let default = match backend {
        Backend::Redb { database, .. } => beside(database),
        Backend::Lite { .. } | Backend::Memory => PathBuf::from(NONE),
    };
    let must = "a file, or `none`";
    let path = store
        .key("anchor")
        .path()
        .must(must, |path| path.file_name().is_some())
        .or(default);
    match backend {
        Backend::Redb { .. } if path.as_os_str() != NONE => Some(Anchoring {
            path,
            accept_rollback: false,
        }),
        Backend::Redb { .. } | Backend::Lite { .. } | Backend::Memory => None,
    }
}

/// `DIR/anchor` for `DIR/data/nexus.redb`.
fn beside(database: &Path) -> PathBuf {
    let directory = database.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    directory.join("anchor")
}
