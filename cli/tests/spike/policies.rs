//! Policy commands against a real Nexus.
use std::fs;

use crate::run::Ended;
use crate::world::{Who, World};

const SPIFFE_ID: &str = r"--spiffeid-pattern=^spiffe://example\.org/app$";
const DENIED: &str = "Error: Permission denied\nOnly SPIKE Pilot or workloads with write access to spike/system/acl\n\
                      can manage policies\n";
const UNAUTHORIZED: &str = "Error: Unauthorized access.\n";

fn create(name: &str) -> [&str; 7] {
    [
        "policy",
        "create",
        "--name",
        name,
        SPIFFE_ID,
        "--path-pattern=^secrets/app$",
        "--permissions=read,write",
    ]
}

/// The id of the only policy.
fn only_id(world: &World) -> String {
    let list: serde_json::Value = serde_json::from_str(&world.done(&["policy", "list", "-f", "json"])).unwrap();
    let items = list.as_array().unwrap();
    assert_eq!(items.len(), 1, "{list}");
    items.first().unwrap().get("id").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_policy_is_created_listed_shown_and_deleted() {
    let world = World::new();
    assert_eq!(world.done(&["policy", "list"]), "No policies found.\n");
    assert_eq!(world.done(&["policy", "list", "--format=json"]), "[]\n");
    assert_eq!(world.done(&["policy", "list", "--format=y"]), "[]\n");
    assert_eq!(world.done(&create("web")), "Policy created successfully.\n");
    assert_eq!(
        world.run(Who::Pilot, &create("web")),
        Ended::failed(65, "Error: Policy 'web' already exists.\n")
    );
    let id = only_id(&world);
    assert_eq!(id.len(), 36);
    assert_eq!(
        world.done(&["policy", "list"]),
        "POLICIES\n========\n\nName: web\n--------\n\n\n"
    );
    assert_eq!(
        world.done(&["policy", "list", "-f", "json"]),
        format!("[\n  {{\n    \"id\": \"{id}\",\n    \"name\": \"web\"\n  }}\n]\n")
    );
    assert_eq!(
        world.done(&["policy", "list", "-f", "yaml"]),
        format!("- id: {id}\n  name: web\n\n")
    );

    let shown = world.done(&["policy", "get", "web"]);
    let head = "POLICY DETAILS\n=============\n\nName: web\nSPIFFE ID Pattern: ^spiffe://example\\.org/app$\n\
                Path Pattern: ^secrets/app$\nPermissions: read, write\nCreated At: 20";
    assert!(
        shown.starts_with(head) && shown.contains("\nUpdated At: 20") && shown.ends_with("Z\n\n"),
        "{shown}"
    );
    for words in [
        &["policy", "get", &id][..],
        &["policy", "get", "--name=web"],
        &["policy", "get", "web", "--name=x"],
    ] {
        assert_eq!(world.done(words), shown, "{words:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&world.done(&["policy", "get", "web", "-f", "j"])).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "name",
            "spiffiedPattern",
            "pathPattern",
            "permissions",
            "createdAt",
            "updatedAt"
        ]
    );
    let yaml = world.done(&["policy", "get", "web", "-f", "yaml"]);
    assert!(
        yaml.starts_with(&format!(
            "id: {id}\nname: web\nspiffeidpattern: ^spiffe://example\\.org/app$\n"
        )),
        "{yaml}"
    );
    assert!(yaml.ends_with("idregex: null\npathregex: null\n\n"), "{yaml}");

    assert_eq!(
        world.done(&["policy", "delete", "web", "--yes"]),
        "Policy deleted successfully.\n"
    );
    for words in [
        &["policy", "get", "web"][..],
        &["policy", "delete", "web", "-y"],
        &["policy", "delete", "web"],
    ] {
        assert_eq!(
            world.run(Who::Pilot, words),
            Ended::failed(65, "Error: Entity not found.\n"),
            "{words:?}"
        );
    }
}

#[test]
fn list_filters_compare_the_text_of_a_pattern() {
    let world = World::new();
    world.allow("a", "^a$", "read");
    world.allow("b", "^b$", "read");
    let names = |filter: &str| world.done(&["policy", "list", filter]).matches("Name: ").count();
    assert_eq!(names("--path-pattern=^b$"), 1);
    assert_eq!(names("--path-pattern=b"), 0);
    assert_eq!(names(SPIFFE_ID), 2);
}

#[test]
fn only_y_confirms_a_deletion() {
    let world = World::new();
    world.done(&create("web"));
    let id = only_id(&world);
    let question = "Are you sure you want to delete policy 'web'? (y/N): ";
    let answered = |words: &[&str], answer: &str| world.command(Who::Pilot, words).stdin(answer).run();
    for answer in ["n\n", "\n", "yes\n", "yy\n", "no y\n", "Ja\n"] {
        let ended = answered(&["policy", "delete", "web"], answer);
        assert_eq!(
            ended,
            Ended::done(&format!("{question}Operation canceled.\n")),
            "{answer:?}"
        );
    }
    let nobody = answered(&["policy", "delete", &id], "");
    assert_eq!(
        (nobody.code, nobody.out),
        (64, format!("{question}Operation canceled.\n"))
    );
    assert_eq!(
        nobody.err,
        "Error: nobody answered on standard input; --yes does it without asking\n"
    );
    assert_eq!(only_id(&world), id, "it is still there");
    for (answer, words) in [
        ("y\n", &["policy", "delete", "web"][..]),
        (" Y \r\n", &["policy", "delete", "--name", "web"]),
        ("y", &["policy", "delete", "web"]),
    ] {
        let ended = answered(words, answer);
        assert_eq!(
            ended,
            Ended::done(&format!("{question}Policy deleted successfully.\n")),
            "{answer:?}"
        );
        world.done(&create("web"));
    }
    let id = only_id(&world);
    let by_id = answered(&["policy", "delete", &id], "y\n");
    assert_eq!(
        by_id.out,
        format!("{question}Policy deleted successfully.\n"),
        "the question names the policy"
    );
}

#[test]
fn apply_creates_and_updates_one_policy_from_flags_or_a_file() {
    let world = World::new();
    let apply = |path: &str| {
        world.done(&[
            "policy",
            "apply",
            "--name=web",
            SPIFFE_ID,
            "--path-pattern",
            path,
            "--permissions= read , write,,",
        ])
    };
    assert_eq!(apply("^a$"), "Policy 'web' applied successfully\n");
    let id = only_id(&world);
    assert_eq!(apply("^b$"), "Policy 'web' applied successfully\n");
    assert_eq!(only_id(&world), id, "an update keeps the id");
    assert!(
        world
            .done(&["policy", "get", "web"])
            .contains("Path Pattern: ^b$\nPermissions: read, write\n")
    );
    let text = "name: web\nspiffeid: ^spiffe://example\\.org/app$\npath: ^c$\npermissions: [list]\n";
    let ended = world
        .command(Who::Pilot, &["policy", "apply", "--file=-"])
        .stdin(text)
        .run();
    assert_eq!(ended, Ended::done("Policy 'web' applied successfully\n"));
    assert!(
        world
            .done(&["policy", "get", "web"])
            .contains("Path Pattern: ^c$\nPermissions: list\n")
    );
}

fn document(name: &str, path: &str) -> String {
    format!("name: {name}\nspiffeidPattern: ^spiffe://example\\.org/app$\npathPattern: {path}\npermissions: [read]\n")
}

#[test]
fn several_policies_are_applied_together_and_say_what_became_of_each() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    fs::write(
        directory.path().join("1.yaml"),
        format!("{}---\n{}", document("a", "^a$"), document("b", "^b$")),
    )
    .unwrap();
    fs::write(directory.path().join("2.yml"), document("c", "^c$")).unwrap();
    let apply = ["policy", "apply", "-f", place];
    let dry = ["policy", "apply", "-f", place, "--dry-run"];
    assert_eq!(
        world.done(&dry),
        "Policy 'a' would be created\nPolicy 'b' would be created\nPolicy 'c' would be created\n"
    );
    assert_eq!(
        world.done(&["policy", "list"]),
        "No policies found.\n",
        "a rehearsal changes nothing"
    );
    assert_eq!(
        world.done(&apply),
        "Policy 'a' applied successfully (created)\nPolicy 'b' applied successfully (created)\n\
         Policy 'c' applied successfully (created)\n"
    );
    fs::write(directory.path().join("2.yml"), document("c", "^c/.*$")).unwrap();
    assert_eq!(
        world.done(&dry),
        "Policy 'a' is unchanged\nPolicy 'b' is unchanged\nPolicy 'c' would be updated\n"
    );
    assert_eq!(
        world.done(&apply),
        "Policy 'a' applied successfully (unchanged)\nPolicy 'b' applied successfully (unchanged)\n\
         Policy 'c' applied successfully (updated)\n"
    );
    let mut denied = Ended::failed(77, DENIED);
    assert_eq!(world.run(Who::App, &apply), denied);
    denied.err = UNAUTHORIZED.to_owned();
    assert_eq!(world.run(Who::App, &dry), denied);
}

