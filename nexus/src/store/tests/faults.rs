//! Every n-th operation of the disk fails, for n = 1, 2, 3 … until the work is done without meeting the fault.
use std::time::{Duration, Instant};

use super::test_disk::{Fault, TestDisk};
use super::*;
use crate::store::{Health, Mode, ReadError, Unavailable, WriteError};

/// What the store holds, as far as these tests care: policies, and the passwords of two secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    policies: BTreeMap<String, String>,
    passwords: [Option<String>; 2],
}

fn contents(store: &Store) -> Contents {
    let reloaded = store.reload_policies().unwrap();
    let policies = reloaded
        .iter()
        .map(|policy| (policy.rule.name.to_string(), policy.rule.path.to_string()))
        .collect();
    assert_eq!(policies, served(store), "what is published is what is on disk");
    assert!(store.broken().is_empty(), "{:?}", store.broken());
    Contents {
        policies,
        passwords: ["kept", "changed"].map(|name| password(store, name)),
    }
}

/// An image of a closed store with two policies and two secrets.
fn baseline() -> Vec<u8> {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    wait(store.put_policy(rule("kept", "^kept$"), Mode::Upsert, at(1))).unwrap();
    wait(store.put_policy(rule("changed", "^before$"), Mode::Upsert, at(1))).unwrap();
    wait(store.put_secret(path("kept"), value("kept"), at(1))).unwrap();
    wait(store.put_secret(path("changed"), value("before"), at(1))).unwrap();
    drop(store);
    disk.image()
}

/// What a write was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    NotDone,
    Unknown,
}

