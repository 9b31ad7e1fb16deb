//! Policy files, checked without a Nexus.
use std::fs;
use std::path::Path;

use crate::run::{Ended, Spike, spike};

const LONG: &str = "name: a\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n";
const SHORT: &str =
    "name: b\nspiffeid: '^spiffe://example\\.org/b$'\npath: \"^b$\"\npermissions:\n  - read\n  - list\n";

fn validate(text: &str) -> Ended {
    Spike::with(&["policy", "validate", "-f", "-"]).stdin(text).run()
}

#[test]
fn every_sample_policy_is_valid() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    let mut samples = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let ended = spike(&["policy", "validate", "--file", path.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{}: {}", path.display(), ended.err);
        samples += 1;
    }
    assert!(samples >= 6, "only {samples} samples");
    let together = spike(&["policy", "validate", "-f", "config/policies"]);
    assert_eq!(
        (together.code, together.err.as_str()),
        (0, ""),
        "no two samples share a name"
    );
}

#[test]
fn both_forms_of_the_keys_several_documents_and_json_are_read() {
    for (text, said) in [
        (LONG.to_owned(), "1 policy is valid.\n"),
        (SHORT.to_owned(), "1 policy is valid.\n"),
        (format!("{LONG}---\n{SHORT}"), "2 policies are valid.\n"),
        (
            format!("---\n{LONG}...\n---\n{SHORT}---\n# nothing\n"),
            "2 policies are valid.\n",
        ),
        (LONG.replace('\n', "\r\n"), "1 policy is valid.\n"),
        (
            r#"{"name":"a","spiffeidPattern":"^spiffe://example\\.org/a$","pathPattern":"^a$","permissions":["read"]}"#
                .to_owned(),
            "1 policy is valid.\n",
        ),
    ] {
        assert_eq!(validate(&text), Ended::done(said), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_line_and_column() {
    let rows = [
        (format!("{LONG}spiffeid: ^spiffe://x/y$\n"), "-:5:1: ", "spiffeid"),
        (format!("{LONG}path: ^b$\n"), "-:5:1: ", "path"),
        (format!("{LONG}name: again\n"), "-:5:1: ", "`name` is repeated"),
        (format!("{LONG}spifeidPattern: x\n"), "-:5:1: ", "unknown key"),
        (LONG.replace("name:", "Name:"), "-:1:1: ", "unknown key"),
        (
            LONG.replace("name: a\n", ""),
            "-:1:1: ",
            "policy name is required in YAML file",
        ),
        (
            LONG.replace("pathPattern: ^a$\n", ""),
            "-:1:1: ",
            "pathPattern is required in YAML file",
        ),
        (
            LONG.replace("name: a", "name: ''"),
            "-:1:7: ",
            "Policy name cannot be empty",
        ),
        (
            LONG.replace("permissions: [read]", "permissions: read"),
            "-:4:14: ",
            "must be a list",
        ),
        (
            LONG.replace("[read]", "[read, reed]"),
            "-:4:",
            "invalid permission: 'reed'",
        ),
        (
            LONG.replace("^spiffe://example\\.org/a$", "\"^spiffe://example\\.org/a$\""),
            "-:2:",
            "example\\\\.org",
        ),
        (
            LONG.replace("^spiffe://example\\.org/a$", "spiffe://example.org/a/*"),
            "-:2:18: ",
            "Use regex syntax: \"spiffe://example\\.org/a/.*\"",
        ),
        (
            LONG.replace("^a$", "/a"),
            "-:3:14: ",
            "Paths are namespaces, remove leading slash: \"a\"",
        ),
        (
            format!("{LONG}---\n{}", SHORT.replace("name: b", "name: a")),
            "-:6:1: ",
            "policy 'a' is given twice, first at -:1:1",
        ),
        (format!("{LONG}---\n- just\n- words\n"), "-:6:", "mapping"),
        ("{".to_owned(), "-:", "YAML"),
        (String::new(), "-: ", "holds no policy"),
        ("# only a comment\n".to_owned(), "-: ", "holds no policy"),
    ];
    for (text, place, part) in rows {
        let ended = validate(&text);
        assert_eq!((ended.code, ended.out.as_str()), (65, ""), "{text}");
        assert!(
            ended.err.starts_with(&format!("Error: {place}")),
            "{text}: {}",
            ended.err
        );
        assert!(ended.err.contains(part), "{part} is not in {}", ended.err);
    }
}

#[test]
fn all_faults_of_all_documents_are_told_at_once() {
    let text = format!(
        "{}---\n{}---\n{LONG}x: y\n",
        LONG.replace("^a$", "/a"),
        SHORT.replace("- list", "- lost")
    );
    let ended = validate(&text);
    for place in ["-:3:14: ", "-:10:3: ", "-:17:1: "] {
        assert!(
            ended.err.contains(&format!("Error: {place}")),
            "{place} is not in {}",
            ended.err
        );
    }
    assert_eq!(ended.err.matches("Error: ").count(), 3, "{}", ended.err);
}

#[test]
fn apply_checks_its_files_before_it_asks_for_an_identity() {
    let ended = Spike::with(&["policy", "apply", "--file", "-", "--file", "/nowhere/x.yaml"])
        .stdin("name: a\n")
        .run();
    assert_eq!((ended.code, ended.out.as_str()), (65, ""));
    assert!(
        ended
            .err
            .contains("Error: -:1:1: spiffeidPattern is required in YAML file\n"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains("Error: file /nowhere/x.yaml does not exist\n"),
        "{}",
        ended.err
    );
    let good = Spike::with(&["policy", "apply", "--file", "-"]).stdin(LONG).run();
    assert_eq!(
        good.code, 69,
        "a good file is only stopped by the missing agent: {}",
        good.err
    );
}

#[test]
fn lint_names_the_place_the_policy_and_the_finding_and_fails_only_when_strict() {
    let loose = LONG.replace("^spiffe://example\\.org/a$", "spiffe://example.org/a");
    let lint = |text: &str, strict: &[&str]| {
        Spike::with(&[&["policy", "lint", "-f", "-"], strict].concat())
            .stdin(text)
            .run()
    };
    assert_eq!(lint(LONG, &["--strict"]), Ended::done("No findings.\n"));
    let advised = lint(&format!("# first\n{loose}"), &[]);
    assert_eq!((advised.code, advised.err.as_str()), (0, ""));
    for word in ["unanchored", "bare-dot"] {
        assert!(
            advised.out.contains(&format!("-:2:1: policy 'a': {word}: ")),
            "{}",
            advised.out
        );
    }
    let refused = lint(&loose, &["--strict"]);
    assert_eq!(refused.code, 65);
    assert!(refused.err.starts_with("Error: findings: "), "{}", refused.err);
    assert_eq!(
        lint("name: x\n", &[]).code,
        65,
        "what is no policy is a fault and not a finding"
    );
}

#[test]
fn no_sample_policy_has_a_finding_but_those_that_open_the_reserved_namespace_on_purpose() {
    let ended = spike(&["policy", "lint", "-f", "config/policies"]);
    assert_eq!(ended.code, 0);
    for line in ended.out.lines().filter(|line| *line != "No findings.") {
        assert!(
            line.contains(": reserved: ") || line.contains(": not-portable: "),
            "{line}"
        );
    }
}
