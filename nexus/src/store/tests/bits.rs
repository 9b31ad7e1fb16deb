//! Bit rot, truncation, holes, and pages in the wrong place: refused, or harmless, never wrong.
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::test_disk::TestDisk;
use super::*;

const MUTATIONS: usize = 2_000;
const PAGE: usize = 4096;
const POLICIES: usize = 8;
const SECRETS: usize = 4;

/// A closed store with 8 policies and 4 secrets, written one by one.
fn image() -> Vec<u8> {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    for number in 0..POLICIES {
        let rules = vec![rule(&format!("p{number}"), &format!("^path/{number}$"))];
        wait(store.apply_policies(rules, at(1))).unwrap();
    }
    for number in 0..SECRETS {
        wait(store.put_secret(path(&format!("s{number}")), value(&format!("password {number}")), at(1))).unwrap();
    }
    drop(store);
    disk.image()
}

/// The pages that hold anything: most of a fresh file is unused, and damage there is not worth the time.
fn used_pages(image: &[u8]) -> Vec<usize> {
    let pages = image.chunks(PAGE).enumerate();
    pages
        .filter(|(_, page)| page.iter().any(|byte| *byte != 0))
        .map(|(number, _)| number)
        .collect()
}

fn mutate(image: &mut Vec<u8>, used: &[usize], chance: &mut Chance) {
    let start = |chance: &mut Chance| used[chance.below(used.len())] * PAGE;
    match chance.below(10) {
        0 => image.truncate(chance.below(image.len())),
        1 => {
            let hole = start(chance);
            image[hole..hole + PAGE].fill(0);
        }
        2 => {
            let (a, b) = (start(chance), start(chance));
            let copy = image[a..a + PAGE].to_vec();
            image.copy_within(b..b + PAGE, a);
            image[b..b + PAGE].copy_from_slice(&copy);
        }
        _ => {
            let bit = start(chance) * 8 + chance.below(PAGE * 8);
            image[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn no_damage_to_the_file_makes_it_serve_anything_wrong() {
    let clean = image();
    let used = used_pages(&clean);
    let mut chance = Chance::new(0x5eed_0002);
    let seed = chance.seed;
    let (mut refused, mut harmless) = (0, 0);
    for round in 0..MUTATIONS {
        let mut damaged = clean.clone();
        mutate(&mut damaged, &used, &mut chance);
        let disk = TestDisk::new(damaged.clone());
        let opened = catch_unwind(AssertUnwindSafe(|| open(&disk.disk())));
        match opened.unwrap_or_else(|_| panic!("seed {seed} round {round}: it panicked")) {
            Err(_) => {
                assert_eq!(
                    disk.image(),
                    damaged,
                    "seed {seed} round {round}: a refused file was changed"
                );
                refused += 1;
            }
            Ok(store) => {
                let served = served(&store);
                assert_eq!(served.len(), POLICIES, "seed {seed} round {round}");
                for number in 0..POLICIES {
                    assert_eq!(
                        served[&format!("p{number}")],
                        format!("^path/{number}$"),
                        "seed {seed} round {round}"
                    );
                }
                for number in 0..SECRETS {
                    let found = password(&store, &format!("s{number}"));
                    assert_eq!(
                        found.unwrap(),
                        format!("password {number}"),
                        "seed {seed} round {round}"
                    );
                }
                harmless += 1;
            }
        }
    }
    assert_eq!(refused + harmless, MUTATIONS);
    assert!(
        refused > MUTATIONS / 5 && harmless > 0,
        "{refused} refused, {harmless} harmless"
    );
}
