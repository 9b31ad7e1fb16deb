//! Texts that a subject must have somewhere: a table of short pieces (grams) of them.
//!
//! A pattern such as `^spiffe://example\.org/ns/[a-z]+/sa/web$` has no useful beginning, but no subject matches it
//! without `/sa/web` at its end. Of such a required text the piece that the fewest other patterns use is put into the
//! table. A subject then looks up each of its own pieces, at a cost of its length and not of the number of patterns.
use std::sync::Arc;

use super::hash_trie::{HashTrie, Keyed};

/// Stands before the first byte of every subject, so that a required text can say `^`.
pub(super) const BEGIN: char = '\u{2}';
/// Stands after the last byte of every subject, so that a required text can say `$`.
pub(super) const END: char = '\u{3}';

/// A piece of 8, 4 or 2 bytes. Zeros fill it up; no subject has a zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gram([u8; 8]);

/// The lengths of grams, best first. All pieces of a required text have the greatest length that fits it.
const LENGTHS: [usize; 3] = [8, 4, 2];

/// A persistent table from grams to items.
#[derive(Clone, Debug)]
pub(super) struct GramTable<T> {
    postings: HashTrie<Gram, Posting<T>>,
    /// How many postings there are of each length, so that absent lengths cost nothing.
    counts: [usize; 3],
    /// A bit for every gram that was ever posted: most pieces of a subject end here.
    seen: Arc<Sieve>,
}

#[derive(Clone, Debug)]
struct Posting<T> {
    gram: Gram,
    items: Vec<T>,
}

impl<T> Keyed<Gram> for Posting<T> {
    fn key(&self) -> &Gram {
        &self.gram
    }
}

impl<T> Default for GramTable<T> {
    fn default() -> Self {
        Self {
            postings: HashTrie::default(),
            counts: [0; 3],
            seen: Arc::default(),
        }
    }
}

impl<T: Clone> GramTable<T> {
    /// Of several sets of required texts the one that finds best, with one gram for each of its texts: the one that
    /// the fewest items use. `None` if there is no set, or none whose texts are all long enough.
    pub(super) fn choose(&self, sets: &[Vec<String>]) -> Option<Box<[Gram]>> {
        let chosen = sets.iter().rev().filter_map(|texts| self.choose_in(texts));
        let (_, mut grams) = chosen.min_by_key(|(cost, _)| *cost)?;
        grams.sort_unstable_by_key(|gram| gram.0);
        grams.dedup();
        Some(grams.into())
    }

    /// A gram for each text, and how many items one expects to meet in vain because of them.
    fn choose_in(&self, texts: &[String]) -> Option<(usize, Vec<Gram>)> {
        let cost = |gram: &Gram| {
            let used = self.postings.get(gram).map_or(0, |posting| posting.items.len());
            // A short piece stands in many subjects that the pattern does not match.
            used + [0, 16, 256].get(gram.class()).unwrap_or(&0)
        };
        let mut grams = Vec::with_capacity(texts.len());
        let mut costs = 0;
        for text in texts {
            let length = LENGTHS.into_iter().find(|length| *length <= text.len())?;
            // Of equals the last: the ends of names differ more than their beginnings.
            let gram = text
                .as_bytes()
                .windows(length)
                .rev()
                .filter_map(Gram::new)
                .min_by_key(cost)?;
            costs += cost(&gram);
            grams.push(gram);
        }
        if grams.is_empty() { None } else { Some((costs, grams)) }
    }

    /// Puts an item under a gram, and tells how many there are now.
    pub(super) fn insert(&mut self, gram: Gram, item: T) -> usize {
        self.sift(gram);
        if let Some(posting) = self.postings.get_mut(&gram) {
            posting.items.push(item);
            return posting.items.len();
        }
        self.postings.insert(Posting {
            gram,
            items: vec![item],
        });
        if let Some(count) = self.counts.get_mut(gram.class()) {
            *count += 1;
        }
        1
    }

