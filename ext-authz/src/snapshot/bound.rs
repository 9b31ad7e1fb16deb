//! How much memory the views at hand may take.
use super::{Entry, Key};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Views, at most.
    pub entries: u64,
    /// Bytes of them together, at most.
    pub bytes: u64,
}

impl Bound {
    /// Bytes where nobody says how many: 64 MiB.
    pub const BYTES: u64 = 64 << 20;

    /// What an entry counts. The cache knows one sum only, so each counts at least its share of the bytes.
    pub(super) fn weight(self, key: &Key, entry: &Entry) -> u32 {
        let bytes = KEEPING + key.who.as_str().len() + entry.view.weight();
        let least = self.bytes.div_ceil(self.entries.max(1));
        u32::try_from(least.max(bytes as u64)).unwrap_or(u32::MAX)
    }
}

/// This many views.
impl From<u64> for Bound {
    fn from(entries: u64) -> Self {
        Self {
            entries,
            bytes: Self::BYTES,
        }
    }
}

/// Bytes around a view that is kept: its key, and what the cache itself keeps for it.
const KEEPING: usize = 512;

#[cfg(test)]
mod tests;
