//! A law of the advice: whoever follows it and deletes every policy that is called needless changes no verdict.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it tried")]

use std::collections::HashSet;

use spike_policy::{Lint, PolicyName, Roles, Verdict, decide, lint_all};

mod random;
mod world;
use random::Random;

#[test]
fn deleting_what_is_shadowed_or_never_matches_changes_no_verdict() {
    let mut random = Random::new(random::seed());
    let roles = Roles::default();
    let (mut needless, mut asked, mut allowed) = (0, 0, 0);
    for _ in 0..random::cases(400) / 10 {
        let count = 2 + random.below(60);
        let policies = world::policies(&mut random, count);
        let gone: HashSet<PolicyName> = lint_all(policies.iter().map(|policy| &policy.rule))
            .into_iter()
            .filter(|(_, found)| matches!(found.lint, Lint::Shadowed | Lint::NeverMatches | Lint::TrailingSlash))
            .map(|(name, _)| name)
            .collect();
        needless += gone.len();
        let whole = world::set(&policies);
        let names: Vec<PolicyName> = gone.into_iter().collect();
        let rest = whole.with(spike_policy::Generation(2), &[], &names);
        for _ in 0..200 {
            let access = world::access(&mut random);
            let before = matches!(decide(&whole, &roles, access.clone()), Verdict::Allow(_));
            let after = matches!(decide(&rest, &roles, access.clone()), Verdict::Allow(_));
            assert_eq!(before, after, "{access:?} without {names:?}");
            asked += 1;
            allowed += usize::from(before);
        }
    }
    println!("{needless} policies were needless; {asked} accesses, {allowed} of them allowed");
    assert!(needless > 40 && allowed > asked / 100, "{needless} {allowed} {asked}");
}
