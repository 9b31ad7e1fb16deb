#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashSet;

use super::*;
use crate::vault::keyring::UnlockError;

const STORE: Uuid = Uuid::from_bytes([9; 16]);
const LIMITS: SealLimits = SealLimits {
    rotate: u64::MAX,
    refuse: u64::MAX,
};

use uuid::Uuid;

fn root() -> RootKey {
    RootKey::take(&mut [7; 32])
}

fn vault() -> Vault {
    Vault::create(&root(), STORE, LIMITS).unwrap().0
}

fn row<'a>(key: &'a [u8], clear: &'a [u8]) -> RowId<'a> {
    RowId {
        table: "policies",
        key,
        version: 1,
        clear,
        revision: 5,
    }
}

#[test]
fn what_is_sealed_opens_again_whatever_its_length() {
    let vault = vault();
    for length in 0..300 {
        let plain: Vec<u8> = (0..length).map(|byte| u8::try_from(byte % 3).unwrap()).collect();
        let sealed = vault.seal(&row(b"k", b"c"), &plain).unwrap();
        assert_eq!(
            *vault.open(&row(b"k", b"c"), sealed.as_bytes()).unwrap(),
            plain,
            "{length}"
        );
        let padded = sealed.as_bytes().len() - 33;
        assert_eq!((padded % 64, padded > length), (0, true), "{length}");
    }
}

#[test]
fn no_row_opens_as_another_row() {
    // 200 rows with the columns of a policy; every pair; every column that could be exchanged.
    struct Columns {
        key: [u8; 16],
        clear: Vec<u8>,
        revision: u64,
        version: u64,
        sealed: Sealed,
    }
    let vault = vault();
    let columns = |number: u64| {
        let key = u128::from(number).to_be_bytes();
        let clear = [
            &number.to_be_bytes()[..],
            &(number + 1000).to_be_bytes(),
            format!("p{number}").as_bytes(),
        ]
        .concat();
        let (revision, version) = (number + 1, number + 7);
        let id = RowId {
            table: "policies",
            key: &key,
            version,
            clear: &clear,
            revision,
        };
        let sealed = vault
            .seal(&id, format!("^spiffe://example.org/{number}$").as_bytes())
            .unwrap();
        Columns {
            key,
            clear,
            revision,
            version,
            sealed,
        }
    };
    let rows: Vec<Columns> = (0..200).map(columns).collect();
    let mut tried = 0;
    for (i, a) in rows.iter().enumerate() {
        let own = RowId {
            table: "policies",
            key: &a.key,
            version: a.version,
            clear: &a.clear,
            revision: a.revision,
        };
        assert!(vault.open(&own, a.sealed.as_bytes()).is_ok());
        for b in rows.iter().skip(i + 1) {
            for (other, record) in [
                (own, &b.sealed),
                (RowId { key: &b.key, ..own }, &a.sealed),
                (RowId { clear: &b.clear, ..own }, &a.sealed),
                (
                    RowId {
                        revision: b.revision,
                        ..own
                    },
                    &a.sealed,
                ),
                (
                    RowId {
                        version: b.version,
                        ..own
                    },
                    &a.sealed,
                ),
            ] {
                assert_eq!(
                    vault.open(&other, record.as_bytes()).unwrap_err(),
                    UnsealError::Unauthentic
                );
                tried += 1;
            }
        }
        for table in ["secrets", "policie", "policiess", ""] {
            assert!(vault.open(&RowId { table, ..own }, a.sealed.as_bytes()).is_err());
            tried += 1;
        }
    }
    assert_eq!(tried, 200 * 199 / 2 * 5 + 200 * 4);
}

#[test]
fn columns_do_not_run_into_each_other() {
    let vault = vault();
    let sealed = vault.seal(&row(b"ab", b"c"), b"x").unwrap();
    assert!(vault.open(&row(b"a", b"bc"), sealed.as_bytes()).is_err());
    assert!(vault.open(&row(b"abc", b""), sealed.as_bytes()).is_err());
}

