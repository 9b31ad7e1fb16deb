//! A disk in memory that fails, tears and loses power on command.
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::Chance;
use crate::store::disk::Disk;

/// When operations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Never.
    None,
    /// Only the n-th operation from now.
    Once(u64),
    /// Every one from the n-th on, until [`TestDisk::heal`].
    From(u64),
    /// Every one from the n-th on, and for good: the power is gone.
    PowerCut(u64),
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug)]
struct Platter {
    /// What the process sees.
    live: Vec<u8>,
    /// What was there at the last sync, and what was done since.
    durable: Vec<u8>,
    pending: Vec<Pending>,
    fault: Fault,
    operations: u64,
    failures: u64,
}

/// Handles share one disk.
#[derive(Clone, Debug)]
pub(super) struct TestDisk(Arc<Mutex<Platter>>);

impl TestDisk {
    pub(super) fn new(image: Vec<u8>) -> Self {
        let platter = Platter {
            durable: image.clone(),
            live: image,
            pending: Vec::new(),
            fault: Fault::None,
            operations: 0,
            failures: 0,
        };
        Self(Arc::new(Mutex::new(platter)))
    }

    pub(super) fn disk(&self) -> Disk {
        let this = self.clone();
        Disk::Backend(Arc::new(move || Ok(Box::new(this.clone()))))
    }

    /// Counts operations from here, and fails some.
    pub(super) fn arm(&self, fault: Fault) {
        let mut platter = self.platter();
        platter.fault = fault;
        platter.operations = 0;
        platter.failures = 0;
    }

    pub(super) fn heal(&self) {
        self.platter().fault = Fault::None;
    }

    pub(super) fn failures(&self) -> u64 {
        self.platter().failures
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.platter().live.clone()
    }

    /// What a power cut leaves: the synced image, and of the rest a random selection in random order, with writes torn
    /// at 512-byte sectors.
    pub(super) fn after_power_cut(&self, chance: &mut Chance) -> Vec<u8> {
        let platter = self.platter();
        let mut image = platter.durable.clone();
        let mut pending: Vec<_> = platter.pending.iter().filter(|_| !chance.one_in(3)).cloned().collect();
        for index in (1..pending.len()).rev() {
            pending.swap(index, chance.below(index + 1));
        }
        for operation in pending {
            match operation {
                Pending::Length(length) => image.resize(length, 0),
                Pending::Write { offset, data } => {
                    let torn = chance.one_in(3);
                    for (number, sector) in data.chunks(512).enumerate() {
                        if torn && chance.one_in(2) {
                            continue;
                        }
                        let at = offset + number * 512;
                        if image.len() < at + sector.len() {
                            image.resize(at + sector.len(), 0);
                        }
                        image[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
        }
        image
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    fn step(&self) -> (MutexGuard<'_, Platter>, bool) {
        let mut platter = self.platter();
        platter.operations += 1;
        let fails = match platter.fault {
            Fault::None => false,
            Fault::Once(n) => platter.operations == n,
            Fault::From(n) | Fault::PowerCut(n) => platter.operations >= n,
        };
        platter.failures += u64::from(fails);
        (platter, fails)
    }
}

fn broken_disk() -> io::Error {
    io::Error::other("the disk failed (on purpose)")
}

impl StorageBackend for TestDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.platter().live.len()).unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (platter, fails) = self.step();
        if fails {
            return Err(broken_disk());
        }
        let offset = usize::try_from(offset).unwrap();
        let stored = platter
            .live
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(stored);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let (mut platter, fails) = self.step();
        if fails {
            return Err(broken_disk());
        }
        let length = usize::try_from(length).unwrap();
        platter.live.resize(length, 0);
        platter.pending.push(Pending::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut platter, fails) = self.step();
        if fails {
            return Err(broken_disk());
        }
        platter.durable = platter.live.clone();
        platter.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut platter, fails) = self.step();
        let offset = usize::try_from(offset).unwrap();
        // A failing write leaves its first half behind (and a lost power none of it): the worst of both.
        let written = match (fails, platter.fault) {
            (false, _) => data.len(),
            (true, Fault::PowerCut(_)) => 0,
            (true, _) => data.len() / 2,
        };
        if let Some(to) = platter.live.get_mut(offset..offset + written) {
            to.copy_from_slice(&data[..written]);
        } else if !fails {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        platter.pending.push(Pending::Write {
            offset,
            data: data[..written].to_vec(),
        });
        if fails { Err(broken_disk()) } else { Ok(()) }
    }
}
