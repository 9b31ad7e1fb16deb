#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn number(hex: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(hex.get(at * 2..at * 2 + 2).unwrap(), 16).unwrap();
    std::array::from_fn(byte)
}

fn key(bytes: [u8; 32]) -> RootKey {
    RootKey::take(&mut bytes.clone())
}

const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// Written by `tests/interop/govectors-shamir`: circl's secret sharing with the deterministic reader of SPIKE's SDK.
#[test]
fn shares_are_those_of_official_spike() {
    let (mut lines, mut compared) = (0, 0);
    for line in include_str!("vectors.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [root, threshold, values @ ..] = words.as_slice() else {
            unreachable!("a line has a key and a threshold")
        };
        let sharing = Sharing::new(values.len().try_into().unwrap(), threshold.parse().unwrap()).unwrap();
        let root = number(root);
        let shares = key(root).split(sharing).unwrap();
        for (share, value) in shares.iter().zip(values) {
            assert_eq!(*share.value, number(value), "share {} of {line}", share.id);
            compared += 1;
        }
        let last = shares.len() - usize::from(sharing.threshold());
        let back = RootKey::combine(shares.get(last..).unwrap()).unwrap();
        assert_eq!(back.expose_secret(), &root, "{line}");
        lines += 1;
    }
    assert_eq!((lines, compared), (43 * 4, 43 * 16));
}

#[test]
fn any_shares_to_the_threshold_give_the_key_and_one_less_does_not() {
    let root = [9; 32];
    let shares = key(root).split(Sharing::new(5, 3).unwrap()).unwrap();
    let mut tried = 0;
    for pick in 1_u32..1 << 5 {
        let some: Vec<Share> = shares
            .iter()
            .filter(|share| pick >> (share.id - 1) & 1 == 1)
            .cloned()
            .collect();
        let back = RootKey::combine(&some).unwrap();
        assert_eq!(*back.expose_secret() == root, some.len() >= 3, "{pick:05b}");
        tried += 1;
    }
    assert_eq!(tried, 31);
}

#[test]
fn a_key_that_is_no_scalar_has_no_shares() {
    let mut order = number(ORDER);
    for (bytes, has) in [([0; 32], false), ([0xff; 32], false), (order, false)] {
        assert_eq!(key(bytes).split(Sharing::default()).is_ok(), has);
    }
    if let Some(last) = order.last_mut() {
        *last -= 1;
    }
    assert!(key(order).split(Sharing::default()).is_ok());
    assert!((0..64).all(|_| RootKey::generate().unwrap().has_shares()));
}

#[test]
fn shares_that_cannot_be_are_refused() {
    let share = |id, value| Share {
        id,
        value: Zeroizing::new(value),
    };
    for (shares, error) in [
        (vec![], CombineError::None),
        (vec![share(0, [1; 32])], CombineError::Number(0)),
        (vec![share(1001, [1; 32])], CombineError::Number(1001)),
        (vec![share(2, [1; 32]), share(2, [2; 32])], CombineError::Number(2)),
        (vec![share(7, number(ORDER))], CombineError::Value(7)),
        (vec![share(1, [0; 32])], CombineError::NoKey),
    ] {
        assert_eq!(RootKey::combine(&shares).unwrap_err(), error);
    }
    for (shares, threshold) in [(0, 0), (3, 0), (2, 3), (1001, 2), (u64::MAX, 1), (3, u64::MAX)] {
        assert!(Sharing::new(shares, threshold).is_err(), "{threshold} of {shares}");
    }
    assert!(Sharing::new(1000, 1000).is_ok());
}

#[test]
fn debug_shows_no_value() {
    let shares = key([9; 32]).split(Sharing::default()).unwrap();
    assert_eq!(format!("{shares:?}"), "[Share(1), Share(2), Share(3)]");
}
