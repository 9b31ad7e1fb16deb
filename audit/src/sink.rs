//! Where bytes go.
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::file::LogFile;

/// A buffer that outlives the writer, for tests. Its disk can be made too small. Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            room: usize::MAX,
        }
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Memory {}

impl Memory {
    /// Everything written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.disk().bytes).into_owned()
    }

    /// From now on there is room for so many bytes in all.
    pub fn set_room(&self, bytes: usize) {
        self.disk().room = bytes;
    }

    /// Nobody writes while the work goes on.
    pub fn while_stuck<T>(&self, work: impl FnOnce() -> T) -> T {
        let _held = self.disk();
        work()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.disk();
        let fits = disk.room.saturating_sub(disk.bytes.len()).min(bytes.len());
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.bytes.extend_from_slice(bytes.get(..fits).unwrap_or_default());
        Ok(fits)
    }
}

/// An open target.
#[derive(Debug)]
pub(crate) enum Sink {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    /// A path that is no regular file: a device, a pipe.
    Stream(File),
    File(Box<LogFile>),
    Memory(Memory),
}

impl Sink {
    /// Writes all of it, or says how much of it is written for certain.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        match self {
            // The lock is held for whole lines: the log of the program goes to the same place.
            Self::Stdout(out) => {
                let mut out = out.lock();
                write_to(bytes, |rest| out.write(rest))?;
                out.flush().map_err(|error| (bytes.len(), error))
            }
            Self::Stderr(out) => {
                let mut out = out.lock();
                write_to(bytes, |rest| out.write(rest))
            }
            Self::Stream(out) => write_to(bytes, |rest| out.write(rest)),
            Self::File(out) => write_to(bytes, |rest| out.write(rest)),
            Self::Memory(out) => write_to(bytes, |rest| out.write(rest)),
        }
    }

    /// The file, if it is one that can be rotated.
    pub(crate) fn file(&mut self) -> Option<&mut LogFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Stdout(_) | Self::Stderr(_) | Self::Stream(_) | Self::Memory(_) => None,
        }
    }
}

fn write_to(bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match write(rest) {
            Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((done, error)),
        }
    }
    Ok(())
}
