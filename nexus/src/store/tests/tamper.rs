//! Someone else edits the database: what he touched is refused by id, the rest still serves.
use std::collections::BTreeMap;

use redb::{Database, ReadableDatabase, ReadableTable};

use super::test_disk::TestDisk;
use super::*;
use crate::store::tables::{MANIFEST_KEY, Row, SCHEMA_KEY, Table, seal_row};
use crate::store::{Mode, PutOutcome, ReadError, WriteError};

const POLICIES: usize = 40;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A closed store with policies `p0` … and secrets `s0` …, on a disk in memory.
fn filled() -> TestDisk {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    let rules = (0..POLICIES)
        .map(|number| rule(&format!("p{number}"), &format!("^path/{number}$")))
        .collect();
    wait(store.apply_policies(rules, at(1))).unwrap();
    for number in 0..5 {
        wait(store.put_secret(path(&format!("s{number}")), value(&format!("first {number}")), at(1))).unwrap();
        wait(store.put_secret(path(&format!("s{number}")), value(&format!("second {number}")), at(2))).unwrap();
    }
    drop(store);
    disk
}

fn raw(disk: &TestDisk) -> Database {
    redb::Builder::new().create_with_backend(disk.clone()).unwrap()
}

fn rows(disk: &TestDisk, table: Table) -> Rows {
    let db = raw(disk);
    let txn = db.begin_read().unwrap();
    let table = txn.open_table(table.definition()).unwrap();
    table
        .iter()
        .unwrap()
        .map(|row| row.unwrap())
        .map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
        .collect()
}

