//! How many connections each peer has.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use spike_policy::SpiffeId;

/// Counts connections by SPIFFE ID. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers(Arc<Mutex<HashMap<SpiffeId, usize>>>);

/// One connection of a peer; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    peers: Peers,
    id: SpiffeId,
}

impl Peers {
    /// A place for one more connection of this peer, unless it has `most` already.
    pub(super) fn seat(&self, id: &SpiffeId, most: usize) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(id.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat {
            peers: self.clone(),
            id: id.clone(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_peer_has_so_many_places_and_gets_them_back() {
        let peers = Peers::default();
        let (a, b): (SpiffeId, SpiffeId) = ("spiffe://x/a".parse().unwrap(), "spiffe://x/b".parse().unwrap());
        let first = peers.seat(&a, 2).unwrap();
        let _second = peers.seat(&a, 2).unwrap();
        assert!(peers.seat(&a, 2).is_none());
        assert!(peers.seat(&b, 2).is_some());
        drop(first);
        assert!(peers.seat(&a, 2).is_some());
        assert_eq!(peers.0.lock().unwrap().len(), 1);
    }
}
