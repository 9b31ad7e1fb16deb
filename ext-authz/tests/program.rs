//! The program: its configuration files, its exit codes and its ready line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spike-ext-authz"));
    command.env_clear().env("HOME", "/nonexistent");
    command
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name)
}

fn check_config(file: &Path, more: &[&str]) -> Output {
    program()
        .arg("--config")
        .arg(file)
        .arg("--check-config")
        .args(more)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_shipped_configurations_are_good() {
    for (name, line) in [
        ("ext-authz.yaml", "feed.mode: \"embedded\""),
        ("ext-authz-remote.yaml", "feed.mode: \"remote\""),
    ] {
        let output = check_config(&shipped(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(line), "{name}");
    }
}

#[test]
fn a_bad_configuration_tells_every_fault_with_its_place_and_ends_with_78() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.yaml");
    let bad = "check:\n  trust_domains: [Example.org]\n  pilot: god\n  listen: {tcp: {address: '0.0.0.0:1'}}\nchek: {}\n\
               nexus: {listen: nowhere}\n";
    std::fs::write(&file, bad).unwrap();
    let output = check_config(&file, &["--set", "cache.ttl=soon"]);
    assert_eq!(output.status.code(), Some(78));
    let faults = text(&output.stderr);
    for key in [
        "check.trust_domains",
        "check.pilot",
        "check.listen.tcp.address",
        "chek",
        "nexus.listen",
        "cache.ttl",
    ] {
        assert!(faults.contains(key), "{key}: {faults}");
    }
    assert!(faults.contains("bad.yaml:3:"), "{faults}");
    let missing = check_config(&directory.path().join("none.yaml"), &[]);
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn the_command_line_has_its_own_exit_codes() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["--nonsense"], 64),
        (&["--set", "x"], 64),
    ] {
        assert_eq!(
            program().args(arguments).output().unwrap().status.code(),
            Some(code),
            "{arguments:?}"
        );
    }
}

#[test]
fn without_an_agent_it_ends_with_69_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("identity.socket=unix://{}/agent.sock", directory.path().display());
    let output = program()
        .arg("--config")
        .arg(shipped("ext-authz-remote.yaml"))
        .args([
            "--set",
            &socket,
            "--set",
            "identity.wait=300ms",
            "--set",
            "admin.listen=127.0.0.1:0",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no identity from the SPIFFE Workload API"));
}

#[test]
fn a_signal_before_there_is_an_identity_ends_it_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("identity.socket=unix://{}/agent.sock", directory.path().display());
    let mut child = program()
        .arg("--config")
        .arg(shipped("ext-authz-remote.yaml"))
        .args(["--set", &socket, "--set", "admin.listen=127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting for an identity")));
    let killed = Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
