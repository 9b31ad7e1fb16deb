//! Secret commands and status against a real Nexus.
use crate::run::Ended;
use crate::world::{Who, World};

const UNAUTHORIZED: &str = "Error: Unauthorized access.\n";
const NOT_FOUND: &str = "Error: Resource not found.\n";

#[test]
fn a_secret_is_put_read_in_every_format_and_listed() {
    let world = World::new();
    assert_eq!(world.done(&["secret", "list"]), "No secrets found.\n");
    assert_eq!(world.done(&["secret", "list", "-f", "yaml"]), "[]\n");
    assert_eq!(
        world.done(&["secret", "put", "acme/db", "user=app", "pass=a=b<c>", "pem=x\ny\n"]),
        "OK\n"
    );
    for (words, printed) in [
        (
            &["secret", "get", "acme/db"][..],
            "pass: a=b<c>\npem: x\ny\n\nuser: app\n",
        ),
        (&["secret", "get", "acme/db", "user"], "app\n"),
        (&["secret", "get", "acme/db", "user", "-f", "json"], "\"app\"\n"),
        (
            &["secret", "get", "acme/db", "pem", "-f", "yaml"],
            "|\n    x\n    y\n\n",
        ),
        (
            &["secret", "get", "acme/db", "--format=json"],
            "{\n    \"pass\": \"a=b\\u003cc\\u003e\",\n    \"pem\": \"x\\ny\\n\",\n    \"user\": \"app\"\n}\n",
        ),
        (
            &["secret", "get", "acme/db", "-f", "y"],
            "pass: a=b<c>\npem: |\n    x\n    y\nuser: app\n\n",
        ),
        (&["secret", "list"], "- acme/db\n"),
        (&["secret", "list", "-f", "json"], "[\n  \"acme/db\"\n]\n"),
        (&["secret", "list", "-f", "yaml"], "- acme/db\n"),
    ] {
        assert_eq!(world.done(words), printed, "{words:?}");
    }
    for words in [
        &["secret", "get", "acme/db", "nope"][..],
        &["secret", "get", "acme/db", "nope", "-f", "json"],
    ] {
        assert_eq!(
            world.run(Who::Pilot, words),
            Ended::failed(65, "Error: Key not found.\n"),
            "{words:?}"
        );
    }
    assert_eq!(
        world.run(Who::Pilot, &["secret", "get", "acme"]),
        Ended::failed(65, NOT_FOUND)
    );
}

#[test]
fn versions_are_deleted_and_come_back() {
    let world = World::new();
    for version in ["k=1", "k=2", "k=3"] {
        world.done(&["secret", "put", "p", version]);
    }
    let current = || world.run(Who::Pilot, &["secret", "get", "p", "k"]).out;
    assert_eq!(world.done(&["secret", "get", "p", "k", "-v", "1"]), "1\n");
    assert_eq!(world.done(&["secret", "delete", "p"]), "OK\n");
    assert_eq!(current(), "2\n");
    assert_eq!(world.done(&["secret", "undelete", "p"]), "OK\n");
    assert_eq!(current(), "3\n", "the default undelete undoes the default delete");
    assert_eq!(world.done(&["secret", "delete", "p", "-v", "1, 3"]), "OK\n");
    assert_eq!(current(), "2\n");
    assert_eq!(
        world.run(Who::Pilot, &["secret", "get", "p", "--version=3"]),
        Ended::failed(65, NOT_FOUND)
    );
    assert_eq!(world.done(&["secret", "undelete", "p", "--versions=3"]), "OK\n");
    assert_eq!(current(), "3\n");
    assert_eq!(world.done(&["secret", "delete", "p", "-v", ""]), "OK\n");
    assert_eq!(current(), "2\n", "an empty list is the current version");
    for words in [
        &["secret", "delete", "q"][..],
        &["secret", "undelete", "q"],
        &["secret", "metadata", "get", "q"],
    ] {
        assert_eq!(world.run(Who::Pilot, words), Ended::failed(65, NOT_FOUND), "{words:?}");
    }
}

