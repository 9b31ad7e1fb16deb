//! The anchor: the newest transaction, noted outside the database file.
//!
//! An older copy of the whole file fits itself, so no check within it can tell it from the present one. The anchor is
//! a small file elsewhere (best on another volume) that names the newest transaction. A database that ends before it
//! has been rolled back.
//!
//! It is written after each commit and before the commit is answered, without waiting for the disk: that costs some
//! microseconds and survives the end of the process. A thread has it synced within a second. So what is caught is
//! every copy that is older than the last answered commit, and after a loss of power every copy that is older than
//! about a second before it. Who can put back an older anchor *together* with the older file is not caught.
mod slots;
mod syncer;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spike_policy::Generation;
use spike_runtime::logging::LIFECYCLE;
use uuid::Uuid;

use self::slots::Slots;
pub(super) use self::slots::{Found, Mark};
use self::syncer::Syncer;
use super::disk::Disk;
use super::ledger::Manifest;
use super::open::{OpenError, Opened, storage};
use super::options::Tuning;
use super::slots::keyring_rows;
use super::tables::{self, RowWrite, WriteFailure};
use crate::vault::private_file::{Draft, ensure_directory_of, open_to_write, sync_directory_of};
use crate::vault::{RootKey, SealError, Vault};

/// How far the numbers jump when a copy that may not be the newest one is accepted: no other copy of the same store
/// can have come so far, so no number ever stands for two histories.
pub(super) const LEAP: u64 = 1_000_000_000;
/// A mark that nobody verified counts only up to here.
const PLAUSIBLE: u64 = 1 << 62;

/// Where the anchor is, and what to do about a database that does not fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchoring {
    /// The file.
    pub path: PathBuf,
    /// Whether to go on with a database that is older than its anchor, or whose anchor is gone.
    pub accept_rollback: bool,
}

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

/// The open anchor. Only the writer has it.
pub(super) struct Anchor {
    file: Arc<File>,
    slots: Slots,
    syncer: Syncer,
    failing: bool,
    /// The generation that was gone on from, if the database may not have been the newest copy.
    accepted: Option<Generation>,
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anchor")
    }
}

impl Anchor {
    /// The generation that was gone on from, if the database may not have been the newest copy.
    pub(super) fn accepted(&self) -> Option<Generation> {
        self.accepted
    }

    /// Notes a durable commit. A failure is told once and changes nothing else: the database is the truth.
    pub(super) fn note(&mut self, vault: &Vault, manifest: &Manifest) {
        match self.slots.write(&self.file, vault, manifest) {
            Ok(()) => {
                self.syncer.wake();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the anchor is written again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "could not write the anchor: rollbacks from here on would not be noticed");
                }
            }
        }
    }

    /// Opens or creates the file and puts this database's mark into it, durably.
    pub(super) fn place(path: &Path, vault: &Vault, manifest: &Manifest) -> Result<Self, AnchorError> {
        let io = |action| move |source| failed(path, action, source);
        let file = match open_to_write(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ensure_directory_of(path).map_err(io("create its directory"))?;
                let (draft, file) = Draft::create(path).map_err(io("create it"))?;
                Slots::clear(&file).map_err(io("write it"))?;
                draft.publish(&file).map_err(io("create it"))?;
                file
            }
            Err(error) => return Err(failed(path, "open it", error)),
        };
        let mut slots = Slots::after(&file, vault).map_err(io("read it"))?;
        slots.write(&file, vault, manifest).map_err(io("write it"))?;
        file.sync_all()
            .and_then(|()| sync_directory_of(path))
            .map_err(io("write it"))?;
        let file = Arc::new(file);
        let syncer = Syncer::start(Arc::clone(&file)).map_err(io("watch it"))?;
        Ok(Self {
            file,
            slots,
            syncer,
            failing: false,
            accepted: None,
        })
    }
}

/// What the anchor at this place says. [`Found::Nothing`] when there is none.
pub(super) fn look(path: &Path, vault: &Vault) -> Result<Found, AnchorError> {
    match open_to_write(path) {
        Ok(file) => Found::read(&file, vault).map_err(|source| failed(path, "read it", source)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) => Err(failed(path, "open it", source)),
    }
}

