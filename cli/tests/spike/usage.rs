//! What is wrong before anybody is asked: the text, the stream and the exit code.
use crate::run::{Ended, Spike, spike};

const SPIFFE_ID: &str = r"--spiffeid-pattern=^spiffe://example\.org/app$";
const PATH: &str = "--path-pattern=^secrets/app$";

fn create(name: &str, spiffe_id: &str, path: &str, permissions: &str) -> Ended {
    let words = [
        format!("--name={name}"),
        format!("--spiffeid-pattern={spiffe_id}"),
        format!("--path-pattern={path}"),
        format!("--permissions={permissions}"),
    ];
    let words: Vec<&str> = ["policy", "create"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    spike(&words)
}

#[test]
fn a_command_line_that_cannot_be_read_exits_with_64_and_says_so_on_standard_error() {
    for words in [
        &["bogus"][..],
        &["policy", "bogus"],
        &["secret", "bogus"],
        &["secret", "metadata", "bogus"],
        &["policy", "list", "--bogus"],
        &["policy", "list", "extra"],
        &["policy", "list", "--path-pattern=a", "--spiffeid-pattern=b"],
        &["policy", "get", "a", "b"],
        &["policy", "apply", "--file=x", "--name=y"],
        &["policy", "apply", "--prune"],
        &["policy", "validate"],
        &["secret", "get"],
        &["secret", "get", "a", "b", "c"],
        &["secret", "put", "path"],
        &["secret", "get", "p", "--version=x"],
        &["secret", "get", "p", "--version=-1"],
        &["completion", "tcsh"],
    ] {
        let ended = spike(words);
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{words:?}");
        assert!(ended.err.starts_with("error: "), "{words:?}: {}", ended.err);
    }
}

#[test]
fn spikes_own_usage_errors_have_spikes_text() {
    for (words, text) in [
        (
            &["policy", "create"][..],
            "All flags are required.\n  --name is missing\n  --path-pattern is missing\n  --spiffeid-pattern is missing\n  \
             --permissions is missing",
        ),
        (
            &["policy", "create", "--name=a", PATH, "--permissions=read"],
            "All flags are required.\n  --spiffeid-pattern is missing",
        ),
        (
            &["policy", "apply"],
            "Invalid input provided.\nrequired flags are missing: --name, --path-pattern, --spiffeid-pattern, \
             --permissions (or use --file to read from YAML)",
        ),
        (
            &["policy", "apply", "--name=a", SPIFFE_ID, PATH],
            "Invalid input provided.\nrequired flags are missing: --permissions (or use --file to read from YAML)",
        ),
        (&["policy", "get"], "policy name as argument or --name flag is required"),
        (
            &["policy", "delete", "--yes"],
            "policy name as argument or --name flag is required",
        ),
        (
            &["policy", "list", "--format=xml"],
            "invalid format 'xml'. Valid formats are: human/h/plain/p, json/j, yaml/y",
        ),
        (
            &["secret", "list", "-f", "JSON"],
            "invalid format 'JSON'. Valid formats are: human/h/plain/p, json/j, yaml/y",
        ),
        (&["secret", "delete", "p", "-v", "one"], "Invalid version number: one"),
        (
            &["secret", "undelete", "p", "--versions=1,-2"],
            "Negative version number: -2",
        ),
    ] {
        assert_eq!(
            spike(words),
            Ended::failed(64, &format!("Error: {text}\n")),
            "{words:?}"
        );
    }
}

#[test]
fn a_wrong_policy_is_refused_with_the_text_that_names_the_way_out() {
    let id = r"^spiffe://example\.org/app$";
    for (ended, text) in [
        (
            create("a", "spiffe://example.org/workload/*", "^a$", "read"),
            "Invalid SPIFFE ID pattern: \"spiffe://example.org/workload/*\"\nUse regex syntax: \"spiffe://example\\.org/workload/.*\"",
        ),
        (
            create("a", id, "/secrets/app/.*", "read"),
            "Invalid path pattern: \"/secrets/app/.*\"\nPaths are namespaces, remove leading slash: \"secrets/app/.*\"",
        ),
    ] {
        assert_eq!(ended, Ended::failed(65, &format!("Error: {text}\n")));
    }
    for (ended, parts) in [
        (
            create("a", "app", "^a$", "read"),
            &["Invalid SPIFFE ID pattern: \"app\"", "spiffe://"][..],
        ),
        (create("a", id, "^a($", "read"), &["Invalid path pattern", "^a($"]),
        (
            create("a", id, "^a$", "reed"),
            &["invalid permission: 'reed'. valid permissions: 'read, write, list, execute, super'"],
        ),
        (create("a.b", id, "^a$", "read"), &["a.b"]),
        (
            create("0b9bd1a5-2b9a-4b0e-9a5d-0d2d5b9a7c11", id, "^a$", "read"),
            &["UUID"],
        ),
        (create("a", id, "^a$", " , "), &["permission"]),
        (
            create("a", "spiffe://example.org/x", "acl", "write"),
            &["spike/system/acl"],
        ),
    ] {
        assert_eq!((ended.code, ended.out.as_str()), (65, ""), "{parts:?}");
        assert!(ended.err.starts_with("Error: "), "{}", ended.err);
        for part in parts {
            assert!(ended.err.contains(part), "{part} is not in {}", ended.err);
        }
    }
}

#[test]
fn every_fault_of_a_policy_is_told_at_once() {
    let ended = create("a/b", "spiffe://example.org/*", "/x", "reed,rite");
    assert_eq!(ended.code, 65);
    assert_eq!(ended.err.matches("Error: ").count(), 5, "{}", ended.err);
}

#[test]
fn a_wrong_secret_is_refused_without_repeating_what_may_be_the_secret() {
    let invalid = |text: &str| Ended::failed(65, &format!("Error: {text}\n"));
    assert_eq!(spike(&["secret", "get", "a b"]), invalid("Invalid secret path: a b"));
    assert_eq!(spike(&["secret", "delete", "a,b"]), invalid("Invalid secret path: a,b"));
    assert_eq!(spike(&["secret", "undelete", ""]), invalid("Invalid secret path: "));
    assert_eq!(
        spike(&["secret", "metadata", "get", "ä"]),
        invalid("Invalid secret path: ä")
    );
    let ended = spike(&["secret", "put", "p", "user=app", "hunter2", "tls.crt=hunter2"]);
    assert_eq!((ended.code, ended.out.as_str()), (65, ""));
    assert!(
        ended
            .err
            .contains("Invalid key-value pair: argument 2 after the path has no `=`"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("tls.crt"), "{}", ended.err);
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
}

#[test]
fn without_an_agent_the_command_says_what_to_check_and_exits_with_69() {
    for words in [
        &["status"][..],
        &["policy", "list"],
        &["policy", "get", "a"],
        &["policy", "delete", "a", "--yes"],
        &["policy", "export"],
        &["secret", "get", "a"],
        &["secret", "put", "a", "k=v"],
    ] {
        let ended = spike(words);
        assert_eq!((ended.code, ended.out.as_str()), (69, ""), "{words:?}");
        assert!(
            ended
                .err
                .starts_with("Error: no identity from the SPIFFE Workload API at `unix:///nowhere/agent.sock`"),
            "{}",
            ended.err
        );
        assert!(ended.err.contains("SPIFFE_ENDPOINT_SOCKET"), "{}", ended.err);
    }
}

#[test]
fn a_wrong_environment_is_told_whole_and_exits_with_78() {
    let ended = Spike::with(&["policy", "list"])
        .env("SPIKE_NEXUS_API_URL", "http://localhost")
        .env("SPIKE_TRUST_ROOT_NEXUS", "a.org,,b.org")
        .env("SPIKE_SPIFFE_SOURCE_TIMEOUT", "soon")
        .run();
    assert_eq!((ended.code, ended.out.as_str()), (78, ""));
    for name in [
        "SPIKE_NEXUS_API_URL",
        "SPIKE_TRUST_ROOT_NEXUS",
        "SPIKE_SPIFFE_SOURCE_TIMEOUT",
    ] {
        assert!(
            ended.err.contains(&format!("Error: environment variable {name}: ")),
            "{}",
            ended.err
        );
    }
}

#[test]
fn a_socket_address_that_is_none_is_a_wrong_environment() {
    let ended = Spike::with(&["policy", "list"])
        .env("SPIFFE_ENDPOINT_SOCKET", "bogus")
        .run();
    assert_eq!((ended.code, ended.out.as_str()), (78, ""));
    assert!(
        ended.err.starts_with("Error: `bogus` is not a Workload API address"),
        "{}",
        ended.err
    );
}

#[test]
fn control_characters_of_the_command_line_do_not_reach_the_terminal() {
    let ended = spike(&["secret", "get", "\u{1b}[2Jp"]);
    assert_eq!(ended, Ended::failed(65, "Error: Invalid secret path: \\u{1b}[2Jp\n"));
}

#[test]
fn who_stops_reading_ends_the_command_in_success() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_spike"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
