#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use spike_policy::{AccessPath, Permission};

use super::*;

pub(in crate::feed) fn policy(name: &str, path: &str) -> FeedPolicy {
    FeedPolicy {
        id: format!(
            "6f9619ff-8b86-4d11-b42d-{:012x}",
            name.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte))
        ),
        name: name.to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: format!("^{path}$"),
        permissions: vec!["read".to_owned()],
        created_at: 1,
        updated_at: 2,
    }
}

pub(in crate::feed) fn snapshot(store: &str, generation: u64, policies: Vec<FeedPolicy>) -> Snapshot {
    Snapshot {
        store: store.to_owned(),
        generation,
        policies,
    }
}

pub(in crate::feed) fn allows(policies: &PolicySet, path: &str) -> bool {
    let path: AccessPath = path.parse().unwrap();
    policies
        .view(&"spiffe://example.org/web".parse().unwrap())
        .find(&path, Permission::Read)
        .is_some()
}

#[test]
fn a_snapshot_and_deltas_give_the_policies_of_each_generation() {
    let book = Book::open(snapshot("s", 3, vec![policy("a", "a"), policy("b", "b")]), None);
    assert_eq!(book.policies.generation(), Generation(3));
    assert!(allows(&book.policies, "a") && allows(&book.policies, "b"));
    let delta = Delta {
        generation: 4,
        put: vec![policy("a", "c")],
        removed: vec!["b".to_owned()],
    };
    let next = book.turn(delta).unwrap();
    assert!(allows(&next.policies, "c") && !allows(&next.policies, "a") && !allows(&next.policies, "b"));
    assert!(allows(&book.policies, "a"), "the older generation is untouched");
}

#[test]
fn a_generation_that_does_not_rise_is_a_gap() {
    let book = Book::open(snapshot("s", 3, vec![]), None);
    for generation in [0, 2, 3] {
        let delta = Delta {
            generation,
            ..Delta::default()
        };
        assert_eq!(
            book.turn(delta).unwrap_err(),
            Gap {
                from: 3,
                to: generation
            }
        );
    }
}

#[test]
fn a_policy_that_cannot_be_used_allows_nothing_not_even_what_it_replaced() {
    let mut broken = policy("a", "a");
    broken.path_pattern = "(".to_owned();
    let book = Book::open(snapshot("s", 1, vec![broken.clone(), policy("b", "b")]), None);
    assert_eq!((book.policies.len(), book.damaged.len()), (1, 1));

    let good = Book::open(snapshot("s", 1, vec![policy("a", "a")]), None);
    let next = good
        .turn(Delta {
            generation: 2,
            put: vec![broken],
            removed: vec![],
        })
        .unwrap();
    assert!(!allows(&next.policies, "a"));
    assert!(next.damaged.contains("a"));
    let mended = next
        .turn(Delta {
            generation: 3,
            put: vec![policy("a", "a")],
            removed: vec![],
        })
        .unwrap();
    assert!(allows(&mended.policies, "a") && mended.damaged.is_empty());
    let gone = next
        .turn(Delta {
            generation: 3,
            put: vec![],
            removed: vec!["a".to_owned()],
        })
        .unwrap();
    assert!(gone.damaged.is_empty());
}

#[test]
fn policies_that_did_not_change_are_not_compiled_again() {
    let book = Book::open(snapshot("s", 1, vec![policy("a", "a"), policy("b", "b")]), None);
    let find =
        |book: &Book, name: &str| Arc::clone(book.policies.iter().find(|p| p.rule.name.as_str() == name).unwrap());
    let mut changed = policy("b", "c");
    changed.updated_at = 3;
    let later = Book::open(snapshot("s", 9, vec![policy("a", "a"), changed]), Some(&book));
    assert!(Arc::ptr_eq(&find(&book, "a"), &find(&later, "a")));
    assert!(!Arc::ptr_eq(&find(&book, "b"), &find(&later, "b")));
    assert!(allows(&later.policies, "c") && !allows(&later.policies, "b"));
    let other = Book::open(snapshot("t", 9, vec![policy("a", "a")]), Some(&book));
    assert!(!Arc::ptr_eq(&find(&book, "a"), &find(&other, "a")));
}
