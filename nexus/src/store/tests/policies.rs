use std::sync::Arc;

use spike_policy::{Generation, PolicyId};

use super::*;
use crate::store::jobs::{Mode, PutOutcome, WriteError};
use crate::store::{CatchUp, Health, Unavailable};

/// Every contract holds on memory and on a file alike, before and after a restart.
fn on_both(contract: impl Fn(&Store)) {
    contract(&Store::open_in_memory(versions(10)).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    contract(&create(&disk));
}

#[test]
fn a_put_creates_updates_or_leaves_a_policy_and_says_which() {
    on_both(|store| {
        let created = wait(store.put_policy(rule("db", "^a$"), Mode::Upsert, at(1000))).unwrap();
        assert_eq!(
            (created.outcome, created.generation),
            (PutOutcome::Created, Generation(1))
        );
        assert_eq!(
            (created.policy.created_at, created.policy.updated_at),
            (at(1000), at(1000))
        );

        let updated = wait(store.put_policy(rule("db", "^b$"), Mode::Upsert, at(2000))).unwrap();
        assert_eq!(
            (updated.outcome, updated.generation),
            (PutOutcome::Updated, Generation(2))
        );
        assert_eq!(updated.policy.id, created.policy.id, "a name keeps its id");
        assert_eq!(
            (updated.policy.created_at, updated.policy.updated_at),
            (at(1000), at(2000))
        );

        let again = wait(store.put_policy(rule("db", "^b$"), Mode::Upsert, at(3000))).unwrap();
        assert_eq!(
            (again.outcome, again.generation),
            (PutOutcome::Unchanged, Generation(2))
        );
        assert_eq!(again.policy, updated.policy);
        assert_eq!(store.policies().unwrap().generation(), Generation(2));
        assert_eq!(store.stats().commits, 2, "an unchanged put writes nothing");
    });
}

#[test]
fn an_update_is_later_than_what_it_replaces_even_when_the_clock_goes_back() {
    on_both(|store| {
        wait(store.put_policy(rule("db", "^a$"), Mode::Upsert, at(5000))).unwrap();
        let updated = wait(store.put_policy(rule("db", "^b$"), Mode::Upsert, at(10))).unwrap();
        assert_eq!(updated.policy.updated_at, at(5001));
    });
}

#[test]
fn create_only_refuses_a_name_that_exists() {
    on_both(|store| {
        wait(store.put_policy(rule("db", "^a$"), Mode::CreateOnly, at(1))).unwrap();
        let refused = wait(store.put_policy(rule("db", "^b$"), Mode::CreateOnly, at(2))).unwrap_err();
        assert_eq!(refused, WriteError::Exists("db".parse().unwrap()));
        assert_eq!(served(store)["db"], "^a$");
    });
}

#[test]
fn delete_finds_by_name_and_by_id_and_a_new_policy_of_that_name_has_a_new_id() {
    on_both(|store| {
        let first = wait(store.put_policy(rule("db", "^a$"), Mode::Upsert, at(1))).unwrap();
        let deleted = wait(store.delete_policy("db")).unwrap();
        assert_eq!((deleted.id, deleted.generation), (first.policy.id, Generation(2)));
        assert_eq!(wait(store.delete_policy("db")).unwrap_err(), WriteError::NotFound);

        let second = wait(store.put_policy(rule("db", "^a$"), Mode::Upsert, at(2))).unwrap();
        assert_ne!(second.policy.id, first.policy.id);
        assert_eq!(
            store.policy(&second.policy.id.to_string()).unwrap(),
            Some(Arc::clone(&second.policy))
        );
        wait(store.delete_policy(&second.policy.id.to_string())).unwrap();
        assert_eq!(store.policy("db").unwrap(), None);
        let nobody = PolicyId::from_random_bytes([1; 16]).to_string();
        assert_eq!(wait(store.delete_policy(&nobody)).unwrap_err(), WriteError::NotFound);
    });
}

#[test]
fn apply_is_one_generation_and_all_or_nothing() {
    on_both(|store| {
        wait(store.put_policy(rule("b", "^b$"), Mode::Upsert, at(1))).unwrap();
        let applied = wait(store.apply_policies(vec![rule("a", "^1$"), rule("b", "^2$"), rule("c", "^3$")], at(2)));
        let applied = applied.unwrap();
        let outcomes: Vec<_> = applied.policies.iter().map(|(_, outcome)| *outcome).collect();
        assert_eq!(
            outcomes,
            [PutOutcome::Created, PutOutcome::Updated, PutOutcome::Created]
        );
        assert_eq!(applied.generation, Generation(2));

        let twice = vec![rule("d", "^1$"), rule("d", "^2$")];
        assert_eq!(
            wait(store.apply_policies(twice, at(3))).unwrap_err(),
            WriteError::Repeated("d".parse().unwrap())
        );
        assert_eq!(served(store).len(), 3);
        assert_eq!(
            wait(store.apply_policies(Vec::new(), at(4))).unwrap().generation,
            Generation(2)
        );
    });
}

#[test]
fn a_restart_serves_what_was_there_and_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    let store = create(&disk);
    let id = store.id();
    let put = wait(store.put_policy(rule("db", "^a$"), Mode::Upsert, at(1))).unwrap();
    wait(store.put_policy(rule("web", "^b$"), Mode::Upsert, at(2))).unwrap();
    wait(store.delete_policy("web")).unwrap();
    drop(store);

    let store = open(&disk).unwrap();
    assert_eq!(store.id(), id);
    assert_eq!(store.policies().unwrap().generation(), Generation(3));
    assert_eq!(store.policy("db").unwrap(), Some(put.policy));
    assert_eq!(
        wait(store.put_policy(rule("x", "^x$"), Mode::Upsert, at(3)))
            .unwrap()
            .generation,
        Generation(4)
    );
    assert!(store.broken().is_empty());
}

