#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use spike_policy::{Permission, Policy, PolicyDocument, PolicyId, Rule, UnixMillis};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Policies for this path. Forty identity patterns match `web`, so that no glance is enough; `plain` has one to its name.
fn set(generation: u64, path: &str) -> Arc<PolicySet> {
    let classes = (1..=40).map(|n| format!("^spiffe://example\\.org/[a-z]{{3,{}}}$", n + 5));
    let patterns = classes.chain(["^spiffe://example\\.org/7/plain$".to_owned()]);
    let policies = patterns.zip(0..).map(|(spiffeid_pattern, n)| {
        let document = PolicyDocument {
            name: format!("p{n}"),
            spiffeid_pattern,
            path_pattern: path.to_owned(),
            permissions: vec!["read".to_owned()],
        };
        Arc::new(Policy {
            id: PolicyId::from_random_bytes([n; 16]),
            rule: Rule::try_from(&document).unwrap(),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(1),
        })
    });
    Arc::new(PolicySet::new(Generation(generation), policies))
}

fn web() -> SpiffeId {
    "spiffe://example.org/web".parse().unwrap()
}

fn asks(views: &Views, set: &Arc<PolicySet>, who: SpiffeId, path: &str) -> bool {
    let access = Access {
        who,
        permission: Permission::Read,
        path: path.parse().unwrap(),
    };
    matches!(views.decide(set, &Roles::default(), access), Verdict::Allow(_))
}

fn allows(views: &Views, set: &Arc<PolicySet>, path: &str) -> bool {
    asks(views, set, web(), path)
}

fn counts(views: &Views) -> (u64, u64) {
    (views.lookups.hits.get(), views.lookups.misses.get())
}

#[test]
fn a_view_is_kept_for_its_generation_only() {
    let views = Views::new(HOUR, 100, Lookups::default());
    let (old, new) = (set(1, "^a$"), set(2, "^b$"));
    for _ in 0..3 {
        assert!(allows(&views, &old, "a") && !allows(&views, &old, "b"));
        assert!(allows(&views, &new, "b") && !allows(&views, &new, "a"));
    }
    assert_eq!(counts(&views), (10, 2));
}

#[test]
fn the_same_view_is_given_again() {
    let views = Views::new(HOUR, 100, Lookups::default());
    let (set, who) = (set(1, "^a$"), web());
    let cache = views.cache.as_ref().unwrap();
    assert!(Arc::ptr_eq(
        &views.kept(cache, &set, &who),
        &views.kept(cache, &set, &who)
    ));
}

#[test]
fn another_set_of_the_same_generation_is_not_taken_for_the_first() {
    let views = Views::new(HOUR, 100, Lookups::default());
    for round in 0..300 {
        // The old set is dropped each time, so that its place in memory could be taken by the next.
        let path = format!("^r{round}$");
        let current = set(5, &path);
        assert!(allows(&views, &current, &format!("r{round}")), "round {round}");
        assert!(!allows(&views, &current, &format!("r{}", round + 1)));
    }
    assert_eq!(counts(&views), (300, 300));
}

#[test]
fn an_identity_with_a_policy_to_its_name_is_decided_at_a_glance_and_leaves_nothing_behind() {
    let views = Views::new(HOUR, 100, Lookups::default());
    let set = set(1, "^a$");
    let plain: SpiffeId = "spiffe://example.org/7/plain".parse().unwrap();
    for _ in 0..3 {
        assert!(asks(&views, &set, plain.clone(), "a"));
    }
    assert_eq!(counts(&views), (0, 0));
}

#[test]
fn without_a_ttl_nothing_is_kept() {
    let views = Views::new(Duration::ZERO, 100, Lookups::default());
    assert!(views.cache.is_none());
    let set = set(1, "^a$");
    assert!(allows(&views, &set, "a") && !allows(&views, &set, "b"));
    assert_eq!(counts(&views), (0, 0));
}
