//! What each program can be told, rightly and wrongly.

/// A key and a right value, in YAML.
pub(crate) type Good = (&'static str, &'static str);

/// A key, a wrong value in YAML, and what is said behind the key. An `@` in the value marks the place that is named
/// when it is not the value's start; a text that begins with `[` or `.` goes on with the key.
pub(crate) type Wrong = (&'static str, &'static str, &'static str);

/// `spike-ext-authz` with Nexus in the same process.
pub(crate) const EMBEDDED: &[Good] = &[
    ("identity.socket", "unix:///run/agent.sock"),
    ("identity.wait", "30s"),
    ("check.trust_domains", "[example.org]"),
    ("check.identity.from", "principal"),
    ("check.identity.xfcc_proxies", "[\"spiffe://example.org/edge\"]"),
    ("check.identity.require_peer_certificate", "true"),
    ("check.paths.dot_segment", "deny"),
    ("check.paths.dots_only", "deny"),
    ("check.paths.double_slash", "deny"),
    ("check.paths.backslash", "deny"),
    ("check.paths.fragment", "deny"),
    ("check.paths.semicolon", "allow"),
    ("check.paths.unsafe_character", "deny"),
    ("check.paths.bad_escape", "deny"),
    ("check.paths.encoded_slash", "deny"),
    ("check.paths.encoded_backslash", "deny"),
    ("check.paths.encoded_dot", "deny"),
    ("check.paths.encoded_percent", "deny"),
    ("check.paths.encoded_delimiter", "deny"),
    ("check.paths.encoded_semicolon", "deny"),
    ("check.paths.encoded_control", "deny"),
    ("check.paths.encoded_unreserved", "deny"),
    ("check.paths.encoded_not_utf8", "deny"),
    ("check.paths.too_many_segments", "deny"),
    ("check.methods", "{REPORT: read, TRACE: deny}"),
    ("check.grpc", "execute"),
    ("check.connection.permission", "execute"),
    ("check.connection.listener", "orders"),
    ("check.inject_identity_header", "true"),
    ("check.explain_denials", "true"),
    ("check.listen.uds.path", "/run/spike/ext-authz.sock"),
    ("check.listen.uds.mode", "\"0660\""),
    ("check.listen.uds.group", "0"),
    ("check.listen.uds.allow_uids", "[\"101\"]"),
    ("check.listen.tcp.address", "\"127.0.0.1:9191\""),
    ("check.listen.tcp.allow_remote", "false"),
    ("check.listen.mtls.address", "\"0.0.0.0:9443\""),
    ("check.listen.mtls.allow", "['^spiffe://example\\.org/envoy$']"),
    ("check.pilot", "policy"),
    ("check.max_message", "64KiB"),
    ("check.max_in_flight", "100"),
    ("check.max_concurrent_streams", "100"),
    ("check.read_timeout", "1s"),
    ("cache.ttl", "1s"),
    ("cache.max_entries", "1000"),
    ("cache.max_bytes", "32MiB"),
    ("feed.mode", "embedded"),
    ("audit.to", "stdout"),
    ("audit.queue", "100"),
    ("audit.when_full", "deny"),
    ("audit.rotate.size", "100MiB"),
    ("audit.rotate.age", "24h"),
    ("audit.rotate.keep", "10"),
    ("audit.key", "/etc/spike/audit.key"),
    ("nexus.listen", "\":8553\""),
    ("nexus.store.backend", "redb"),
    ("nexus.store.dir", "/var/lib/spike"),
    ("nexus.store.key", "~"),
    ("nexus.store.key_file", "~"),
    ("nexus.store.credential", "nexus.key"),
    ("nexus.store.credentials_directory", "/run/credentials"),
    ("nexus.store.max_secret_versions", "10"),
    ("nexus.store.queue", "64"),
    ("nexus.store.anchor", "/var/lib/spike-anchor/anchor"),
    (
        "nexus.keepers.peers",
        "[\"https://k1:8443\", \"https://k2:8443\", \"https://k3:8443\"]",
    ),
    ("nexus.keepers.update_interval", "1m"),
    ("nexus.keepers.timeout", "2s"),
    ("nexus.cipher.open_official", "false"),
    ("nexus.trust_roots.nexus", "example.org"),
    ("nexus.trust_roots.pilot", "example.org,example.net"),
    ("nexus.trust_roots.lite_workload", "example.org"),
    ("nexus.trust_roots.keeper", "example.org"),
    ("nexus.trust_roots.bootstrap", "example.org"),
    ("nexus.policy.require_anchors", "true"),
    ("nexus.shamir.shares", "3"),
    ("nexus.shamir.threshold", "2"),
    ("nexus.limits.connections", "100"),
    ("nexus.limits.connections_per_peer", "10"),
    ("nexus.limits.handshake", "5s"),
    ("nexus.limits.header", "5s"),
    ("nexus.limits.body", "5s"),
    ("nexus.limits.body_bytes", "1MiB"),
    ("nexus.limits.idle", "1m"),
    ("admin.listen", "127.0.0.1:9901"),
    ("drain.notice", "1s"),
    ("drain.deadline", "10s"),
    ("log.level", "info"),
    ("log.format", "text"),
];

/// What is wrong for `spike-ext-authz`; what begins with `nexus.`, `identity.`, `audit.`, `admin.`, `drain.` or `log.` is wrong
/// for `spike-nexus`, too.
pub(crate) const WRONG: &[Wrong] = &[
    ("identity.socket", "5", ": a number, not a text"),
    ("identity.socket", "[a]", ": a list, not a single value"),
    ("identity.socket", "/run/agent.sock", ": "),
    (
        "identity.socket",
        "http://agent",
        ": endpoint socket URI scheme must be",
    ),
    ("identity.wait", "soon", ": not a time span"),
    ("identity.wait", "-5s", ": negative"),
    ("check.trust_domains", "[]", ": not accepted"),
    ("check.trust_domains", "example.org", ": not a list"),
    ("check.trust_domains", "[example.org, @Example.ORG]", "[1]: "),
    ("check.identity.from", "header", ": not a known word"),
    ("check.identity.xfcc_proxies", "[@edge]", "[0]: not a SPIFFE ID"),
    ("check.identity.require_peer_certificate", "1", ": not a truth value"),
    ("check.paths.dot_segment", "perhaps", ": not a known word"),
    ("check.paths.dots_only", "1", ": not a known word"),
    ("check.paths.double_slash", "yes", ": not a known word"),
    ("check.paths.backslash", "off", ": not a known word"),
    ("check.paths.fragment", "permit", ": not a known word"),
    ("check.paths.semicolon", "false", ": not a known word"),
    ("check.paths.unsafe_character", "refuse", ": not a known word"),
    ("check.paths.bad_escape", "[deny]", ": a list, not a single value"),
    ("check.paths.encoded_slash", "{a: b}", ": a mapping, not a single value"),
    ("check.paths.encoded_backslash", "denied", ": not a known word"),
    ("check.paths.encoded_dot", "no", ": not a known word"),
    ("check.paths.encoded_percent", "on", ": not a known word"),
    ("check.paths.encoded_delimiter", "true", ": not a known word"),
    ("check.paths.encoded_semicolon", "2", ": not a known word"),
    ("check.paths.encoded_control", "alow", ": not a known word"),
    ("check.paths.encoded_unreserved", "\"\"", ": not a known word"),
    ("check.paths.encoded_not_utf8", "pass", ": not a known word"),
    ("check.paths.too_many_segments", "500", ": not a known word"),
    ("check.methods", "{GET: @look}", ".GET: invalid permission"),
    ("check.methods", "GET", ": not a mapping"),
    ("check.methods", "{\"B AD\": read}", ": "),
    ("check.grpc", "run", ": invalid permission"),
    ("check.connection.permission", "5", ": a number, not a text"),
    ("check.connection.listener", "[a]", ": a list, not a single value"),
    ("check.inject_identity_header", "\"true\"", ": "),
    ("check.explain_denials", "sometimes", ": not a truth value"),
    ("check.listen.uds.path", "\"\"", ": empty"),
    ("check.listen.uds.mode", "\"0999\"", ": not octal"),
    ("check.listen.uds.mode", "\"1777\"", ": more than permission bits"),
    ("check.listen.uds.group", "wheel", ": not a whole number"),
    ("check.listen.uds.allow_uids", "[@root]", "[0]: not a number"),
    ("check.listen.tcp.address", "\"0.0.0.0:9191\"", ": not accepted"),
    ("check.listen.tcp.address", "localhost", ": not an address"),
    ("check.listen.tcp.allow_remote", "maybe", ": not a truth value"),
    ("check.listen.mtls.address", "\"0.0.0.0:99999\"", ": not an address"),
    ("check.listen.mtls.allow", "[]", ": not accepted"),
    (
        "check.listen.mtls.allow",
        "['spiffe://example.org/.*']",
        ": not accepted",
    ),
    ("check.listen.mtls.allow", "[@'^spiffe://(']", "[0]: "),
    ("check.pilot", "king", ": not a known word"),
    ("check.max_message", "1", ": not accepted"),
    ("check.max_message", "64 apples", ": "),
    ("check.max_in_flight", "0", ": out of range"),
    ("check.max_concurrent_streams", "-1", ": not a whole number"),
    ("check.read_timeout", "0s", ": not accepted"),
    ("cache.ttl", "2h", ": not accepted"),
    ("cache.max_entries", "\"1000\"", ": "),
    ("cache.max_bytes", "1KiB", ": not accepted"),
    ("feed.mode", "both", ": not a known word"),
    ("audit.to", "\"file:\"", ": the path is missing"),
    ("audit.to", "syslog", ": not a known target"),
    ("audit.queue", "0", ": out of range"),
    ("audit.when_full", "wait", ": not a known word"),
    ("audit.rotate.size", "2TiB", ": "),
    ("audit.rotate.age", "367d", ": not a time span"),
    ("audit.rotate.keep", "-1", ": not a whole number"),
    ("audit.key", "[a]", ": a list, not a single value"),
    ("nexus.listen", "\"localhost:8553\"", ": not an address"),
    ("nexus.store.backend", "mysql", ": not a known word"),
    ("nexus.store.dir", "/etc/spike", ": not accepted"),
    ("nexus.store.key", "keeper", ": not a known word"),
    ("nexus.store.key_file", "5", ": a number, not a text"),
    ("nexus.store.credential", "\"\"", ": empty"),
    (
        "nexus.store.credentials_directory",
        "[/run]",
        ": a list, not a single value",
    ),
    ("nexus.store.max_secret_versions", "0", ": out of range"),
    ("nexus.store.queue", "65537", ": out of range"),
    ("nexus.store.anchor", "[none]", ": a list, not a single value"),
    (
        "nexus.keepers.peers",
        "[\"https://k1\", @\"http://k2\", \"https://k3\"]",
        "[1]: not an https address",
    ),
    (
        "nexus.keepers.peers",
        "[\"https://k1\", \"https://k2\", \"https://k1\"]",
        ": not accepted",
    ),
    ("nexus.keepers.update_interval", "0s", ": not accepted"),
    ("nexus.keepers.timeout", "2h", ": not accepted"),
    ("nexus.cipher.open_official", "often", ": not a truth value"),
    ("nexus.trust_roots.nexus", "Example.org", ": "),
    ("nexus.trust_roots.pilot", "\"\"", ": "),
    (
        "nexus.trust_roots.lite_workload",
        "[example.org]",
        ": a list, not a single value",
    ),
    ("nexus.trust_roots.keeper", "a b", ": "),
    ("nexus.trust_roots.bootstrap", "\"a,,b\"", ": "),
    ("nexus.policy.require_anchors", "yess", ": not a truth value"),
    ("nexus.shamir.shares", "1001", ": out of range"),
    ("nexus.shamir.threshold", "0", ": out of range"),
    ("nexus.shamir.threshold", "4", ": 4 of 3 shares"),
    ("nexus.limits.connections", "0", ": out of range"),
    ("nexus.limits.connections_per_peer", "many", ": not a whole number"),
    ("nexus.limits.handshake", "1", ": not a time span"),
    ("nexus.limits.header", "1ns", ": not accepted"),
    ("nexus.limits.body", "-1s", ": negative"),
    ("nexus.limits.body_bytes", "1", ": not accepted"),
    ("nexus.limits.idle", "2h", ": not accepted"),
    ("admin.listen", "\"0.0.0.0:9901\"", ": not accepted"),
    ("admin.listen", "\"unix:\"", ": "),
    ("drain.notice", "-1s", ": negative"),
    ("drain.deadline", "2h", ": not accepted"),
    ("log.level", "loud", ": not a known word"),
    ("log.format", "xml", ": not a known word"),
];

/// `spike-ext-authz` apart from Nexus.
pub(crate) const REMOTE: &[Good] = &[
    ("check.trust_domains", "[example.org]"),
    ("check.listen.uds.path", "/run/spike/ext-authz.sock"),
    ("cache.ttl", "1s"),
    ("feed.mode", "remote"),
    ("feed.url", "https://localhost:8553"),
    ("feed.max_age", "5s"),
    ("feed.on_stale", "serve"),
    ("trust_roots.nexus", "example.org"),
    ("trust_roots.pilot", "example.org"),
];

/// What is wrong only there.
pub(crate) const WRONG_REMOTE: &[Wrong] = &[
    ("cache.ttl", "0s", ": 0s reads the store for each Check"),
    ("feed.url", "http://localhost:8553", ": not the address of a Nexus"),
    ("feed.url", "https://", ": "),
    ("feed.max_age", "1ms", ": not accepted"),
    ("feed.on_stale", "shrug", ": not a known word"),
    ("trust_roots.nexus", "Example.org", ": "),
    ("trust_roots.pilot", "[example.org]", ": a list, not a single value"),
];

/// `spike-dev-agent`.
pub(crate) const AGENT: &[Good] = &[
    ("directory", "/tmp/dev-agent"),
    ("socket", "agent.sock"),
    ("trust_domain", "example.org"),
    ("federated", "[partner.test]"),
    ("svid_ttl", "1h"),
    ("jwt_ttl", "5m"),
    ("ca_ttl", "24h"),
    ("authority", "authority"),
    ("entries[0].spiffe_id", "/workload/web"),
    ("entries[0].socket", "web.sock"),
    ("entries[0].selectors", "['unix:uid:1000']"),
    ("entries[0].dns", "[localhost]"),
    ("entries[0].hint", "inner"),
    ("log.level", "info"),
    ("log.format", "text"),
];

/// What is wrong for it.
pub(crate) const WRONG_AGENT: &[Wrong] = &[
    ("directory", "\"\"", ": empty"),
    ("socket", "[a]", ": a list, not a single value"),
    ("trust_domain", "Example.org", ": "),
    ("trust_domain", "5", ": a number, not a text"),
    ("federated", "[partner.test, @\"B C\"]", "[1]: "),
    (
        "federated",
        "[partner.test, partner.test]",
        ": a trust domain is named twice",
    ),
    ("svid_ttl", "1s", ": not accepted"),
    ("svid_ttl", "5h", ": an SVID must live at most a sixth"),
    ("jwt_ttl", "0s", ": not accepted"),
    ("ca_ttl", "for ever", ": not a time span"),
    ("authority", "{a: b}", ": a mapping, not a single value"),
    ("entries[0].spiffe_id", "workload", ": "),
    (
        "entries[0].spiffe_id",
        "spiffe://stranger.org/x",
        ": of a trust domain that the agent",
    ),
    ("entries[0].socket", "agent.sock", ": this is the common socket"),
    ("entries[0].selectors", "[@unix:uid:me]", "[0]: not a selector"),
    ("entries[0].dns", "[@a_b]", "[0]: not a host name"),
    ("entries[0].hint", "[x]", ": a list, not a single value"),
    ("log.level", "1", ": not a known word"),
    ("log.format", "2", ": not a known word"),
];

/// Keys without which nothing can run, with their program's table.
pub(crate) const REQUIRED: &[(Table, &str)] = &[
    (Table::Embedded, "check.trust_domains"),
    (Table::Embedded, "check.listen.uds.path"),
    (Table::Embedded, "check.listen.tcp.address"),
    (Table::Embedded, "check.listen.mtls.address"),
    (Table::Embedded, "check.listen.mtls.allow"),
    (Table::Agent, "directory"),
    (Table::Agent, "trust_domain"),
    (Table::Agent, "entries[0].spiffe_id"),
];

/// A variable of the environment, a wrong value, and the key that it gives.
pub(crate) const VARIABLES: &[(&str, &str, &str)] = &[
    ("SPIFFE_ENDPOINT_SOCKET", "\u{0}", "identity.socket"),
    ("SPIKE_NEXUS_TLS_PORT", "8553x", "nexus.listen"),
    ("SPIKE_NEXUS_BACKEND_STORE", "mysql", "nexus.store.backend"),
    ("SPIKE_NEXUS_DATA_DIR", "/etc", "nexus.store.dir"),
    ("CREDENTIALS_DIRECTORY", "\u{0}", "nexus.store.credentials_directory"),
    (
        "SPIKE_NEXUS_MAX_SECRET_VERSIONS",
        "ten",
        "nexus.store.max_secret_versions",
    ),
    ("SPIKE_TRUST_ROOT_NEXUS", "A B", "nexus.trust_roots.nexus"),
    ("SPIKE_TRUST_ROOT_PILOT", "a,,b", "nexus.trust_roots.pilot"),
    ("SPIKE_TRUST_ROOT_LITE_WORKLOAD", "A", "nexus.trust_roots.lite_workload"),
    ("SPIKE_TRUST_ROOT_KEEPER", "A", "nexus.trust_roots.keeper"),
    ("SPIKE_TRUST_ROOT_BOOTSTRAP", "A", "nexus.trust_roots.bootstrap"),
    (
        "SPIKE_NEXUS_KEEPER_PEERS",
        "https://k1,https://k1",
        "nexus.keepers.peers",
    ),
    (
        "SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL",
        "5",
        "nexus.keepers.update_interval",
    ),
    ("SPIKE_NEXUS_SHAMIR_SHARES", "0", "nexus.shamir.shares"),
    ("SPIKE_NEXUS_SHAMIR_THRESHOLD", "none", "nexus.shamir.threshold"),
    ("SPIKE_HTTP_SERVER_READ_HEADER_TIMEOUT", "10", "nexus.limits.header"),
    ("SPIKE_SYSTEM_LOG_LEVEL", "loud", "log.level"),
    ("SPIKE_NEXUS_API_URL", "localhost", "feed.url"),
];

/// Which program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// `spike-ext-authz`, Nexus in the same process.
    Embedded,
    /// `spike-ext-authz`, Nexus elsewhere.
    Remote,
    /// `spike-nexus`
    Nexus,
    /// `spike-dev-agent`
    Agent,
}

