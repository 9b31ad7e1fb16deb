//! A set of characters, exact on ASCII.

/// The Kelvin sign, another case of `k`. It and the long s are all that case joins to ASCII from beyond.
pub(super) const KELVIN: u32 = 0x212A;
/// The long s, another case of `s`.
pub(super) const LONG_S: u32 = 0x17F;
const MAX: u32 = 0x10_FFFF;
const UPPER: u128 = ((1 << 26) - 1) << b'A';
const LOWER: u128 = UPPER << 32;
const PRINTABLE: u128 = (u128::MAX << 0x20) & !(1 << 0x7F);

/// A set of characters: exact on ASCII, a summary beyond it. Subjects are ASCII, so the summary never decides a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CharSet {
    /// Bit `n` is the character `n`.
    ascii: u128,
    beyond: Beyond,
}

/// Which characters beyond ASCII a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    Nothing,
    One(u32),
    Some,
    Everything,
}

impl CharSet {
    pub(super) const EMPTY: Self = Self {
        ascii: 0,
        beyond: Beyond::Nothing,
    };
    pub(super) const ALL: Self = Self {
        ascii: u128::MAX,
        beyond: Beyond::Everything,
    };
    pub(super) const ALL_BUT_NEWLINE: Self = Self {
        ascii: !(1 << b'\n'),
        beyond: Beyond::Everything,
    };

    pub(super) const fn new(ascii: u128, beyond: Beyond) -> Self {
        Self { ascii, beyond }
    }

    /// The set of one character.
    pub(super) fn one(c: u32) -> Self {
        Self::range(c, c)
    }

    /// The characters from `low` to `high`, both included.
    pub(super) fn range(low: u32, high: u32) -> Self {
        let ascii = if low > 0x7F {
            0
        } else {
            let from = u128::MAX << low;
            let to = if high >= 0x7F { u128::MAX } else { (1 << (high + 1)) - 1 };
            from & to
        };
        let beyond = if high < 0x80 {
            Beyond::Nothing
        } else if low == high {
            Beyond::One(low)
        } else if low <= 0x80 && high >= MAX {
            Beyond::Everything
        } else {
            Beyond::Some
        };
        Self { ascii, beyond }
    }

    /// The range with every character that differs from one of it by case only.
    pub(super) fn folded_range(low: u32, high: u32) -> Self {
        let has = |c: u32| low <= c && c <= high;
        let mut set = Self::range(low, high);
        if let Beyond::One(_) = set.beyond {
            // It may have a partner in the other case.
            set.beyond = Beyond::Some;
        }
        if has(KELVIN) {
            set.ascii |= 1 << b'K';
        }
        if has(LONG_S) {
            set.ascii |= 1 << b'S';
        }
        set.folded()
    }

    /// Both sets.
    pub(super) fn union(self, other: Self) -> Self {
        let beyond = match (self.beyond, other.beyond) {
            (Beyond::Everything, _) | (_, Beyond::Everything) => Beyond::Everything,
            (Beyond::Nothing, some) | (some, Beyond::Nothing) => some,
            (Beyond::One(a), Beyond::One(b)) if a == b => Beyond::One(a),
            (Beyond::One(_) | Beyond::Some, Beyond::One(_) | Beyond::Some) => Beyond::Some,
        };
        Self {
            ascii: self.ascii | other.ascii,
            beyond,
        }
    }

    /// Every other character.
    pub(super) fn negated(self) -> Self {
        let beyond = match self.beyond {
            Beyond::Nothing => Beyond::Everything,
            Beyond::One(_) | Beyond::Some => Beyond::Some,
            Beyond::Everything => Beyond::Nothing,
        };
        Self {
            ascii: !self.ascii,
            beyond,
        }
    }

    /// The set with both cases of its ASCII letters.
    pub(super) fn folded(self) -> Self {
        let letters = (self.ascii & UPPER) | ((self.ascii & LOWER) >> 32);
        let mut set = Self {
            ascii: self.ascii | letters | (letters << 32),
            ..self
        };
        if letters & (1 << b'K') != 0 {
            set = set.union(Self::one(KELVIN));
        }
        if letters & (1 << b'S') != 0 {
            set = set.union(Self::one(LONG_S));
        }
        set
    }

    /// Whether it holds this character (meant for ASCII).
    pub(super) fn has(self, c: u8) -> bool {
        c < 0x80 && self.ascii & (1 << c) != 0
    }

    /// The ASCII members, as a bit mask.
    pub(super) fn ascii(self) -> u128 {
        self.ascii
    }

    /// The members that a subject may have, as a bit mask.
    pub(super) fn printable(self) -> u128 {
        self.ascii & PRINTABLE
    }

    /// Whether it holds every character that a subject may have.
    pub(super) fn has_all_printable(self) -> bool {
        self.printable() == PRINTABLE
    }

    /// Whether the two have an ASCII member in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.ascii & other.ascii != 0
    }

    /// Its only character, if it has just one.
    pub(super) fn single(self) -> Option<u32> {
        match (self.ascii.count_ones(), self.beyond) {
            (1, Beyond::Nothing) => Some(self.ascii.trailing_zeros()),
            (0, Beyond::One(c)) => Some(c),
            _ => None,
        }
    }

    /// The upper case of its letter, if it is exactly the two cases of one letter (not of `k` or `s`: each has a third).
    pub(super) fn cased_letter(self) -> Option<u32> {
        let upper = self.ascii.trailing_zeros();
        let is_letter = upper < 0x80 && UPPER & (1 << upper) != 0;
        let pair = is_letter && self.ascii == (1 << upper) | (1 << (upper + 32));
        let third = upper == u32::from(b'K') || upper == u32::from(b'S');
        (pair && !third && self.beyond == Beyond::Nothing).then_some(upper)
    }

    /// The ASCII members as ranges, ascending.
    pub(super) fn ranges(self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for c in (0..0x80_u8).filter(|&c| self.has(c)) {
            match ranges.last_mut() {
                Some((_, end)) if *end + 1 == c => *end = c,
                _ => ranges.push((c, c)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests;
