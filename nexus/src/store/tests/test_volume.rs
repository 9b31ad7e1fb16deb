//! A volume in memory that loses power at any operation, and the disk of a database with it.
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Chance;
use super::test_disk::{Fault, TestDisk};
use crate::store::anchor::{Sheet, Volume};

/// A file: what is durable, and what was done since.
#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// Files by number, and their names.
#[derive(Clone, Debug, Default)]
struct Platter {
    files: Vec<Content>,
    live: BTreeMap<PathBuf, usize>,
    /// The names after each operation on them since they were durable; the durable ones first.
    histories: Vec<BTreeMap<PathBuf, usize>>,
    /// How many operations are still done; the one after them and all later ones are not.
    left: Option<u64>,
    operations: Vec<&'static str>,
    lost: bool,
    /// Nothing can be written for the time being; the disk of the database has room.
    full: bool,
}

/// Handles share one volume.
#[derive(Clone, Debug)]
pub(super) struct TestVolume {
    platter: Arc<Mutex<Platter>>,
    /// Loses power with it.
    disk: TestDisk,
}

struct TestSheet {
    volume: TestVolume,
    number: usize,
}

impl TestVolume {
    /// One with these files, all durable.
    pub(super) fn new(files: &BTreeMap<PathBuf, Vec<u8>>, disk: &TestDisk) -> Self {
        let mut platter = Platter::default();
        for (path, bytes) in files {
            platter.live.insert(path.clone(), platter.files.len());
            platter.files.push(Content {
                live: bytes.clone(),
                durable: bytes.clone(),
                pending: Vec::new(),
            });
        }
        platter.histories.push(platter.live.clone());
        Self {
            platter: Arc::new(Mutex::new(platter)),
            disk: disk.clone(),
        }
    }

    /// The power fails after so many operations from here.
    pub(super) fn cut_after(&self, operations: u64) {
        let mut platter = self.platter();
        platter.left = Some(operations);
        platter.operations.clear();
    }

    /// Whether it has failed.
    pub(super) fn is_cut(&self) -> bool {
        self.platter().lost
    }

    /// Nothing can be written from here on, but for [`TestVolume::make_room`].
    pub(super) fn fill_up(&self) {
        self.platter().full = true;
    }

    pub(super) fn make_room(&self) {
        self.platter().full = false;
    }

    /// What was done since [`TestVolume::cut_after`].
    pub(super) fn operations(&self) -> Vec<&'static str> {
        self.platter().operations.clone()
    }

    /// The files as the process sees them.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let platter = self.platter();
        let named = platter.live.iter();
        named
            .map(|(path, number)| (path.clone(), platter.files[*number].live.clone()))
            .collect()
    }

    /// What a loss of power leaves: names as they were at some moment since they were durable, and of each file the
    /// durable bytes with a random selection of what came after, in random order. A write within one sector of 512 bytes
    /// is done or not; no other is known here.
    pub(super) fn after_power_cut(&self, chance: &mut Chance) -> BTreeMap<PathBuf, Vec<u8>> {
        let platter = self.platter();
        let names = &platter.histories[chance.below(platter.histories.len())];
        let contents: Vec<Vec<u8>> = platter.files.iter().map(|file| file.torn(chance)).collect();
        names
            .iter()
            .map(|(path, number)| (path.clone(), contents[*number].clone()))
            .collect()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap()
    }

    /// Does one operation, unless the power is gone.
    fn step<T>(&self, what: &'static str, work: impl FnOnce(&mut Platter) -> io::Result<T>) -> io::Result<T> {
        let mut platter = self.platter();
        if platter.left == Some(0) {
            if !std::mem::replace(&mut platter.lost, true) {
                self.disk.arm(Fault::PowerCut(1));
            }
            return Err(io::Error::other("the power is gone (on purpose)"));
        }
        if platter.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        platter.left = platter.left.map(|left| left - 1);
        platter.operations.push(what);
        work(&mut platter)
    }
}

impl Content {
    fn torn(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut pending: Vec<&Pending> = self.pending.iter().filter(|_| !chance.one_in(3)).collect();
        for index in (1..pending.len()).rev() {
            pending.swap(index, chance.below(index + 1));
        }
        for operation in pending {
            match operation {
                Pending::Length(length) => bytes.resize(*length, 0),
                Pending::Write { at, bytes: written } => {
                    let end = at + written.len();
                    assert_eq!(at / 512, (end - 1) / 512, "a write over a sector's end could be torn");
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[*at..end].copy_from_slice(written);
                }
            }
        }
        bytes
    }
}

impl Platter {
    fn named(&mut self) {
        self.histories.push(self.live.clone());
    }
}

impl Volume for TestVolume {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Sheet>> {
        let number = self.platter().live.get(path).copied();
        let number = number.ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(TestSheet {
            volume: self.clone(),
            number,
        }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn Sheet>> {
        let number = self.step("create", |platter| {
            let number = platter.files.len();
            platter.files.push(Content::default());
            assert_eq!(platter.live.insert(path.to_owned(), number), None);
            platter.named();
            Ok(number)
        })?;
        Ok(Arc::new(TestSheet {
            volume: self.clone(),
            number,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", |platter| {
            if platter.live.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let number = platter.live.remove(from).ok_or(io::ErrorKind::NotFound)?;
            platter.live.insert(to.to_owned(), number);
            platter.named();
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", |platter| {
            platter.live.remove(path).ok_or(io::ErrorKind::NotFound)?;
            platter.named();
            Ok(())
        })
    }

    fn sync_names(&self, _: &Path) -> io::Result<()> {
        self.step("sync names", |platter| {
            platter.histories = vec![platter.live.clone()];
            Ok(())
        })
    }
}

impl Sheet for TestSheet {
    fn read_exact_at(&self, to: &mut [u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        let platter = self.volume.platter();
        let stored = platter.files[self.number].live.get(at..at + to.len());
        to.copy_from_slice(stored.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        self.volume.step("write", |platter| {
            let file = &mut platter.files[self.number];
            if file.live.len() < at + bytes.len() {
                file.live.resize(at + bytes.len(), 0);
            }
            file.live[at..at + bytes.len()].copy_from_slice(bytes);
            file.pending.push(Pending::Write {
                at,
                bytes: bytes.to_vec(),
            });
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.volume.step("length", |platter| {
            let file = &mut platter.files[self.number];
            file.live.resize(length, 0);
            file.pending.push(Pending::Length(length));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.volume.step("sync", |platter| {
            let file = &mut platter.files[self.number];
            file.durable = file.live.clone();
            file.pending.clear();
            Ok(())
        })
    }

    /// There is never time for it before the power fails: the worst that is promised.
    fn sync_lazily(&self) -> io::Result<()> {
        Ok(())
    }
}
