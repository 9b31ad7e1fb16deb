#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Backend {
    Redb,
    Memory,
}

const BACKENDS: &[(&str, Backend)] = &[
    ("redb", Backend::Redb),
    ("sqlite", Backend::Redb),
    ("memory", Backend::Memory),
];

#[derive(Debug, PartialEq)]
struct Sample {
    listen: SocketAddr,
    max_age: Duration,
    body: u64,
    versions: u64,
    backend: Backend,
    strict: bool,
    domains: Vec<String>,
    methods: Vec<(String, String)>,
    token: Option<PathBuf>,
}

fn read(layers: &Layers) -> Sample {
    let nexus = layers.root().section("nexus");
    let check = layers.root().section("check");
    Sample {
        listen: nexus
            .key("listen")
            .env("SPIKE_NEXUS_TLS_PORT")
            .socket_addr()
            .or(([127, 0, 0, 1], 8553).into()),
        max_age: check
            .key("max_age")
            .duration()
            .between(Duration::from_millis(100)..=Duration::from_secs(60))
            .or(Duration::from_secs(5)),
        body: check.key("body").size().or(65_536),
        versions: nexus
            .key("max_versions")
            .env("SPIKE_NEXUS_MAX_SECRET_VERSIONS")
            .u64(1..=1000)
            .or(10),
        backend: nexus
            .key("backend")
            .env("SPIKE_NEXUS_BACKEND_STORE")
            .one_of(BACKENDS)
            .or(Backend::Redb),
        strict: check.key("strict").bool().or(false),
        domains: check.key("trust_domains").strings().or(vec!["example.org".to_owned()]),
        methods: check.key("methods").map("a permission", known_permission).or_default(),
        token: nexus.key("token").secret().path().optional(),
    }
}

fn known_permission(word: &str) -> Result<String, &'static str> {
    if ["read", "write"].contains(&word) {
        Ok(word.to_owned())
    } else {
        Err("not a permission")
    }
}

trait OrDefault {
    fn or_default(self) -> Vec<(String, String)>;
}

impl OrDefault for Setting<'_, std::collections::BTreeMap<String, String>> {
    fn or_default(self) -> Vec<(String, String)> {
        self.or(std::collections::BTreeMap::new()).into_iter().collect()
    }
}