#[test]
fn metadata_shows_every_version() {
    let world = World::new();
    world.done(&["secret", "put", "p", "k=1"]);
    world.done(&["secret", "put", "p", "k=2"]);
    world.done(&["secret", "delete", "p", "-v", "1"]);
    let shown = world.done(&["secret", "metadata", "get", "p"]);
    let rule = "-".repeat(50);
    let head = format!("\nMetadata:\n{rule}\nCurrent Version : 2\nOldest Version  : 2\nCreated Time    : 20");
    assert!(shown.starts_with(&head), "{shown}");
    assert!(
        shown.contains(&format!(
            " UTC\nMax Versions    : 10\n{rule}\n\nSecret Versions:\n{rule}\nVersion 1:\n"
        )),
        "{shown}"
    );
    assert_eq!(
        (
            shown.matches("  Created: 20").count(),
            shown.matches("  Deleted: 20").count()
        ),
        (2, 1),
        "{shown}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&world.done(&["secret", "metadata", "get", "p", "-f", "json"])).unwrap();
    assert_eq!(json.pointer("/metadata/currentVersion"), Some(&2.into()));
    assert_eq!(json.pointer("/versions/2/deletedTime"), Some(&serde_json::Value::Null));
    let yaml = world.done(&["secret", "metadata", "get", "p", "-f", "yaml", "--version", "2"]);
    assert!(yaml.starts_with("versions:\n    1:\n        createdtime: 20"), "{yaml}");
    assert!(yaml.contains("metadata:\n    currentversion: 2\n"), "{yaml}");
}

#[test]
fn a_workload_needs_a_policy_and_then_has_exactly_what_it_gives() {
    let world = World::new();
    world.done(&["secret", "put", "acme/db", "k=v"]);
    let denied = Ended::failed(77, UNAUTHORIZED);
    for words in [
        &["secret", "get", "acme/db"][..],
        &["secret", "put", "acme/db", "k=w"],
        &["secret", "delete", "acme/db"],
        &["secret", "undelete", "acme/db"],
        &["secret", "list"],
        &["secret", "metadata", "get", "acme/db"],
    ] {
        assert_eq!(world.run(Who::App, words), denied, "{words:?}");
    }
    world.allow("reader", "^acme/db$", "read");
    assert_eq!(
        world.run(Who::App, &["secret", "get", "acme/db"]),
        Ended::done("k: v\n")
    );
    assert_eq!(world.run(Who::App, &["secret", "get", "acme/other"]), denied);
    assert_eq!(world.run(Who::App, &["secret", "put", "acme/db", "k=w"]), denied);
    world.done(&["policy", "delete", "reader", "--yes"]);
    assert_eq!(world.run(Who::App, &["secret", "get", "acme/db"]), denied);
}

#[test]
fn a_secret_without_keys_cannot_be_typed() {
    let world = World::new();
    let ended = world.run(Who::Pilot, &["secret", "put", "p", "novalue"]);
    assert_eq!(ended.code, 65);
    assert_eq!(
        world.done(&["secret", "list"]),
        "No secrets found.\n",
        "nothing was written"
    );
}

#[test]
fn status_says_who_asks_whom_and_whether_it_is_ready() {
    let mut world = World::new();
    let url = world.url().to_owned();
    let ready = |id: &str| Ended::done(&format!("Identity : {id}\nNexus    : {url}\nStatus   : ready\n"));
    assert_eq!(
        world.run(Who::Pilot, &["status"]),
        ready("spiffe://example.org/spike/pilot/role/superuser")
    );
    assert_eq!(world.run(Who::App, &["status"]), ready("spiffe://example.org/app"));
    world.stop_nexus();
    let ended = world.run(Who::App, &["status"]);
    assert_eq!(ended.code, 69);
    assert!(ended.out.ends_with("Status   : unavailable\n"), "{}", ended.out);
    assert!(
        ended.err.starts_with("Error: Failed to connect to SPIKE Nexus.\n"),
        "{}",
        ended.err
    );
}

#[test]
fn who_answers_must_be_a_nexus_of_a_trusted_root() {
    let world = World::new();
    let ended = world
        .command(Who::App, &["secret", "list"])
        .env("SPIKE_TRUST_ROOT_NEXUS", "spike.ist")
        .run();
    assert_eq!((ended.code, ended.out.as_str()), (78, ""));
    assert!(
        ended.err.starts_with("Error: Failed to connect to SPIKE Nexus.\n"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("spiffe://example.org/spike/nexus"), "{}", ended.err);
    assert!(
        ended
            .err
            .ends_with("Check SPIKE_NEXUS_API_URL and SPIKE_TRUST_ROOT_NEXUS.\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_value_can_come_from_a_file_or_standard_input() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    std::fs::write(&file, "-----BEGIN-----\n").unwrap();
    let from_file = format!("pem={}", file.display());
    let words = [
        "secret",
        "put",
        "p",
        "user=app",
        "--from-file",
        &from_file,
        "--from-file=pass=-",
    ];
    assert_eq!(
        world.command(Who::Pilot, &words).stdin("hunter2").run(),
        Ended::done("OK\n")
    );
    assert_eq!(
        world.done(&["secret", "get", "p"]),
        "pass: hunter2\npem: -----BEGIN-----\n\nuser: app\n"
    );
    let missing = world.run(
        Who::Pilot,
        &[
            "secret",
            "put",
            "p",
            "--from-file=a=/nowhere/key",
            "--from-file=b=/dev/null",
        ],
    );
    assert_eq!(missing.code, 65);
    assert!(missing.err.starts_with("Error: /nowhere/key: "), "{}", missing.err);
    let twice = world.run(Who::Pilot, &["secret", "put", "p", "a=1", "--from-file=a=/dev/null"]);
    assert_eq!(twice, Ended::failed(65, "Error: key `a` is given twice\n"));
}
