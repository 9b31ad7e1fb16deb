//! The engine against a naive oracle, and the laws of an allow-only language.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it tried")]

use std::collections::HashMap;
use std::sync::Arc;

use spike_policy::{
    Access, DenyReason, Generation, Grounds, Permission, Policy, PolicyName, PolicySet, Roles, Verdict, decide,
    decide_in, reserved,
};

mod random;
mod world;
use random::Random;

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, random.below(i + 1));
    }
}

/// Compile and scan: what the engine must equal. It uses the `regex` crate, not the engine's own patterns.
#[derive(Default)]
struct Oracle {
    compiled: HashMap<String, regex::bytes::Regex>,
}

impl Oracle {
    fn matches(&mut self, pattern: &str, subject: &str) -> bool {
        if !self.compiled.contains_key(pattern) {
            let regex = regex::bytes::RegexBuilder::new(pattern).unicode(false).build();
            self.compiled
                .insert(pattern.to_owned(), regex.expect("the world's patterns compile"));
        }
        self.compiled[pattern].is_match(subject.as_bytes())
    }

    fn allows(&mut self, policies: &[Arc<Policy>], access: &Access) -> bool {
        policies.iter().any(|policy| {
            let rule = &policy.rule;
            self.matches(rule.spiffe_id.as_str(), access.who.as_str())
                && self.matches(rule.path.as_str(), access.path.as_str())
                && rule
                    .permissions
                    .iter()
                    .any(|p| p == access.permission || p == Permission::Super)
                && self.guard(policy, access)
        })
    }

    fn guard(&mut self, policy: &Policy, access: &Access) -> bool {
        if !reserved::PATHS.contains(&access.path.as_str()) {
            return true;
        }
        self.matches(&format!("^(?:{})$", policy.rule.path), access.path.as_str())
            && policy.rule.spiffe_id.is_anchored()
    }

    fn reason(&mut self, policies: &[Arc<Policy>], access: &Access) -> DenyReason {
        let named: Vec<_> = policies
            .iter()
            .filter(|p| self.matches(p.rule.spiffe_id.as_str(), access.who.as_str()))
            .collect();
        let there: Vec<_> = named
            .iter()
            .filter(|p| self.matches(p.rule.path.as_str(), access.path.as_str()))
            .collect();
        if named.is_empty() {
            DenyReason::IdentityUnmatched
        } else if there.is_empty() {
            DenyReason::PathUnmatched
        } else if there.iter().any(|p| p.rule.permissions.satisfies(access.permission)) {
            DenyReason::ReservedGuard
        } else {
            DenyReason::PermissionMissing
        }
    }
}

fn verdict(set: &PolicySet, access: &Access) -> Result<Arc<Policy>, DenyReason> {
    reason_of(decide(set, &Roles::default(), access.clone()))
}

fn reason_of(verdict: Verdict) -> Result<Arc<Policy>, DenyReason> {
    match verdict {
        Verdict::Allow(permit) => match permit.grounds() {
            Grounds::Policy(policy) => Ok(Arc::clone(policy)),
            Grounds::Role(role) => panic!("no roles here, but {role:?}"),
        },
        Verdict::Deny(denial) => Err(denial.reason),
    }
}

fn allowed(set: &PolicySet, access: &Access) -> bool {
    verdict(set, access).is_ok()
}

#[test]
fn the_engine_answers_as_a_scan_of_all_policies_does_reason_included() {
    let mut random = Random::new(random::seed());
    let mut oracle = Oracle::default();
    let wanted = random::cases(20_000);
    let (mut cases, mut allows) = (0, 0);
    let mut reasons: HashMap<DenyReason, usize> = HashMap::new();
    while cases < wanted {
        let size = [0, 1, 3, 10, 40, 150, 600, 5_000][random.below(if wanted > 100_000 { 8 } else { 7 })];
        let policies = world::policies(&mut random, size);
        let set = world::set(&policies);
        for _ in 0..400 {
            let access = world::access(&mut random);
            let expected = oracle.allows(&policies, &access);
            match verdict(&set, &access) {
                Ok(policy) => {
                    assert!(expected, "{access:?} is allowed by {policy:?}");
                    assert!(
                        oracle.allows(std::slice::from_ref(&policy), &access),
                        "{access:?} blames {policy:?}"
                    );
                    allows += 1;
                }
                Err(reason) => {
                    assert!(!expected, "{access:?} is denied: {reason:?}, with {size} policies");
                    assert_eq!(reason, oracle.reason(&policies, &access), "{access:?}");
                    *reasons.entry(reason).or_default() += 1;
                }
            }
            cases += 1;
        }
    }
    println!("{cases} pairs: {allows} allowed, denied {reasons:?}");
    assert!(cases >= wanted && allows > cases / 20, "{allows} of {cases} allowed");
    for reason in [
        DenyReason::IdentityUnmatched,
        DenyReason::PathUnmatched,
        DenyReason::PermissionMissing,
        DenyReason::ReservedGuard,
    ] {
        assert!(
            reasons.get(&reason).is_some_and(|n| *n >= 20),
            "{reason:?} hardly occurs: {reasons:?}"
        );
    }
}

