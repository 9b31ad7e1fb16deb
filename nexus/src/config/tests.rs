#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use std::path::PathBuf;

use spike_policy::{Role, TrustRoots};
use spike_runtime::config::{Environment, Faults, Layers};

use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Faults> {
    let environment = Environment::from_pairs(environment.iter().copied());
    let layers = Layers::from_text("nexus.yaml", text, environment, &[]);
    let config = Config::read(&layers.root(), Some(Path::new("/home/ada")));
    layers.finish().map(|_| config)
}

#[test]
fn nothing_said_means_what_official_clients_expect() {
    let config = read("{}", &[]).unwrap();
    assert_eq!(config.listen.port(), 8553);
    assert!(config.listen.ip().is_unspecified());
    let data = Path::new("/home/ada/.spike/data");
    assert_eq!(
        config.backend,
        Backend::Redb {
            database: data.join("nexus.redb"),
            root_key: RootKeySource::KeyFile(data.join("root.key"))
        }
    );
    assert_eq!((config.max_secret_versions.get(), config.queue.get()), (10, 1024));
    assert_eq!(config.limits, Limits::default());
    assert!(!config.rules.require_anchors);
    let nexus = "spiffe://spike.ist/spike/nexus".parse().unwrap();
    assert_eq!(config.rules.roles.of(&nexus), Role::Nexus);
}

#[test]
fn the_environment_keeps_the_names_of_spike() {
    let config = read(
        "{}",
        &[
            ("SPIKE_NEXUS_TLS_PORT", ":9553"),
            ("SPIKE_NEXUS_BACKEND_STORE", "SQLite"),
            ("SPIKE_NEXUS_DATA_DIR", "/var/lib/spike"),
            ("SPIKE_NEXUS_MAX_SECRET_VERSIONS", "3"),
            ("SPIKE_TRUST_ROOT_PILOT", "one.org, two.org"),
            ("SPIKE_TRUST_ROOT_NEXUS", "two.org"),
            ("SPIKE_HTTP_SERVER_READ_HEADER_TIMEOUT", "3s"),
        ],
    )
    .unwrap();
    assert_eq!((config.listen.port(), config.max_secret_versions.get()), (9553, 3));
    assert_eq!(config.limits.header, Duration::from_secs(3));
    let Backend::Redb { database, .. } = &config.backend else {
        panic!("sqlite is redb")
    };
    assert_eq!(database, Path::new("/var/lib/spike/data/nexus.redb"));
    for (id, role) in [
        ("spiffe://one.org/spike/pilot/role/superuser", Role::Superuser),
        ("spiffe://two.org/spike/pilot/ada", Role::Superuser),
        ("spiffe://spike.ist/spike/pilot/role/superuser", Role::Workload),
        ("spiffe://two.org/spike/nexus/1", Role::Nexus),
        ("spiffe://spike.ist/spike/workload/role/lite", Role::LiteWorkload),
    ] {
        assert_eq!(config.rules.roles.of(&id.parse().unwrap()), role, "{id}");
    }
}

#[test]
fn every_wrong_key_is_reported_at_once() {
    let text = "listen: nowhere\nlisten_on: x\ntrust_roots:\n  pilot: a,,b\nstore:\n  backend: light\n  dir: /etc/spike\n  \
                max_secret_versions: 0\n  queue: no\n  key_file: /k\n  credential: c\npolicy:\n  require_anchors: 7\n\
                limits:\n  connections: -1\n  body_bytes: 1\n  header: soon\n  handshake: 0s\n";
    let faults = read(text, &[]).unwrap_err().to_string();
    for key in [
        "listen:",
        "listen_on:",
        "trust_roots.pilot:",
        "store.backend:",
        "store.dir:",
        "store.max_secret_versions:",
        "store.queue:",
        "store.credential:",
        "policy.require_anchors:",
        "limits.connections:",
        "limits.body_bytes:",
        "limits.header:",
        "limits.handshake:",
    ] {
        assert!(faults.contains(&format!(": {key}")), "{key} is missing in:\n{faults}");
    }
    assert_eq!(faults.lines().count(), 13, "{faults}");
}

#[test]
fn a_credential_of_systemd_is_a_root_key() {
    let credential = |environment: &[(&str, &str)]| read("store: {credential: nexus.key}", environment);
    let config = credential(&[("CREDENTIALS_DIRECTORY", "/run/credentials/nexus")]).unwrap();
    let Backend::Redb { root_key, .. } = config.backend else {
        panic!("on disk")
    };
    let directory = PathBuf::from("/run/credentials/nexus");
    assert_eq!(
        root_key,
        RootKeySource::CredentialsDirectory {
            directory,
            name: "nexus.key".to_owned()
        }
    );
    assert!(
        credential(&[])
            .unwrap_err()
            .to_string()
            .contains("$CREDENTIALS_DIRECTORY")
    );
}

