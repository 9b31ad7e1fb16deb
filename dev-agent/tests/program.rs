//! The program: its ready line, its exit codes, its faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_spike-dev-agent");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_says_that_it_is_not_for_production() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("NOT FOR PRODUCTION"));
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    for arguments in [
        &[][..],
        &["--nonsense"],
        &["--config"],
        &["--config", "x", "--set", "y"],
        &["fetch"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_78_and_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.yaml");
    std::fs::write(&file, "trust_domain: example.org\nsvid_ttl: soon\nentrys: []\n").unwrap();
    let path = file.to_str().unwrap();
    let output = run(&["--config", path, "--set", "log.levl=info"]);
    assert_eq!(output.status.code(), Some(78));
    let lines = text(&output.stderr);
    for start in [
        format!("{path}:1:1: directory: missing"),
        format!("{path}:2:11: svid_ttl: not a time span: \"soon\""),
        format!("{path}:3:1: entrys: unknown key (did you mean `entries`?)"),
        "flag log.levl: unknown key (did you mean `level`?)".to_owned(),
    ] {
        assert!(
            lines.lines().any(|line| line.starts_with(&start)),
            "{start}\nis missing in\n{lines}"
        );
    }
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert_eq!(run(&["--config", "/nonexistent"]).status.code(), Some(78));
}

#[test]
fn it_says_when_it_is_ready_and_leaves_no_socket_behind() {
    let directory = tempfile::tempdir().unwrap();
    let run_directory = directory.path().join("run");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/dev-agent.yaml");
    let set = format!("directory={}", run_directory.display());
    let mut command = Command::new(PROGRAM);
    command
        .arg("--config")
        .arg(sample)
        .args(["--set", &set])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut agent = command.spawn().unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    let ready = lines.next().unwrap().unwrap();
    assert_eq!(
        ready,
        "spike-dev-agent (NOT FOR PRODUCTION) ready: trust domain example.org, 6 identities"
    );
    let socket = run_directory.join("web.sock");
    let files = directory.path().join("svid");
    let fetched = run(&[
        "fetch",
        "--socket",
        socket.to_str().unwrap(),
        "--write",
        files.to_str().unwrap(),
    ]);
    assert_eq!(fetched.status.code(), Some(0), "{}", text(&fetched.stderr));
    assert!(text(&fetched.stdout).starts_with("spiffe://example.org/workload/web written to "));

    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = agent.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let log = text(&output.stderr);
    assert!(log.contains("NOT FOR PRODUCTION") && log.contains("stopping"), "{log}");
    assert_eq!(std::fs::read_dir(&run_directory).unwrap().count(), 0);
    let gone = run(&[
        "fetch",
        "--socket",
        socket.to_str().unwrap(),
        "--write",
        files.to_str().unwrap(),
    ]);
    assert_eq!(gone.status.code(), Some(69));
}