#[test]
fn prune_deletes_what_the_files_do_not_hold_after_asking() {
    let world = World::new();
    for name in ["a", "old 1", "old 2"] {
        world.allow(name, "^x$", "read");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    fs::write(&file, document("a", "^a$")).unwrap();
    let words = ["policy", "apply", "-f", file.to_str().unwrap(), "--prune"];
    assert_eq!(
        world.done(&[&words[..], &["--dry-run"]].concat()),
        "Policy 'a' would be updated\nPolicy 'old 1' would be deleted\nPolicy 'old 2' would be deleted\n"
    );
    let question = "Are you sure you want to delete policy 'old 1', 'old 2'? (y/N): ";
    let no = world.command(Who::Pilot, &words).stdin("n\n").run();
    assert_eq!(no, Ended::done(&format!("{question}Operation canceled.\n")));
    assert!(
        world.done(&["policy", "get", "a"]).contains("Path Pattern: ^x$"),
        "nothing is applied either"
    );
    let yes = world.command(Who::Pilot, &words).stdin("y\n").run();
    let told =
        "Policy 'a' applied successfully\nPolicy 'old 1' deleted successfully\nPolicy 'old 2' deleted successfully\n";
    assert_eq!(yes, Ended::done(&format!("{question}{told}")));
    assert_eq!(world.done(&["policy", "list"]).matches("Name: ").count(), 1);
    world.allow("old", "^x$", "read");
    let told = "Policy 'a' applied successfully\nPolicy 'old' deleted successfully\n";
    assert_eq!(world.done(&[&words[..], &["--yes"]].concat()), told);
}

#[test]
fn what_is_exported_applies_unchanged_and_every_sample_is_accepted() {
    let world = World::new();
    assert_eq!(world.done(&["policy", "export"]), "");
    let applied = world.done(&["policy", "apply", "-f", "config/policies"]);
    assert!(
        applied.lines().count() >= 10 && applied.lines().all(|line| line.ends_with("(created)")),
        "{applied}"
    );
    let exported = world.done(&["policy", "export"]);
    let again = world
        .command(Who::Pilot, &["policy", "apply", "-f", "-"])
        .stdin(&exported)
        .run();
    assert_eq!((again.code, again.err.as_str()), (0, ""), "{exported}");
    assert!(
        again.out.lines().all(|line| line.ends_with("(unchanged)")),
        "{}",
        again.out
    );
    assert_eq!(again.out.lines().count(), applied.lines().count());
}

#[test]
fn whoever_may_not_manage_policies_is_told_who_may() {
    let world = World::new();
    world.done(&create("web"));
    for words in [
        &["policy", "list"][..],
        &["policy", "get", "web"],
        &["policy", "export"],
    ] {
        assert_eq!(world.run(Who::App, words), Ended::failed(77, UNAUTHORIZED), "{words:?}");
    }
    let apply = [
        "policy",
        "apply",
        "--name=a",
        SPIFFE_ID,
        "--path-pattern=^a$",
        "--permissions=read",
    ];
    for words in [&create("a")[..], &apply, &["policy", "delete", "web", "--yes"]] {
        assert_eq!(world.run(Who::App, words), Ended::failed(77, DENIED), "{words:?}");
    }
    world.allow("writer", "^spike/system/acl$", "write");
    assert_eq!(
        world.run(Who::App, &apply),
        Ended::done("Policy 'a' applied successfully\n")
    );
    assert_eq!(
        world.run(Who::App, &["policy", "delete", "a", "--yes"]),
        Ended::done("Policy deleted successfully.\n")
    );
    let asked = world.command(Who::App, &["policy", "delete", "web"]).stdin("n\n").run();
    let question = "Are you sure you want to delete policy 'web'? (y/N): Operation canceled.\n";
    assert_eq!(
        asked,
        Ended::done(question),
        "who may write but not read is asked about what was typed"
    );
    assert_eq!(
        world.run(Who::App, &create("b")),
        Ended::failed(77, DENIED),
        "create must look before it writes"
    );
    world.allow("lister", "^spike/system/acl$", "list");
    assert_eq!(
        world.run(Who::App, &create("b")),
        Ended::done("Policy created successfully.\n")
    );
}
