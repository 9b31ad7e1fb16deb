//! The bytes of the anchor: two slots, written in turn, so that one is whole whatever happens to the other.
//!
//! ```text
//! slot (at 0 and 512)  "SPIKEANC" | 0x01 | store UUID 16 | key term u32 | revision u64 | generation u64 | MAC 32
//! ```
//! Each slot lies within one sector, which a disk writes or does not. All numbers are big-endian. The key of the MAC hangs
//! from the key term (see the vault). The slots may be of two stores while a backup of another store is put in place.
use std::io;

use uuid::Uuid;

use super::volume::Sheet;
use crate::store::ledger::Manifest;
use crate::vault::{Coded, KeyTerm, Vault};

const MAGIC: &[u8; 9] = b"SPIKEANC\x01";
const MAC: usize = 32;
const SLOT: usize = MAGIC.len() + 16 + 4 + 8 + 8 + MAC;
const OFFSETS: [u64; 2] = [0, 512];

/// The newest transaction that an anchor has seen of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    pub(in crate::store) term: KeyTerm,
    pub(in crate::store) revision: u64,
    pub(in crate::store) generation: u64,
}

/// What an anchor says about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// There is none.
    Nothing,
    /// This.
    Mark(Mark),
    /// It knows another store only.
    OfAnother(Uuid),
    /// Nothing in it verifies.
    Damaged,
}

/// One slot, as a vault sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Empty,
    Mark(Mark),
    /// Of another store: its number cannot be verified here.
    OfAnother(Uuid, u64),
    Damaged,
}

impl Found {
    pub(in crate::store) fn read(file: &dyn Sheet, vault: &Vault) -> io::Result<Self> {
        let [first, second] = read(file, vault)?;
        Ok(match (first, second) {
            (Slot::Mark(one), Slot::Mark(other)) if other.revision > one.revision => Self::Mark(other),
            (Slot::Mark(mark), _) | (_, Slot::Mark(mark)) => Self::Mark(mark),
            (Slot::OfAnother(store, _), _) | (_, Slot::OfAnother(store, _)) => Self::OfAnother(store),
            (Slot::Damaged | Slot::Empty, Slot::Damaged | Slot::Empty) => Self::Damaged,
        })
    }
}

/// Which slot is written next.
pub(super) struct Slots {
    next: usize,
}

impl Slots {
    /// The bytes of an anchor that has seen nothing.
    pub(super) fn clear(file: &dyn Sheet) -> io::Result<()> {
        let [_, last] = OFFSETS;
        file.set_len(last + u64::try_from(SLOT).map_err(io::Error::other)?)
    }

    /// Begins with the slot that says less.
    pub(super) fn after(file: &dyn Sheet, vault: &Vault) -> io::Result<Self> {
        let [first, second] = read(file, vault)?;
        // Other stores' marks and ours are both worth more than nothing; ours are what must not be lost.
        let worth = |slot: Slot| match slot {
            Slot::Empty | Slot::Damaged => (0, 0),
            Slot::OfAnother(_, revision) => (1, revision),
            Slot::Mark(mark) => (2, mark.revision),
        };
        Ok(Self {
            next: usize::from(worth(second) < worth(first)),
        })
    }

    /// Writes the newest transaction of this store, in one call.
    pub(super) fn write(&mut self, file: &dyn Sheet, vault: &Vault, manifest: &Manifest) -> io::Result<()> {
        let mut slot = Vec::with_capacity(SLOT);
        slot.extend_from_slice(MAGIC);
        slot.extend_from_slice(vault.store().as_bytes());
        slot.extend_from_slice(&vault.term().get().to_be_bytes());
        slot.extend_from_slice(&manifest.revision.to_be_bytes());
        slot.extend_from_slice(&manifest.generation.0.to_be_bytes());
        let mut code = vault
            .code(vault.term(), Coded::Anchor)
            .ok_or_else(|| io::Error::other("no key for it"))?;
        code.update(&slot);
        slot.extend_from_slice(&code.finish());
        let [first, second] = OFFSETS;
        file.write_all_at(&slot, if self.next == 0 { first } else { second })?;
        self.next = 1 - self.next.min(1);
        Ok(())
    }
}

fn read(file: &dyn Sheet, vault: &Vault) -> io::Result<[Slot; 2]> {
    let [first, second] = OFFSETS;
    Ok([slot(file, vault, first)?, slot(file, vault, second)?])
}

fn slot(file: &dyn Sheet, vault: &Vault, at: u64) -> io::Result<Slot> {
    let mut bytes = [0; SLOT];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Slot::Damaged),
        Err(error) => return Err(error),
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Slot::Empty);
    }
    Ok(parse(&bytes, vault).unwrap_or(Slot::Damaged))
}

