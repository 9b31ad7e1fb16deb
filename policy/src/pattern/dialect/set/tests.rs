use proptest::prelude::*;

use super::*;

/// Go's simple folding, as far as ASCII is concerned.
fn other_case(c: u8) -> Option<u8> {
    c.is_ascii_alphabetic().then_some(c ^ 0x20)
}

#[test]
fn only_the_two_cases_of_one_letter_are_a_cased_letter() {
    let mut letters = 0;
    for a in 0..0x80_u8 {
        for b in 0..0x80_u8 {
            let set = CharSet::one(u32::from(a)).union(CharSet::one(u32::from(b)));
            let cases = other_case(a) == Some(b) && !matches!(a.to_ascii_lowercase(), b'k' | b's');
            assert_eq!(
                set.cased_letter(),
                cases.then_some(u32::from(a.min(b))),
                "{a:#x} {b:#x}"
            );
            assert_eq!(set.single(), (a == b).then_some(u32::from(a)), "{a:#x} {b:#x}");
            letters += u32::from(cases);
        }
    }
    assert_eq!(letters, 48);
}

proptest! {
    #[test]
    fn set_operations_are_those_of_sets(low in 0..0x100_u32, width in 0..0x100_u32, mask: u128) {
        let high = low + width;
        let range = CharSet::range(low, high);
        let folded = CharSet::folded_range(low, high);
        let other = CharSet::new(mask, Beyond::Nothing);
        let in_range = |c: u8| low <= u32::from(c) && u32::from(c) <= high;
        for c in 0..0x80_u8 {
            let long_s = c.eq_ignore_ascii_case(&b's') && low <= LONG_S && LONG_S <= high;
            prop_assert_eq!(range.has(c), in_range(c));
            prop_assert_eq!(folded.has(c), in_range(c) || other_case(c).is_some_and(in_range) || long_s);
            prop_assert_eq!(range.union(other).has(c), in_range(c) || other.has(c));
            prop_assert_eq!(other.negated().has(c), !other.has(c));
            prop_assert_eq!(other.ranges().iter().any(|&(low, high)| low <= c && c <= high), other.has(c));
        }
        prop_assert_eq!(other.negated().negated(), other);
        prop_assert_eq!(range.meets(other), (0..0x80_u8).any(|c| range.has(c) && other.has(c)));
    }
}
