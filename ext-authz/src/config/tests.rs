#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use spike_policy::Permission;
use spike_policy::request::{IdentitySource, PathRule};
use spike_runtime::config::{Environment, Layers};

use super::*;

const LEAST: &str = "check: {trust_domains: [example.org], listen: {uds: {path: /run/x.sock}}}\n";

fn read(text: &str) -> Result<Config, Vec<String>> {
    let layers = Layers::from_text("f.yaml", text, Environment::from_pairs::<&str, &str>([]), &[]);
    let config = Config::read(&layers.root(), Duration::from_secs(5));
    match layers.finish() {
        Ok(_) => Ok(config),
        Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
    }
}

/// The least configuration with these lines below `check`.
fn with(lines: &str) -> Result<Config, Vec<String>> {
    read(&format!(
        "check:\n  trust_domains: [example.org]\n  listen: {{uds: {{path: /run/x.sock}}}}\n  {lines}\n"
    ))
}

#[test]
fn little_is_needed_and_the_rest_is_strict() {
    let config = read(LEAST).unwrap();
    assert_eq!(config.listen.uds.unwrap().mode, 0o660);
    assert!(config.listen.tcp.is_none() && config.listen.mtls.is_none());
    assert_eq!(
        config.cache,
        CacheSize {
            ttl: Duration::from_secs(1),
            bound: Bound {
                entries: 100_000,
                bytes: 64 << 20,
            },
        }
    );
    assert!(matches!(config.feed, Feed::Embedded));
    assert_eq!(config.pilot, Pilot::Role);
    assert_eq!(config.rulebook.disclosure, Disclosure::default());
    let rules = config.rulebook.reading.rules;
    assert_eq!(rules.identity, IdentitySource::Principal);
    assert!(PathRule::ALL.into_iter().all(|rule| rules.paths.is_on(rule)));
    assert_eq!(rules.methods, spike_policy::request::Methods::default());
    assert_eq!(
        (rules.grpc, rules.connection),
        (Permission::Execute, Permission::Execute)
    );
}

#[test]
fn every_path_rule_has_a_switch_by_its_own_word() {
    let mut tried = 0;
    for rule in PathRule::ALL {
        let word = rule.as_str().strip_prefix("path_").unwrap();
        let config = with(&format!("paths: {{{word}: allow}}")).unwrap();
        let rules = config.rulebook.reading.rules.paths;
        assert_eq!(
            PathRule::ALL
                .into_iter()
                .filter(|rule| !rules.is_on(*rule))
                .collect::<Vec<_>>(),
            [rule]
        );
        tried += 1;
    }
    assert_eq!(tried, PathRule::ALL.len());
}

#[test]
fn methods_are_changed_added_and_taken_out_one_by_one() {
    let config = with("methods: {DELETE: super, PURGE: write, PATCH: deny}").unwrap();
    let methods = config.rulebook.reading.rules.methods;
    assert_eq!(methods.permission(b"DELETE"), Some(Permission::Super));
    assert_eq!(methods.permission(b"PURGE"), Some(Permission::Write));
    assert_eq!(methods.permission(b"PATCH"), None);
    assert_eq!(methods.permission(b"GET"), Some(Permission::Read));
}

#[test]
fn the_remote_feed_has_its_own_keys() {
    let remote = format!(
        "{LEAST}feed: {{mode: remote, url: 'https://nexus:8553', max_age: 2s, on_stale: serve}}\n\
         trust_roots: {{nexus: 'a.org,b.org', pilot: a.org}}\n"
    );
    let Feed::Remote(remote) = read(&remote).unwrap().feed else {
        panic!("remote")
    };
    assert_eq!(
        (remote.url.as_str(), remote.max_age),
        ("https://nexus:8553", Duration::from_secs(2))
    );
    assert_eq!(remote.on_stale, OnStale::Serve);
    assert!(remote.nexus.holds(&"spiffe://b.org/x".parse().unwrap()));
    assert!(!remote.pilot.holds(&"spiffe://b.org/x".parse().unwrap()));
}

#[test]
fn audit_goes_where_it_is_told() {
    for (text, target) in [
        ("off", spike_audit::Target::Off),
        ("stdout", spike_audit::Target::Stdout),
        ("stderr", spike_audit::Target::Stderr),
        ("file:/var/log/a", spike_audit::Target::File("/var/log/a".into())),
    ] {
        let config = read(&format!("{LEAST}audit: {{to: '{text}'}}\n")).unwrap();
        assert_eq!(config.audit.to, target);
        assert_eq!(target.to_string(), text);
    }
}