#[test]
fn reading_from_disk_gives_what_is_published() {
    on_both(|store| {
        for number in 0..20 {
            wait(store.put_policy(rule(&format!("p{number}"), "^a$"), Mode::Upsert, at(1))).unwrap();
        }
        wait(store.delete_policy("p7")).unwrap();
        let (published, reloaded) = (store.policies().unwrap(), store.reload_policies().unwrap());
        assert_eq!(reloaded.generation(), published.generation());
        assert_eq!(reloaded.len(), 19);
        for policy in reloaded.iter() {
            assert_eq!(published.get(&policy.rule.name), Some(policy));
        }
    });
}

#[test]
fn a_follower_catches_up_by_deltas_or_takes_the_set() {
    on_both(|store| {
        let mut changes = store.changes();
        let start = *changes.borrow_and_update();
        wait(store.put_policy(rule("a", "^1$"), Mode::Upsert, at(1))).unwrap();
        wait(store.delete_policy("a")).unwrap();
        assert!(changes.has_changed().unwrap());
        let CatchUp::Deltas(deltas) = store.catch_up(start).unwrap() else {
            panic!("the log reaches back")
        };
        assert_eq!(
            deltas.iter().map(|delta| delta.generation.0).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(deltas[0].put[0].rule.name.as_str(), "a");
        assert_eq!(deltas[1].removed[0].as_str(), "a");
        let CatchUp::Deltas(none) = store.catch_up(Generation(2)).unwrap() else {
            panic!("it is up to date")
        };
        assert!(none.is_empty());
        assert!(matches!(store.catch_up(Generation(3)).unwrap(), CatchUp::Snapshot(_)));
    });
}

#[test]
fn a_follower_from_before_the_log_takes_the_set() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    let store = create(&disk);
    wait(store.put_policy(rule("a", "^1$"), Mode::Upsert, at(1))).unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    assert!(matches!(store.catch_up(Generation(0)).unwrap(), CatchUp::Snapshot(set) if set.len() == 1));
}

#[test]
fn a_closed_store_says_so_to_everyone() {
    on_both(|store| {
        wait(store.put_policy(rule("a", "^1$"), Mode::Upsert, at(1))).unwrap();
        wait(store.close()).unwrap();
        assert_eq!(store.policies().unwrap_err(), Unavailable::Closed);
        assert_eq!(store.reload_policies().unwrap_err(), Unavailable::Closed);
        assert_eq!(store.list_secret_paths().unwrap_err(), Unavailable::Closed);
        let refused = wait(store.put_policy(rule("b", "^1$"), Mode::Upsert, at(1))).unwrap_err();
        assert_eq!(refused, WriteError::Unavailable(Unavailable::Closed));
        assert_eq!(*store.health().borrow(), Health::Closed);
        assert_eq!(wait(store.close()), Err(Unavailable::Closed));
    });
}