#[test]
fn every_flipped_bit_of_a_record_or_its_clear_columns_is_noticed() {
    let vault = vault();
    let mut tried = 0;
    for number in 0..100_u8 {
        let clear = [number; 24];
        let id = row(b"key", &clear);
        let sealed = vault.seal(&id, &vec![number; usize::from(number)]).unwrap();
        let mut record = sealed.as_bytes().to_vec();
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.open(&id, &record).is_err(), "record {number} bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
            tried += 1;
        }
        let mut edited = clear;
        for bit in 0..edited.len() * 8 {
            edited[bit / 8] ^= 1 << (bit % 8);
            assert!(
                vault.open(&row(b"key", &edited), &record).is_err(),
                "clear column {number} bit {bit}"
            );
            edited[bit / 8] ^= 1 << (bit % 8);
            tried += 1;
        }
        for length in 0..record.len() {
            assert!(
                vault.open(&id, &record[..length]).is_err(),
                "record {number} cut at {length}"
            );
        }
    }
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn one_hundred_thousand_seals_of_one_row_use_as_many_nonces() {
    let vault = vault();
    let mut nonces = HashSet::new();
    let mut ciphertexts = HashSet::new();
    for _ in 0..100_000 {
        let sealed = vault.seal(&row(b"k", b"c"), b"the same").unwrap();
        nonces.insert(sealed.as_bytes()[5..17].to_vec());
        ciphertexts.insert(sealed.as_bytes()[17..33].to_vec());
    }
    assert_eq!(
        (nonces.len(), ciphertexts.len(), vault.seals()),
        (100_000, 100_000, 100_000)
    );
}

#[test]
fn without_random_bytes_nothing_is_sealed() {
    let vault = vault().with_random(|_| Err(RandomError));
    assert_eq!(
        vault.seal(&row(b"k", b"c"), b"x").unwrap_err(),
        SealError::Random(RandomError)
    );
    assert!(matches!(vault.rotated().unwrap_err(), SealError::Random(RandomError)));
}

#[test]
fn a_term_asks_for_rotation_and_then_refuses() {
    let limits = SealLimits { rotate: 3, refuse: 5 };
    let (vault, _) = Vault::create(&root(), STORE, limits).unwrap();
    let wants: Vec<bool> = (0..5)
        .map(|_| {
            vault.seal(&row(b"k", b"c"), b"x").unwrap();
            vault.wants_rotation()
        })
        .collect();
    assert_eq!(wants, [false, false, true, true, true]);
    assert_eq!(
        vault.seal(&row(b"k", b"c"), b"x").unwrap_err(),
        SealError::Exhausted(KeyTerm::FIRST)
    );
    assert_eq!(vault.seals(), 5, "a refused seal is not counted");
    vault.count_from(2);
    assert_eq!(vault.seals(), 5, "the count never goes down");
}

#[test]
fn after_a_rotation_old_records_open_and_new_ones_name_the_new_term() {
    let (old, _) = Vault::create(&root(), STORE, LIMITS).unwrap();
    let before = old.seal(&row(b"k", b"c"), b"before").unwrap();
    let (new, keyring) = old.rotated().unwrap();
    let after = new.seal(&row(b"k", b"c"), b"after").unwrap();
    assert_eq!(after.as_bytes()[1..5], [0, 0, 0, 2]);
    assert_eq!(*new.open(&row(b"k", b"c"), before.as_bytes()).unwrap(), b"before");
    let reopened = Vault::unlock(&root(), STORE, keyring.current.as_bytes(), LIMITS).unwrap();
    assert_eq!(reopened.term().get(), 2);
    assert_eq!(*reopened.open(&row(b"k", b"c"), before.as_bytes()).unwrap(), b"before");
    assert_eq!(*reopened.open(&row(b"k", b"c"), after.as_bytes()).unwrap(), b"after");
    let unknown = old.open(&row(b"k", b"c"), after.as_bytes()).unwrap_err();
    assert_eq!(unknown, UnsealError::UnknownTerm(new.term()));
    // The term is authenticated: a record cannot be passed off as one of another term.
    let mut relabelled = after.as_bytes().to_vec();
    relabelled[4] = 1;
    assert_eq!(
        new.open(&row(b"k", b"c"), &relabelled).unwrap_err(),
        UnsealError::Unauthentic
    );
}

