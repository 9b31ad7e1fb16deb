//! Writes that wait together share a commit; readers never see less than what was acknowledged.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spike_policy::Generation;

use super::test_disk::TestDisk;
use super::*;
use crate::store::{Mode, WriteError};

#[test]
fn writes_that_wait_together_share_commits_and_each_gets_its_own_answer() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    let store = create(&disk);
    wait(store.put_policy(rule("taken", "^a$"), Mode::Upsert, at(1))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answers = runtime.block_on(async {
        let tasks: Vec<_> = (0..400)
            .map(|number| {
                let store = store.clone();
                // Every fourth is refused: its name is taken.
                let name = if number % 4 == 0 {
                    "taken".to_owned()
                } else {
                    format!("p{number}")
                };
                tokio::spawn(async move { store.put_policy(rule(&name, "^b$"), Mode::CreateOnly, at(2)).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    });
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Ok(put) => assert!(number % 4 != 0 && put.generation > Generation(1)),
            Err(error) => assert_eq!((number % 4, error), (0, &WriteError::Exists("taken".parse().unwrap()))),
        }
    }
    let generations: std::collections::BTreeSet<_> = answers.iter().flatten().map(|put| put.generation).collect();
    assert_eq!(generations.len(), 300, "every change has its own generation");
    assert_eq!(store.policies().unwrap().generation(), Generation(301));
    let commits = store.stats().commits;
    assert!(commits < 100, "{commits} commits for 301 writes");
    drop(store);
    assert_eq!(served(&open(&disk).unwrap()).len(), 301);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let disk = TestDisk::new(Vec::new()).disk();
    disk.create(&root(), tuning().seal_limits).unwrap();
    let queue = std::num::NonZeroUsize::MIN;
    let store = Store::start(disk, root(), Tuning { queue, ..tuning() }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut done, mut busy) = (0, 0);
    runtime.block_on(async {
        let puts = (0..500).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .put_policy(rule(&format!("p{number}"), "^a$"), Mode::Upsert, at(1))
                    .await
            })
        });
        let puts: Vec<_> = puts.collect();
        for put in puts {
            match put.await.unwrap() {
                Ok(_) => done += 1,
                Err(WriteError::Busy) => busy += 1,
                Err(other) => panic!("{other}"),
            }
        }
    });
    assert_eq!(served(&store).len(), done);
    assert!(busy > 0 && done > 0, "{done} done, {busy} busy");
}

#[test]
fn a_write_happens_even_when_its_caller_has_gone() {
    let store = Store::open_in_memory(versions(10)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let task = tokio::spawn({
            let store = store.clone();
            async move { store.put_policy(rule("orphan", "^a$"), Mode::Upsert, at(1)).await }
        });
        tokio::task::yield_now().await;
        task.abort();
        // Writes are done in order, so this one comes after.
        store
            .put_policy(rule("later", "^a$"), Mode::Upsert, at(1))
            .await
            .unwrap();
    });
    assert!(served(&store).contains_key("orphan"));
}

#[test]
fn no_reader_sees_less_than_what_was_acknowledged_before_it_looked() {
    let store = Store::open_in_memory(versions(10)).unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let (store, acknowledged, stop) = (store.clone(), Arc::clone(&acknowledged), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut looks = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let floor = acknowledged.load(Ordering::SeqCst);
                    // One of the readers reads and decrypts the disk each time, as with `cache.ttl: 0s`.
                    let set = if reader == 0 {
                        store.reload_policies()
                    } else {
                        store.policies()
                    }
                    .unwrap();
                    assert!(set.generation().0 >= floor, "saw {} after {floor}", set.generation().0);
                    // Odd generations have the policy, even ones do not.
                    assert_eq!(set.len() as u64, set.generation().0 % 2);
                    looks += 1;
                }
                looks
            })
        })
        .collect();
    for round in 0..300 {
        let put = wait(store.put_policy(rule("blinking", "^a$"), Mode::Upsert, at(round))).unwrap();
        acknowledged.store(put.generation.0, Ordering::SeqCst);
        let deleted = wait(store.delete_policy("blinking")).unwrap();
        acknowledged.store(deleted.generation.0, Ordering::SeqCst);
    }
    stop.store(true, Ordering::Relaxed);
    let looks: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(looks > 1000, "{looks}");
}

