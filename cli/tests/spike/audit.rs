//! `spike audit verify`
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use spike_audit::{Journal, Line, Program, Rotate, Settings, Target};
use spike_runtime::SystemClock;
use spike_runtime::metrics::Registry;

use crate::run::spike;

/// Writes a log in three starts; each begins a file of its own.
fn log(path: &Path, key: Option<&Path>) {
    for start in 0..3 {
        let settings = Settings {
            rotate: Rotate {
                size: 1,
                ..Rotate::default()
            },
            key: key.map(Path::to_owned),
            ..Settings::to(Target::File(path.to_owned()))
        };
        let program = Program {
            name: "t",
            version: "0",
        };
        let clock = SystemClock::shared();
        let (journal, writer) = Journal::open(&settings, program, clock, &Registry::new("t", "0")).unwrap();
        for _ in 0..=start {
            journal.note(Line::new("check"));
        }
        writer.unwrap().finish();
    }
}

fn verify(words: &[&str]) -> (i32, String, String) {
    let ended = spike(&[&["audit", "verify"], words].concat());
    (ended.code, ended.out, ended.err)
}

#[test]
fn a_whole_log_is_called_whole_by_file_by_files_and_by_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    log(&path, None);
    let name = path.display().to_string();
    let (code, out, err) = verify(&[&name]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with(&format!("Log    : {name} (")), "{out}");
    assert!(
        out.contains(" of 3 starts\n") && out.ends_with("Result : whole\n"),
        "{out}"
    );
    let by_directory = verify(&[&directory.path().display().to_string()]);
    assert_eq!(by_directory, (0, out.clone(), String::new()));
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    names.sort();
    // The one without a number is the youngest.
    names.rotate_left(1);
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(verify(&words), (0, out.clone(), String::new()));
    let anchor = out.lines().find_map(|line| line.strip_prefix("Head   : ")).unwrap();
    assert_eq!(verify(&["--anchor", anchor, &name]).0, 0);
}

#[test]
fn a_changed_log_is_named_by_file_and_line_and_ends_with_65() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    log(&path, None);
    let name = path.display().to_string();
    let head = verify(&[&name]).1;
    let anchor = head.lines().find_map(|line| line.strip_prefix("Head   : ")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, text.replacen("\"event\":\"check\"", "\"event\":\"chekc\"", 1)).unwrap();
    let (code, out, err) = verify(&[&name]);
    let at = lines.iter().position(|line| line.contains("\"check\"")).unwrap() + 1;
    assert_eq!((code, err.as_str()), (65, ""));
    assert!(
        out.contains(&format!("Result : BROKEN at {name}:{at}, edited: ")),
        "{out}"
    );
    let (code, out, _) = verify(&["--format", "json", &name]);
    let report: Value = serde_json::from_str(&out).unwrap();
    let log = report.pointer("/logs/0").unwrap();
    assert_eq!((code, log.get("whole")), (65, Some(&Value::Bool(false))));
    assert_eq!(
        log.pointer("/broken/line").and_then(Value::as_u64),
        u64::try_from(at).ok()
    );
    assert_eq!(log.pointer("/broken/fault").and_then(Value::as_str), Some("edited"));
    // Without its last line it fits, but for the anchor.
    let cut: String = lines
        .split_last()
        .unwrap()
        .1
        .iter()
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(&path, cut).unwrap();
    let (code, out, _) = verify(&[&name]);
    assert!(code == 0 && out.contains("whole, but open at its end"), "{out}");
    let (code, out, _) = verify(&["--anchor", anchor, &name]);
    assert!(code == 65 && out.contains("truncated or rewritten"), "{out}");
}

#[test]
fn a_sealed_log_needs_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("audit.log"), directory.path().join("key"));
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    log(&path, Some(&key));
    let (name, key) = (path.display().to_string(), key.display().to_string());
    assert_eq!(verify(&["--key", &key, &name]).0, 0);
    let (code, out, err) = verify(&[&name]);
    assert_eq!((code, out.as_str()), (65, ""));
    assert_eq!(
        err,
        "Error: this log is sealed with hmac-sha256, not sha256: give the key file\n"
    );
}

#[test]
fn what_cannot_be_looked_at_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().display().to_string();
    assert_eq!(
        verify(&[&empty]),
        (65, String::new(), format!("Error: `{empty}` holds no audit log\n"))
    );
    let (code, _, err) = verify(&["/nowhere/audit.log"]);
    assert!(
        code == 70 && err.starts_with("Error: cannot read `/nowhere/audit.log`: "),
        "{err}"
    );
    assert_eq!(verify(&[]).0, 64);
    let (code, _, err) = verify(&["--anchor", "x", &empty]);
    assert!(code == 64 && err.contains("CHAIN:SEQUENCE:HASH"), "{err}");
}
