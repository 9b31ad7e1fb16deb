//! How many connections each peer has, and which of them gives way to a new one.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spike_policy::SpiffeId;
use spike_runtime::CancellationToken;

/// The connections by SPIFFE ID. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    seats: Arc<Mutex<HashMap<SpiffeId, Vec<Arc<Chair>>>>>,
    uses: Arc<AtomicU64>,
}

/// One connection of a peer; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    peers: Peers,
    id: SpiffeId,
    chair: Arc<Chair>,
}

/// What others may know about a connection.
#[derive(Debug, Default)]
struct Chair {
    /// When it was used last: the number of that use among all.
    used: AtomicU64,
    in_use: Arc<()>,
    leave: CancellationToken,
}

impl Peers {
    /// A place for one more connection of this peer. One that has `most` already loses the connection that has been
    /// idle longest: official clients open one for each call and leave it open. There is none while all are in use.
    pub(super) fn seat(&self, id: &SpiffeId, most: usize) -> Option<Seat> {
        let chair = Arc::new(Chair::default());
        chair.touch(&self.uses);
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let chairs = seats.entry(id.clone()).or_default();
        if chairs.len() >= most {
            let idle = chairs.iter().enumerate().filter(|(_, chair)| chair.is_idle());
            let (place, _) = idle.min_by_key(|(_, chair)| chair.used.load(Ordering::Relaxed))?;
            chairs.swap_remove(place).leave.cancel();
        }
        chairs.push(Arc::clone(&chair));
        Some(Seat {
            peers: self.clone(),
            id: id.clone(),
            chair,
        })
    }
}

impl Seat {
    /// Notes that the connection is being used.
    pub(super) fn touch(&self) {
        self.chair.touch(&self.peers.uses);
    }

    /// How often any connection had been used when this one was used last.
    pub(super) fn last_use(&self) -> u64 {
        self.chair.used.load(Ordering::Relaxed)
    }

    /// The connection is in use for as long as this is kept.
    pub(super) fn in_use(&self) -> Arc<()> {
        Arc::clone(&self.chair.in_use)
    }

    /// Whether no request is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.chair.is_idle()
    }

    /// Completes when the connection has to give way to a new one of the same peer.
    pub(super) async fn left(&self) {
        self.chair.leave.cancelled().await;
    }
}

impl Chair {
    fn touch(&self, uses: &AtomicU64) {
        self.used.store(uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.in_use) == 1
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.peers.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chairs) = seats.get_mut(&self.id) {
            chairs.retain(|chair| !Arc::ptr_eq(chair, &self.chair));
            if chairs.is_empty() {
                seats.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn ids() -> (SpiffeId, SpiffeId) {
        ("spiffe://x/a".parse().unwrap(), "spiffe://x/b".parse().unwrap())
    }

    #[test]
    fn a_peer_has_so_many_places_and_gets_them_back() {
        let (peers, (a, b)) = (Peers::default(), ids());
        let first = peers.seat(&a, 2).unwrap();
        let second = peers.seat(&a, 2).unwrap();
        let _in_use = (first.in_use(), second.in_use());
        assert!(peers.seat(&a, 2).is_none(), "all are in use");
        assert!(peers.seat(&b, 2).is_some());
        drop(first);
        assert!(peers.seat(&a, 2).is_some());
        assert_eq!(peers.seats.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_connection_that_has_been_idle_longest_gives_way() {
        let (peers, (a, _)) = (Peers::default(), ids());
        let seats: Vec<Seat> = (0..3).map(|_| peers.seat(&a, 3).unwrap()).collect();
        let [first, second, third] = &seats[..] else {
            unreachable!()
        };
        let in_use = second.in_use();
        first.touch();
        let newest = peers.seat(&a, 3).unwrap();
        let has_to_go = |seat: &Seat| seat.chair.leave.is_cancelled();
        assert!(has_to_go(third) && !has_to_go(first) && !has_to_go(second) && !has_to_go(&newest));
        let _another = peers.seat(&a, 3).unwrap();
        assert!(has_to_go(first) && !has_to_go(second), "one in use never does");
        drop(in_use);
        drop(seats);
        assert_eq!(peers.seats.lock().unwrap().values().map(Vec::len).sum::<usize>(), 2);
    }
}
