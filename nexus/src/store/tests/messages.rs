//! Messages of callers: counted before they are sealed, in a count that outlives the process.
use super::*;
use crate::vault::SealLimits;

const CHUNK: u64 = 1 << 16;

fn reserved(disk: &Disk) -> (u32, u64) {
    let opened = disk.open_if(&root(), tuning().seal_limits, &|_, _| Ok(()));
    let manifest = opened.unwrap().manifest;
    (manifest.term.get(), manifest.reserved)
}

#[test]
fn a_reservation_serves_many_messages_and_a_restart_takes_a_new_one() {
    let disk = Disk::memory();
    let store = create(&disk);
    assert_eq!(store.stats().commits, 0);
    let first = wait(store.seal_message(b"first")).unwrap();
    for _ in 0..100 {
        wait(store.seal_message(b"more")).unwrap();
    }
    assert_eq!(store.stats().commits, 1);
    drop(store);
    assert_eq!(reserved(&disk), (1, CHUNK));
    let store = open(&disk).unwrap();
    wait(store.seal_message(b"after")).unwrap();
    assert_eq!(**store.open_message(&first.nonce, &first.sealed).unwrap(), *b"first");
    drop(store);
    assert_eq!(reserved(&disk), (1, 2 * CHUNK));
}

#[test]
fn a_rotation_starts_the_count_anew_and_old_messages_still_open() {
    let disk = Disk::memory();
    let store = create(&disk);
    let first = wait(store.seal_message(b"first")).unwrap();
    wait(store.rotate()).unwrap();
    let second = wait(store.seal_message(b"second")).unwrap();
    drop(store);
    assert_eq!(reserved(&disk), (2, CHUNK));
    let store = open(&disk).unwrap();
    for (message, text) in [(first, &b"first"[..]), (second, b"second")] {
        assert_eq!(**store.open_message(&message.nonce, &message.sealed).unwrap(), *text);
    }
}

#[test]
fn a_term_that_has_reserved_as_much_as_it_may_is_followed_by_another() {
    let disk = Disk::memory();
    let tuning = Tuning {
        seal_limits: SealLimits {
            rotate: CHUNK,
            refuse: 2 * CHUNK,
        },
        ..tuning()
    };
    disk.create(&root(), tuning.seal_limits).unwrap();
    for term in 1..=3 {
        let store = Store::start(disk.clone(), root(), tuning.clone()).unwrap();
        wait(store.seal_message(b"x")).unwrap();
        drop(store);
        assert_eq!(reserved(&disk), (term, CHUNK));
    }
}

#[test]
fn many_callers_at_once_share_one_reservation() {
    let store = create(&Disk::memory());
    wait(async {
        let seals = (0..500).map(|_| store.seal_message(b"x"));
        for sealed in futures::future::join_all(seals).await {
            sealed.unwrap();
        }
    });
    assert_eq!(store.stats().commits, 1);
}

#[test]
fn a_closed_store_seals_and_opens_nothing() {
    let store = create(&Disk::memory());
    let message = wait(store.seal_message(b"x")).unwrap();
    wait(store.close()).unwrap();
    assert!(wait(store.seal_message(b"x")).is_err());
    assert!(store.open_message(&message.nonce, &message.sealed).is_err());
    assert!(store.shares(crate::vault::Sharing::default()).is_err());
}
