//! Rules and policies of the tests, each from a row of texts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Arc;

use crate::{Policy, PolicyDocument, PolicyId, Roles, Rule, TrustRoots, UnixMillis};

/// The rule of a name, an identity pattern, a path pattern and permissions with blanks between.
pub(crate) fn rule(name: &str, who: &str, path: &str, permissions: &str) -> Rule {
    let document = PolicyDocument {
        name: name.to_owned(),
        spiffeid_pattern: who.to_owned(),
        path_pattern: path.to_owned(),
        permissions: permissions.split(' ').map(str::to_owned).collect(),
    };
    (&document).try_into().unwrap()
}

/// The rule as a policy whose id is made of a number.
pub(crate) fn policy(n: u64, rule: Rule) -> Arc<Policy> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    Arc::new(Policy {
        id: PolicyId::from_random_bytes(bytes),
        rule,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
    })
}

/// Built-in identities count under `spike.ist`.
pub(crate) fn roles() -> Roles {
    roles_under("spike.ist")
}

/// Built-in identities count under these trust domains.
pub(crate) fn roles_under(list: &str) -> Roles {
    let roots = TrustRoots::parse(list).unwrap();
    Roles {
        pilot: roots.clone(),
        lite_workload: roots.clone(),
        nexus: roots.clone(),
        keeper: roots.clone(),
        bootstrap: roots,
    }
}
