//! The place of the database: who has it, what lies there, and how it is taken.
use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use rustix::fs::{AtFlags, CWD};
use spike_policy::{Generation, UnixMillis};
use spike_wire::Timestamp;
use uuid::Uuid;

use super::restore::RestoreError;
use crate::store::disk::{Unlocked, check_directory};
use crate::store::open::peek;
use crate::vault::private_file::{Draft, ensure_directory_of, open_to_write, sync_directory_of};
use crate::vault::{RootKey, SealLimits};

/// Where a database is, or will be. As long as this is kept, no store can open the one that is there.
pub(super) struct Place {
    path: PathBuf,
    old: Option<File>,
}

/// What can be told about the database that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its UUID.
    pub(super) store: Uuid,
    /// Its last transaction and generation, if the root key opens it.
    pub(super) newest: Option<(u64, Generation)>,
}

impl Place {
    /// Takes the place, unless a running store has it.
    pub(super) fn claim(path: &Path) -> Result<Self, RestoreError> {
        ensure_directory_of(path).map_err(failed(path, "create its directory"))?;
        check_directory(path)?;
        let old = match open_to_write(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(path, "open it")(error)),
        };
        // An open store holds the lock of the whole file, besides those of its parts.
        match old.as_ref().map(File::try_lock) {
            None | Some(Ok(())) => {}
            Some(Err(TryLockError::WouldBlock)) => return Err(RestoreError::InUse(path.to_owned())),
            Some(Err(TryLockError::Error(error))) => return Err(failed(path, "lock it")(error)),
        }
        Ok(Self {
            path: path.to_owned(),
            old,
        })
    }

    /// What lies there. `None`: nothing, or nothing that can be read: then a restore is its rescue.
    pub(super) fn look(&self, root: &RootKey, limits: SealLimits) -> Option<Known> {
        let file = self.old.as_ref()?.try_clone().ok()?;
        let backend = FileBackend::new(file).ok()?;
        let known = catch_unwind(AssertUnwindSafe(|| {
            peek(&self.path, Box::new(Unlocked::new(backend)), root, limits)
        }));
        let (store, manifest) = known.ok()?.ok()?;
        Some(Known {
            store,
            newest: manifest.map(|manifest| (manifest.revision, manifest.generation)),
        })
    }

    /// Puts a complete database there. The one that was there gets a second name first, so that there is a whole one
    /// under the real name all the time. Gives that second name.
    pub(super) fn take(self, draft: Draft, file: &File, now: UnixMillis) -> Result<Option<PathBuf>, RestoreError> {
        file.sync_all().map_err(failed(&self.path, "write the new one"))?;
        let Some(_locked) = &self.old else {
            // Nothing was there when we came, and nothing may be there now.
            draft.publish(file).map_err(failed(&self.path, "put it in place"))?;
            return Ok(None);
        };
        let kept = self.kept(now);
        rustix::fs::linkat(CWD, &self.path, CWD, &kept, AtFlags::empty())
            .map_err(io::Error::from)
            .and_then(|()| sync_directory_of(&kept))
            .map_err(failed(&kept, "keep the old database under this name"))?;
        draft.replace(file).map_err(failed(&self.path, "put it in place"))?;
        Ok(Some(kept))
    }

    fn kept(&self, now: UnixMillis) -> PathBuf {
        let time: String = Timestamp::from(now)
            .to_string()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".before-restore-{time}"));
        self.path.with_file_name(name)
    }
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::Io { path, action, source }
}
