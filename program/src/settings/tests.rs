#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use spike_runtime::config::{Environment, Layers};

use super::*;

fn read(file: &str, variables: &[(&str, &str)]) -> Result<String, String> {
    let layers = Layers::from_text("it.yaml", file, Environment::from_pairs(variables.iter().copied()), &[]);
    let drain = Drain::read(&layers.root().section("drain"));
    match Settings::read(&layers.root(), drain).finish(layers) {
        Ok(configuration) => Ok(configuration.effective.to_string()),
        Err(faults) => Err(faults.to_string()),
    }
}

#[test]
fn every_setting_has_a_value_where_nothing_is_said() {
    let expected = "\
drain.notice: \"0s\" # default
drain.deadline: \"10s\" # default
identity.socket: \"unix:///tmp/spire-agent/public/api.sock\" # default
identity.wait: null # default
admin.listen: null # default
log.level: \"warn\" # default
log.format: \"json\" # default
";
    assert_eq!(read("", &[]).unwrap(), expected);
}

#[test]
fn the_socket_of_the_file_gives_way_to_the_variable_that_every_spiffe_program_reads() {
    let file = "identity: {socket: unix:///a.sock, wait: 3s}\n";
    let said = read(file, &[]).unwrap();
    assert!(
        said.contains("identity.socket: \"unix:///a.sock\" # it.yaml:1:20\n"),
        "{said}"
    );
    let said = read(file, &[("SPIFFE_ENDPOINT_SOCKET", "unix:///b.sock")]).unwrap();
    let line = "identity.socket: \"unix:///b.sock\" # environment SPIFFE_ENDPOINT_SOCKET\n";
    assert!(said.contains(line), "{said}");
}

#[test]
fn every_fault_is_told_at_once() {
    let file = "identity: {socket: somewhere, wait: long}\nadmin: {listen: 10.0.0.1:1}\nlog: {levle: info}\n";
    let said = read(file, &[]).unwrap_err();
    let keys = ["identity.socket: ", "identity.wait: ", "admin.listen: ", "log.levle: "];
    assert_eq!(said.lines().count(), keys.len(), "{said}");
    for (line, key) in said.lines().zip(keys) {
        assert!(line.contains(key), "{line}");
    }
}