    /// Marks a gram as seen, in a sieve that has room for it.
    fn sift(&mut self, gram: Gram) {
        if self.seen.is_full(self.postings.len()) {
            let mut sieve = Sieve::with_room(2 * self.postings.len());
            for posting in self.postings.iter() {
                sieve.add(posting.gram);
            }
            self.seen = Arc::new(sieve);
        }
        if !self.seen.has(gram) {
            Arc::make_mut(&mut self.seen).add(gram);
        }
    }

    /// Changes the items under a gram. A posting that holds nothing more disappears.
    pub(super) fn change(&mut self, gram: Gram, change: &mut impl FnMut(&mut Vec<T>)) {
        let Some(posting) = self.postings.get_mut(&gram) else {
            return;
        };
        change(&mut posting.items);
        if posting.items.is_empty() {
            self.postings.remove(&gram);
            if let Some(count) = self.counts.get_mut(gram.class()) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

impl<T: Clone> GramTable<T> {
    /// The lists of items under the grams that the subject has, each list once.
    pub(super) fn candidates(&self, subject: &str) -> Vec<&[T]> {
        let mut found: Vec<&[T]> = Vec::new();
        if self.counts == [0; 3] {
            return found;
        }
        for (length, count) in LENGTHS.into_iter().zip(self.counts) {
            if count == 0 {
                continue;
            }
            let grams = grams(subject, length).filter(|gram| self.seen.has(*gram));
            let postings = grams.filter_map(|gram| self.postings.get(&gram));
            found.extend(postings.map(|posting| posting.items.as_slice()));
        }
        if found.len() > 1 {
            found.sort_unstable_by_key(|items| items.as_ptr());
            found.dedup_by_key(|items| items.as_ptr());
        }
        found
    }
}

/// Every gram of this length that stands in the subject, its two ends marked.
fn grams(subject: &str, length: usize) -> impl Iterator<Item = Gram> {
    let ends = [BEGIN, END].map(|mark| mark as u8);
    let [begin, end] = ends.map(std::iter::once);
    let bytes = begin.chain(subject.bytes()).chain(end);
    let mut window = 0_u64;
    let windows = bytes.map(move |byte| {
        // The last eight bytes, the earliest of them lowest.
        window = window >> 8 | u64::from(byte) << 56;
        Gram((window >> (64 - 8 * length)).to_le_bytes())
    });
    windows.skip(length - 1)
}

impl Gram {
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut gram = [0; 8];
        gram.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(gram))
    }

    /// The place of its length in [`LENGTHS`].
    fn class(self) -> usize {
        match self.0 {
            [_, _, 0, ..] => 2,
            [_, _, _, _, 0, ..] => 1,
            _ => 0,
        }
    }
}

/// Two bits of one word per gram, by a cheap hash. It may say yes wrongly, never no.
#[derive(Clone, Debug, Default)]
struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    /// Bits for every gram, so that about one wrong yes comes on a hundred questions.
    const BITS: usize = 16;

    fn with_room(grams: usize) -> Self {
        let words = (grams.max(64) * Self::BITS / 64).next_power_of_two();
        Self { words: vec![0; words] }
    }

    fn is_full(&self, grams: usize) -> bool {
        self.words.len() * 64 <= grams * Self::BITS
    }

    fn has(&self, gram: Gram) -> bool {
        let (word, mask) = self.place(gram);
        self.words.get(word).is_some_and(|bits| bits & mask == mask)
    }

    fn add(&mut self, gram: Gram) {
        let (word, mask) = self.place(gram);
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= mask;
        }
    }

    /// The upper half of a product by the golden ratio: every bit of the gram counts there.
    fn place(&self, gram: Gram) -> (usize, u64) {
        let mixed = u64::from_le_bytes(gram.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
        let word = usize::try_from(mixed >> 12).unwrap_or(0) & self.words.len().saturating_sub(1);
        (word, 1 << (mixed & 63) | 1 << (mixed >> 6 & 63))
    }
}