/// Refuses a new database where there was one: a database that is gone is rolled back to nothing.
pub(super) fn expect_none(anchoring: Option<&Anchoring>) -> Result<(), AnchorError> {
    let Some(Anchoring { path, .. }) = anchoring else {
        return Ok(());
    };
    match path.symlink_metadata() {
        Ok(_) => Err(AnchorError::NoDatabase(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed(path, "look for it", source)),
    }
}

/// Opens a database unless it may not be the newest copy: then not one byte of it is changed.
pub(super) fn open(disk: &Disk, root: &RootKey, tuning: &Tuning) -> Result<Opened, OpenError> {
    let judge = |vault: &Vault, manifest: &Manifest| {
        let Some(anchoring) = tuning.anchor.as_ref().filter(|anchoring| !anchoring.accept_rollback) else {
            return Ok(());
        };
        let found = look(&anchoring.path, vault)?;
        match objection(&anchoring.path, &found, vault, manifest) {
            Some(objection) => Err(objection.into()),
            None => Ok(()),
        }
    };
    disk.open_if(root, tuning.seal_limits, &judge)
}

/// Has the anchor follow a database that was just opened, after accepting what was said to be accepted.
pub(super) fn settle(
    path: &Path,
    anchoring: Option<&Anchoring>,
    opened: &mut Opened,
) -> Result<Option<Anchor>, OpenError> {
    let Some(anchoring) = anchoring else {
        if opened.manifest.anchored {
            tracing::warn!("the database has no anchor any more: a rolled back file would not be noticed");
            opened.manifest.anchored = false;
            commit(path, opened, Vec::new())?;
        }
        return Ok(None);
    };
    let found = look(&anchoring.path, &opened.vault)?;
    let objection = objection(&anchoring.path, &found, &opened.vault, &opened.manifest);
    let mut accepted = None;
    match (objection, anchoring.accept_rollback) {
        (Some(objection), false) => return Err(objection.into()),
        (Some(objection), true) => accepted = Some(accept(path, &objection, &found, opened)?),
        (None, true) => tracing::warn!(
            target: LIFECYCLE,
            "the database is the newest copy: there is nothing to accept; start without --accept-rollback"
        ),
        (None, false) => {}
    }
    let place = |opened: &Opened| Anchor::place(&anchoring.path, &opened.vault, &opened.manifest);
    let mut anchor = place(opened)?;
    anchor.accepted = accepted;
    if !opened.manifest.anchored {
        // The anchor lies there before the database says that it must.
        opened.manifest.anchored = true;
        commit(path, opened, Vec::new())?;
        anchor.note(&opened.vault, &opened.manifest);
    }
    Ok(Some(anchor))
}

/// Why this database should not be served.
fn objection(path: &Path, found: &Found, vault: &Vault, manifest: &Manifest) -> Option<AnchorError> {
    let ours = *vault.store();
    match found {
        Found::Nothing if manifest.anchored => Some(AnchorError::Gone(path.to_owned())),
        Found::Mark(mark) if mark.is_beyond(vault, manifest) => Some(AnchorError::RolledBack {
            path: path.to_owned(),
            found: manifest.revision,
            seen: mark.revision,
        }),
        Found::Nothing | Found::Mark(_) => None,
        Found::OfAnother(theirs) => Some(AnchorError::OfAnother {
            path: path.to_owned(),
            theirs: *theirs,
            ours,
        }),
        Found::Damaged => Some(AnchorError::Damaged(path.to_owned())),
    }
}

impl Mark {
    /// Whether the database ends before this mark. A mark under a newer key term than the database has is beyond it,
    /// whatever its number: the database does not know that term yet.
    fn is_beyond(&self, vault: &Vault, manifest: &Manifest) -> bool {
        self.revision > manifest.revision || self.term > vault.term()
    }

    /// The numbers that must not be given out again.
    pub(super) fn floor(&self) -> (u64, Generation) {
        let plausible = |number: u64| if number < PLAUSIBLE { number } else { 0 };
        (plausible(self.revision), Generation(plausible(self.generation)))
    }
}

/// Goes on from an older copy. Gives the generation that it has.
fn accept(path: &Path, objection: &AnchorError, found: &Found, opened: &mut Opened) -> Result<Generation, OpenError> {
    let before = opened.manifest.generation;
    let floor = match found {
        Found::Mark(mark) => mark.floor(),
        Found::Nothing | Found::OfAnother(_) | Found::Damaged => (0, Generation(0)),
    };
    let rows = leap(opened, floor)?;
    commit(path, opened, rows)?;
    tracing::warn!(
        target: LIFECYCLE,
        %objection,
        from = before.0,
        generation = opened.manifest.generation.0,
        "a database that may have been rolled back is served: --accept-rollback was given"
    );
    Ok(before)
}

/// Moves the numbers far beyond `floor` and everything in the database, and starts a new key term: what another copy
/// of this store wrote or counted meanwhile meets nothing that is written from here on. The caller commits.
pub(super) fn leap(opened: &mut Opened, floor: (u64, Generation)) -> Result<Vec<RowWrite>, SealError> {
    let manifest = &mut opened.manifest;
    manifest.revision = manifest.revision.max(floor.0).saturating_add(LEAP);
    manifest.generation = Generation(manifest.generation.max(floor.1).0.saturating_add(LEAP));
    opened.set = Arc::new(opened.set.with(manifest.generation, &[], &[]));
    if opened.is_rekeying() {
        // The keyring must not change while the root key does.
        return Ok(Vec::new());
    }
    let (vault, keyrings) = opened.vault.rotated()?;
    opened.vault = vault;
    opened.slots.current = keyrings.current.as_bytes().to_vec();
    Ok(keyring_rows(&keyrings))
}

/// Commits the manifest, and these rows with it, as a transaction of its own.
pub(super) fn commit(path: &Path, opened: &mut Opened, mut rows: Vec<RowWrite>) -> Result<(), OpenError> {
    opened.manifest.revision = opened.manifest.revision.saturating_add(1);
    rows.push(opened.manifest.seal(&opened.vault)?);
    tables::write(&opened.db, &rows).map_err(|failure| match failure {
        WriteFailure::NothingWritten(error) | WriteFailure::Unknown(error) => storage(path, error),
    })
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> AnchorError {
    AnchorError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
