//! How requests are read: trust domains, identities, methods and paths.
use std::fmt;
use std::str::FromStr;

use spike_policy::request::{IdentitySource, Methods, PathRule, PathRules, Rules};
use spike_policy::{Permission, SpiffeId, TrustDomain};
use spike_runtime::config::Section;

use crate::decode::Reading;

const SOURCES: &[(&str, IdentitySource)] = &[("principal", IdentitySource::Principal), ("xfcc", IdentitySource::Xfcc)];

/// Reads everything about requests from the `check` section.
pub(super) fn reading(check: &Section<'_>) -> Reading {
    let identity = check.section("identity");
    let connection = check.section("connection");
    let domains = check
        .key("trust_domains")
        .list("a trust domain such as example.org", str::parse::<TrustDomain>);
    let domains = domains.must("at least one trust domain, or nobody is ever allowed", |all| {
        !all.is_empty()
    });
    let proxies = identity.key("xfcc_proxies").list("a SPIFFE ID", str::parse::<SpiffeId>);
    let rules = Rules {
        trust_domains: domains.required().unwrap_or_default(),
        identity: identity.key("from").one_of(SOURCES).or(IdentitySource::Principal),
        xfcc_proxies: proxies.or(Vec::new()),
        require_peer_certificate: identity.key("require_peer_certificate").bool().or(false),
        paths: paths(&check.section("paths")),
        methods: methods(check),
        grpc: permission(check, "grpc"),
        connection: permission(&connection, "permission"),
    };
    Reading {
        rules,
        listener: connection.key("listener").string().optional(),
    }
}

fn permission(section: &Section<'_>, key: &str) -> Permission {
    let rule = "read, write, list, execute or super";
    section
        .key(key)
        .parsed(rule, str::parse::<Permission>)
        .or(Permission::Execute)
}

/// What a method asks for in the configuration: a permission, or `deny`.
#[derive(Clone, Copy, Debug)]
enum Asks {
    For(Permission),
    Denied,
}

impl FromStr for Asks {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "deny" {
            return Ok(Self::Denied);
        }
        word.parse()
            .map(Self::For)
            .map_err(|error: spike_policy::InvalidPermissions| error.to_string())
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(permission) => permission.fmt(f),
            Self::Denied => f.write_str("deny"),
        }
    }
}

/// The built-in table with the operator's changes.
fn methods(check: &Section<'_>) -> Methods {
    let given = check
        .key("methods")
        .map("read, write, list, execute, super or deny", str::parse::<Asks>);
    let given = given.or(std::collections::BTreeMap::new());
    let mut table = Methods::none();
    let built_in = Methods::default();
    let kept = built_in.iter().filter(|(method, _)| !given.contains_key(*method));
    let kept = kept.map(|(method, permission)| (method, Asks::For(permission)));
    for (method, asks) in kept.chain(given.iter().map(|(method, asks)| (method.as_str(), *asks))) {
        let set = match asks {
            Asks::For(permission) => table.set(method, permission),
            Asks::Denied => Ok(()),
        };
        if let Err(fault) = set {
            check.refuse("methods", fault.to_string());
        }
    }
    table
}

/// `allow` beside a rule's word lets pass what the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Deny,
    Allow,
}

const SWITCHES: &[(&str, Switch)] = &[("deny", Switch::Deny), ("allow", Switch::Allow)];

/// Every rule of paths by its word without `path_`, each on unless it is switched off by name.
fn paths(section: &Section<'_>) -> PathRules {
    PathRule::ALL.into_iter().fold(PathRules::strict(), |rules, rule| {
        let word = rule.as_str();
        let key = section.key(word.strip_prefix("path_").unwrap_or(word));
        match key.one_of(SWITCHES).or(Switch::Deny) {
            Switch::Deny => rules,
            Switch::Allow => rules.without(rule),
        }
    })
}
