//! Backups of a store whose database somebody edited.
use std::fs;

use redb::ReadableDatabase;

use super::*;
use crate::store::tables::Table;
use crate::store::{Accept, Mode, Restore, RestoreError, restore};

/// A database in a file, with a policy, two secrets and one damaged row each of policies and secret values.
fn damaged(directory: &tempfile::TempDir) -> Disk {
    let path = directory.path().join("nexus.redb");
    let disk = Disk::File(path.clone());
    let store = create(&disk);
    for name in ["good", "bad"] {
        wait(store.put_policy(rule(name, "^a$"), Mode::Upsert, at(1))).unwrap();
        wait(store.put_secret(super::path(name), value(name), at(1))).unwrap();
    }
    let bad = store.policy("bad").unwrap().unwrap().id;
    drop(store);
    let db = redb::Database::open(&path).unwrap();
    for (table, key) in [
        (Table::Policies, bad.as_bytes().to_vec()),
        (Table::SecretValues, b"bad\0\0\0\0\x01".to_vec()),
    ] {
        let read = db.begin_read().unwrap().open_table(table.definition()).unwrap();
        let mut row = read.get(key.as_slice()).unwrap().unwrap().value().to_vec();
        let last = row.len() - 1;
        row[last] ^= 1;
        let txn = db.begin_write().unwrap();
        drop(
            txn.open_table(table.definition())
                .unwrap()
                .insert(key.as_slice(), row.as_slice())
                .unwrap(),
        );
        txn.commit().unwrap();
    }
    disk
}

#[test]
fn a_backup_of_damaged_records_says_so_and_restores_the_rest_when_told() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&damaged(&from)).unwrap();
    let archive = to.path().join("b");
    let mut bytes = Vec::new();
    let taken = store.backup(at(2), &mut |piece| {
        bytes.extend_from_slice(&piece);
        Ok(())
    });
    taken.unwrap();
    fs::write(&archive, bytes).unwrap();
    let mut order = Restore {
        from: archive,
        database: to.path().join("nexus.redb"),
        anchor: None,
        accept: Accept::default(),
    };
    let refusal = restore(&order, &root(), at(3)).unwrap_err();
    let RestoreError::DamagedRecords { count, named } = &refusal else {
        panic!("{refusal}")
    };
    assert_eq!((*count, named.len()), (2, 2), "{named:?}");
    assert!(
        named[0].starts_with("policy `bad`") && named[1].starts_with("secret `bad`"),
        "{named:?}"
    );
    assert!(!order.database.exists());
    order.accept.damaged = true;
    assert_eq!(restore(&order, &root(), at(3)).unwrap().damaged, 2);
    let copy = open(&Disk::File(order.database)).unwrap();
    assert_eq!(served(&copy).into_keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(
        (password(&copy, "good").as_deref(), password(&copy, "bad")),
        (Some("good"), None)
    );
}

#[test]
fn a_backup_ends_when_its_taker_goes_and_the_store_serves_on() {
    let store = create(&Disk::memory());
    for number in 0..300 {
        let text = "x".repeat(1000);
        wait(store.put_secret(path(&format!("s/{number}")), value(&text), at(1))).unwrap();
    }
    let mut pieces = 0;
    let ended = store.backup(at(1), &mut |_| {
        pieces += 1;
        if pieces == 2 {
            Err(crate::store::BackupError::Cut)
        } else {
            Ok(())
        }
    });
    assert_eq!((ended.unwrap_err(), pieces), (crate::store::BackupError::Cut, 2));
    wait(store.put_secret(path("s/1"), value("y"), at(2))).unwrap();
    wait(store.close()).unwrap();
    let closed = store.backup(at(1), &mut |_| Ok(())).unwrap_err();
    assert_eq!(
        closed,
        crate::store::BackupError::Unavailable(crate::store::Unavailable::Closed)
    );
}