#[test]
fn operators_may_bring_the_root_key_and_its_shares_are_counted() {
    let config = read("store: {key: operator}", &[("HOME", "/home/a")]).unwrap();
    let Backend::Redb { root_key, .. } = config.backend else {
        panic!("on disk")
    };
    assert_eq!(root_key, RootKeySource::Operators);
    for (text, variables, fault) in [
        (
            "store: {key: operator, key_file: /k}",
            &[][..],
            "the root key has one source",
        ),
        ("shamir: {shares: 2, threshold: 3}", &[], "3 of 2 shares"),
        ("shamir: {shares: 1001}", &[], "shares"),
        ("", &[("SPIKE_NEXUS_SHAMIR_THRESHOLD", "4")], "4 of 3 shares"),
    ] {
        let faults = read(text, variables).unwrap_err().to_string();
        assert!(faults.contains(fault), "{text}: {faults}");
    }
    assert!(
        read(
            "",
            &[
                ("SPIKE_NEXUS_SHAMIR_SHARES", "5"),
                ("SPIKE_NEXUS_SHAMIR_THRESHOLD", "3")
            ]
        )
        .is_ok()
    );
}

const KEEPERS: &str = "https://k1:8443,https://k2:8443,https://k3:8443";

#[test]
fn keepers_bring_the_root_key_when_they_are_named_and_nothing_else_is() {
    let variables = [
        (
            "SPIKE_NEXUS_KEEPER_PEERS",
            "https://k1:8443, https://k2:8443,https://k3:8443/",
        ),
        ("SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL", "90s"),
        ("SPIKE_TRUST_ROOT_KEEPER", "keepers.org"),
    ];
    let config = read("", &variables).unwrap();
    assert_eq!(config.backend.root_key(), Some(&RootKeySource::Keepers));
    let keepers = config.keepers.unwrap();
    assert_eq!((keepers.peers.count(), keepers.update_interval.as_secs()), (3, 90));
    assert_eq!(keepers.trust_roots, TrustRoots::parse("keepers.org").unwrap());

    let list =
        "keepers: {peers: [\"https://k1\", \"https://k2\"], timeout: 2s}\nshamir: {shares: 2}\nstore: {key: keepers}";
    let config = read(list, &[]).unwrap();
    assert_eq!(config.backend.root_key(), Some(&RootKeySource::Keepers));
    let keepers = config.keepers.unwrap();
    assert_eq!((keepers.update_interval.as_secs(), keepers.timeout.as_secs()), (300, 2));

    for text in [
        "store: {key_file: /k}",
        "store: {key: file}",
        "store: {key: operator}",
        "store: {backend: memory}",
    ] {
        let config = read(text, &[("SPIKE_NEXUS_KEEPER_PEERS", KEEPERS)]).unwrap();
        assert_ne!(config.backend.root_key(), Some(&RootKeySource::Keepers), "{text}");
        assert!(config.keepers.is_none(), "{text}");
        assert!(
            config.warnings.iter().any(|warning| warning.contains("not asked")),
            "{text}"
        );
    }
}

#[test]
fn keepers_that_cannot_hold_the_key_are_refused() {
    for (text, peers, fault) in [
        (
            "",
            "https://k1,https://k2",
            "2 Keepers, but nexus.shamir.shares (SPIKE_NEXUS_SHAMIR_SHARES) is 3",
        ),
        ("shamir: {shares: 4}", KEEPERS, "3 Keepers, but nexus.shamir.shares"),
        ("", "https://k1,,https://k3", "blank"),
        ("", "https://k1,https://k2,https://K1/", "each Keeper once"),
        ("", "http://k1,https://k2,https://k3", "not an https address"),
        ("store: {key: keepers}", "", "`keepers` needs keepers.peers"),
        (
            "store: {key: keepers, key_file: /k}",
            KEEPERS,
            "the root key has one source",
        ),
        ("keepers: {update_interval: 0s}", KEEPERS, "keepers.update_interval"),
    ] {
        let faults = read(text, &[("SPIKE_NEXUS_KEEPER_PEERS", peers)])
            .unwrap_err()
            .to_string();
        assert!(faults.contains(fault), "{text} {peers}: {faults}");
        assert_eq!(faults.lines().count(), 1, "{text} {peers}: {faults}");
    }
}

#[test]
fn a_lite_nexus_has_a_root_key_and_nothing_else() {
    let variables = [
        ("SPIKE_NEXUS_BACKEND_STORE", "Lite"),
        ("SPIKE_NEXUS_KEEPER_PEERS", KEEPERS),
    ];
    let config = read("", &variables).unwrap();
    let root_key = RootKeySource::Keepers;
    assert_eq!(config.backend, Backend::Lite { root_key });
    assert!(config.keepers.is_some() && !config.rules.own_messages_only);
    let config = read(
        "store: {backend: lite, key_file: /k}\ncipher: {open_official: false}",
        &[],
    )
    .unwrap();
    let root_key = RootKeySource::KeyFile("/k".into());
    assert_eq!(config.backend, Backend::Lite { root_key });
    assert!(config.rules.own_messages_only);
}