impl Table {
    pub(crate) const ALL: [Self; 4] = [Self::Embedded, Self::Remote, Self::Nexus, Self::Agent];

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Embedded | Self::Remote => "spike-ext-authz",
            Self::Nexus => "spike-nexus",
            Self::Agent => "spike-dev-agent",
        }
    }

    /// The flag that only checks; the agent has none.
    pub(crate) fn check(self) -> Option<&'static str> {
        match self {
            Self::Embedded | Self::Remote => Some("--check-config"),
            Self::Nexus => Some("--check"),
            Self::Agent => None,
        }
    }

    /// Every key, each with a right value.
    pub(crate) fn good(self) -> Vec<Good> {
        match self {
            Self::Embedded => EMBEDDED.to_vec(),
            Self::Remote => REMOTE.to_vec(),
            Self::Nexus => EMBEDDED.iter().copied().filter(|(key, _)| is_nexus(key)).collect(),
            Self::Agent => AGENT.to_vec(),
        }
    }

    /// Every key, each with wrong values.
    pub(crate) fn wrong(self) -> Vec<Wrong> {
        match self {
            Self::Embedded => WRONG.to_vec(),
            Self::Remote => WRONG_REMOTE.to_vec(),
            Self::Nexus => WRONG.iter().copied().filter(|(key, ..)| is_nexus(key)).collect(),
            Self::Agent => WRONG_AGENT.to_vec(),
        }
    }
}

fn is_nexus(key: &str) -> bool {
    ["nexus.", "identity.", "audit.", "admin.", "drain.", "log."]
        .iter()
        .any(|section| key.starts_with(section))
}
