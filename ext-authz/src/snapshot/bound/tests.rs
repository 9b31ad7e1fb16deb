#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Arc;
use std::time::Duration;

use spike_policy::{
    Access, Generation, Permission, Policy, PolicyDocument, PolicyId, PolicySet, Roles, Rule, UnixMillis, Verdict,
};

use super::*;
use crate::snapshot::{Lookups, Views};

/// Policies of one identity, too many to be judged at a glance: a view is made and kept.
const POLICIES: u8 = 48;

fn set() -> Arc<PolicySet> {
    let identities = ["", "w", "w/", "w/i"].into_iter().cycle();
    let policies = (0..POLICIES).zip(identities).map(|(at, identity)| {
        let document = PolicyDocument {
            name: format!("p{at}"),
            spiffeid_pattern: format!(r"^spiffe://example\.org/{identity}"),
            path_pattern: format!("^services/s{at}/[a-z]+$"),
            permissions: vec!["read".to_owned()],
        };
        Arc::new(Policy {
            id: PolicyId::from_random_bytes([at; 16]),
            rule: Rule::try_from(&document).unwrap(),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(1),
        })
    });
    Arc::new(PolicySet::new(Generation(1), policies))
}

/// Has views of so many identities made, one after the other, and gives how many are kept and what they weigh together.
fn kept(bound: Bound, identities: u32) -> (u64, u64) {
    let (set, lookups) = (set(), Lookups::default());
    let views = Views::new(Duration::from_secs(3600), bound, lookups.clone());
    for n in 0..identities {
        let access = Access {
            who: format!("spiffe://example.org/w/i{n}").parse().unwrap(),
            permission: Permission::Read,
            path: "services/s7/orders".parse().unwrap(),
        };
        let verdict = views.decide(&set, &Roles::default(), access);
        assert!(matches!(verdict, Verdict::Allow(_)), "identity {n}");
    }
    assert_eq!(lookups.misses.get(), u64::from(identities), "each needed a view");
    let cache = views.cache.as_ref().unwrap();
    cache.run_pending_tasks();
    (cache.entry_count(), cache.weighted_size())
}

#[test]
fn views_together_weigh_no_more_than_the_bound_however_many_identities_come() {
    let bound = Bound {
        entries: 100_000,
        bytes: 1 << 20,
    };
    let (count, weight) = kept(bound, 2_000);
    assert!(weight <= bound.bytes, "{weight} bytes");
    assert!(weight > bound.bytes / 2, "{weight} bytes: the bound is used");
    // What a view of these policies takes at least: each has its place in it.
    let least = u64::from(POLICIES) * 32;
    assert!((1..bound.bytes / least).contains(&count), "{count} views");
}

#[test]
fn there_are_no_more_views_than_the_bound_says_however_little_they_weigh() {
    let (count, weight) = kept(Bound::from(7), 500);
    assert!((1..=7).contains(&count), "{count} views");
    assert!(weight <= Bound::BYTES, "{weight}");
}