/// Each wrong configuration, and a piece of each fault that must be told.
const WRONG: &[(&str, &[&str])] = &[
    ("{}", &["check.trust_domains", "check.listen"]),
    ("check: {trust_domains: [example.org]}", &["nothing would be served"]),
    (
        "check: {trust_domains: [], listen: {uds: {path: /x}}}",
        &["at least one trust domain"],
    ),
    (
        "check: {trust_domains: ['Example.org'], listen: {uds: {path: /x}}}",
        &["check.trust_domains[0]"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {uds: {}}}",
        &["check.listen.uds.path"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {uds: {path: /x, mode: '999'}}}",
        &["octal"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {uds: {path: /x, mode: '7777'}}}",
        &["permission bits"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {uds: {path: /x, allow_uids: [root]}}}",
        &["allow_uids[0]"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {tcp: {}}}",
        &["check.listen.tcp.address"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {tcp: {address: '0.0.0.0:9191'}}}",
        &["loopback"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {mtls: {address: ':9443'}}}",
        &["check.listen.mtls.allow"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {mtls: {address: ':9443', allow: []}}}",
        &["at least one pattern"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {mtls: {allow: ['^spiffe://a/b$']}}}",
        &["check.listen.mtls.address"],
    ),
    (
        "check: {trust_domains: [example.org], listen: {mtls: {address: ':1', allow: ['(']}}}",
        &["mtls.allow[0]"],
    ),
    (
        "check: {trust_domains: [a.org], listen: {mtls: {address: ':1', allow: ['spiffe://a.org/x']}}}",
        &["anchored"],
    ),
    (
        "check: {trust_domains: [example.org], identity: {from: xfcc}, listen: {tcp: {address: '127.0.0.1:1'}}}",
        &["not over tcp"],
    ),
];

#[test]
fn what_cannot_be_run_is_refused_with_its_key_and_place() {
    for (text, expected) in WRONG {
        let faults = read(text).map(|_| ()).unwrap_err();
        for piece in *expected {
            assert!(
                faults.iter().any(|fault| fault.contains(piece)),
                "{text}: {piece} in {faults:?}"
            );
        }
        assert!(faults.iter().all(|fault| fault.starts_with("f.yaml:")), "{faults:?}");
    }
    let lines = [
        ("pilot: god", "check.pilot"),
        ("methods: {get: read}", "get"),
        ("methods: {GET: see}", "check.methods"),
        ("grpc: run", "check.grpc"),
        ("connection: {permission: run}", "check.connection.permission"),
        ("identity: {from: header}", "check.identity.from"),
        ("identity: {xfcc_proxies: [envoy]}", "check.identity.xfcc_proxies[0]"),
        (
            "identity: {require_peer_certificate: maybe}",
            "require_peer_certificate",
        ),
        ("paths: {semicolon: maybe}", "check.paths.semicolon"),
        ("paths: {semicolons: allow}", "semicolons"),
        ("explain_denials: 1", "check.explain_denials"),
        ("max_message: 1GiB", "check.max_message"),
        ("max_in_flight: 0", "check.max_in_flight"),
        ("max_concurrent_streams: 0", "check.max_concurrent_streams"),
        ("read_timeout: 1h", "check.read_timeout"),
        ("lsten: {}", "lsten"),
    ];
    for (line, piece) in lines {
        let faults = with(line).map(|_| ()).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(piece)), "{line}: {faults:?}");
    }
    let more = [
        ("cache: {ttl: 2h}", "cache.ttl"),
        ("cache: {max_entries: 0}", "cache.max_entries"),
        ("cache: {max_bytes: 1KiB}", "cache.max_bytes"),
        ("feed: {mode: push}", "feed.mode"),
        ("feed: {mode: remote, url: 'http://x'}", "feed.url"),
        ("feed: {mode: remote, max_age: 1ms}", "feed.max_age"),
        ("feed: {mode: remote, on_stale: allow}", "feed.on_stale"),
        ("feed: {mode: embedded, url: 'https://x'}", "feed.url"),
        ("feed: {mode: remote}\ncache: {ttl: 0s}", "cache.ttl"),
        ("trust_roots: {nexus: a.org}", "trust_roots"),
        ("audit: {to: syslog}", "audit.to"),
        ("audit: {to: 'file:'}", "audit.to"),
        ("audit: {queue: 0}", "audit.queue"),
    ];
    for (line, piece) in more {
        let faults = read(&format!("{LEAST}{line}\n")).map(|_| ()).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(piece)), "{line}: {faults:?}");
    }
}

#[test]
fn several_faults_are_told_at_once() {
    let faults = with("pilot: god\n  max_in_flight: 0\n  unknown: 1")
        .map(|_| ())
        .unwrap_err();
    assert_eq!(faults.len(), 3, "{faults:?}");
}