fn load(text: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> (Sample, Result<Effective, Faults>) {
    let flags: Vec<_> = flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let layers = Layers::from_text(
        "spike.yaml",
        text,
        Environment::from_pairs(environment.iter().copied()),
        &flags,
    );
    let sample = read(&layers);
    (sample, layers.finish())
}

fn faults(text: &str) -> String {
    load(text, &[], &[]).1.unwrap_err().to_string()
}

#[test]
fn nothing_given_means_the_built_in_values() {
    let (sample, effective) = load("", &[], &[]);
    let expected = Sample {
        listen: "127.0.0.1:8553".parse().unwrap(),
        max_age: Duration::from_secs(5),
        body: 65_536,
        versions: 10,
        backend: Backend::Redb,
        strict: false,
        domains: vec!["example.org".to_owned()],
        methods: Vec::new(),
        token: None,
    };
    assert_eq!(sample, expected);
    assert!(
        effective
            .unwrap()
            .values()
            .iter()
            .all(|value| value.origin == Origin::Default)
    );
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = "nexus:\n  max_versions: 2\n";
    let environment = [("SPIKE_NEXUS_MAX_SECRET_VERSIONS", "3")];
    let flags = [("nexus.max_versions", "4"), ("nexus.max_versions", "5")];
    let versions = |(sample, result): (Sample, Result<Effective, Faults>)| {
        let key = |value: &&EffectiveValue| value.key == "nexus.max_versions";
        (
            sample.versions,
            result.unwrap().values().iter().find(key).unwrap().origin.to_string(),
        )
    };
    assert_eq!(versions(load("", &[], &[])), (10, "default".to_owned()));
    assert_eq!(versions(load(file, &[], &[])), (2, "spike.yaml:2:17".to_owned()));
    assert_eq!(
        versions(load(file, &environment, &[])),
        (3, "environment SPIKE_NEXUS_MAX_SECRET_VERSIONS".to_owned())
    );
    assert_eq!(
        versions(load(file, &environment, &flags)),
        (5, "flag nexus.max_versions".to_owned())
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let (sample, result) = load("", &[("SPIKE_NEXUS_MAX_SECRET_VERSIONS", "")], &[]);
    assert!(result.is_ok());
    assert_eq!(sample.versions, 10);
}

#[test]
fn every_fault_is_reported_at_once_in_reading_order() {
    let text = "\
nexus:
  listen: localhost:8553
  max_versions: 0
  backend: postgres
  backend: redb
  tokn: /run/token
check:
  max_age: 5 parsecs
  body: 12XB
  strict: \"yes\"
  trust_domains: [example.org, 12, {a: b}]
  methods: {GET: read, POST: destroy}
chekc: {}
";
    let environment = [
        ("SPIKE_NEXUS_TLS_PORT", "8553"),
        ("SPIKE_NEXUS_MAX_SECRET_VERSIONS", "many"),
    ];
    let (_, result) = load(
        text,
        &environment,
        &[("check.max_ag", "1s"), ("check.strict", "perhaps")],
    );
    let expected = "\
spike.yaml:2:11: nexus.listen: not an address: \"localhost:8553\" (an IP address and a port, such as 127.0.0.1:8553, [::1]:8553 or :8553)
spike.yaml:3:17: nexus.max_versions: out of range: \"0\" (a whole number from 1 to 1000)
spike.yaml:4:12: nexus.backend: not a known word: \"postgres\" (one of redb, sqlite, memory)
spike.yaml:5:3: nexus.backend: repeated key (first given at line 4, column 3)
spike.yaml:6:3: nexus.tokn: unknown key (did you mean `token`?)
spike.yaml:8:12: check.max_age: not a time span: \"5 parsecs\" (a number and a unit of ns, us, ms, s, m, h; such as 250ms, 5s, 1h30m)
spike.yaml:9:9: check.body: not a size: \"12XB\" (bytes, or a number and a unit of KiB, MiB, GiB, KB, MB, GB)
spike.yaml:10:11: check.strict: a text: remove the quotes: \"yes\" (true or false)
spike.yaml:11:32: check.trust_domains[1]: a number, not a text: put it in quotes: \"12\" (a text, not empty)
spike.yaml:11:36: check.trust_domains[2]: a mapping, not a single value (a text, not empty)
spike.yaml:12:30: check.methods.POST: not a permission: \"destroy\" (a permission)
spike.yaml:13:1: chekc: unknown key (did you mean `check`?)
environment SPIKE_NEXUS_MAX_SECRET_VERSIONS: nexus.max_versions: not a whole number: \"many\" (a whole number from 1 to 1000)
environment SPIKE_NEXUS_TLS_PORT: nexus.listen: not an address: \"8553\" (an IP address and a port, such as 127.0.0.1:8553, [::1]:8553 or :8553)
flag check.max_ag: unknown key (did you mean `max_age`?)
flag check.strict: check.strict: not a truth value: \"perhaps\" (true or false)";
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[test]
fn a_rule_on_top_of_a_form_is_reported_with_the_value() {
    let expected = "spike.yaml:1:18: check.max_age: not accepted: \"2m\" (from 100ms to 1m)";
    assert_eq!(faults("check: {max_age: 2m}"), expected);
}

#[test]
fn the_value_of_a_secret_key_is_never_shown() {
    let canary = "s3cr3t-canary";
    let (_, result) = load(&format!("nexus:\n  token: \"{canary}\\0\"\n"), &[], &[]);
    let text = result.unwrap_err().to_string();
    assert!(text.contains("nexus.token: not a path"), "{text}");
    assert!(!text.contains(canary), "{text}");

    let (sample, result) = load(&format!("nexus: {{token: {canary}}}"), &[], &[]);
    assert_eq!(sample.token.as_deref(), Some(Path::new(canary)));
    let effective = result.unwrap();
    assert!(!effective.to_string().contains(canary));
    assert!(!effective.to_json().to_string().contains(canary));
    assert!(
        effective
            .to_string()
            .contains("nexus.token: \"(secret)\" # spike.yaml:1:16"),
        "{effective}"
    );
}

#[test]
fn a_missing_file_is_one_fault_and_required_keys_are_not_missed_twice() {
    let layers = Layers::load(Some(Path::new("/nonexistent/spike.yaml")), Environment::default(), &[]);
    assert_eq!(layers.root().key("trust_domain").string().required(), None);
    let text = layers.finish().unwrap_err().to_string();
    assert_eq!(
        text,
        "/nonexistent/spike.yaml: cannot read the configuration file: no such file or directory"
    );
}

#[test]
fn a_file_that_is_not_text_or_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spike.yaml");
    for (bytes, what) in [
        (b"a: \xff\n".to_vec(), "not UTF-8 from byte 3 on"),
        (vec![b'#'; (1 << 20) + 1], "larger than 1048576 bytes"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let text = Layers::load(Some(&path), Environment::default(), &[])
            .finish()
            .unwrap_err()
            .to_string();
        assert!(text.ends_with(what), "{text}");
    }
    let text = Layers::load(Some(directory.path()), Environment::default(), &[])
        .finish()
        .unwrap_err()
        .to_string();
    assert!(text.contains("is a directory"), "{text}");
}

#[test]
fn what_is_required_and_missing_points_at_its_section() {
    let layers = Layers::from_text(
        "a.yaml",
        "x: 1\nidentity:\n  kind: spire\n",
        Environment::default(),
        &[],
    );
    let root = layers.root();
    assert!(root.key("x").u64(0..=1).optional().is_some());
    let identity = root.section("identity");
    assert_eq!(identity.key("kind").string().optional().as_deref(), Some("spire"));
    assert_eq!(
        identity.key("socket").env("SPIFFE_ENDPOINT_SOCKET").string().required(),
        None
    );
    assert_eq!(root.key("name").string().required(), None);
    let expected = "a.yaml:1:1: name: missing\n\
                    a.yaml:3:3: identity.socket: missing (give it in the file, or set SPIFFE_ENDPOINT_SOCKET)";
    assert_eq!(layers.finish().unwrap_err().to_string(), expected);

    let layers = Layers::load(None, Environment::default(), &[]);
    assert_eq!(layers.root().key("name").string().required(), None);
    assert_eq!(layers.finish().unwrap_err().to_string(), "configuration: name: missing");
}

#[test]
fn a_list_of_sections_names_its_elements_in_faults() {
    let text = "entries:\n  - id: a\n    ttl: 1s\n  - id: 7\n    tll: 1s\n  - plain\n";
    let layers = Layers::from_text("a.yaml", text, Environment::default(), &[]);
    let sections = layers.root().sections("entries");
    assert_eq!(sections.len(), 3);
    for section in &sections {
        section.key("id").string().optional();
        section.key("ttl").duration().optional();
    }
    let expected = "a.yaml:4:9: entries[1].id: a number, not a text: put it in quotes: \"7\" (a text, not empty)\n\
                    a.yaml:5:5: entries[1].tll: unknown key (did you mean `ttl`?)\n\
                    a.yaml:6:5: entries[2]: not a mapping (write `key: value` lines below it)";
    assert_eq!(layers.finish().unwrap_err().to_string(), expected);
}

#[test]
fn an_optional_section_is_there_when_the_file_or_a_flag_names_it() {
    let there = |text: &str, flags: &[(String, String)]| {
        let layers = Layers::from_text("a.yaml", text, Environment::default(), flags);
        layers.root().optional_section("tls").is_some()
    };
    assert!(!there("", &[]));
    assert!(there("tls:\n", &[]));
    assert!(there("", &[("tls.listen".to_owned(), ":1".to_owned())]));
    assert!(!there("", &[("tlsx.listen".to_owned(), ":1".to_owned())]));
}

#[test]
fn a_caller_can_refuse_a_key_at_the_place_that_decided_it() {
    let flags = [("b".to_owned(), "2".to_owned())];
    let layers = Layers::from_text("a.yaml", "a: 1\nb: 1\n", Environment::default(), &flags);
    let root = layers.root();
    for name in ["a", "b"] {
        root.key(name).u64(0..=9).optional();
        root.refuse(name, "excludes the other");
    }
    let expected = "a.yaml:1:4: a: excludes the other\nflag b: b: excludes the other";
    assert_eq!(layers.finish().unwrap_err().to_string(), expected);
}

#[test]
fn a_file_key_must_name_a_readable_file() {
    let directory = tempfile::tempdir().unwrap();
    let there = directory.path().join("there");
    std::fs::write(&there, "x").unwrap();
    let cases = [
        (there.clone(), None),
        (
            directory.path().join("gone"),
            Some("cannot be read, no such file or directory"),
        ),
        (directory.path().to_owned(), Some("a directory")),
    ];
    for (path, fault) in cases {
        let text = format!("key: {}\n", path.display());
        let layers = Layers::from_text("a.yaml", &text, Environment::default(), &[]);
        let read = layers.root().key("key").file().optional();
        match (fault, layers.finish()) {
            (None, Ok(_)) => assert_eq!(read, Some(path)),
            (Some(what), Err(faults)) => assert!(faults.to_string().contains(what), "{faults}"),
            (fault, result) => panic!("{fault:?} expected, got {result:?}"),
        }
    }
}

#[test]
fn names_that_the_user_chooses_become_sections() {
    let text = "upstreams:\n  one: {port: 1}\n  two: {prot: 2}\n";
    let layers = Layers::from_text("a.yaml", text, Environment::default(), &[]);
    let sections = layers.root().named_sections("upstreams");
    let ports: Vec<_> = sections
        .iter()
        .map(|(name, s)| (name.as_str(), s.key("port").u64(0..=9).optional()))
        .collect();
    assert_eq!(ports, [("one", Some(1)), ("two", None)]);
    let expected = "a.yaml:3:9: upstreams.two.prot: unknown key (did you mean `port`?)";
    assert_eq!(layers.finish().unwrap_err().to_string(), expected);
}

#[test]
fn the_variables_of_this_process_can_be_read() {
    let layers = Layers::load(None, Environment::of_process(), &[]);
    assert!(layers.variable("PATH").is_some());
    assert_eq!(layers.variable("SPIKE_NO_SUCH_VARIABLE"), None);
}

#[test]
fn the_debug_form_of_the_environment_holds_no_values() {
    let environment = Environment::from_pairs([("SPIKE_TOKEN", "canary")]);
    assert_eq!(format!("{environment:?}"), r#"{"SPIKE_TOKEN"}"#);
}
