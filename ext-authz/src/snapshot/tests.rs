#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use spike_policy::{AccessPath, Permission, Policy, PolicyDocument, PolicyId, Rule, UnixMillis};

use super::*;

fn set(generation: u64, path: &str) -> Arc<PolicySet> {
    let document = PolicyDocument {
        name: "p".to_owned(),
        spiffeid_pattern: "^spiffe://example\\.org/web$".to_owned(),
        path_pattern: path.to_owned(),
        permissions: vec!["read".to_owned()],
    };
    let policy = Policy {
        id: PolicyId::from_random_bytes([1; 16]),
        rule: Rule::try_from(&document).unwrap(),
        created_at: UnixMillis(1),
        updated_at: UnixMillis(1),
    };
    Arc::new(PolicySet::new(Generation(generation), [Arc::new(policy)]))
}

fn allows(views: &Views, set: &Arc<PolicySet>, path: &str) -> bool {
    let who = "spiffe://example.org/web".parse().unwrap();
    let path: AccessPath = path.parse().unwrap();
    views.of(set, &who).find(&path, Permission::Read).is_some()
}

#[test]
fn a_view_is_kept_for_its_generation_only() {
    let views = Views::new(Duration::from_secs(3600), 100);
    let (old, new) = (set(1, "^a$"), set(2, "^b$"));
    for _ in 0..3 {
        assert!(allows(&views, &old, "a") && !allows(&views, &old, "b"));
        assert!(allows(&views, &new, "b") && !allows(&views, &new, "a"));
    }
}

#[test]
fn the_same_view_is_given_again() {
    let views = Views::new(Duration::from_secs(3600), 100);
    let (set, who) = (set(1, "^a$"), "spiffe://example.org/web".parse().unwrap());
    assert!(Arc::ptr_eq(&views.of(&set, &who), &views.of(&set, &who)));
}

#[test]
fn another_set_of_the_same_generation_is_not_taken_for_the_first() {
    let views = Views::new(Duration::from_secs(3600), 100);
    for round in 0..1_000 {
        // The old set is dropped each time, so that its place in memory could be taken by the next.
        let path = format!("^r{round}$");
        let current = set(5, &path);
        assert!(allows(&views, &current, &format!("r{round}")), "round {round}");
        assert!(!allows(&views, &current, &format!("r{}", round + 1)));
    }
}

#[test]
fn without_a_ttl_nothing_is_kept() {
    let views = Views::new(Duration::ZERO, 100);
    let (set, who) = (set(1, "^a$"), "spiffe://example.org/web".parse().unwrap());
    assert!(!Arc::ptr_eq(&views.of(&set, &who), &views.of(&set, &who)));
    assert!(allows(&views, &set, "a"));
}