fn parse(bytes: &[u8; SLOT], vault: &Vault) -> Option<Slot> {
    let (said, mac) = bytes.split_last_chunk::<MAC>()?;
    let rest = said.strip_prefix(MAGIC)?;
    let (store, rest) = rest.split_first_chunk::<16>()?;
    let (term, rest) = rest.split_first_chunk::<4>()?;
    let (revision, generation) = rest.split_first_chunk::<8>()?;
    let store = Uuid::from_bytes(*store);
    if store != *vault.store() {
        return Some(Slot::OfAnother(store, u64::from_be_bytes(*revision)));
    }
    let term = KeyTerm::try_from(u32::from_be_bytes(*term)).ok()?;
    let mark = Mark {
        term,
        revision: u64::from_be_bytes(*revision),
        generation: u64::from_be_bytes(*generation.first_chunk()?),
    };
    match vault.code(term, Coded::Anchor) {
        Some(mut code) => {
            code.update(said);
            code.is(mac).then_some(Slot::Mark(mark))
        }
        // A term that this copy of the database does not know yet: nobody can verify it here, and it is a reason for
        // care all the same.
        None if term > vault.term() => Some(Slot::Mark(mark)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;
    use crate::vault::{RootKey, SealLimits};

    fn vault(store: u128) -> Vault {
        let root = RootKey::take(&mut [7; 32]);
        let (vault, _) = Vault::create(&root, Uuid::from_u128(store), SealLimits::default()).unwrap();
        vault
    }

    fn manifest(vault: &Vault, revision: u64) -> Manifest {
        let mut manifest = Manifest::new(vault.term());
        manifest.revision = revision;
        manifest
    }

    fn revision(found: Found) -> Option<u64> {
        match found {
            Found::Mark(mark) => Some(mark.revision),
            Found::Nothing | Found::OfAnother(_) | Found::Damaged => None,
        }
    }

    #[test]
    fn the_newest_of_two_slots_counts_and_a_damaged_one_leaves_the_other() {
        let (file, vault) = (tempfile::tempfile().unwrap(), vault(1));
        Slots::clear(&file).unwrap();
        assert_eq!(Found::read(&file, &vault).unwrap(), Found::Damaged);
        let mut slots = Slots::after(&file, &vault).unwrap();
        for number in 1..=7 {
            slots.write(&file, &vault, &manifest(&vault, number)).unwrap();
            assert_eq!(revision(Found::read(&file, &vault).unwrap()), Some(number));
            // Whoever opens it now writes over the older slot.
            let other = usize::try_from(number % 2).unwrap();
            assert_eq!(Slots::after(&file, &vault).unwrap().next, other);
        }
        let mut whole = vec![0; 512 + SLOT];
        file.read_exact_at(&mut whole, 0).unwrap();
        let mut tried = 0;
        for at in (0..SLOT).chain(512..512 + SLOT) {
            for bit in 0..8 {
                let mut altered = whole.clone();
                altered[at] ^= 1 << bit;
                file.write_all_at(&altered, 0).unwrap();
                let found = Found::read(&file, &vault).unwrap();
                // The seventh mark is in the first slot. An altered term may stand for one that is not known yet.
                let unknown = matches!(found, Found::Mark(mark) if mark.term > vault.term());
                let left = if at < 512 { 6 } else { 7 };
                assert!(
                    unknown || revision(found) == Some(left),
                    "byte {at} bit {bit}: {found:?}"
                );
                tried += 1;
            }
        }
        assert_eq!(tried, 2 * SLOT * 8);
    }

    #[test]
    fn two_stores_may_share_an_anchor_while_one_takes_the_others_place() {
        let (file, old, new) = (tempfile::tempfile().unwrap(), vault(1), vault(2));
        Slots::clear(&file).unwrap();
        let mut slots = Slots::after(&file, &old).unwrap();
        for number in [8, 9] {
            slots.write(&file, &old, &manifest(&old, number)).unwrap();
        }
        assert_eq!(Found::read(&file, &new).unwrap(), Found::OfAnother(*old.store()));
        let mut slots = Slots::after(&file, &new).unwrap();
        slots.write(&file, &new, &manifest(&new, 3)).unwrap();
        assert_eq!(
            revision(Found::read(&file, &old).unwrap()),
            Some(9),
            "the newest mark of the old one stays"
        );
        assert_eq!(revision(Found::read(&file, &new).unwrap()), Some(3));
    }
}
