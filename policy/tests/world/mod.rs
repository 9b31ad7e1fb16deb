//! A small random world: identities, paths and policies made of few words, so that they meet often.
use std::sync::Arc;

use spike_policy::{
    Access, AccessPath, Generation, Permission, Policy, PolicyDocument, PolicyId, PolicySet, Rule, SpiffeId, UnixMillis,
};

use crate::random::Random;

pub(crate) const DOMAINS: [&str; 3] = ["example.org", "a.test", "examplexorg"];
pub(crate) const WORDS: [&str; 8] = ["web", "db", "shop", "pay", "we", "webb", "7", "x"];
pub(crate) const TEAMS: [&str; 4] = ["acme", "beta", "ac", "acme-2"];

pub(crate) fn id(random: &mut Random) -> SpiffeId {
    let domain = random.pick(&DOMAINS);
    let text = match random.below(4) {
        0 => format!("spiffe://{domain}/{}", random.pick(&WORDS)),
        1 => format!("spiffe://{domain}/{}/{}", random.pick(&TEAMS), random.pick(&WORDS)),
        2 => format!(
            "spiffe://{domain}/ns/{}/sa/{}",
            random.pick(&TEAMS),
            random.pick(&WORDS)
        ),
        _ => format!(
            "spiffe://{domain}/{}/{}/{}",
            random.pick(&TEAMS),
            random.pick(&WORDS),
            random.pick(&WORDS)
        ),
    };
    text.parse().unwrap()
}

pub(crate) fn path(random: &mut Random) -> AccessPath {
    let text = match random.below(8) {
        0 => spike_policy::reserved::PATHS[random.below(3)].to_owned(),
        1 => random.pick(&WORDS).to_owned(),
        2 => format!("tenants/{}/{}/", random.pick(&TEAMS), random.pick(&WORDS)),
        3 => format!("{}/{}", random.pick(&TEAMS), random.pick(&WORDS)),
        _ => format!(
            "tenants/{}/{}/{}",
            random.pick(&TEAMS),
            random.pick(&WORDS),
            random.pick(&WORDS)
        ),
    };
    text.parse().unwrap()
}

pub(crate) fn access(random: &mut Random) -> Access {
    let permission = Permission::ALL[random.below(5)];
    Access {
        who: id(random),
        permission,
        path: path(random),
    }
}

/// Patterns whose meaning is the same in Go and in the `regex` crate on ASCII subjects.
pub(crate) fn id_pattern(random: &mut Random) -> String {
    let (d, t, w, v) = (
        random.pick(&DOMAINS),
        random.pick(&TEAMS),
        random.pick(&WORDS),
        random.pick(&WORDS),
    );
    let dot = if random.chance(80) {
        d.replace('.', r"\.")
    } else {
        d.to_owned()
    };
    match random.below(22) {
        0..=4 => format!("^spiffe://{dot}/{t}/{w}$"),
        5 => format!("^spiffe://{dot}/{t}/"),
        6 => format!("^spiffe://{dot}/{t}/.*$"),
        7 => format!("^spiffe://{dot}/ns/[a-z0-9-]+/sa/{w}$"),
        8 => format!("^spiffe://{dot}/ns/{t}/sa/[a-z]+$"),
        9 => format!("spiffe://{dot}/{t}"),
        10 => "spiffe://.*".to_owned(),
        11 => format!("^spiffe://{dot}/{t}/({w}|{v})$"),
        12 => format!("^spiffe://{dot}/{w}$|^spiffe://{dot}/{v}$"),
        13 => format!("^spiffe://{dot}/{w}$|{v}"),
        14 => format!("^spiffe://{dot}/[^/]+/{w}$"),
        15 => format!("spiffe://{dot}/.*/{w}$"),
        16 => format!("^spiffe://{dot}/{t}/{w}(/{v})?$"),
        17 => format!("^spiffe://[a-z.]+/{t}/{w}"),
        18 => format!("^spiffe://{dot}/{t}/({w}/)*{v}$"),
        19 => format!("^spiffe://{dot}/(?i:{})/{w}$", t.to_uppercase()),
        20 => format!("^spiffe://{dot}/{t}/[{}x]{{1,3}}$", &w[..1]),
        _ => format!("^spiffe://{dot}/.+$"),
    }
}

pub(crate) fn path_pattern(random: &mut Random) -> String {
    let (t, w, v) = (random.pick(&TEAMS), random.pick(&WORDS), random.pick(&WORDS));
    match random.below(22) {
        0..=3 => format!("^tenants/{t}/{w}/{v}$"),
        4 => format!("^tenants/{t}/"),
        5 => format!("^tenants/{t}/.*$"),
        6 => format!("^tenants/[a-z]+/{w}/{v}$"),
        7 => format!("tenants/{t}/{w}"),
        8 => ".*".to_owned(),
        9 => format!("^tenants/{t}/({w}|{v})/"),
        10 => format!("^{t}/{w}$|^{t}/{v}$"),
        11 => format!("{t}/{w}$"),
        12 => "^spike/system/acl$".to_owned(),
        13 => "^spike/system/(acl|secret)$".to_owned(),
        14 => "^spike/system/.*$".to_owned(),
        15 => format!("^{t}/[^/]+$"),
        16 => format!("tenants/.*/{w}/?$"),
        17 => format!("^tenants/{t}(/{w})+/{v}$"),
        18 => format!("(?i)TENANTS/{t}/{w}"),
        19 => format!("^.*{w}{v}?$"),
        20 => "^spike/system/acl$|system/(secret|cipher)".to_owned(),
        _ => format!("^[^x]*/{w}$"),
    }
}

pub(crate) fn permissions(random: &mut Random) -> Vec<String> {
    let count = 1 + random.below(3);
    (0..count)
        .map(|_| Permission::ALL[random.below(5)].as_str().to_owned())
        .collect()
}

/// A rule that is accepted; patterns that brush a reserved path are thrown again.
pub(crate) fn rule(random: &mut Random, name: &str) -> Rule {
    loop {
        let document = PolicyDocument {
            name: name.to_owned(),
            spiffeid_pattern: id_pattern(random),
            path_pattern: path_pattern(random),
            permissions: permissions(random),
        };
        if let Ok(rule) = Rule::try_from(&document) {
            return rule;
        }
    }
}

pub(crate) fn policy(random: &mut Random, name: &str) -> Arc<Policy> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_le_bytes());
    bytes[8..].copy_from_slice(&random.next().to_le_bytes());
    let rule = rule(random, name);
    let at = UnixMillis(0);
    Arc::new(Policy {
        id: PolicyId::from_random_bytes(bytes),
        rule,
        created_at: at,
        updated_at: at,
    })
}

pub(crate) fn policies(random: &mut Random, count: usize) -> Vec<Arc<Policy>> {
    (0..count).map(|i| policy(random, &format!("policy {i}"))).collect()
}

pub(crate) fn set(policies: &[Arc<Policy>]) -> PolicySet {
    PolicySet::new(Generation(1), policies.iter().cloned())
}
