//! From shares to keys, when some of the shares may be wrong.
//!
//! A key's shares all follow from the key (`vault::shamir`), so shares can prove that they belong together without any
//! database: the key that they give is split again and must give them back.
use crate::vault::{RootKey, Share, Sharing};

/// How many combinations are tried: every one among up to 15 Keepers.
const MOST: usize = 10_000;

/// A key that some shares prove.
pub(crate) struct Rebuilt {
    pub(crate) key: RootKey,
    /// Whose shares belong to it.
    pub(crate) of: Vec<u16>,
    /// Whose shares belong to another key, or to none.
    pub(crate) not_of: Vec<u16>,
}

/// The keys that these shares prove, the one with most shares first. One, usually; none while they do not belong
/// together; several when Keepers hold shares of different keys.
pub(crate) fn rebuild(shares: &[Share], sharing: Sharing) -> Vec<Rebuilt> {
    let mut found: Vec<Rebuilt> = Vec::new();
    for chosen in combinations(shares.len(), sharing.threshold().into()).take(MOST) {
        let chosen: Vec<Share> = chosen.iter().filter_map(|at| shares.get(*at)).cloned().collect();
        let known = |rebuilt: &Rebuilt| chosen.iter().all(|share| rebuilt.of.contains(&share.id));
        if found.iter().any(known) {
            continue;
        }
        let Ok(key) = RootKey::combine(&chosen) else { continue };
        if key.made(&chosen, sharing) {
            let is_of = |share: &&Share| key.made(std::slice::from_ref(*share), sharing);
            let (of, not_of): (Vec<&Share>, Vec<&Share>) = shares.iter().partition(is_of);
            let ids = |shares: Vec<&Share>| shares.iter().map(|share| share.id).collect();
            let (of, not_of) = (ids(of), ids(not_of));
            found.push(Rebuilt { key, of, not_of });
        }
    }
    found.sort_by_key(|rebuilt| rebuilt.not_of.len());
    found
}

/// The ways to choose `size` of `count`, as ascending positions.
fn combinations(count: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    let first = (size > 0 && size <= count).then(|| (0..size).collect::<Vec<usize>>());
    std::iter::successors(first, move |chosen| {
        // The last position that can still move, and everything behind it right after it.
        let at = (0..size)
            .rev()
            .find(|at| chosen.get(*at).is_some_and(|to| *to < count - size + at))?;
        let start = chosen.get(at)? + 1;
        let mut next = chosen.clone();
        for (to, value) in next.iter_mut().skip(at).zip(start..) {
            *to = value;
        }
        Some(next)
    })
}
