//! What a restore replaces, what it refuses to, and what it keeps.
use std::fs;

use spike_nexus::store::{Accept, OpenError, RestoreError, Store};
use spike_policy::Generation;

use super::place::{Place, backup, contents, put_policy, put_secret, rollback, wait};

/// A store with some of everything, and its backup in the file `b`.
fn backed_up() -> (Place, Store) {
    let place = Place::new();
    let store = place.open().unwrap();
    wait(async {
        put_policy(&store, "p", "^a$").await;
        put_policy(&store, "deleted later", "^b$").await;
        store.rotate().await.unwrap();
        for round in 0..3 {
            put_secret(&store, "s/1", &format!("{round}")).await;
        }
        put_secret(&store, "s/2", "x").await;
        store
            .delete_versions("s/2".parse().unwrap(), Vec::new(), super::place::NOW)
            .await
            .unwrap();
    });
    fs::write(place.file("b"), backup(&store)).unwrap();
    (place, store)
}

#[test]
fn a_backup_restores_into_an_empty_place_with_the_same_key() {
    let (place, store) = backed_up();
    let other = place.elsewhere();
    let restored = other.restore(&place.file("b")).unwrap();
    assert_eq!((restored.store, restored.kept.clone()), (store.id(), None));
    assert_eq!(restored.from, store.policies().unwrap().generation());
    let copy = other.open().unwrap();
    assert_eq!((copy.id(), contents(&copy)), (store.id(), contents(&store)));
    assert_eq!(copy.policies().unwrap().generation(), restored.generation);
    assert!(restored.generation.0 > restored.from.0 + 1_000_000);
    // And it can be written on, under a key term of its own.
    wait(put_policy(&copy, "new", "^c$"));
    assert_eq!(copy.stats().term, store.stats().term + 1);
    assert!(
        other.files().keys().all(|name| !name.contains(".new")),
        "{:?}",
        other.files().keys()
    );
}

#[test]
fn an_older_backup_takes_a_database_back_only_when_that_is_accepted() {
    let (place, store) = backed_up();
    let backed_up = contents(&store);
    let id = wait(store.delete_policy("deleted later")).unwrap().id;
    wait(store.close()).unwrap();
    drop(store);
    let before = place.files();
    let refusal = place.restore(&place.file("b")).unwrap_err();
    assert!(matches!(refusal, RestoreError::Older { .. }), "{refusal}");
    assert!(refusal.to_string().contains("--accept-rollback"), "{refusal}");
    assert!(place.files() == before, "something was changed");

    let restored = place.restore_accepting(&place.file("b"), rollback()).unwrap();
    let kept = restored.kept.clone().unwrap();
    assert!(
        kept.to_string_lossy().contains("nexus.redb.before-restore-2023"),
        "{kept:?}"
    );
    assert_eq!(fs::read(&kept).unwrap(), before["nexus.redb"]);
    let store = place.open().unwrap();
    assert_eq!(contents(&store), backed_up);
    assert_eq!(store.policy("deleted later").unwrap().unwrap().id, id);
    assert!(store.policies().unwrap().generation() > Generation(1_000_000_000));
    drop(store);
    // The one that was kept is an older copy now.
    fs::copy(&kept, place.file("nexus.redb")).unwrap();
    assert!(matches!(place.open().unwrap_err(), OpenError::Anchor(_)));
}

#[test]
fn the_anchor_speaks_when_the_database_is_gone() {
    let (place, store) = backed_up();
    wait(store.delete_policy("deleted later")).unwrap();
    wait(store.close()).unwrap();
    drop(store);
    fs::remove_file(place.file("nexus.redb")).unwrap();
    let refusal = place.restore(&place.file("b")).unwrap_err();
    assert!(matches!(refusal, RestoreError::Older { .. }), "{refusal}");
    place.restore_accepting(&place.file("b"), rollback()).unwrap();
    place.open().unwrap();
}

