//! What an anchor asks of the place where it lies, one operation at a time: the power may fail between any two.
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::vault::private_file::{create_new, ensure_directory_of, open_to_write, rename_new, sync_directory_of};

/// An open file.
pub(in crate::store) trait Sheet: Send + Sync {
    fn read_exact_at(&self, to: &mut [u8], at: u64) -> io::Result<()>;
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes the bytes durable, and the length; not the name.
    fn sync(&self) -> io::Result<()>;
    /// The same for bytes within the length, when there is time for it.
    fn sync_lazily(&self) -> io::Result<()>;
}

/// Where files have names.
pub(in crate::store) trait Volume: fmt::Debug + Send + Sync {
    /// An existing file, to read and write; `NotFound` when there is none.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Sheet>>;
    /// A new empty file, of which nobody else can read anything.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Sheet>>;
    /// Another name for a file; it replaces nothing.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names beside this one durable.
    fn sync_names(&self, path: &Path) -> io::Result<()>;
}

/// Files of this system.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Files;

impl Volume for Files {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Sheet>> {
        Ok(Arc::new(open_to_write(path)?))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Sheet>> {
        ensure_directory_of(path)?;
        Ok(Arc::new(create_new(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename_new(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
    fn sync_names(&self, path: &Path) -> io::Result<()> {
        sync_directory_of(path)
    }
}

impl Sheet for File {
    fn read_exact_at(&self, to: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, to, at)
    }
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, at)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
    fn sync_lazily(&self) -> io::Result<()> {
        self.sync_data()
    }
}