#[test]
fn a_set_that_was_changed_step_by_step_answers_as_one_made_at_once() {
    let mut random = Random::new(random::seed() + 1);
    let mut oracle = Oracle::default();
    let mut policies = world::policies(&mut random, 60);
    let mut set = world::set(&policies);
    let mut compared = 0;
    for step in 0..random::cases(15_000) / 10 {
        let before = set.clone();
        let kept = policies.clone();
        let mut put = Vec::new();
        let mut removed: Vec<PolicyName> = Vec::new();
        for _ in 0..random.below(4) {
            let at = random.below(policies.len());
            let name = policies[at].rule.name.as_str().to_owned();
            policies[at] = world::policy(&mut random, &name);
            put.retain(|p: &Arc<Policy>| p.rule.name != policies[at].rule.name);
            put.push(Arc::clone(&policies[at]));
        }
        if random.chance(50) && policies.len() < 120 {
            let fresh = world::policy(&mut random, &format!("fresh {step}"));
            policies.push(Arc::clone(&fresh));
            put.push(fresh);
        }
        if random.chance(50) && policies.len() > 30 {
            let gone = policies.swap_remove(random.below(policies.len()));
            put.retain(|p| p.rule.name != gone.rule.name);
            removed.push(gone.rule.name.clone());
        }
        set = set.with(Generation(step as u64 + 2), &put, &removed);
        assert_eq!(set.len(), policies.len());
        assert_eq!(set.iter().count(), policies.len());
        for policy in &policies {
            assert_eq!(set.get(&policy.rule.name).unwrap(), policy);
            assert_eq!(set.get_by_id(policy.id).unwrap(), policy);
        }
        for _ in 0..10 {
            let access = world::access(&mut random);
            assert_eq!(
                allowed(&set, &access),
                oracle.allows(&policies, &access),
                "step {step}: {access:?}"
            );
            assert_eq!(
                allowed(&before, &access),
                oracle.allows(&kept, &access),
                "step {step}: a reader's set changed"
            );
            compared += 2;
        }
    }
    println!("{compared} answers of sets that were changed step by step");
    assert!(compared >= 30_000);
}

#[test]
fn neither_order_nor_repetition_of_policies_matters() {
    let mut random = Random::new(random::seed() + 2);
    let mut cases = 0;
    while cases < random::cases(20_000) {
        let mut policies = world::policies(&mut random, 40);
        let first = world::set(&policies);
        shuffle(&mut random, &mut policies);
        let doubled: Vec<_> = policies.iter().chain(policies.iter().rev()).cloned().collect();
        let second = world::set(&doubled);
        assert_eq!(second.len(), policies.len());
        for _ in 0..200 {
            let access = world::access(&mut random);
            assert_eq!(
                verdict(&first, &access).err(),
                verdict(&second, &access).err(),
                "{access:?}"
            );
            cases += 1;
        }
    }
    println!("{cases} answers of sets in another order, every policy twice");
}

