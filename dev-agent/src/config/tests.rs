#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use spike_runtime::config::{Environment, Faults, Layers};
use spike_runtime::logging;

use super::*;

fn load(text: &str) -> Result<Config, Faults> {
    let layers = Layers::from_text("agent.yaml", text, Environment::default(), &[]);
    let config = Config::read(&layers.root());
    logging::Settings::read(&layers.root().section("log"));
    layers.finish().map(|_| config.unwrap())
}

#[test]
fn the_shipped_configuration_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/dev-agent.yaml");
    let config = load(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(config.trust_domain.as_str(), "example.org");
    let entries: Vec<_> = config
        .entries
        .iter()
        .map(|entry| (entry.spiffe_id.path(), entry.socket.as_deref()))
        .collect();
    let expected = [
        ("/spike/nexus", "nexus.sock"),
        ("/spike/ext-authz", "ext-authz.sock"),
        ("/spike/pilot/role/superuser", "pilot.sock"),
        ("/workload/web", "web.sock"),
        ("/workload/db", "db.sock"),
        ("/envoy/edge", "envoy.sock"),
    ];
    assert_eq!(entries, expected.map(|(id, socket)| (id, Some(Path::new(socket)))));
}

#[test]
fn an_identity_may_be_in_a_federated_trust_domain() {
    let text = "{directory: run, trust_domain: a.org, federated: [b.org], entries: \
                [{spiffe_id: /x, socket: x.sock, hint: inner}, {spiffe_id: 'spiffe://b.org/y', socket: y.sock}]}";
    let config = load(text).unwrap();
    let ids: Vec<_> = config.entries.iter().map(|entry| entry.spiffe_id.to_string()).collect();
    assert_eq!(ids, ["spiffe://a.org/x", "spiffe://b.org/y"]);
    assert_eq!(config.entries.first().unwrap().hint, "inner");
}

#[test]
fn every_fault_is_reported_at_once() {
    let text = "\
trust_domain: Example.org
svid_ttl: 1s
ca_ttl: 1m
federated: [b.org, b.org]
entries:
  - spiffe_id: /x
  - spiffe_id: workload
    socket: x.sock
  - spiffe_id: /y
    selectors: [unix:uid:me, k8s:ns:a]
    sockt: y.sock
  - socket: z.sock
";
    let faults = load(text).unwrap_err().to_string();
    let expected = [
        "agent.yaml:1:1: directory: missing",
        "agent.yaml:1:15: trust_domain: ",
        "agent.yaml:2:11: svid_ttl: not accepted: \"1s\" (from 2s to 8760h)",
        "agent.yaml:2:11: svid_ttl: an SVID must live at most a sixth",
        "agent.yaml:4:12: federated: a trust domain is named twice",
        "agent.yaml:6:5: entries[0]: nobody could get this identity",
        "agent.yaml:7:16: entries[1].spiffe_id: ",
        "agent.yaml:9:5: entries[2]: nobody could get this identity",
        "agent.yaml:10:17: entries[2].selectors[0]: not a selector: \"unix:uid:me\" (unix:uid:NUMBER",
        "agent.yaml:10:30: entries[2].selectors[1]: not a selector: \"k8s:ns:a\"",
        "agent.yaml:11:5: entries[2].sockt: unknown key (did you mean `socket`?)",
        "agent.yaml:12:5: entries[3].spiffe_id: missing",
    ];
    for (line, start) in faults.lines().zip(expected) {
        assert!(
            line.starts_with(start),
            "{line}\nshould start with\n{start}\nin\n{faults}"
        );
    }
    assert_eq!(faults.lines().count(), expected.len(), "{faults}");
}

#[test]
fn selectors_and_sockets_must_fit_the_common_socket() {
    let text = "{directory: d, trust_domain: a.org, entries: [{spiffe_id: /x, selectors: ['unix:uid:1']}]}";
    let faults = load(text).unwrap_err().to_string();
    assert!(
        faults.contains("entries[0].selectors: selectors need the common `socket`"),
        "{faults}"
    );
    let text = "{directory: d, trust_domain: a.org, socket: a.sock, entries: [{spiffe_id: /x, socket: a.sock}]}";
    let faults = load(text).unwrap_err().to_string();
    assert!(
        faults.contains("entries[0].socket: this is the common socket"),
        "{faults}"
    );
}

#[test]
fn an_identity_of_a_stranger_or_of_a_whole_trust_domain_is_refused() {
    for id in [
        "spiffe://b.org/x",
        "spiffe://a.org",
        "/",
        "//x",
        "/x/",
        "spiffe://a.org/x y",
    ] {
        let text = format!("{{directory: d, trust_domain: a.org, entries: [{{spiffe_id: '{id}', socket: x.sock}}]}}");
        let faults = load(&text).unwrap_err().to_string();
        assert!(faults.contains("entries[0].spiffe_id: "), "{id}: {faults}");
    }
}

#[test]
fn selectors_are_shown_as_they_are_read() {
    for text in ["unix:uid:0", "unix:gid:4294967295", "unix:path:/usr/bin/app"] {
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "unix",
        "unix:uid",
        "unix:uid:",
        "unix:uid:-1",
        "unix:path:app",
        "unix:sha256:00",
        "uid:1",
    ] {
        assert!(text.parse::<Selector>().is_err(), "{text}");
    }
}
