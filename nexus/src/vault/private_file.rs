//! Files that only this process's user may read: how they are opened and created.
//!
//! **Owns** the open flags (no symbolic links, no terminals, close on exec), mode 0600 in 0700 directories, and
//! creation that is all or nothing: temporary name, fsync, rename without replacing, fsync of the directory.
//!
//! **Refuses** to follow a symbolic link, and to replace a file that exists unless that is what was asked for.
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::random::random_bytes;

/// Opens an existing file to read. A symbolic link is `ELOOP`; a pipe does not block.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Opens an existing file to read and write. A symbolic link is `ELOOP`.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// A name beside `path` that nobody else draws.
pub(crate) fn temporary_of(path: &Path) -> io::Result<PathBuf> {
    let suffix = u64::from_be_bytes(random_bytes::<8>().map_err(io::Error::other)?);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{suffix:016x}.new")))
}

/// A new empty file of mode 0600, open to read and write.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Gives a file another name. `AlreadyExists` when something has that name: it is not replaced.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// A file under a temporary name, waiting to take its real one. Dropped without [`Draft::publish`], it is removed.
pub(crate) struct Draft {
    temporary: PathBuf,
    path: PathBuf,
    published: bool,
}

impl Draft {
    /// A new empty file of mode 0600 beside `path`, open to read and write.
    pub(crate) fn create(path: &Path) -> io::Result<(Self, File)> {
        let temporary = temporary_of(path)?;
        let file = create_new(&temporary)?;
        Ok((
            Self {
                temporary,
                path: path.to_owned(),
                published: false,
            },
            file,
        ))
    }

    /// Gives the file its real name, durably. `AlreadyExists` when something has that name: it is not replaced.
    pub(crate) fn publish(mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        rename_new(&self.temporary, &self.path)?;
        self.published = true;
        sync_directory_of(&self.path)
    }

    /// Gives the file its real name, durably, in the place of whatever has that name.
    pub(crate) fn replace(mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        rustix::fs::renameat(CWD, &self.temporary, CWD, &self.path)?;
        self.published = true;
        sync_directory_of(&self.path)
    }

    /// Where the file is now.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = std::fs::remove_file(&self.temporary)
        {
            tracing::warn!(path = %self.temporary.display(), %error, "could not remove a temporary file");
        }
    }
}

/// Gives a file another file's name and takes that one's place, durably. Both are in one directory.
pub(crate) fn replace_durably(from: &Path, to: &Path) -> io::Result<()> {
    rustix::fs::renameat(CWD, from, CWD, to)?;
    sync_directory_of(to)
}

/// Removes a file, durably. It may be gone already.
pub(crate) fn remove_durably(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => sync_directory_of(path),
    }
}

/// Creates the missing directories above a file, mode 0700.
pub(crate) fn ensure_directory_of(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory_of(path))
}

/// Whether someone else may put or rename files in the directory of this file (a sticky one only lets owners do it).
/// Gives the mode if so.
pub(crate) fn exposed_directory_of(path: &Path) -> io::Result<Option<u32>> {
    let mode = rustix::fs::stat(directory_of(path))?.st_mode & 0o7777;
    Ok((mode & 0o022 != 0 && mode & 0o1000 == 0).then_some(mode))
}

/// Makes the name of a file durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// The directory that a path's last part is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
