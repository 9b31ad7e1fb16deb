//! Random choices that can be repeated.
//!
//! Every run prints its seed; `SPIKE_SEED` repeats one, `SPIKE_CASES` raises the number of cases.

/// `SplitMix64`: small, seeded, good enough to choose words.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SPIKE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(20_261_122);
    println!("seed {seed} (SPIKE_SEED repeats it)");
    seed
}

/// How many cases to try.
pub(crate) fn cases(default: usize) -> usize {
    std::env::var("SPIKE_CASES")
        .ok()
        .and_then(|s| s.parse().ok())
        .map_or(default, |n: usize| n.max(default))
}