#[test]
fn a_backup_of_the_newest_state_needs_no_flag_even_over_a_damaged_database() {
    let (place, store) = backed_up();
    wait(store.close()).unwrap();
    let backed_up = contents(&place.open().unwrap());
    for damaged in [Vec::new(), b"rubbish".to_vec(), vec![0; 100_000], {
        let mut bytes = fs::read(place.file("nexus.redb")).unwrap();
        bytes.truncate(9_000);
        bytes
    }] {
        fs::write(place.file("nexus.redb"), &damaged).unwrap();
        fs::remove_file(place.file("anchor")).unwrap();
        let restored = place.restore(&place.file("b")).unwrap();
        assert_eq!(fs::read(restored.kept.unwrap()).unwrap(), damaged);
        assert_eq!(contents(&place.open().unwrap()), backed_up);
        fs::remove_file(
            place
                .files()
                .keys()
                .find(|name| name.contains("before"))
                .map(|name| place.file(name))
                .unwrap(),
        )
        .unwrap();
    }
}

#[test]
fn a_running_store_is_not_replaced() {
    let (place, store) = backed_up();
    let refusal = place.restore_accepting(&place.file("b"), rollback()).unwrap_err();
    assert!(matches!(refusal, RestoreError::InUse(_)), "{refusal}");
    wait(put_policy(&store, "q", "^q$"));
}

#[test]
fn a_wrong_key_is_called_that() {
    let (place, _store) = backed_up();
    let other = Place::new();
    drop(other.open().unwrap());
    let before = other.files();
    let refusal = other.restore(&place.file("b")).unwrap_err();
    assert!(matches!(refusal, RestoreError::WrongKey(_)), "{refusal}");
    assert!(other.files() == before, "something was changed");
}

#[test]
fn another_stores_database_is_replaced_only_when_that_is_accepted() {
    let (place, store) = backed_up();
    let other = place.elsewhere();
    drop(other.open().unwrap());
    let before = other.files();
    let refusal = other.restore(&place.file("b")).unwrap_err();
    assert!(matches!(refusal, RestoreError::OtherStore { .. }), "{refusal}");
    assert!(refusal.to_string().contains("--accept-other-store"), "{refusal}");
    let refusal = other.restore_accepting(&place.file("b"), rollback()).unwrap_err();
    assert!(matches!(refusal, RestoreError::OtherStore { .. }), "{refusal}");
    assert!(other.files() == before, "something was changed");
    let accept = Accept {
        other_store: true,
        ..Accept::default()
    };
    other.restore_accepting(&place.file("b"), accept).unwrap();
    assert_eq!(contents(&other.open().unwrap()), contents(&store));
}

#[test]
fn a_backup_from_before_a_new_root_key_opens_with_the_old_one_alone() {
    let (place, store) = backed_up();
    let old = place.elsewhere();
    let new = std::sync::Arc::new(spike_nexus::vault::RootKey::take(&mut [9; 32]));
    wait(async {
        store.begin_rekey(std::sync::Arc::clone(&new)).await.unwrap();
        fs::write(place.file("both"), backup(&store)).unwrap();
        store.finish_rekey(std::sync::Arc::clone(&new)).await.unwrap();
    });
    fs::write(place.file("after"), backup(&store)).unwrap();
    let expected = contents(&store);
    wait(store.close()).unwrap();
    let restored = |from: &str, root: &spike_nexus::vault::RootKey| {
        let target = place.elsewhere();
        spike_nexus::store::restore(&target.order(&place.file(from)), root, super::place::NOW).map(|_| target)
    };
    let fits = |result: Result<Place, RestoreError>, what: &str| match result {
        Ok(_) => true,
        Err(RestoreError::WrongKey(_)) => false,
        Err(other) => panic!("{what}: {other}"),
    };
    assert!(fits(restored("b", &old.key()), "b, old") && !fits(restored("b", &new), "b, new"));
    assert!(fits(restored("both", &old.key()), "both, old") && fits(restored("both", &new), "both, new"));
    assert!(!fits(restored("after", &old.key()), "after, old") && fits(restored("after", &new), "after, new"));
    // A backup from the middle of the change opens, once restored, with the key that it was restored with.
    let target = restored("both", &old.key()).unwrap();
    assert_eq!(contents(&target.open().unwrap()), expected);
}
