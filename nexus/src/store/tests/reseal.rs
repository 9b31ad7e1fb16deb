//! Re-encryption after a rotation: everything gets under the new key, nothing is lost on the way, and the old key goes.
use redb::{ReadableDatabase, ReadableTable};

use super::test_disk::{Fault, TestDisk};
use super::*;
use crate::store::tables::{Row, Table};
use crate::store::{Mode, ReEncryption, Stage};
use crate::vault::Vault;

/// Rows by the term that their records name.
fn terms(disk: &TestDisk) -> BTreeMap<u32, usize> {
    let copy = TestDisk::new(disk.image());
    let Disk::Backend(backend) = copy.disk() else {
        unreachable!()
    };
    let db = redb::Builder::new()
        .create_with_backend(Boxed(backend().unwrap()))
        .unwrap();
    let txn = db.begin_read().unwrap();
    let mut terms = BTreeMap::new();
    for table in [Table::Ledger, Table::Policies, Table::Secrets, Table::SecretValues] {
        for row in txn.open_table(table.definition()).unwrap().iter().unwrap() {
            let (_, value) = row.unwrap();
            let term = Vault::term_of(Row::parse(value.value()).unwrap().record).unwrap();
            *terms.entry(term.get()).or_default() += 1;
        }
    }
    terms
}

/// A backend that redb takes by value.
#[derive(Debug)]
struct Boxed(Box<dyn redb::StorageBackend>);