#[test]
fn a_record_does_not_move_to_another_store_even_under_the_same_root_key() {
    let sealed = vault().seal(&row(b"k", b"c"), b"x").unwrap();
    let (_, keyring) = Vault::create(&root(), STORE, LIMITS).unwrap();
    let other = Uuid::from_bytes([8; 16]);
    let (elsewhere, _) = Vault::create(&root(), other, LIMITS).unwrap();
    assert_eq!(
        elsewhere.open(&row(b"k", b"c"), sealed.as_bytes()).unwrap_err(),
        UnsealError::Unauthentic
    );
    assert!(Vault::unlock(&root(), other, keyring.as_bytes(), LIMITS).is_err());
}

#[test]
fn a_wrong_root_key_is_not_a_damaged_keyring() {
    let (_, keyring) = Vault::create(&root(), STORE, LIMITS).unwrap();
    let unlock = |root: &RootKey, record: &[u8]| Vault::unlock(root, STORE, record, LIMITS).map(|_| ());
    let wrong = RootKey::take(&mut [6; 32]);
    assert_eq!(unlock(&wrong, keyring.as_bytes()), Err(UnlockError::WrongKey));
    for bit in 17 * 8..keyring.as_bytes().len() * 8 {
        let mut record = keyring.as_bytes().to_vec();
        record[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(unlock(&root(), &record), Err(UnlockError::Damaged), "bit {bit}");
    }
    for length in 0..keyring.as_bytes().len() {
        assert!(
            unlock(&root(), &keyring.as_bytes()[..length]).is_err(),
            "cut at {length}"
        );
    }
    assert_eq!(unlock(&root(), keyring.as_bytes()), Ok(()));
}

/// Sealed by another implementation (Python's `cryptography`), with the key schedule done there too.
#[test]
fn a_record_that_another_implementation_sealed_opens() {
    let keyring = hex(GOLDEN_KEYRING);
    let vault = Vault::unlock(&root(), STORE, &keyring, LIMITS).unwrap();
    let id = RowId {
        table: "policies",
        key: b"row key",
        version: 3,
        clear: b"clear columns",
        revision: 42,
    };
    assert_eq!(*vault.open(&id, &hex(GOLDEN_RECORD)).unwrap(), b"the plaintext");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

const GOLDEN_KEYRING: &str = "\
    01109c9955889976cd4e40e58054d3d8dc0100000000000102030405060708090a0bc0340205d9c07bc44d80c80a04e3eb9a\
    45fe48f0c01ab3055d9b086422a28fd95ccfc0de721ff67040f0c604493844e2627981238acdb18e106e4be9a00ada7a4035\
    8fe4715331bfcb76bd88f21d94cd";
const GOLDEN_RECORD: &str = "\
    01000000016465666768696a6b6c6d6e6fe81be0450a6b170b55ca6501ddb7947aa2236aac43e2f000989e2feedcf834a4c2\
    cbb61adad2cd7346b135a5583a324f0c925c307ec0a4ca70258950dc3613a09573ab87fea18b0a99c0cfedf40c4b6a";

#[test]
fn nothing_here_prints_a_secret() {
    let value: SecretValue = [("user".to_owned(), "hunter2".to_owned())].into_iter().collect();
    let sealed = vault().seal(&row(b"k", b"c"), b"hunter2").unwrap();
    for text in [
        format!("{value:?}"),
        format!("{:?}", root()),
        format!("{:?}", vault()),
        format!("{sealed:?}"),
    ] {
        assert!(!text.contains("hunter2") && !text.contains("7, 7"), "{text}");
    }
    assert_eq!(format!("{value:?}"), "SecretValue(1 keys, 7 bytes)");
}

#[test]
fn values_come_back_from_their_bytes_and_nothing_else_does() {
    let value: SecretValue = [("a", "1"), ("", ""), ("k", "\0é")]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let bytes = value.encode();
    assert_eq!(SecretValue::decode(&bytes).unwrap(), value);
    for length in 0..bytes.len() {
        assert_eq!(
            SecretValue::decode(&bytes[..length]),
            Err(InvalidSecretValue),
            "cut at {length}"
        );
    }
    assert!(SecretValue::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(SecretValue::decode(&[255; 64]).is_err());
}

#[test]
fn a_retired_term_opens_no_record_but_keeps_the_key_of_its_messages() {
    let (first, _) = Vault::create(&root(), STORE, LIMITS).unwrap();
    let record = first.seal(&row(b"k", b"c"), b"old").unwrap();
    let (second, _) = first.rotated().unwrap();
    assert_eq!(second.old_terms(), [first.term()]);
    let (retired, keyrings) = second.retired().unwrap();
    assert!(retired.old_terms().is_empty());
    let reopened = Vault::unlock(&root(), STORE, keyrings.current.as_bytes(), LIMITS).unwrap();
    for vault in [&retired, &reopened] {
        let refused = vault.open(&row(b"k", b"c"), record.as_bytes()).unwrap_err();
        assert_eq!(refused, UnsealError::UnknownTerm(first.term()));
        assert!(vault.old_terms().is_empty());
        assert_eq!(vault.term().get(), 2);
    }
    // The second form of the record: every bit of it counts, too.
    assert_eq!(keyrings.current.as_bytes()[0], 2);
    for bit in 0..keyrings.current.as_bytes().len() * 8 {
        let mut record = keyrings.current.as_bytes().to_vec();
        record[bit / 8] ^= 1 << (bit % 8);
        assert!(Vault::unlock(&root(), STORE, &record, LIMITS).is_err(), "bit {bit}");
    }
    let (third, keyrings) = reopened.rotated().unwrap();
    assert_eq!((third.term().get(), third.old_terms().len()), (3, 1));
    let reopened = Vault::unlock(&root(), STORE, keyrings.current.as_bytes(), LIMITS).unwrap();
    assert_eq!(reopened.old_terms(), third.old_terms());
}

#[test]
fn two_root_keys_open_the_same_keyring_until_one_is_dropped() {
    let new = RootKey::take(&mut [8; 32]);
    let (vault, _) = Vault::create(&root(), STORE, LIMITS).unwrap();
    let sealed = vault.seal(&row(b"k", b"c"), b"x").unwrap();
    let (both, keyrings) = vault.rekeying(&new).unwrap();
    let next = keyrings.next.unwrap();
    assert!(both.has_next_root());
    assert_eq!(
        Vault::unlock(&root(), STORE, next.as_bytes(), LIMITS).err(),
        Some(UnlockError::WrongKey)
    );
    assert_eq!(
        Vault::unlock(&new, STORE, keyrings.current.as_bytes(), LIMITS).err(),
        Some(UnlockError::WrongKey)
    );
    let alone = both.rekeyed(&new, next.as_bytes()).unwrap();
    assert!(!alone.has_next_root());
    assert_eq!(*alone.open(&row(b"k", b"c"), sealed.as_bytes()).unwrap(), b"x");
    assert_eq!(alone.seals(), vault.seals(), "the count goes on");
    // A record with other terms is not taken for the same keyring.
    let (rotated, _) = both.rotated().unwrap();
    assert_eq!(rotated.rekeyed(&new, next.as_bytes()).err(), Some(UnlockError::Damaged));
    // Who does not know the second key cannot write its record.
    let unknown = Vault::unlock(&root(), STORE, keyrings.current.as_bytes(), LIMITS).unwrap();
    let unknown = unknown.with_unknown_next_root();
    assert_eq!(unknown.rotated().unwrap_err(), SealError::RekeyPending);
    assert_eq!(unknown.retired().unwrap_err(), SealError::RekeyPending);
    assert!(unknown.without_next_root().rotated().is_ok());
}
