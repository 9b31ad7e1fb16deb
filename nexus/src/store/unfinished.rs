//! What becomes of a change of the root key that was cut off, when the database is opened the next time.
//!
//! | Key file | `….next` | Database opens with | Then |
//! |---|---|---|---|
//! | old | - | old, new | taken back: nobody has the new key |
//! | old | new | old, new | finished: `….next` becomes the key file |
//! | new | - | old, new | finished |
//! | new | - | new | it was finished |
//!
//! These are all states that a crash can leave. Every other one is somebody's doing: it is refused, and nothing is
//! changed. Where people keep the key, the change goes on until they end it, or bring the new key.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spike_audit::{Journal, Outcome};

use super::anchor;
use super::disk::Disk;
use super::handle::Store;
use super::open::{OpenError, Opened, damaged, storage};
use super::options::Tuning;
use super::slots::{FinishError, Slot};
use crate::vault::{KeyFileError, NextKey, RootKey, RootKeySource};

/// Key files that no change of the root key leaves behind. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrayKey {
    /// The database does not open with it, or it has nothing to wait for.
    #[error("root key `{0}`: it belongs to no change of the root key of this database; remove it or put it elsewhere")]
    Unneeded(PathBuf),
    /// The key file does not fit and this one does.
    #[error("root key `{key}`: it does not fit the database, but `{next}` does: rename that to `{key}`")]
    Misplaced {
        /// The key file.
        key: PathBuf,
        /// The one that fits.
        next: PathBuf,
    },
    /// There is no key file, and this one fits.
    #[error("root key `{key}`: no such file, but `{next}` fits the database: rename that to `{key}`")]
    Alone {
        /// The key file.
        key: PathBuf,
        /// The one that fits.
        next: PathBuf,
    },
    /// Neither fits.
    #[error("root keys `{key}` and `{next}`: wrong keys: the database was created with another root key")]
    Neither {
        /// The key file.
        key: PathBuf,
        /// The one that waits to become it.
        next: PathBuf,
    },
    /// There is no database that it could belong to.
    #[error("root key `{0}`: it is there, but its database is not; bring the database back, or remove this key")]
    NoDatabase(PathBuf),
}

/// What to do where only people or Keepers can bring the new key, and the old one was brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// The change goes on: they may have the new key already.
    #[default]
    GoesOn,
    /// It is taken back: whoever keeps the key would have brought the new one, had it arrived.
    TakenBack,
}

/// An opened database, and the root key that is in force from here on.
pub(super) type Settled = (Opened, Arc<RootKey>);

/// Opens a database with a key that somebody brought.
pub(super) fn open(disk: &Disk, root: &Arc<RootKey>, tuning: &Tuning) -> Result<Opened, OpenError> {
    let mut opened = anchor::open(disk, root, tuning)?;
    let settled = match (opened.slot, tuning.unfinished) {
        (Slot::Next, _) => opened
            .finish_rekey(root)
            .map(|()| Some(("rekey_finished", "finished: the new key was brought"))),
        (Slot::Current, Unfinished::TakenBack) if opened.is_rekeying() => opened
            .undo_rekey()
            .map(|()| Some(("rekey_taken_back", "taken back: the old key was brought"))),
        (Slot::Current, Unfinished::GoesOn | Unfinished::TakenBack) => Ok(None),
    };
    report(settled.map_err(|error| failed(disk, error))?, &tuning.audit);
    Ok(opened)
}

/// Opens a database with a key file, beside which another one may wait.
pub(super) fn open_with_key_file(disk: &Disk, key: &Path, tuning: &Tuning) -> Result<Settled, OpenError> {
    let next = NextKey::of(key);
    let waiting = next.load()?.map(Arc::new);
    let Some(new) = waiting else {
        let root = Arc::new(RootKeySource::KeyFile(key.to_owned()).load()?);
        let opened = settle_without_next(disk, &root, tuning)?;
        return Ok((opened, root));
    };
    let stray =
        |kind: fn(PathBuf, PathBuf) -> StrayKey| Err(OpenError::StrayKey(kind(key.to_owned(), next.path().to_owned())));
    // Judged before the database is opened, which changes the file.
    let slots = disk.slots()?;
    let fits = |root: &RootKey| slots.fit(root);
    let root = match (RootKeySource::KeyFile(key.to_owned()).load(), fits(&new)) {
        (Err(KeyFileError::Missing { .. }), Some(_)) => return stray(|key, next| StrayKey::Alone { key, next }),
        (root, _) => Arc::new(root?),
    };
    match (fits(&root), fits(&new)) {
        (Some(Slot::Current), Some(Slot::Next)) => {}
        (Some(Slot::Current | Slot::Next), _) => return stray(|_, next| StrayKey::Unneeded(next)),
        (None, Some(_)) => return stray(|key, next| StrayKey::Misplaced { key, next }),
        (None, None) => return stray(|key, next| StrayKey::Neither { key, next }),
    }
    let mut opened = anchor::open(disk, &root, tuning)?;
    next.adopt()?;
    opened.finish_rekey(&new).map_err(|error| failed(disk, error))?;
    report(Some(("rekey_finished", "finished")), &tuning.audit);
    Ok((opened, new))
}

fn settle_without_next(disk: &Disk, root: &Arc<RootKey>, tuning: &Tuning) -> Result<Opened, OpenError> {
    let taken_back = Tuning {
        unfinished: Unfinished::TakenBack,
        ..tuning.clone()
    };
    open(disk, root, &taken_back)
}

fn report(settled: Option<(&'static str, &'static str)>, audit: &Journal) {
    if let Some((what, how)) = settled {
        audit.happened(what, &format!("cut off before, {how}"), Outcome::Ok);
        tracing::warn!(
            target: spike_runtime::logging::LIFECYCLE,
            "a change of the root key that was cut off was {how}"
        );
    }
}

fn failed(disk: &Disk, error: FinishError) -> OpenError {
    match error {
        FinishError::Unlock(error) => damaged(disk.path(), error),
        FinishError::Seal(error) => error.into(),
        FinishError::Storage(error) => storage(disk.path(), error),
    }
}

impl Store {
    /// Opens or creates the database of a key file.
    pub(super) fn open_with_key_file(disk: Disk, key: &Path, tuning: Tuning) -> Result<Self, OpenError> {
        if disk.exists()? {
            let (opened, root) = open_with_key_file(&disk, key, &tuning)?;
            return Self::start_opened(disk, (opened, root), tuning);
        }
        let next = NextKey::of(key);
        if next.load()?.is_some() {
            return Err(OpenError::StrayKey(StrayKey::NoDatabase(next.path().to_owned())));
        }
        anchor::expect_none(tuning.anchor.as_ref())?;
        let root = RootKeySource::KeyFile(key.to_owned()).load_or_create()?;
        disk.create(&root, tuning.seal_limits)?;
        Self::start(disk, root, tuning)
    }
}