impl redb::StorageBackend for Boxed {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

fn name(number: usize) -> String {
    format!("s/{number}")
}

fn fill(store: &Store, secrets: usize) {
    for number in 0..secrets {
        wait(store.put_secret(path(&name(number)), value(&format!("v{number}")), at(1))).unwrap();
    }
    wait(store.put_policy(rule("kept", "^kept$"), Mode::Upsert, at(1))).unwrap();
}

fn check(store: &Store, secrets: usize, context: &str) {
    for number in 0..secrets {
        assert_eq!(
            password(store, &name(number)),
            Some(format!("v{number}")),
            "{context}: {number}"
        );
    }
    assert_eq!(served(store)["kept"], "^kept$", "{context}");
    assert!(store.broken().is_empty(), "{context}: {:?}", store.broken());
}

fn wait_for(store: &Store, stage: Stage) -> ReEncryption {
    *wait(store.re_encryption().wait_for(|now| now.stage == stage)).unwrap()
}

fn with_secrets(secrets: usize) -> TestDisk {
    let disk = TestDisk::new(Vec::new());
    fill(&create(&disk.disk()), secrets);
    disk
}

#[test]
fn after_a_rotation_every_record_gets_under_the_new_key_and_the_old_one_goes() {
    let disk = with_secrets(300);
    let before = terms(&disk);
    assert_eq!(before.keys().copied().collect::<Vec<_>>(), [1], "{before:?}");
    let store = open(&disk.disk()).unwrap();
    let message = wait(store.seal_message(b"kept by a caller")).unwrap();
    wait(store.rotate()).unwrap();
    assert_eq!(wait_for(&store, Stage::Done).waiting, 0);
    assert_eq!((store.stats().term, store.stats().old_terms), (2, 0));
    check(&store, 300, "while open");
    let after = terms(&disk);
    assert_eq!(after.keys().copied().collect::<Vec<_>>(), [2], "{after:?}");
    assert_eq!(after[&2], before[&1]);
    drop(store);
    let store = open(&disk.disk()).unwrap();
    check(&store, 300, "reopened");
    assert_eq!(store.stats().old_terms, 0);
    // What callers keep stays readable, whatever becomes of the records' keys.
    let opened = store.open_message(&message.nonce, &message.sealed).unwrap();
    assert_eq!(*opened, b"kept by a caller");
}

#[test]
fn a_record_of_a_key_that_is_gone_does_not_open_any_more() {
    let disk = with_secrets(1);
    let old = row_of(&disk, b"s/0\0\0\0\0\x01");
    let store = open(&disk.disk()).unwrap();
    wait(store.rotate()).unwrap();
    wait_for(&store, Stage::Done);
    drop(store);
    assert_ne!(row_of(&disk, b"s/0\0\0\0\0\x01"), old);
    put_row(&disk, b"s/0\0\0\0\0\x01", &old);
    let store = open(&disk.disk()).unwrap();
    assert_eq!(password(&store, "s/0"), None);
}

fn database(disk: &TestDisk) -> redb::Database {
    let Disk::Backend(backend) = disk.disk() else {
        unreachable!()
    };
    redb::Builder::new()
        .create_with_backend(Boxed(backend().unwrap()))
        .unwrap()
}

fn row_of(disk: &TestDisk, key: &[u8]) -> Vec<u8> {
    let db = database(&TestDisk::new(disk.image()));
    let txn = db.begin_read().unwrap();
    let table = txn.open_table(Table::SecretValues.definition()).unwrap();
    table.get(key).unwrap().unwrap().value().to_vec()
}

fn put_row(disk: &TestDisk, key: &[u8], value: &[u8]) {
    let db = database(disk);
    let txn = db.begin_write().unwrap();
    drop(
        txn.open_table(Table::SecretValues.definition())
            .unwrap()
            .insert(key, value)
            .unwrap(),
    );
    txn.commit().unwrap();
}

#[test]
fn a_record_that_does_not_open_keeps_its_key_and_is_counted() {
    let disk = with_secrets(3);
    let mut row = row_of(&disk, b"s/1\0\0\0\0\x01");
    *row.last_mut().unwrap() ^= 1;
    put_row(&disk, b"s/1\0\0\0\0\x01", &row);
    let store = open(&disk.disk()).unwrap();
    wait(store.rotate()).unwrap();
    assert_eq!(wait_for(&store, Stage::Stuck).waiting, 1);
    assert_eq!(store.stats().old_terms, 1);
    assert_eq!(password(&store, "s/0").unwrap(), "v0");
    // Writing the secret anew until the version is pruned, or rotating again, looks again.
    for number in 0..10 {
        wait(store.put_secret(path("s/1"), value(&format!("n{number}")), at(2))).unwrap();
    }
    wait(store.rotate()).unwrap();
    assert_eq!(wait_for(&store, Stage::Done).waiting, 0);
    assert_eq!((store.stats().term, store.stats().old_terms), (3, 0));
}

#[test]
fn it_goes_on_where_a_stop_has_cut_it_off() {
    let disk = with_secrets(300);
    let (mut cut, mut rounds) = (0, 0);
    wait(open(&disk.disk()).unwrap().rotate()).unwrap();
    loop {
        let store = open(&disk.disk()).unwrap();
        check(&store, 300, "in between");
        let done = *store.re_encryption().borrow() == ReEncryption::default() && store.stats().old_terms == 0;
        drop(store);
        rounds += 1;
        assert!(rounds < 10_000);
        if done {
            break;
        }
        let terms = terms(&disk);
        cut += usize::from(terms.contains_key(&1) && terms.contains_key(&2));
    }
    assert!(cut > 0, "it was never cut off in the middle");
    assert_eq!(terms(&disk).keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn writers_and_readers_go_on_meanwhile() {
    let disk = with_secrets(200);
    let store = open(&disk.disk()).unwrap();
    let (mut rotations, mut writes) = (0, 0);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0_usize;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) || reads < 1_000 {
                let number = reads % 200;
                assert_eq!(
                    password(&store, &name(number)),
                    Some(format!("v{number}")),
                    "read {reads}"
                );
                reads += 1;
            }
            reads
        });
        for round in 0..5 {
            wait(store.rotate()).unwrap();
            rotations += 1;
            let mut progress = store.re_encryption();
            while progress.borrow_and_update().stage != Stage::Done {
                let text = format!("w{writes}");
                wait(store.put_secret(path("written"), value(&text), at(round))).unwrap();
                writes += 1;
                assert_eq!(password(&store, "written").unwrap(), text);
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(writes > 20 && reads >= 1_000, "{writes} writes, {reads} reads");
    assert_eq!((store.stats().term, store.stats().old_terms), (1 + rotations, 0));
    check(&store, 200, "afterwards");
}

#[test]
fn under_every_single_fault_nothing_is_lost_and_it_is_done_in_the_end() {
    let disk = with_secrets(70);
    drop(open(&disk.disk()).unwrap());
    let image = {
        let store = open(&disk.disk()).unwrap();
        disk.arm(Fault::None);
        wait(store.rotate()).unwrap();
        drop(store);
        disk.image()
    };
    let (mut met, mut n) = (0, 0);
    loop {
        n += 1;
        let disk = TestDisk::new(image.clone());
        // The opening is another test's business.
        let store = open(&disk.disk()).unwrap();
        disk.arm(Fault::Once(n));
        let mut progress = store.re_encryption();
        for number in 0..40 {
            // Each successful write may bring the re-encryption back to life.
            drop(wait(store.put_secret(path("w"), value(&number.to_string()), at(2))));
            if progress.borrow_and_update().stage == Stage::Done {
                break;
            }
        }
        let failed = disk.failures() > 0;
        met += u32::from(failed);
        drop(store);
        disk.heal();
        let store = open(&disk.disk()).unwrap_or_else(|error| panic!("n = {n}: {error}"));
        check(&store, 70, &format!("n = {n}"));
        wait_for(&store, Stage::Done);
        check(&store, 70, &format!("n = {n}, done"));
        drop(store);
        assert_eq!(terms(&disk).keys().copied().collect::<Vec<_>>(), [2], "n = {n}");
        if !failed || n > 400 {
            break;
        }
    }
    assert!(met > 5, "{met}");
}