#[test]
fn the_index_finds_the_policies_that_a_scan_with_the_same_patterns_finds() {
    let mut random = Random::new(random::seed() + 7);
    let (mut cases, mut found) = (0, 0);
    while cases < random::cases(20_000) {
        let size = [5, 40, 200, 1_000][random.below(4)];
        let policies = world::policies(&mut random, size);
        let set = world::set(&policies);
        for _ in 0..200 {
            let access = world::access(&mut random);
            let view = set.view(&access.who);
            let mut indexed: Vec<_> = view.policies().map(|p| p.rule.name.as_str()).collect();
            let named = policies
                .iter()
                .filter(|p| p.rule.spiffe_id.is_match(access.who.as_str()));
            let mut scanned: Vec<_> = named.clone().map(|p| p.rule.name.as_str()).collect();
            indexed.sort_unstable();
            scanned.sort_unstable();
            assert_eq!(indexed, scanned, "{access:?}");
            let gives = named.filter(|p| p.rule.permissions.satisfies(access.permission));
            let mut there = gives.filter(|p| p.rule.path.is_match(access.path.as_str()));
            let allows = there.any(|p| reserved::may_reach(p, &access.path));
            assert_eq!(
                view.find(&access.path, access.permission).is_some(),
                allows,
                "{access:?}"
            );
            // Kept or not kept, the same view; and what needs no view.
            let viewed = decide_in(&view, &Roles::default(), access.clone());
            assert_eq!(verdict(&set, &access).err(), reason_of(viewed).err(), "{access:?}");
            found += indexed.len();
            cases += 1;
        }
    }
    println!("{cases} accesses with the index and without it, {found} policies found");
    assert!(found > cases);
}

#[test]
fn adding_a_policy_never_revokes_and_removing_one_never_grants() {
    let mut random = Random::new(random::seed() + 3);
    let (mut cases, mut changed) = (0, 0);
    while cases < random::cases(20_000) {
        let policies = world::policies(&mut random, 6);
        let set = world::set(&policies);
        for round in 0..20 {
            let more = world::policy(&mut random, &format!("more {round}"));
            let with = set.with(Generation(2), &[Arc::clone(&more)], &[]);
            let back = with.with(Generation(3), &[], std::slice::from_ref(&more.rule.name));
            for _ in 0..20 {
                let access = world::access(&mut random);
                let (before, after) = (allowed(&set, &access), allowed(&with, &access));
                assert!(after || !before, "adding {more:?} revoked {access:?}");
                assert_eq!(
                    before,
                    allowed(&back, &access),
                    "taking {more:?} back changed {access:?}"
                );
                changed += usize::from(before != after);
                cases += 1;
            }
        }
    }
    println!("{cases} answers before and after a policy was added, {changed} changed");
    assert!(changed > 20, "{changed} of {cases} changed");
}

#[test]
fn whoever_has_super_has_every_permission() {
    let mut random = Random::new(random::seed() + 4);
    let (mut cases, mut supers) = (0, 0);
    while cases < random::cases(20_000) {
        let set = world::set(&world::policies(&mut random, 40));
        for _ in 0..200 {
            let access = world::access(&mut random);
            cases += 1;
            if allowed(
                &set,
                &Access {
                    permission: Permission::Super,
                    ..access.clone()
                },
            ) {
                supers += 1;
                for permission in Permission::ALL {
                    assert!(
                        allowed(
                            &set,
                            &Access {
                                permission,
                                ..access.clone()
                            }
                        ),
                        "{access:?} {permission}"
                    );
                }
            }
        }
    }
    println!("{cases} accesses, {supers} of them with super");
    assert!(supers > 500, "{supers} of {cases}");
}

#[test]
fn an_empty_set_denies() {
    let mut random = Random::new(random::seed() + 5);
    let empty = world::set(&[]);
    let cases = random::cases(20_000);
    for _ in 0..cases {
        assert_eq!(
            verdict(&empty, &world::access(&mut random)).err(),
            Some(DenyReason::IdentityUnmatched)
        );
    }
    println!("{cases} accesses denied by an empty set");
}

#[test]
fn all_permissions_have_to_come_from_one_policy() {
    let mut random = Random::new(random::seed() + 6);
    let mut oracle = Oracle::default();
    let (mut cases, mut found) = (0, 0);
    while cases < random::cases(20_000) {
        let policies = world::policies(&mut random, 60);
        let set = world::set(&policies);
        for _ in 0..200 {
            let access = world::access(&mut random);
            let wanted = spike_policy::Permissions::parse(world::permissions(&mut random)).unwrap();
            let expected = policies.iter().any(|p| {
                wanted.iter().all(|permission| {
                    oracle.allows(
                        std::slice::from_ref(p),
                        &Access {
                            permission,
                            ..access.clone()
                        },
                    )
                })
            });
            assert_eq!(
                set.view(&access.who).find_all(&access.path, wanted).is_some(),
                expected,
                "{access:?} {wanted:?}"
            );
            found += usize::from(expected);
            cases += 1;
        }
    }
    println!("{cases} accesses with several permissions, {found} found");
    assert!(found > 500);
}