#[test]
fn every_record_write_is_one_seal_with_a_fresh_nonce() {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    let mut nonces = std::collections::HashSet::new();
    let (mut seals, mut records) = (store.stats().seals, 0);
    for round in 0..200_u64 {
        wait(store.put_policy(rule("same", &format!("^{}$", round % 2)), Mode::Upsert, at(round))).unwrap();
        // One policy, one shard of the ledger, the manifest.
        assert_eq!(store.stats().seals, seals + 3);
        seals = store.stats().seals;
        let (txn, _) = store.state().begin_read().unwrap().unwrap();
        for (table, row) in sealed_rows(&txn) {
            let record = crate::store::tables::Row::parse(&row).unwrap().record.to_vec();
            if nonces.insert(record[5..17].to_vec()) {
                records += 1;
                assert_eq!(record[0], 1, "{table:?}");
            }
        }
    }
    assert_eq!(records, 200 * 3, "a nonce was used twice");
}

fn sealed_rows(txn: &redb::ReadTransaction) -> Vec<(crate::store::tables::Table, Vec<u8>)> {
    use crate::store::tables::{MANIFEST_KEY, Table};
    use redb::ReadableTable;
    let mut rows = vec![(
        Table::Meta,
        crate::store::tables::read(txn, Table::Meta, MANIFEST_KEY)
            .unwrap()
            .unwrap(),
    )];
    for table in [Table::Policies, Table::Ledger] {
        let open = txn.open_table(table.definition()).unwrap();
        rows.extend(open.iter().unwrap().map(|row| (table, row.unwrap().1.value().to_vec())));
    }
    rows
}

#[test]
fn a_term_that_has_sealed_enough_is_followed_by_the_next_and_old_rows_stay_readable() {
    let disk = TestDisk::new(Vec::new());
    let limits = crate::vault::SealLimits {
        rotate: 10,
        refuse: 1000,
    };
    disk.disk().create(&root(), limits).unwrap();
    let tuning = Tuning {
        seal_limits: limits,
        ..tuning()
    };
    let start = || Store::start(disk.disk(), root(), tuning.clone()).unwrap();
    let mut store = start();
    for number in 0..30 {
        wait(store.put_policy(rule(&format!("p{number}"), "^a$"), Mode::Upsert, at(1))).unwrap();
        if number % 7 == 0 {
            drop(store);
            store = start();
        }
    }
    let term = store.stats().term;
    assert!(
        term >= 6,
        "term {term}: the count survives restarts, so 90 seals need many terms"
    );
    drop(store);
    let store = start();
    assert_eq!((served(&store).len(), store.stats().term), (30, term));
    assert!(store.broken().is_empty());
}

#[test]
fn an_exhausted_term_refuses_and_a_rotation_helps() {
    let disk = TestDisk::new(Vec::new());
    let limits = crate::vault::SealLimits {
        rotate: u64::MAX,
        // Far more than it takes to seal two policies again after the rotation.
        refuse: 100,
    };
    disk.disk().create(&root(), limits).unwrap();
    let store = Store::start(
        disk.disk(),
        root(),
        Tuning {
            seal_limits: limits,
            ..tuning()
        },
    )
    .unwrap();
    let put = |name: &str| wait(store.put_policy(rule(name, "^a$"), Mode::Upsert, at(1)));
    put("first").unwrap();
    let again = |turn: u32| wait(store.put_policy(rule("second", &format!("^{turn}$")), Mode::Upsert, at(1)));
    let refused = (0..100).find_map(|turn| again(turn).err()).unwrap();
    assert!(matches!(refused, WriteError::Seal(_)), "{refused:?}");
    assert_eq!(served(&store).len(), 2);
    assert_eq!(wait(store.rotate()).unwrap().get(), 2);
    put("third").unwrap();
    assert_eq!(served(&store).len(), 3);
}
