//! The power fails at a random operation; what was not synced is dropped, torn and reordered. Then perhaps once more,
//! during recovery.
use super::test_disk::{Fault, TestDisk};
use super::*;
use crate::store::{Mode, WriteError};

/// How often the power fails while the store writes.
const IMAGES: usize = 1_000;
const CANARY: &str = "canary-7d1f0b52e6c94a3d";

/// What was acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    policies: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

fn found(store: &Store) -> Model {
    let paths = store.list_secret_paths().unwrap();
    let secrets = paths
        .iter()
        .filter_map(|path| Some((path.to_string(), password(store, path.as_str())?)))
        .collect();
    Model {
        policies: served(store),
        secrets,
    }
}

/// One random write on the store, and on the model as if it succeeded.
fn write(store: &Store, chance: &mut Chance, model: &mut Model) -> Result<(), WriteError> {
    let (name, stamp) = (format!("n{}", chance.below(6)), chance.next());
    match chance.below(5) {
        0 | 1 => {
            let pattern = format!("^{CANARY}/{stamp}$");
            model.policies.insert(name.clone(), pattern.clone());
            wait(store.put_policy(rule(&name, &pattern), Mode::Upsert, at(stamp >> 32))).map(|_| ())
        }
        2 => {
            let rules = (0..3).map(|number| rule(&format!("n{number}"), &format!("^{CANARY}/{stamp}$")));
            let rules: Vec<_> = rules.collect();
            model
                .policies
                .extend(rules.iter().map(|rule| (rule.name.to_string(), rule.path.to_string())));
            wait(store.apply_policies(rules, at(1))).map(|_| ())
        }
        3 => {
            let existed = model.policies.remove(&name).is_some();
            match wait(store.delete_policy(&name)) {
                Err(WriteError::NotFound) if !existed => Ok(()),
                other => other.map(|_| ()),
            }
        }
        _ => {
            let secret = format!("{CANARY} {stamp}");
            model.secrets.insert(name.clone(), secret.clone());
            wait(store.put_secret(path(&name), value(&secret), at(1))).map(|_| ())
        }
    }
}

#[test]
fn no_power_cut_loses_an_acknowledged_write_or_leaves_half_of_one() {
    let mut chance = Chance::new(0x5eed_0001);
    let seed = chance.seed;
    let empty = TestDisk::new(Vec::new());
    drop(create(&empty.disk()));
    let start = || TestDisk::new(empty.image());
    let (mut cut, mut cut_again, mut in_flight_kept) = (0, 0, 0);
    let (mut disk, mut model) = (start(), Model::default());
    let mut store = open(&disk.disk()).unwrap();
    while cut < IMAGES {
        // Mostly the history goes on from what the last cut left.
        if chance.one_in(40) {
            (disk, model) = (start(), Model::default());
            store = open(&disk.disk()).unwrap();
        }
        disk.arm(Fault::PowerCut(1 + u64::try_from(chance.below(90)).unwrap()));
        let mut next = model.clone();
        for _ in 0..6 {
            if write(&store, &mut chance, &mut next).is_err() {
                break;
            }
            model = next.clone();
        }
        drop(store);
        cut += usize::from(disk.failures() > 0);
        let mut image = disk.after_power_cut(&mut chance);
        if chance.one_in(3) {
            // The power fails again while the store recovers.
            let recovering = TestDisk::new(image);
            recovering.arm(Fault::PowerCut(1 + u64::try_from(chance.below(40)).unwrap()));
            drop(open(&recovering.disk()));
            cut_again += u32::from(recovering.failures() > 0);
            image = recovering.after_power_cut(&mut chance);
        }
        // Looking through a megabyte byte by byte is slow, and every image descends from the one before.
        if cut % 20 == 0 {
            let plain = contains(&image, CANARY.as_bytes());
            assert!(!plain, "seed {seed} cut {cut}: plaintext on the disk");
        }
        disk = TestDisk::new(image);
        store = open(&disk.disk()).unwrap_or_else(|error| panic!("seed {seed} cut {cut}: {error}"));
        assert!(store.broken().is_empty(), "seed {seed} cut {cut}: {:?}", store.broken());
        let found = found(&store);
        let whole = found == model || found == next;
        assert!(
            whole,
            "seed {seed} cut {cut}: {found:?}\nneither {model:?}\nnor {next:?}"
        );
        in_flight_kept += u32::from(found != model);
        model = found;
    }
    assert!(cut_again > 100, "{cut_again} cuts during recovery: too few");
    assert!(
        in_flight_kept > 0,
        "no write in flight ever survived: the disk drops too much"
    );
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
