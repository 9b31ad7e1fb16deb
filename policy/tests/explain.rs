//! An explanation never has an opinion of its own: it agrees with `decide`, and what it says about policies is true.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it tried")]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use spike_policy::explain::{Difference, Explanation, NearMiss};
use spike_policy::{
    Access, DenyReason, Grounds, Permission, Policy, PolicySet, Roles, Verdict, decide, explain, reserved, what_can,
    who_can,
};

mod random;
mod world;
use random::Random;

/// The `regex` crate, which the engine does not use.
#[derive(Default)]
struct Patterns(HashMap<String, regex::bytes::Regex>);

impl Patterns {
    fn is_match(&mut self, pattern: &str, subject: &str) -> bool {
        let compile = || regex::bytes::RegexBuilder::new(pattern).unicode(false).build();
        let known = self.0.entry(pattern.to_owned());
        known
            .or_insert_with(|| compile().expect("it compiles"))
            .is_match(subject.as_bytes())
    }

    fn opens(&mut self, policy: &Policy, path: &spike_policy::AccessPath) -> bool {
        self.is_match(policy.rule.path.as_str(), path.as_str()) && reserved::may_reach(policy, path)
    }

    fn names(&mut self, policy: &Policy, access: &Access) -> bool {
        self.is_match(policy.rule.spiffe_id.as_str(), access.who.as_str())
    }
}

fn agrees(explanation: &Explanation, verdict: &Verdict) {
    match (&explanation.verdict, verdict) {
        (Verdict::Allow(explained), Verdict::Allow(decided)) => {
            assert_eq!(explained.access(), decided.access());
            match (explained.grounds(), decided.grounds()) {
                (Grounds::Policy(explained), Grounds::Policy(decided)) => assert!(Arc::ptr_eq(explained, decided)),
                (Grounds::Role(explained), Grounds::Role(decided)) => assert_eq!(explained, decided),
                (explained, decided) => unreachable!("{explained:?}, {decided:?}"),
            }
        }
        (Verdict::Deny(explained), Verdict::Deny(decided)) => {
            assert_eq!((&explained.access, explained.reason), (&decided.access, decided.reason));
        }
        (explained, decided) => unreachable!("{explained:?}, {decided:?}"),
    }
}

fn is_true(miss: &NearMiss, access: &Access, patterns: &mut Patterns) {
    let rule = &miss.policy.rule;
    let (who, path) = (access.who.as_str(), access.path.as_str());
    assert_eq!(
        miss.identity.is_none(),
        patterns.names(&miss.policy, access),
        "{miss:?}"
    );
    assert_eq!(
        miss.path.is_none(),
        patterns.is_match(rule.path.as_str(), path),
        "{miss:?}"
    );
    assert_eq!(
        miss.permission_missing,
        !rule.permissions.satisfies(access.permission),
        "{miss:?}"
    );
    let guarded = miss.path.is_none() && !reserved::may_reach(&miss.policy, &access.path);
    assert_eq!(miss.guarded, guarded, "{miss:?}");
    assert!((1..=2).contains(&miss.missing().count()), "{miss:?}");
    for (difference, subject) in [(&miss.identity, who), (&miss.path, path)] {
        if let Some(Difference { common, wanted }) = difference {
            assert!(subject.is_char_boundary(*common), "{miss:?}");
            let differs = wanted.as_ref().is_none_or(|wanted| {
                let (wanted, found) = (wanted.chars().next(), subject[*common..].chars().next());
                wanted != found
            });
            assert!(differs, "{miss:?} beside {subject}");
        }
    }
}

/// An access that is allowed, if a few draws find one.
fn likely(set: &PolicySet, random: &mut Random) -> Access {
    let allowed = |access: &Access| matches!(decide(set, &Roles::default(), access.clone()), Verdict::Allow(_));
    let found = (0..60).map(|_| world::access(random)).find(allowed);
    found.unwrap_or_else(|| world::access(random))
}

