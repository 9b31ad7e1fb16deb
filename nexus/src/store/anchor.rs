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
mod error;
mod slots;
mod syncer;
mod volume;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spike_audit::{Journal, Outcome};
use spike_policy::Generation;
use spike_runtime::logging::LIFECYCLE;

pub use self::error::AnchorError;
use self::error::failed;
use self::slots::Slots;
pub(super) use self::slots::{Found, Mark};
use self::syncer::Syncer;
pub(super) use self::volume::{Files, Sheet, Volume};
use super::disk::Disk;
use super::ledger::Manifest;
use super::open::{OpenError, Opened, storage};
use super::options::Tuning;
use super::slots::keyring_rows;
use super::tables::{self, RowWrite, WriteFailure};
use crate::vault::private_file::temporary_of;
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

/// The open anchor. Only the writer has it.
pub(super) struct Anchor {
    file: Arc<dyn Sheet>,
    slots: Slots,
    syncer: Syncer,
    failing: bool,
    /// The generation that was gone on from, if the database may not have been the newest copy.
    accepted: Option<Generation>,
    path: PathBuf,
    audit: Journal,
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
        match self.slots.write(&*self.file, vault, manifest) {
            Ok(()) => {
                self.syncer.wake();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the anchor is written again");
                    self.tell(manifest);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Waits until the last mark is durable. Before an old key term goes: a mark under that one could not be verified any
    /// more, and would look altered after a loss of power.
    pub(super) fn secure(&mut self) {
        if let Err(error) = self.file.sync() {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "could not write the anchor: rollbacks from here on would not be noticed");
            let (path, why) = (self.path.display().to_string(), error.to_string());
            self.audit.happened("anchor_written", &path, Outcome::Failed(&why));
        }
    }

    /// Says in the audit what it says itself. Not for each commit: those are calls, and have lines of their own.
    fn tell(&self, manifest: &Manifest) {
        let (path, revision, generation) = (self.path.display(), manifest.revision, manifest.generation.0);
        let subject = format!("{path}: transaction {revision}, generation {generation}");
        self.audit.happened("anchor_written", &subject, Outcome::Ok);
    }

    /// Opens or creates the file and puts this database's mark into it, durably.
    pub(super) fn place(
        (volume, path): (&dyn Volume, &Path),
        vault: &Vault,
        manifest: &Manifest,
    ) -> Result<Self, AnchorError> {
        let io = |action| move |source| failed(path, action, source);
        let (file, slots) = match volume.open(path) {
            Ok(file) => {
                let mut slots = Slots::after(&*file, vault).map_err(io("read it"))?;
                slots.write(&*file, vault, manifest).map_err(io("write it"))?;
                file.sync()
                    .and_then(|()| volume.sync_names(path))
                    .map_err(io("write it"))?;
                (file, slots)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create((volume, path), vault, manifest).map_err(io("create it"))?
            }
            Err(error) => return Err(failed(path, "open it", error)),
        };
        let syncer = Syncer::start(Arc::clone(&file)).map_err(io("watch it"))?;
        Ok(Self {
            file,
            slots,
            syncer,
            failing: false,
            accepted: None,
            path: path.to_owned(),
            audit: Journal::off(),
        })
    }
}

/// A new anchor. It takes its name when it says something: without a mark it would be a damaged one.
fn create(
    (volume, path): (&dyn Volume, &Path),
    vault: &Vault,
    manifest: &Manifest,
) -> io::Result<(Arc<dyn Sheet>, Slots)> {
    let draft = temporary_of(path)?;
    let file = volume.create(&draft)?;
    let made = || {
        Slots::clear(&*file)?;
        let mut slots = Slots::after(&*file, vault)?;
        slots.write(&*file, vault, manifest)?;
        file.sync()?;
        volume.rename(&draft, path)?;
        volume.sync_names(path)?;
        Ok(slots)
    };
    match made() {
        Ok(slots) => Ok((file, slots)),
        Err(error) => {
            // It has its name already, or nobody needs it.
            drop(volume.remove(&draft));
            Err(error)
        }
    }
}

/// What the anchor at this place says. [`Found::Nothing`] when there is none.
pub(super) fn look((volume, path): (&dyn Volume, &Path), vault: &Vault) -> Result<Found, AnchorError> {
    match volume.open(path) {
        Ok(file) => Found::read(&*file, vault).map_err(|source| failed(path, "read it", source)),
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
        let found = look((&*tuning.volume, &anchoring.path), vault)?;
        match objection(&anchoring.path, &found, vault, manifest) {
            Some(objection) => Err(objection.into()),
            None => Ok(()),
        }
    };
    disk.open_if(root, tuning.seal_limits, &judge)
}

/// Has the anchor follow a database that was just opened, after accepting what was said to be accepted.
pub(super) fn settle(path: &Path, tuning: &Tuning, opened: &mut Opened) -> Result<Option<Anchor>, OpenError> {
    let Some(anchoring) = &tuning.anchor else {
        if opened.manifest.anchored {
            tracing::warn!("the database has no anchor any more: a rolled back file would not be noticed");
            opened.manifest.anchored = false;
            commit(path, opened, Vec::new())?;
            let database = path.display().to_string();
            tuning.audit.happened("anchor_given_up", &database, Outcome::Ok);
        }
        return Ok(None);
    };
    let place = (&*tuning.volume, anchoring.path.as_path());
    let found = look(place, &opened.vault)?;
    let objection = objection(&anchoring.path, &found, &opened.vault, &opened.manifest);
    let mut accepted = None;
    match (objection, anchoring.accept_rollback) {
        (Some(objection), false) => return Err(objection.into()),
        (Some(objection), true) => accepted = Some(accept((path, place), &objection, &found, opened)?),
        (None, true) => tracing::warn!(
            target: LIFECYCLE,
            "the database is the newest copy: there is nothing to accept; start without --accept-rollback"
        ),
        (None, false) => {}
    }
    let mut anchor = Anchor::place(place, &opened.vault, &opened.manifest)?;
    anchor.accepted = accepted;
    if !opened.manifest.anchored {
        // The anchor lies there before the database says that it must.
        opened.manifest.anchored = true;
        commit(path, opened, Vec::new())?;
        anchor.note(&opened.vault, &opened.manifest);
    }
    anchor.audit = tuning.audit.clone();
    anchor.tell(&opened.manifest);
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
fn accept(
    (path, place): (&Path, (&dyn Volume, &Path)),
    objection: &AnchorError,
    found: &Found,
    opened: &mut Opened,
) -> Result<Generation, OpenError> {
    let before = opened.manifest.generation;
    let floor = match found {
        Found::Mark(mark) => mark.floor(),
        Found::Nothing | Found::OfAnother(_) | Found::Damaged => (0, Generation(0)),
    };
    let rows = leap(opened, floor)?;
    if let AnchorError::RolledBack { .. } = objection {
        // First, or a crash in between would leave a mark whose term this copy has given to another key: that would
        // look altered. As it is, such a crash leaves a database that is older than its anchor, as before.
        drop(Anchor::place(place, &opened.vault, &opened.manifest)?);
    }
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
