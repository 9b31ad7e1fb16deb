//! Where the bytes of a store are: a file that is ours, or memory.
use std::fs::File;
use std::io::{self, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::{FileBackend, InMemoryBackend};

use super::open::{Judge, OpenError, Opened, damaged, failed, fill, open_checked, peek_slots, refusal};
use super::slots::Slots;
use crate::vault::private_file::{Draft, ensure_directory_of, exposed_directory_of, open_to_write};
use crate::vault::{RootKey, SealLimits};

/// Where the bytes of a store are.
#[derive(Clone)]
pub(super) enum Disk {
    File(PathBuf),
    /// Storage that can be opened again: memory, or a test's failing disk.
    Backend(Arc<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>),
}

const MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";

impl Disk {
    /// Memory that outlives a reopening.
    pub(super) fn memory() -> Self {
        let memory = Unlocked::new(InMemoryBackend::new());
        Self::Backend(Arc::new(move || Ok(Box::new(memory.clone()))))
    }

    /// Whether anything has the file's name. "Could not find out" is an error: it must not lead to a new database.
    /// Memory that waits for its first key holds nothing.
    pub(super) fn exists(&self) -> Result<bool, OpenError> {
        let Self::File(path) = self else { return Ok(false) };
        match path.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(failed(path, "look for it", source)),
        }
    }

    /// A new database: in a draft that takes its name when it is complete.
    pub(super) fn create(&self, root: &RootKey, limits: SealLimits) -> Result<(), OpenError> {
        let path = self.path();
        match self {
            Self::Backend(open) => {
                let backend = open().map_err(|source| failed(path, "create it", source))?;
                fill(path, backend, root, limits)
            }
            Self::File(path) => {
                ensure_directory_of(path).map_err(|source| failed(path, "create its directory", source))?;
                check_directory(path)?;
                let (draft, file) = Draft::create(path).map_err(|source| failed(path, "create it", source))?;
                let copy = file.try_clone().map_err(|source| failed(path, "create it", source))?;
                let backend = FileBackend::new(file).map_err(|error| refusal(path, error))?;
                fill(draft.temporary(), Box::new(backend), root, limits)?;
                draft.publish(&copy).map_err(|source| failed(path, "create it", source))
            }
        }
    }

    /// An existing database, checked from its checksums to its last row and by `judge`. No byte is written before all of
    /// that.
    pub(super) fn open_if(&self, root: &RootKey, limits: SealLimits, judge: &Judge<'_>) -> Result<Opened, OpenError> {
        let path = self.path();
        // redb has panicked on damaged files in the past; a damaged file is an answer, not a crash.
        catch_unwind(AssertUnwindSafe(|| {
            open_checked((path, self.backend()?), root, limits, judge)
        }))
        .unwrap_or_else(|_| Err(damaged(path, "it cannot be read")))
    }

    /// The keyring records of an existing database, which is not changed.
    pub(super) fn slots(&self) -> Result<Slots, OpenError> {
        let path = self.path();
        catch_unwind(AssertUnwindSafe(|| peek_slots(path, self.backend()?)))
            .unwrap_or_else(|_| Err(damaged(path, "it cannot be read")))
    }

    fn backend(&self) -> Result<Box<dyn StorageBackend>, OpenError> {
        match self {
            Self::Backend(open) => open().map_err(|source| failed(self.path(), "open it", source)),
            Self::File(path) => {
                let mut file = open_to_write(path).map_err(|source| open_failed(path, source))?;
                check_directory(path)?;
                check_kind(path, &mut file)?;
                Ok(Box::new(FileBackend::new(file).map_err(|error| refusal(path, error))?))
            }
        }
    }

    /// Its bytes now; `None` when that cannot be found out.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => path.symlink_metadata().ok().map(|metadata| metadata.len()),
            Self::Backend(open) => open().and_then(|backend| backend.len()).ok(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Backend(_) => Path::new("memory"),
        }
    }
}

pub(super) fn check_directory(path: &Path) -> Result<(), OpenError> {
    match exposed_directory_of(path).map_err(|source| failed(path, "inspect its directory", source))? {
        Some(mode) => Err(OpenError::Directory {
            path: path.to_owned(),
            mode,
        }),
        None => Ok(()),
    }
}

/// redb would make a database out of an empty file, so the file is judged before redb sees it.
fn check_kind(path: &Path, file: &mut File) -> Result<(), OpenError> {
    let metadata = file.metadata().map_err(|source| failed(path, "inspect it", source))?;
    let not_ours = |what| OpenError::NotOurs {
        path: path.to_owned(),
        what,
    };
    if !metadata.is_file() {
        return Err(not_ours("not a regular file"));
    }
    if metadata.len() == 0 {
        return Err(OpenError::Empty(path.to_owned()));
    }
    let mut head = [0; MAGIC.len()];
    match file.read_exact(&mut head).and_then(|()| file.rewind()) {
        Ok(()) if head == *MAGIC => Ok(()),
        Ok(()) => Err(not_ours("not a database file")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(not_ours("not a database file")),
        Err(source) => Err(failed(path, "read it", source)),
    }
}

fn open_failed(path: &Path, source: io::Error) -> OpenError {
    match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => OpenError::Symlink(path.to_owned()),
        Some(rustix::io::Errno::ISDIR) => OpenError::NotOurs {
            path: path.to_owned(),
            what: "a directory",
        },
        Some(_) | None => failed(path, "open it", source),
    }
}

/// Storage that redb need not lock, because we have seen to it that nobody else uses it. Clones share the storage.
#[derive(Clone, Debug)]
pub(super) struct Unlocked(Arc<dyn StorageBackend>);

impl Unlocked {
    pub(super) fn new(storage: impl StorageBackend) -> Self {
        Self(Arc::new(storage))
    }
}

impl StorageBackend for Unlocked {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
