//! A file that redb opens, repairs and checks without one byte of it being changed, until we say so.
//!
//! redb writes as soon as it opens a database (recovery marks, repaired state). A wrong key, a foreign file or a newer
//! schema must leave the file as it was, so writes are held in memory, in order, until the contents are known to be
//! ours. [`Held::release`] then replays them, syncs included: a crash in between is a crash in redb's own recovery.
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const PAGE: usize = 4096;

/// A storage backend whose writes wait. Clones share the storage.
#[derive(Clone)]
pub(super) struct Held(Arc<Shared>);

struct Shared {
    inner: Box<dyn StorageBackend>,
    released: AtomicBool,
    overlay: Mutex<Overlay>,
}

/// What redb believes to be on disk.
#[derive(Default)]
struct Overlay {
    length: u64,
    /// How much of the storage below still shows where no page lies over it.
    visible: u64,
    pages: HashMap<u64, Box<[u8; PAGE]>>,
    log: Vec<Operation>,
}

enum Operation {
    Write { offset: u64, data: Vec<u8> },
    SetLength(u64),
    Sync,
}

impl Held {
    pub(super) fn new(inner: Box<dyn StorageBackend>) -> io::Result<Self> {
        let length = inner.len()?;
        let overlay = Overlay {
            length,
            visible: length,
            ..Overlay::default()
        };
        Ok(Self(Arc::new(Shared {
            inner,
            released: AtomicBool::new(false),
            overlay: Mutex::new(overlay),
        })))
    }

    /// Writes what was held, in order. From now on everything goes straight through.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut overlay = self.0.overlay();
        for operation in std::mem::take(&mut overlay.log) {
            match operation {
                Operation::Write { offset, data } => self.0.inner.write(offset, &data)?,
                Operation::SetLength(length) => self.0.inner.set_len(length)?,
                Operation::Sync => self.0.inner.sync_data()?,
            }
        }
        overlay.pages = HashMap::new();
        self.0.released.store(true, Ordering::Release);
        Ok(())
    }
}

impl Shared {
    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The overlay while writes are held; `None` once they go straight through.
    fn held(&self) -> Option<MutexGuard<'_, Overlay>> {
        if self.released.load(Ordering::Acquire) {
            return None;
        }
        let overlay = self.overlay();
        // Released while we waited for the lock.
        (!self.released.load(Ordering::Acquire)).then_some(overlay)
    }
}

impl Overlay {
    fn read(&self, inner: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(to_u64(out.len())?).filter(|end| *end <= self.length);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        for piece in pieces(offset, out) {
            let within = usize::try_from(at % to_u64(PAGE)?).map_err(io::Error::other)?;
            match self.pages.get(&(at / to_u64(PAGE)?)) {
                Some(page) => copy(page.get(within..), piece)?,
                None => read_or_zero(inner, self.visible, at, piece)?,
            }
            at += to_u64(piece.len())?;
        }
        Ok(())
    }

    fn write(&mut self, inner: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut data_copy = data.to_vec();
        let mut at = offset;
        for piece in pieces(offset, &mut data_copy) {
            let number = at / to_u64(PAGE)?;
            let within = usize::try_from(at % to_u64(PAGE)?).map_err(io::Error::other)?;
            let page = match self.pages.entry(number) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let mut page = Box::new([0; PAGE]);
                    read_or_zero(inner, self.visible, number * to_u64(PAGE)?, page.as_mut_slice())?;
                    entry.insert(page)
                }
            };
            let to = page
                .get_mut(within..within + piece.len())
                .ok_or(io::ErrorKind::InvalidInput)?;
            to.copy_from_slice(piece);
            at += to_u64(piece.len())?;
        }
        self.length = self.length.max(at);
        self.log.push(Operation::Write {
            offset,
            data: data.to_vec(),
        });
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        if length < self.length {
            // What is cut off reads as zero if the file grows again.
            self.visible = self.visible.min(length);
            let (last, within) = (length / to_u64(PAGE)?, length % to_u64(PAGE)?);
            self.pages.retain(|number, _| *number <= last);
            let within = usize::try_from(within).map_err(io::Error::other)?;
            if let Some(cut) = self.pages.get_mut(&last).and_then(|page| page.get_mut(within..)) {
                cut.fill(0);
            }
        }
        self.length = length;
        self.log.push(Operation::SetLength(length));
        Ok(())
    }
}

/// Cuts a buffer that stands at `offset` at page boundaries.
fn pieces(offset: u64, buffer: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    let within = usize::try_from(offset % 4096).unwrap_or(0);
    let (head, tail) = buffer.split_at_mut((PAGE - within).min(buffer.len()));
    std::iter::once(head).chain(tail.chunks_mut(PAGE))
}

fn copy(from: Option<&[u8]>, to: &mut [u8]) -> io::Result<()> {
    let from = from
        .and_then(|from| from.get(..to.len()))
        .ok_or(io::ErrorKind::InvalidInput)?;
    to.copy_from_slice(from);
    Ok(())
}

/// Reads what shows of the storage; beyond that the file was only grown in the overlay, so it is zero.
fn read_or_zero(inner: &dyn StorageBackend, visible: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
    let there = usize::try_from(visible.saturating_sub(offset))
        .unwrap_or(usize::MAX)
        .min(out.len());
    let (stored, beyond) = out.split_at_mut(there);
    beyond.fill(0);
    if stored.is_empty() {
        Ok(())
    } else {
        inner.read(offset, stored)
    }
}

fn to_u64(size: usize) -> io::Result<u64> {
    u64::try_from(size).map_err(io::Error::other)
}

impl StorageBackend for Held {
    fn len(&self) -> io::Result<u64> {
        match self.0.held() {
            Some(overlay) => Ok(overlay.length),
            None => self.0.inner.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.0.held() {
            Some(overlay) => overlay.read(&*self.0.inner, offset, out),
            None => self.0.inner.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        match self.0.held() {
            Some(mut overlay) => overlay.set_length(length),
            None => self.0.inner.set_len(length),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.0.held() {
            Some(mut overlay) => {
                overlay.log.push(Operation::Sync);
                Ok(())
            }
            None => self.0.inner.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.0.held() {
            Some(mut overlay) => overlay.write(&*self.0.inner, offset, data),
            None => self.0.inner.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.0.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.query_lock_range(start, end)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}