#[test]
fn an_explanation_agrees_with_decide_and_every_near_miss_misses_what_it_is_said_to_miss() {
    let mut random = Random::new(random::seed());
    let (mut patterns, roles) = (Patterns::default(), Roles::default());
    let wanted = random::cases(2_000);
    let (mut cases, mut allowed, mut misses) = (0, 0, 0);
    while cases < wanted {
        let policies = world::policies(&mut random, [0, 1, 3, 10, 40][cases / 50 % 5]);
        let set = world::set(&policies);
        for _ in 0..50 {
            cases += 1;
            let access = if random.chance(30) {
                likely(&set, &mut random)
            } else {
                world::access(&mut random)
            };
            let explanation = explain(&set, &roles, access.clone(), usize::MAX);
            agrees(&explanation, &decide(&set, &roles, access.clone()));
            let naming = policies.iter().filter(|policy| patterns.names(policy, &access)).count();
            assert_eq!((explanation.naming, explanation.policies), (naming, policies.len()));
            let gives = |policy: &&Arc<Policy>| {
                policy.rule.permissions.satisfies(access.permission)
                    && patterns.names(policy, &access)
                    && patterns.opens(policy, &access.path)
            };
            let giving: BTreeSet<_> = policies.iter().filter(gives).map(|policy| &policy.rule.name).collect();
            let told: BTreeSet<_> = explanation.matching.iter().map(|policy| &policy.rule.name).collect();
            assert_eq!(told, giving, "{access:?}");
            assert_eq!(explanation.is_allowed(), !giving.is_empty(), "{access:?}");
            allowed += usize::from(explanation.is_allowed());
            for miss in &explanation.near_misses {
                is_true(miss, &access, &mut patterns);
                misses += 1;
            }
            let counts = explanation.near_misses.iter().map(|miss| miss.missing().count());
            assert!(counts.is_sorted(), "{explanation}");
            reason_is_among(&explanation);
        }
    }
    println!("{cases} accesses, {allowed} allowed, {misses} near misses");
    assert!(
        allowed > cases / 20 && misses > cases,
        "{allowed} allowed, {misses} misses of {cases}"
    );
}

/// The nearest policies show the very link that the reason names, where one link decides it.
fn reason_is_among(explanation: &Explanation) {
    let Verdict::Deny(denial) = &explanation.verdict else {
        return;
    };
    let shown = |hit: fn(&NearMiss) -> bool| explanation.near_misses.iter().any(hit);
    let found = match denial.reason {
        DenyReason::IdentityUnmatched => explanation.near_misses.iter().all(|miss| miss.identity.is_some()),
        DenyReason::PathUnmatched => explanation
            .near_misses
            .iter()
            .all(|m| m.identity.is_some() || m.path.is_some()),
        DenyReason::PermissionMissing => shown(|miss| miss.permission_missing && miss.identity.is_none()),
        DenyReason::ReservedGuard => shown(|miss| miss.guarded && miss.missing().count() == 1),
        DenyReason::LiteWorkload => explanation.near_misses.is_empty(),
    };
    assert!(found, "{explanation}");
}

#[test]
fn a_limit_keeps_the_first_of_the_whole_order() {
    let mut random = Random::new(random::seed() + 1);
    let roles = Roles::default();
    let mut compared = 0;
    for _ in 0..6 {
        let set = world::set(&world::policies(&mut random, 120));
        for _ in 0..25 {
            let access = world::access(&mut random);
            let all = explain(&set, &roles, access.clone(), usize::MAX);
            let some = explain(&set, &roles, access, 3);
            let names = |explanation: &Explanation| -> Vec<_> {
                let names = explanation.near_misses.iter().map(|miss| miss.policy.rule.name.clone());
                names.take(3).collect()
            };
            assert_eq!(names(&some), names(&all));
            assert!(some.near_misses.len() <= 3 && some.matching.len() <= 3);
            compared += names(&some).len();
        }
    }
    assert!(compared > 200, "only {compared} near misses");
}

#[test]
fn the_lists_say_what_a_scan_says() {
    let mut random = Random::new(random::seed() + 2);
    let (mut patterns, roles) = (Patterns::default(), Roles::default());
    let (mut opening, mut naming) = (0, 0);
    for _ in 0..30 {
        let policies = world::policies(&mut random, 40);
        let set = world::set(&policies);
        for _ in 0..20 {
            let access = world::access(&mut random);
            let any = random.chance(30);
            let permission = (!any).then_some(access.permission);
            let gives = |policy: &Policy, wanted: Option<Permission>| {
                wanted.is_none_or(|wanted| policy.rule.permissions.satisfies(wanted))
            };
            let scanned: BTreeSet<_> = policies
                .iter()
                .filter(|policy| gives(policy, permission) && patterns.opens(policy, &access.path))
                .map(|policy| policy.rule.name.clone())
                .collect();
            let told = who_can(&set, &access.path, permission);
            let told: BTreeSet<_> = told.policies.iter().map(|policy| policy.rule.name.clone()).collect();
            assert_eq!(told, scanned, "{access:?}");
            opening += told.len();
            let named = policies.iter().filter(|policy| patterns.names(policy, &access)).count();
            assert_eq!(what_can(&set, &roles, &access.who).policies.len(), named);
            naming += named;
        }
    }
    assert!(opening > 300 && naming > 300, "{opening} opened, {naming} named");
}
