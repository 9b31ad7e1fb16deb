//! The engine against a scan: any patterns, any accesses, any order of changes.
//!
//! Input: lines. `+ permissions id-pattern path-pattern` puts a policy (blanks of a pattern are written `_`),
//! `-` takes the oldest one away, `? permission id path` asks.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use spike_policy::{
    Access, DenyReason, Generation, Permission, Policy, PolicyDocument, PolicyId, PolicySet, Roles, Rule, UnixMillis,
    Verdict, decide, explain, reserved,
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut policies: Vec<Arc<Policy>> = Vec::new();
    let mut set = PolicySet::new(Generation(0), []);
    for (number, line) in (1_u64..).zip(text.lines().take(40)) {
        let next = Generation(number);
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["+", permissions, who, path] => {
                let Some(policy) = policy(number, permissions, who, path) else {
                    continue;
                };
                set = set.with(next, std::slice::from_ref(&policy), &[]);
                policies.push(policy);
            }
            ["-"] if !policies.is_empty() => {
                let gone = policies.remove(0);
                set = set.with(next, &[], std::slice::from_ref(&gone.rule.name));
            }
            ["?", permission, who, path] => {
                if let (Ok(permission), Ok(who), Ok(path)) = (permission.parse(), who.parse(), path.parse()) {
                    asked(&set, &policies, &Access { who, permission, path });
                }
            }
            _ => {}
        }
        assert_eq!(set.len(), policies.len());
    }
});

fn policy(number: u64, permissions: &str, who: &str, path: &str) -> Option<Arc<Policy>> {
    let document = PolicyDocument {
        name: format!("policy {number}"),
        spiffeid_pattern: who.replace('_', " "),
        path_pattern: path.replace('_', " "),
        permissions: permissions.split(',').map(str::to_owned).collect(),
    };
    let rule = Rule::try_from(&document).ok()?;
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    Some(Arc::new(Policy {
        id: PolicyId::from_random_bytes(id),
        rule,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
    }))
}

fn asked(set: &PolicySet, policies: &[Arc<Policy>], access: &Access) {
    let expected = scan(policies, access);
    // A set made at once, the other way round, says the same as one that grew.
    let other = PolicySet::new(Generation(1), policies.iter().rev().cloned());
    for set in [set, &other] {
        match decide(set, &Roles::default(), access.clone()) {
            Verdict::Allow(_) => assert_eq!(expected, Ok(())),
            Verdict::Deny(denial) => assert_eq!(expected, Err(denial.reason)),
        }
    }
    let told = explain(set, &Roles::default(), access.clone(), 3);
    assert_eq!(told.is_allowed(), expected.is_ok());
    assert!(!told.to_string().is_empty());
}

/// Every policy, one by one, by the letter of `spike.md` §3.
fn scan(policies: &[Arc<Policy>], access: &Access) -> Result<(), DenyReason> {
    let mut reason = DenyReason::IdentityUnmatched;
    for rule in policies.iter().map(|policy| &policy.rule) {
        if !rule.spiffe_id.is_match(access.who.as_str()) {
            continue;
        }
        let gives = rule
            .permissions
            .iter()
            .any(|p| p == access.permission || p == Permission::Super);
        let path = access.path.as_str();
        let guarded = reserved::PATHS.contains(&path) && !(rule.path.full_match(path) && rule.spiffe_id.is_anchored());
        let found = match (rule.path.is_match(path), gives, guarded) {
            (true, true, false) => return Ok(()),
            (true, true, true) => DenyReason::ReservedGuard,
            (true, false, _) => DenyReason::PermissionMissing,
            (false, _, _) => DenyReason::PathUnmatched,
        };
        if nearness(found) > nearness(reason) {
            reason = found;
        }
    }
    Err(reason)
}

fn nearness(reason: DenyReason) -> u8 {
    match reason {
        DenyReason::IdentityUnmatched | DenyReason::LiteWorkload => 0,
        DenyReason::PathUnmatched => 1,
        DenyReason::PermissionMissing => 2,
        DenyReason::ReservedGuard => 3,
    }
}