fn set(disk: &TestDisk, table: Table, key: &[u8], value: Option<&[u8]>) {
    let db = raw(disk);
    let txn = db.begin_write().unwrap();
    {
        let mut table = txn.open_table(table.definition()).unwrap();
        match value {
            Some(value) => drop(table.insert(key, value).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
    }
    txn.commit().unwrap();
}

fn key_of(disk: &TestDisk, name: &str) -> Vec<u8> {
    let store = open(&disk.disk()).unwrap();
    store.policy(name).unwrap().unwrap().id.as_bytes().to_vec()
}

/// Opens the store and checks that exactly these policies are missing from what it serves, and that each is reported.
fn refuses(disk: &TestDisk, names: &[&str], reason: &str) -> Store {
    let store = open(&disk.disk()).unwrap();
    let served = served(&store);
    for number in 0..POLICIES {
        let name = format!("p{number}");
        assert_eq!(served.contains_key(&name), !names.contains(&name.as_str()), "{name}");
    }
    let broken = store.broken();
    assert_eq!(broken.len(), names.len(), "{broken:?}");
    assert!(broken.iter().all(|record| record.reason.contains(reason)), "{broken:?}");
    store
}

#[test]
fn rows_that_change_places_are_both_refused() {
    let disk = filled();
    let rows = rows(&disk, Table::Policies);
    let (a, b) = (key_of(&disk, "p3"), key_of(&disk, "p4"));
    set(&disk, Table::Policies, &a, Some(&rows[&b]));
    set(&disk, Table::Policies, &b, Some(&rows[&a]));
    refuses(&disk, &["p3", "p4"], "altered or does not belong");
}

#[test]
fn any_flipped_bit_of_a_row_refuses_that_row_only() {
    let disk = filled();
    let clean = disk.image();
    let key = key_of(&disk, "p9");
    let row = rows(&disk, Table::Policies)[&key].clone();
    let mut tried = 0;
    // Every byte of the row, one bit of each; every bit of every record is flipped in the vault's tests.
    for byte in 0..row.len() {
        let disk = TestDisk::new(clean.clone());
        let mut row = row.clone();
        row[byte] ^= 1 << (byte % 8);
        set(&disk, Table::Policies, &key, Some(&row));
        let store = open(&disk.disk()).unwrap();
        assert_eq!(
            (served(&store).len(), store.broken().len()),
            (POLICIES - 1, 1),
            "byte {byte}"
        );
        assert!(!served(&store).contains_key("p9"), "byte {byte}");
        tried += 1;
    }
    assert!(tried > 120, "{tried}");
}

#[test]
fn a_row_put_back_to_an_older_copy_is_refused() {
    let disk = filled();
    let key = key_of(&disk, "p5");
    let old = rows(&disk, Table::Policies)[&key].clone();
    wait(
        open(&disk.disk())
            .unwrap()
            .put_policy(rule("p5", "^narrower$"), Mode::Upsert, at(9)),
    )
    .unwrap();
    set(&disk, Table::Policies, &key, Some(&old));
    refuses(&disk, &["p5"], "rolled back");
}

#[test]
fn a_removed_row_is_missed() {
    let disk = filled();
    let key = key_of(&disk, "p6");
    set(&disk, Table::Policies, &key, None);
    refuses(&disk, &["p6"], "the row is gone");
}

#[test]
fn a_deleted_policy_does_not_come_back() {
    let disk = filled();
    let key = key_of(&disk, "p7");
    let old = rows(&disk, Table::Policies)[&key].clone();
    wait(open(&disk.disk()).unwrap().delete_policy("p7")).unwrap();
    set(&disk, Table::Policies, &key, Some(&old));
    refuses(&disk, &["p7"], "put there by someone else");
}

#[test]
fn an_older_ledger_does_not_vouch_for_an_older_row() {
    let disk = filled();
    let key = key_of(&disk, "p8");
    let old_row = rows(&disk, Table::Policies)[&key].clone();
    let old_ledger = rows(&disk, Table::Ledger);
    wait(open(&disk.disk()).unwrap().delete_policy("p8")).unwrap();
    set(&disk, Table::Policies, &key, Some(&old_row));
    for (shard, row) in &old_ledger {
        set(&disk, Table::Ledger, shard, Some(row));
    }
    let store = open(&disk.disk()).unwrap();
    assert!(!served(&store).contains_key("p8"));
    assert!(
        store.broken().iter().any(|record| record.reason.contains("shard")),
        "{:?}",
        store.broken()
    );
}

#[test]
fn an_older_manifest_does_not_vouch_for_a_newer_ledger() {
    let disk = filled();
    let old = rows(&disk, Table::Meta)[MANIFEST_KEY].clone();
    wait(open(&disk.disk()).unwrap().delete_policy("p8")).unwrap();
    set(&disk, Table::Meta, MANIFEST_KEY, Some(&old));
    let store = open(&disk.disk()).unwrap();
    assert!(!served(&store).contains_key("p8"));
    assert!(!store.broken().is_empty());
}

#[test]
fn a_damaged_manifest_or_keyring_refuses_the_store_and_changes_nothing() {
    let clean = filled();
    let meta = rows(&clean, Table::Meta);
    for (key, row) in &meta {
        if key == SCHEMA_KEY {
            continue;
        }
        let disk = TestDisk::new(clean.image());
        let mut row = row.clone();
        *row.last_mut().unwrap() ^= 1;
        set(&disk, Table::Meta, key, Some(&row));
        let before = disk.image();
        let refused = open(&disk.disk()).unwrap_err();
        assert!(
            matches!(refused, OpenError::Damaged { .. } | OpenError::WrongKey(_)),
            "{refused}"
        );
        assert_eq!(disk.image(), before);
    }
    assert_eq!(meta.len(), 4);
}

#[test]
fn a_newer_schema_is_refused_and_not_touched() {
    let disk = filled();
    set(&disk, Table::Meta, SCHEMA_KEY, Some(&2_u32.to_be_bytes()));
    let before = disk.image();
    let refused = open(&disk.disk()).unwrap_err();
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 2, known: 1, .. }),
        "{refused}"
    );
    assert_eq!(disk.image(), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_not_touched() {
    let disk = TestDisk::new(Vec::new());
    let db = raw(&disk);
    let txn = db.begin_write().unwrap();
    txn.open_table(redb::TableDefinition::<u64, u64>::new("theirs"))
        .unwrap()
        .insert(1, 2)
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let before = disk.image();
    let refused = open(&disk.disk()).unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    assert_eq!(disk.image(), before);
}

#[test]
fn a_broken_policy_is_healed_by_a_put_and_removed_by_a_delete() {
    for repair in ["put", "delete by name", "delete by id"] {
        let disk = filled();
        let key = key_of(&disk, "p3");
        let mut row = rows(&disk, Table::Policies)[&key].clone();
        *row.last_mut().unwrap() ^= 1;
        set(&disk, Table::Policies, &key, Some(&row));
        let store = refuses(&disk, &["p3"], "altered");
        let id = spike_policy::PolicyId::from_bytes(key.try_into().unwrap());
        match repair {
            "put" => {
                let put = wait(store.put_policy(rule("p3", "^new$"), Mode::Upsert, at(9))).unwrap();
                assert_eq!(put.outcome, PutOutcome::Created);
                assert_ne!(put.policy.id, id);
            }
            "delete by name" => assert_eq!(wait(store.delete_policy("p3")).unwrap().id, id),
            _ => assert_eq!(wait(store.delete_policy(&id.to_string())).unwrap().id, id),
        }
        assert!(store.broken().is_empty(), "{repair}");
        drop(store);
        let store = open(&disk.disk()).unwrap();
        assert!(store.broken().is_empty(), "{repair}: {:?}", store.broken());
        assert_eq!(served(&store).contains_key("p3"), repair == "put");
    }
}

#[test]
fn a_pattern_that_is_no_longer_accepted_is_reported_and_the_rest_serves() {
    let disk = filled();
    let key = key_of(&disk, "p2");
    let row = rows(&disk, Table::Policies)[&key].clone();
    let row = Row::parse(&row).unwrap();
    // Sealed by ourselves, so the record is in order; but its identity pattern is one that today's rules refuse.
    let store = open(&disk.disk()).unwrap();
    let (txn, vault) = store.state().begin_read().unwrap().unwrap();
    let plain = [&[1, 1, 0, 10][..], b"spiffe://(", b"path"].concat();
    let sealed = seal_row(&vault, (Table::Policies, &key, row.revision), row.clear, &plain).unwrap();
    drop((txn, vault, store));
    set(&disk, Table::Policies, &key, Some(&sealed));
    refuses(&disk, &["p2"], "no longer accepted");
}

#[test]
fn a_secret_whose_values_were_moved_is_refused_and_the_others_serve() {
    let disk = filled();
    let values = rows(&disk, Table::SecretValues);
    let key = |name: &str, number: u32| [name.as_bytes(), &[0], &number.to_be_bytes()].concat();
    // Version 1 in the place of version 2; another secret's values; an outright flip.
    set(&disk, Table::SecretValues, &key("s0", 2), Some(&values[&key("s0", 1)]));
    set(&disk, Table::SecretValues, &key("s1", 2), Some(&values[&key("s2", 2)]));
    set(&disk, Table::SecretValues, &key("s3", 2), None);
    let store = open(&disk.disk()).unwrap();
    for name in ["s0", "s1", "s3"] {
        assert_eq!(
            store.get_secret(&path(name), 0.into()).unwrap_err(),
            ReadError::Damaged,
            "{name}"
        );
        assert_eq!(
            store.get_secret(&path(name), 1.into()).unwrap().version.get(),
            1,
            "{name}"
        );
    }
    assert_eq!(password(&store, "s2").unwrap(), "second 2");
    assert_eq!(password(&store, "s4").unwrap(), "second 4");
}

#[test]
fn a_secret_put_back_to_an_older_copy_is_refused_whole() {
    let disk = filled();
    let old = rows(&disk, Table::Secrets);
    wait(
        open(&disk.disk())
            .unwrap()
            .delete_versions(path("s1"), Vec::new(), at(9)),
    )
    .unwrap();
    set(&disk, Table::Secrets, b"s1", Some(&old[b"s1".as_slice()]));
    set(&disk, Table::Secrets, b"s2", Some(&old[b"s3".as_slice()]));
    set(&disk, Table::Secrets, b"s4", None);
    let store = open(&disk.disk()).unwrap();
    for name in ["s1", "s2", "s4"] {
        assert_eq!(
            store.get_secret(&path(name), 0.into()).unwrap_err(),
            ReadError::Damaged,
            "{name}"
        );
        let refused = wait(store.put_secret(path(name), value("x"), at(10)));
        assert_eq!(refused.unwrap_err(), WriteError::Damaged, "{name}");
    }
    assert_eq!(store.broken().len(), 3);
    assert_eq!(store.list_secret_paths().unwrap(), [path("s0"), path("s3")]);
    assert_eq!(password(&store, "s3").unwrap(), "second 3");
}

#[test]
fn among_many_rows_which_several_threads_read_exactly_the_touched_ones_are_refused() {
    const MANY: usize = 3000;
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    let rules = (0..MANY).map(|number| rule(&format!("p{number}"), &format!("^path/{number}$")));
    wait(store.apply_policies(rules.collect(), at(1))).unwrap();
    let before = served(&store);
    drop(store);
    assert_eq!(served(&open(&disk.disk()).unwrap()), before);

    let rows = rows(&disk, Table::Policies);
    let mut touched = Vec::new();
    for (number, (key, row)) in rows.iter().enumerate().step_by(251) {
        let mut row = row.clone();
        let last = row.len() - 1;
        row[last] ^= 1;
        let gone = number % 2 == 1;
        set(&disk, Table::Policies, key, (!gone).then_some(row.as_slice()));
        touched.push(key.clone());
    }
    let store = open(&disk.disk()).unwrap();
    assert_eq!(touched.len(), 12);
    assert_eq!((served(&store).len(), store.broken().len()), (MANY - 12, 12));
    let reasons = store.broken().into_iter().map(|record| record.reason);
    assert_eq!(reasons.filter(|reason| reason.contains("gone")).count(), 6);
    for policy in store.policies().unwrap().iter() {
        assert!(!touched.iter().any(|key| key == policy.id.as_bytes()));
        assert_eq!(before[policy.rule.name.as_str()], policy.rule.path.as_str());
    }
}
