//! Policies on their way between files and Nexus: export, diff, test; and watching them change.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::run::{Ended, Spike, spike};
use crate::world::{Who, World};

const ORDERS: &str = r"name: 'orders'
spiffeidPattern: '^spiffe://example\.org/app$'
pathPattern: '^tenants/(acme|beta)/[^/]+$'
permissions:
  - read
  - list
";

/// Two policies, one of them with a name of several words.
fn two() -> World {
    let world = World::new();
    let applied = world
        .command(Who::Pilot, &["policy", "apply", "-f", "-"])
        .stdin(ORDERS)
        .run();
    assert_eq!(applied.code, 0, "{applied:?}");
    world.allow("two words", "^it/s$", "super");
    world
}

#[test]
fn what_is_exported_is_applied_again_to_the_same() {
    let world = two();
    let directory = tempfile::tempdir().unwrap();
    let (yaml, json) = (directory.path().join("yaml/deep"), directory.path().join("json"));
    for (out, format, file) in [(&yaml, "yaml", "two words.yaml"), (&json, "j", "two words.json")] {
        let out = out.to_str().unwrap();
        let said = world.done(&["policy", "export", "--out", out, "-f", format]);
        assert_eq!(said, format!("Exported 2 policies to {out}\n"));
        assert!(fs::exists(format!("{out}/{file}")).unwrap());
        let diff = world.done(&["policy", "diff", "-f", out, "--prune", "--strict"]);
        assert_eq!(diff, "No differences.\n");
    }
    assert_eq!(fs::read_to_string(yaml.join("orders.yaml")).unwrap(), ORDERS);
    let whole = world.done(&["policy", "export"]);
    assert!(whole.starts_with(ORDERS) && whole.contains("\n---\n"), "{whole}");
    let list: Value = serde_json::from_str(&world.done(&["policy", "export", "--format", "json"])).unwrap();
    assert_eq!(
        (&list[0]["name"], &list[1]["permissions"]),
        (&json!("orders"), &json!(["super"]))
    );

    // Into another Nexus and out again: the same text.
    let other = World::new();
    let applied = other
        .command(Who::Pilot, &["policy", "apply", "-f", "-"])
        .stdin(&whole)
        .run();
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(other.done(&["policy", "export"]), whole);

    // A policy that is gone leaves a file that would bring it back: it is named.
    world.done(&["policy", "delete", "two words", "--yes"]);
    let said = world.done(&["policy", "export", "-o", yaml.to_str().unwrap()]);
    assert!(said.ends_with("Left as it was: two words.yaml\n"), "{said}");
}

#[test]
fn a_difference_is_shown_field_by_field() {
    let world = two();
    let file =
        ORDERS.replace("acme|beta", "acme").replace("  - list\n", "") + "---\n" + &ORDERS.replace("orders", "new");
    let diff = |more: &[&str]| {
        let words = [&["policy", "diff", "-f", "-"], more].concat();
        world.command(Who::Pilot, &words).stdin(&file).run()
    };
    let common = r"+ new
    spiffeidPattern: ^spiffe://example\.org/app$
    pathPattern: ^tenants/(acme|beta)/[^/]+$
    permissions: read, list
~ orders
    pathPattern: ^tenants/(acme|beta)/[^/]+$
      -> ^tenants/(acme)/[^/]+$
    permissions: read, list
      -> read
";
    assert_eq!(diff(&[]), Ended::done(&format!("{common}Policies that differ: 2\n")));
    let pruned = diff(&["--prune", "--strict"]);
    assert_eq!(pruned.code, 65);
    assert!(
        pruned.out.starts_with(common) && pruned.out.contains("- two words\n"),
        "{}",
        pruned.out
    );
    let told: Value = serde_json::from_str(&diff(&["--format", "json"]).out).unwrap();
    assert_eq!(
        told[1],
        json!({"name": "orders", "change": "updated", "fields": [
            {"field": "pathPattern", "stored": "^tenants/(acme|beta)/[^/]+$", "written": "^tenants/(acme)/[^/]+$"},
            {"field": "permissions", "stored": "read, list", "written": "read"},
        ]})
    );
    let yaml = diff(&["--format", "y"]).out;
    assert!(yaml.starts_with("- name: new\n  change: created\n"), "{yaml}");
}

