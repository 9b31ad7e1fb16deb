//! Archives that are not as they were written: refused, and nothing replaced.
use spike_nexus::store::RestoreError;

use super::place::{Place, backup, put_policy, put_secret, rollback, wait};

/// A small archive, in a place whose database must not change.
fn small() -> (Place, Vec<u8>) {
    let place = Place::new();
    let store = place.open().unwrap();
    wait(put_policy(&store, "p", "^a$"));
    wait(put_secret(&store, "s", "1"));
    let bytes = backup(&store);
    wait(store.close()).unwrap();
    (place, bytes)
}

fn refused(place: &Place, bytes: &[u8], what: &str) {
    std::fs::write(place.file("b"), bytes).unwrap();
    let refusal = place.restore_accepting(&place.file("b"), rollback()).err();
    match refusal {
        Some(RestoreError::Archive { .. } | RestoreError::WrongKey(_) | RestoreError::NewerSchema { .. }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn every_altered_bit_of_an_archive_is_refused() {
    let (place, bytes) = small();
    let before = place.files();
    let mut tried = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            refused(&place, &altered, &format!("byte {at} bit {bit}"));
            tried += 1;
        }
    }
    assert!(tried > 40_000, "only {tried}");
    std::fs::remove_file(place.file("b")).unwrap();
    assert!(place.files() == before, "something was replaced");
    // The archive itself is good.
    std::fs::write(place.file("b"), &bytes).unwrap();
    place.restore(&place.file("b")).unwrap();
}

#[test]
fn every_truncation_of_an_archive_is_refused() {
    let (place, bytes) = small();
    let before = place.files();
    for length in 0..bytes.len() {
        refused(&place, &bytes[..length], &format!("{length} bytes"));
    }
    let mut longer = bytes.clone();
    longer.push(0);
    refused(&place, &longer, "one byte more");
    longer.extend_from_slice(&bytes);
    refused(&place, &longer, "the archive twice");
    std::fs::remove_file(place.file("b")).unwrap();
    assert!(place.files() == before, "something was replaced");
}

#[test]
fn rows_that_are_dropped_repeated_or_exchanged_are_refused() {
    let (place, bytes) = small();
    let before = place.files();
    let rows = rows_of(&bytes);
    let mut tried = 0;
    for (at, row) in rows.iter().enumerate() {
        let mut without = bytes.clone();
        without.drain(row.clone());
        refused(&place, &without, &format!("without row {at}"));
        let mut twice = bytes.clone();
        twice.splice(row.end..row.end, bytes[row.clone()].to_vec());
        refused(&place, &twice, &format!("row {at} twice"));
        for other in &rows[at + 1..] {
            let mut exchanged = bytes[..row.start].to_vec();
            exchanged.extend_from_slice(&bytes[other.clone()]);
            exchanged.extend_from_slice(&bytes[row.end..other.start]);
            exchanged.extend_from_slice(&bytes[row.clone()]);
            exchanged.extend_from_slice(&bytes[other.end..]);
            refused(&place, &exchanged, &format!("row {at} exchanged"));
            tried += 1;
        }
    }
    assert!(rows.len() >= 8 && tried >= 28, "{} rows", rows.len());
    std::fs::remove_file(place.file("b")).unwrap();
    assert!(place.files() == before, "something was replaced");
}

/// Where the rows of an archive are.
fn rows_of(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut rows) = (54, Vec::new());
    let number = |at: usize| usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    loop {
        match bytes[at] {
            1 => at += 2 + usize::from(bytes[at + 1]),
            2 => {
                let end = at + 9 + number(at + 1) + number(at + 5);
                rows.push(at..end);
                at = end;
            }
            _ => return rows,
        }
    }
}

#[test]
fn thousands_of_random_alterations_of_a_large_archive_are_refused() {
    let place = Place::new();
    let store = place.open().unwrap();
    wait(async {
        let rules = (0..200)
            .map(|number| super::place::rule(&format!("p{number}"), &format!("^path/{number}$")))
            .collect();
        store.apply_policies(rules, super::place::NOW).await.unwrap();
        for number in 0..20 {
            put_secret(&store, &format!("s/{number}"), &"x".repeat(1000)).await;
        }
    });
    let bytes = backup(&store);
    wait(store.close()).unwrap();
    let before = place.files();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..2_000 {
        let mut altered = bytes.clone();
        match round % 4 {
            0 => altered.truncate(next(bytes.len())),
            1 => {
                let at = next(bytes.len());
                altered[at] ^= 1 << next(8);
            }
            2 => {
                let (from, to) = (next(bytes.len() - 64), next(bytes.len() - 64));
                if bytes[from..from + 64] == bytes[to..to + 64] {
                    continue;
                }
                altered.copy_within(from..from + 64, to);
            }
            _ => {
                let at = next(bytes.len() - 32);
                altered.drain(at..=at + next(31));
            }
        }
        refused(&place, &altered, &format!("round {round}"));
    }
    std::fs::remove_file(place.file("b")).unwrap();
    assert!(place.files() == before, "something was replaced");
}