impl Answer {
    fn of<T>(result: Result<T, WriteError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(WriteError::OutcomeUnknown) => Self::Unknown,
            Err(WriteError::Unavailable(_)) => Self::NotDone,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Fails the n-th operation of one write for every n, and checks the answer against the disk.
fn exhaust(fault: fn(u64) -> Fault, write: fn(&Store) -> Answer) {
    let image = baseline();
    let (before, after) = (
        contents(&open(&TestDisk::new(image.clone()).disk()).unwrap()),
        after(&image, write),
    );
    let (mut tried, mut unknown) = (0, 0);
    for n in 1.. {
        let disk = TestDisk::new(image.clone());
        let store = open(&disk.disk()).unwrap();
        disk.arm(fault(n));
        let began = Instant::now();
        let answer = write(&store);
        let met = disk.failures() > 0;
        drop(store);
        assert!(began.elapsed() < Duration::from_secs(10), "n = {n}: it hung");
        disk.heal();
        let found = contents(&open(&disk.disk()).unwrap_or_else(|error| panic!("n = {n}: {error}")));
        match answer {
            Answer::Done => assert_eq!(found, after, "n = {n}"),
            Answer::NotDone => assert_eq!(found, before, "n = {n}"),
            Answer::Unknown => assert!(found == before || found == after, "n = {n}: {found:?}"),
        }
        unknown += u64::from(answer == Answer::Unknown);
        tried = n;
        if !met {
            break;
        }
    }
    assert!(
        tried > 5 && unknown > 0,
        "{tried} operations, {unknown} unknown outcomes: nothing was tested"
    );
}

fn after(image: &[u8], write: fn(&Store) -> Answer) -> Contents {
    let disk = TestDisk::new(image.to_vec());
    let store = open(&disk.disk()).unwrap();
    assert_eq!(write(&store), Answer::Done);
    contents(&store)
}

fn put(store: &Store) -> Answer {
    Answer::of(wait(store.put_policy(rule("changed", "^after$"), Mode::Upsert, at(2))))
}

fn apply(store: &Store) -> Answer {
    let rules = vec![
        rule("changed", "^after$"),
        rule("new", "^new$"),
        rule("newer", "^newer$"),
    ];
    Answer::of(wait(store.apply_policies(rules, at(2))))
}

fn delete(store: &Store) -> Answer {
    Answer::of(wait(store.delete_policy("changed")))
}

fn put_secret(store: &Store) -> Answer {
    Answer::of(wait(store.put_secret(
        path("changed"),
        value(&"after".repeat(3000)),
        at(2),
    )))
}

fn rotate(store: &Store) -> Answer {
    Answer::of(wait(store.rotate()))
}

#[test]
fn a_put_under_every_single_fault_is_done_not_done_or_unknown() {
    exhaust(Fault::Once, put);
}

#[test]
fn an_apply_under_every_single_fault_is_all_or_nothing() {
    exhaust(Fault::Once, apply);
}

#[test]
fn a_delete_under_every_single_fault_is_done_not_done_or_unknown() {
    exhaust(Fault::Once, delete);
}

#[test]
fn a_secret_put_under_every_single_fault_is_done_not_done_or_unknown() {
    exhaust(Fault::Once, put_secret);
}

#[test]
fn a_rotation_under_every_single_fault_leaves_one_keyring_that_opens_everything() {
    exhaust(Fault::Once, rotate);
}

#[test]
fn a_disk_that_stays_broken_from_any_point_loses_nothing_acknowledged() {
    for write in [put, apply, delete, put_secret, rotate] {
        exhaust(Fault::From, write);
    }
}

#[test]
fn opening_under_every_single_fault_is_refused_cleanly_or_succeeds() {
    let image = baseline();
    let expected = contents(&open(&TestDisk::new(image.clone()).disk()).unwrap());
    let mut refused = 0;
    for n in 1.. {
        let disk = TestDisk::new(image.clone());
        disk.arm(Fault::Once(n));
        let opened = open(&disk.disk());
        let met = disk.failures() > 0;
        refused += u64::from(opened.is_err());
        drop(opened);
        disk.heal();
        assert_eq!(contents(&open(&disk.disk()).unwrap()), expected, "n = {n}");
        if !met {
            break;
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn creating_under_every_single_fault_fails_or_succeeds_and_never_hangs() {
    for n in 1.. {
        let disk = TestDisk::new(Vec::new());
        disk.arm(Fault::Once(n));
        let created = disk.disk().create(&root(), tuning().seal_limits);
        if disk.failures() == 0 {
            created.unwrap();
            assert!(n > 5);
            break;
        }
    }
}

#[test]
fn after_a_passing_fault_the_store_recovers_by_itself_and_writes_again() {
    let image = baseline();
    let mut recovered = 0;
    for n in 1..=20 {
        let disk = TestDisk::new(image.clone());
        let store = open(&disk.disk()).unwrap();
        disk.arm(Fault::Once(n));
        let answer = put(&store);
        // The rest of the test is about recovery, not about a second fault.
        disk.heal();
        // Answered before the store is reopened; the next write waits for that.
        wait(store.put_policy(rule("next", "^next$"), Mode::Upsert, at(3))).unwrap();
        assert_eq!(*store.health().borrow(), Health::Ready);
        assert_eq!(contents(&store).policies["next"], "^next$");
        recovered += u64::from(answer != Answer::Done);
    }
    assert!(recovered > 5, "{recovered}");
}

#[test]
fn while_an_outcome_is_unknown_no_policy_is_served() {
    let image = baseline();
    let mut seen = 0;
    for n in 1.. {
        let disk = TestDisk::new(image.clone());
        let store = open(&disk.disk()).unwrap();
        disk.arm(Fault::From(n));
        let answer = put(&store);
        if disk.failures() == 0 {
            break;
        }
        if answer == Answer::Unknown {
            // The disk stays broken, so the store never gets out of doubt.
            let why = store.policies().unwrap_err();
            assert!(matches!(why, Unavailable::Recovering | Unavailable::Failed), "{why}");
            assert!(store.reload_policies().is_err());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn a_store_that_cannot_be_reopened_has_failed_for_good() {
    let disk = TestDisk::new(baseline());
    let store = open(&disk.disk()).unwrap();
    let mut health = store.health();
    disk.arm(Fault::From(1));
    assert_ne!(put(&store), Answer::Done);
    wait(health.wait_for(|health| *health == Health::Failed)).unwrap();
    assert_eq!(store.policies().unwrap_err(), Unavailable::Failed);
    let refused = wait(store.put_policy(rule("x", "^x$"), Mode::Upsert, at(3))).unwrap_err();
    assert_eq!(refused, WriteError::Unavailable(Unavailable::Failed));
}

#[test]
fn a_failed_read_reopens_the_store_while_policies_go_on_being_served() {
    let image = baseline();
    let disk = TestDisk::new(image);
    let store = open(&disk.disk()).unwrap();
    let mut failed = 0;
    for n in 1..50 {
        disk.arm(Fault::Once(n));
        let read = store.get_secret(&path("kept"), 0.into());
        assert_eq!(served(&store).len(), 2);
        if let Err(error) = read {
            assert_eq!(error, ReadError::Unavailable(Unavailable::Recovering));
            failed += 1;
        }
        // A write waits for the reopening, so the next round reads from a new handle.
        disk.heal();
        wait(store.put_policy(rule("kept", &format!("^{n}$")), Mode::Upsert, at(3))).unwrap();
        assert_eq!(password(&store, "kept").unwrap(), "kept");
    }
    // How many reads reach the disk depends on redb's cache; a reopened store has read everything once.
    assert!(failed <= 49);
}