const CASES: &str = "
- {name: app reads, spiffeid: spiffe://example.org/app, path: tenants/acme/db, permission: read, expect: allow, policy: orders}
- {spiffeid: spiffe://example.org/app, path: tenants/acme/db, permission: write, expect: deny, reason: permission_missing}
- {spiffeid: spiffe://example.org/web, path: tenants/acme/db, permission: read, expect: deny}
";

#[test]
fn cases_are_tested_against_files_and_against_nexus() {
    let world = two();
    let directory = tempfile::tempdir().unwrap();
    let policies = directory.path().join("orders.yaml");
    let cases = directory.path().join("cases.yaml");
    fs::write(&policies, ORDERS).unwrap();
    fs::write(&cases, CASES).unwrap();
    let (policies, cases) = (policies.to_str().unwrap(), cases.to_str().unwrap());
    let passed = Ended::done("3 of 3 cases passed.\n");
    assert_eq!(spike(&["policy", "test", "--cases", cases, "-f", policies]), passed);
    assert_eq!(world.run(Who::Pilot, &["policy", "test", "--cases", cases]), passed);

    let wrong = CASES
        .replace("permission: write", "permission: list")
        .replace("policy: orders", "policy: other");
    let words = ["policy", "test", "--cases", "-", "-f", policies];
    let ended = Spike::with(&words).stdin(&wrong).run();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (
            65,
            "FAILED -: case 1 (app reads): read on tenants/acme/db for spiffe://example.org/app\n    \
             it is decided by orders, not other\n\
             FAILED -: case 2: list on tenants/acme/db for spiffe://example.org/app\n    \
             it is allowed, not denied\n    the reason is policy, not permission_missing\n\
             1 of 3 cases passed.\n"
        )
    );
    let words = [&words[..], &["--format", "json"]].concat();
    let told: Value = serde_json::from_str(&Spike::with(&words).stdin(&wrong).run().out).unwrap();
    assert_eq!((&told[0]["passed"], &told[2]["passed"]), (&json!(false), &json!(true)));
}

#[test]
fn cases_that_cannot_be_read_are_refused_with_the_place() {
    for (text, fault) in [
        ("", "there is no case to test"),
        ("[]", "there is no case to test"),
        ("- {spiffeid: x}", "-: "),
        (
            "- {spiffeid: app, path: '', permission: own, expect: deny}",
            "-: case 1: ",
        ),
        (
            "- {spiffeid: spiffe://a/b, path: a, permission: read, expect: maybe}",
            "-: ",
        ),
        (
            "- {spiffeid: spiffe://a/b, path: a, permission: read, expect: deny, who: me}",
            "-: ",
        ),
    ] {
        let ended = Spike::with(&["policy", "test", "--cases", "-", "-f", "config/policies"])
            .stdin(text)
            .run();
        assert_eq!((ended.code, ended.out.as_str()), (65, ""), "{text}: {ended:?}");
        assert!(ended.err.contains(fault), "{text}: {}", ended.err);
    }
}

#[test]
fn status_is_told_in_every_format() {
    let mut world = World::new();
    let (identity, url) = (
        "spiffe://example.org/spike/pilot/role/superuser",
        world.url().to_owned(),
    );
    let yaml = world.done(&["status", "-f", "yaml"]);
    assert_eq!(yaml, format!("identity: {identity}\nnexus: {url}\nstatus: ready\n"));
    let told: Value = serde_json::from_str(&world.done(&["status", "--format", "json"])).unwrap();
    assert_eq!(told, json!({"identity": identity, "nexus": url, "status": "ready"}));
    world.stop_nexus();
    let ended = world.run(Who::Pilot, &["status", "-f", "json"]);
    assert_eq!(ended.code, 69);
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["status"], "unavailable");
}

#[test]
fn changes_are_printed_as_they_are_made() {
    let world = two();
    let watch = |format: &str| {
        let mut child = world
            .command(Who::Pilot, &["watch", "-f", format])
            .into_command()
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines.map(Result::unwrap))
    };
    let (mut human, mut lines) = watch("human");
    let (mut machine, mut json_lines) = watch("json");
    assert_eq!(lines.next().unwrap(), "generation 2: 2 policies");
    let snapshot: Value = serde_json::from_str(&json_lines.next().unwrap()).unwrap();
    assert_eq!(snapshot["snapshot"]["generation"], 2);
    assert_eq!(
        lines.next().unwrap(),
        r"  orders: read, list on ^tenants/(acme|beta)/[^/]+$ for ^spiffe://example\.org/app$"
    );
    assert!(lines.next().unwrap().starts_with("  two words: super on "));
    world.done(&["policy", "delete", "orders", "--yes"]);
    assert_eq!(lines.next().unwrap(), "generation 3:");
    assert_eq!(lines.next().unwrap(), "  orders: removed");
    let delta = json_lines
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .find(|line| line["delta"].is_object())
        .unwrap();
    assert_eq!(delta["delta"]["removed"], json!(["orders"]));
    for child in [&mut human, &mut machine] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(
        world.run(Who::App, &["watch"]),
        Ended::failed(77, "Error: Unauthorized access.\n")
    );
}
