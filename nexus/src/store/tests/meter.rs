//! Each count moves with what it counts, and with nothing else.
use redb::{Database, ReadableDatabase, ReadableTable};

use super::test_disk::{Fault, TestDisk};
use super::*;
use crate::store::tables::Table;
use crate::store::{Meter, Mode, ReadError, Unavailable, WriteError};

/// Committed, refused, failed, unknown.
fn jobs(meter: &Meter) -> [u64; 4] {
    meter.jobs().map(|(_, count)| count)
}

/// Meta, ledger, policies, secrets, secret values.
fn refused(meter: &Meter) -> [u64; 5] {
    meter.refused_records().map(|(_, count)| count)
}

fn put(store: &Store, name: &str, mode: Mode) -> Result<(), WriteError> {
    wait(store.put_policy(rule(name, "^a$"), mode, at(1))).map(|_| ())
}

/// Flips a bit of every row of a closed store's table.
fn spoil(disk: &TestDisk, table: Table) -> usize {
    let db: Database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = {
        let txn = db.begin_read().unwrap();
        let table = txn.open_table(table.definition()).unwrap();
        let rows = table.iter().unwrap().map(Result::unwrap);
        rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
            .collect()
    };
    let txn = db.begin_write().unwrap();
    for (key, value) in &rows {
        let mut value = value.clone();
        *value.last_mut().unwrap() ^= 1;
        let mut table = txn.open_table(table.definition()).unwrap();
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    }
    txn.commit().unwrap();
    rows.len()
}

#[test]
fn a_write_counts_as_what_it_was_answered() {
    let store = create(&TestDisk::new(Vec::new()).disk());
    let meter = store.meter();
    let words = meter.jobs().map(|(word, _)| word);
    assert_eq!(words, ["committed", "refused", "failed", "unknown"]);
    assert_eq!((jobs(&meter), meter.commits().count()), ([0; 4], 0));
    let bytes = meter.bytes();
    assert!(bytes > 0);

    put(&store, "a", Mode::Upsert).unwrap();
    assert_eq!((jobs(&meter), meter.commits().count()), ([1, 0, 0, 0], 1));
    put(&store, "a", Mode::Upsert).unwrap();
    assert_eq!((jobs(&meter), meter.commits().count()), ([2, 0, 0, 0], 1), "unchanged");
    put(&store, "a", Mode::CreateOnly).unwrap_err();
    wait(store.delete_policy("b")).unwrap_err();
    assert_eq!((jobs(&meter), meter.commits().count()), ([2, 2, 0, 0], 1));
    wait(store.rotate()).unwrap();
    assert_eq!(jobs(&meter), [3, 2, 0, 0]);

    for number in 0..200 {
        let large = value(&"x".repeat(100_000));
        wait(store.put_secret(path(&format!("s{number}")), large, at(1))).unwrap();
    }
    assert!(meter.bytes() > bytes.max(20_000_000), "{} after {bytes}", meter.bytes());
    wait(store.close()).unwrap();
    let before = jobs(&meter);
    put(&store, "c", Mode::Upsert).unwrap_err();
    assert_eq!(
        jobs(&meter),
        [before[0], 2, 1, 0],
        "closing is no job; a write to a closed store fails"
    );
}

#[test]
fn a_write_that_nobody_waits_for_is_counted_all_the_same() {
    let store = create(&TestDisk::new(Vec::new()).disk());
    let meter = store.meter();
    wait(async {
        let mut forgotten = Box::pin(store.put_policy(rule("a", "^a$"), Mode::Upsert, at(1)));
        // Polled once, so that the job is queued.
        let none = tokio::time::timeout(Duration::ZERO, &mut forgotten).await;
        drop((none, forgotten));
    });
    wait(store.close()).unwrap();
    assert_eq!(jobs(&meter), [1, 0, 0, 0]);
}

#[test]
fn a_failing_disk_shows_as_failed_or_unknown_and_never_as_a_commit() {
    let disk = TestDisk::new(Vec::new());
    drop(create(&disk.disk()));
    let image = disk.image();
    let (mut failed, mut unknown) = (0, 0);
    for n in 1.. {
        let disk = TestDisk::new(image.clone());
        let store = open(&disk.disk()).unwrap();
        let meter = store.meter();
        disk.arm(Fault::Once(n));
        let answer = put(&store, "a", Mode::Upsert);
        let counted = (jobs(&meter), meter.commits().count());
        match answer {
            Ok(()) => assert_eq!(counted, ([1, 0, 0, 0], 1), "n = {n}"),
            Err(WriteError::Unavailable(Unavailable::Recovering)) => {
                assert_eq!(counted, ([0, 0, 1, 0], 0), "n = {n}");
                failed += 1;
            }
            Err(WriteError::OutcomeUnknown) => {
                assert_eq!(counted, ([0, 0, 0, 1], 0), "n = {n}");
                unknown += 1;
            }
            Err(other) => panic!("n = {n}: {other}"),
        }
        if disk.failures() == 0 {
            break;
        }
    }
    assert!(unknown > 0, "{failed} failed, {unknown} unknown");
}

#[test]
fn a_sealed_store_fails_every_write() {
    let store = Store::start_sealed(Disk::memory(), tuning()).unwrap();
    put(&store, "a", Mode::Upsert).unwrap_err();
    let meter = store.meter();
    assert_eq!((jobs(&meter), meter.bytes()), ([0, 0, 1, 0], 0));
    wait(store.unseal_or_create(root())).unwrap();
    put(&store, "a", Mode::Upsert).unwrap();
    assert_eq!(jobs(&meter), [1, 0, 1, 0]);
    assert!(meter.bytes() > 0);
}

#[test]
fn a_record_that_does_not_open_is_counted_by_its_table() {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    put(&store, "a", Mode::Upsert).unwrap();
    put(&store, "b", Mode::Upsert).unwrap();
    wait(store.put_secret(path("s"), value("first"), at(1))).unwrap();
    assert_eq!(refused(&store.meter()), [0; 5]);
    drop(store);
    let tables = open(&disk.disk())
        .unwrap()
        .meter()
        .refused_records()
        .map(|(table, _)| table);
    assert_eq!(tables, ["meta", "ledger", "policies", "secrets", "secret_values"]);

    assert_eq!(spoil(&disk, Table::Policies), 2);
    let store = open(&disk.disk()).unwrap();
    assert_eq!(refused(&store.meter()), [0, 0, 2, 0, 0]);
    store.reload_policies().unwrap();
    assert_eq!(refused(&store.meter()), [0, 0, 4, 0, 0], "they were read again");
    drop(store);

    assert_eq!(spoil(&disk, Table::SecretValues), 1);
    let store = open(&disk.disk()).unwrap();
    assert_eq!(
        refused(&store.meter()),
        [0, 0, 2, 0, 0],
        "values are opened when they are asked for"
    );
    let read = store.get_secret(&path("s"), VersionChoice::Current);
    assert_eq!(read, Err(ReadError::Damaged));
    assert_eq!(refused(&store.meter()), [0, 0, 2, 0, 1]);
    drop(store);

    assert_eq!(spoil(&disk, Table::Secrets), 1);
    let store = open(&disk.disk()).unwrap();
    assert_eq!(refused(&store.meter()), [0, 0, 2, 1, 0]);
    drop(store);

    assert!(spoil(&disk, Table::Ledger) > 0);
    let store = open(&disk.disk()).unwrap();
    assert!(refused(&store.meter())[1] > 0, "{:?}", refused(&store.meter()));
}
