//! The audit of the real programs: `kill -9`, restarts, SIGHUP, two programs on one file, and `spike audit verify`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use spike_integration::{Checker, Mesh, MeshOptions, Spike, workspace};

const WEB: &str = "spiffe://example.org/workload/web";

/// What `spike audit verify` says about a file, and its exit code.
fn verify(spike: &Spike, words: &[&str]) -> (i32, Value) {
    let said = spike
        .run(&[&["audit", "verify", "--format", "json"], words].concat())
        .unwrap();
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err));
    (said.code, report["logs"][0].clone())
}

fn wait(what: &str, mut seen: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !seen() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Starts another `spike-ext-authz` in the same place, which shares nothing with the first but the audit file.
fn second(run: &Path) -> (Option<i32>, String) {
    let own = tempfile::tempdir().unwrap();
    let (run, here) = (run.display(), own.path().display());
    let yaml = format!(
        "identity: {{socket: \"unix://{run}/agent/nexus.sock\", wait: 20s}}
check: {{trust_domains: [example.org], listen: {{uds: {{path: {here}/check.sock}}}}}}
audit: {{to: \"file:{run}/decisions.log\"}}
nexus: {{listen: \"127.0.0.1:0\", store: {{backend: memory}}, trust_roots: {{nexus: example.org}}}}
"
    );
    std::fs::write(own.path().join("it.yaml"), yaml).unwrap();
    let mut command = Command::new(workspace::built("spike-ext-authz").unwrap());
    let output = command
        .arg("--config")
        .arg(own.path().join("it.yaml"))
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The words in backticks of the first line of a page that begins like this.
fn words(page: &str, start: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(workspace::root().join(page)).unwrap();
    let line = text.lines().find(|line| line.starts_with(start)).unwrap();
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_about_the_audit_lists_every_key() {
    let text = fs::read_to_string(workspace::root().join("docs/audit.md")).unwrap();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `audit.")?.split('`').next());
    let listed: BTreeSet<String> = rows
        .filter(|key| !["begin", "lost", "end"].contains(key))
        .map(|key| format!("audit.{key}"))
        .collect();
    let shown = Command::new(workspace::built("spike-nexus").unwrap())
        .arg("--check")
        .env_clear()
        .env("HOME", "/x")
        .output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    let keys = shown.lines().filter(|line| line.starts_with("audit."));
    let keys: BTreeSet<String> = keys.map(|line| line.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!((listed, keys.len()), (keys.clone(), 7));
}

/// Every string in the sources of Nexus that says what happens, as far as it stands in a call of the journal.
fn happens(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            happens(&path, found);
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in [
            "happened(",
            "lifecycle(",
            "diary.note(",
            "self.record(",
            "record_rekey(",
        ] {
            for after in code.split(call).skip(1) {
                let word = after
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next());
                found.extend(word.map(str::to_owned));
            }
        }
    }
}

#[test]
fn the_page_about_the_audit_names_everything_that_happens() {
    let mut found = BTreeSet::new();
    happens(&workspace::root().join("nexus/src"), &mut found);
    for known in [
        "anchor_written",
        "backup_taken",
        "rekey_finished",
        "shards_given",
        "open_refused",
    ] {
        assert!(found.contains(known), "{known} was not found in the sources: {found:?}");
    }
    let page = fs::read_to_string(workspace::root().join("docs/audit.md")).unwrap();
    let table = page.split("## What happens without a call").nth(1).unwrap();
    let missing: Vec<&String> = found
        .iter()
        .filter(|word| !table.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// How many lines about such events a log has.
fn count(path: &Path, event: &str) -> usize {
    fs::read_to_string(path)
        .unwrap_or_default()
        .matches(&format!("\"event\":\"{event}\""))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_write_one_chain_that_goes_on_over_kills_and_half_lines() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let path = mesh.directory().join("decisions.log");
    let name = path.display().to_string();
    let mut torn = 0;
    for kill in 0..10 {
        let (calls, checks) = (count(&path, "call"), count(&path, "check"));
        let listed = mesh.spike().unwrap().run(&["policy", "list"]).unwrap();
        assert_eq!(listed.code, 0, "{}", listed.err);
        let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
        for at in 0..50 {
            checker.check(WEB, "GET", &format!("/x/{at}")).await.unwrap();
        }
        wait("the lines of this start are written", || {
            count(&path, "call") > calls && count(&path, "check") == checks + 50
        });
        mesh.ext_authz().kill().unwrap();
        if kill % 2 == 0 {
            // What a kill in the middle of a write leaves.
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(b"{\"time\":\"2025-11-22T08:26:40Z\",\"event\":\"che")
                .unwrap();
            torn += 1;
            let (code, log) = verify(&mesh.spike().unwrap(), &[&name]);
            assert_eq!((code, &log["broken"]["fault"]), (65, &Value::from("torn_tail")));
            assert_eq!(
                log["broken"]["line"],
                fs::read_to_string(&path).unwrap().lines().count()
            );
        }
        mesh.restart_ext_authz().unwrap();
    }
    mesh.ext_authz().stop().unwrap();
    let (code, log) = verify(&mesh.spike().unwrap(), &[&name]);
    assert_eq!(
        (code, &log["whole"], &log["ended"]),
        (0, &Value::Bool(true), &Value::Bool(true)),
        "{log}"
    );
    assert_eq!(log["torn"].as_array().unwrap().len(), torn);
    assert_eq!(log["chains"].as_array().unwrap().len(), 11);
    assert_eq!(log["lost"], 0);
    assert!(count(&path, "call") >= 10 && count(&path, "check") == 500);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"verdict\":\"deny\"", "\"verdict\":\"alow\"", 1)).unwrap();
    let (code, log) = verify(&mesh.spike().unwrap(), &[&name]);
    let at = text
        .lines()
        .position(|line| line.contains("\"verdict\":\"deny\""))
        .unwrap()
        + 1;
    assert_eq!(
        (code, &log["broken"]["fault"], &log["broken"]["line"]),
        (65, &"edited".into(), &at.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_opens_the_file_again_and_nobody_else_may_write_to_it() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let (path, old) = (mesh.directory().join("decisions.log"), mesh.directory().join("old.log"));
    wait("the log begins", || count(&path, "audit.begin") == 1);
    let (code, said) = second(mesh.directory());
    assert!(
        code == Some(69) && said.contains("another process writes to it"),
        "{said}"
    );
    fs::rename(&path, &old).unwrap();
    signal(mesh.ext_authz_pid(), "HUP");
    wait("the file is opened again", || count(&path, "audit.begin") == 1);
    mesh.ext_authz().stop().unwrap();
    let names = [old.display().to_string(), path.display().to_string()];
    let (code, log) = verify(&mesh.spike().unwrap(), &[&names[0], &names[1]]);
    assert_eq!(
        (code, &log["whole"], &log["files"]),
        (0, &Value::Bool(true), &2.into()),
        "{log}"
    );
    // The program's own log says where the chain stood at its end.
    let anchor = mesh.ext_authz().output().lines().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["anchor"].as_str().map(str::to_owned)
    });
    assert_eq!(log["head"].as_str(), anchor.as_deref());
    let (code, _) = verify(
        &mesh.spike().unwrap(),
        &["--anchor", &anchor.unwrap(), &names[0], &names[1]],
    );
    assert_eq!(code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nexus_alone_writes_its_audit_among_its_log_and_it_can_be_verified() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy().in_memory().apart())
        .await
        .unwrap();
    let listed = mesh.spike().unwrap().run(&["policy", "list"]).unwrap();
    assert_eq!(listed.code, 0, "{}", listed.err);
    let nexus = mesh.separate_nexus().unwrap();
    nexus.stop().unwrap();
    let text = nexus.output();
    let call = text
        .lines()
        .find(|line| line.contains("\"action\":\"policy.list\""))
        .unwrap();
    let call: Value = serde_json::from_str(call).unwrap();
    assert_eq!((&call["event"], &call["outcome"]), (&"call".into(), &"ok".into()));
    assert_eq!(call["peer"], "spiffe://example.org/spike/pilot/role/superuser");
    let documented = words("docs/audit.md", "| `call` |");
    let fields: BTreeSet<String> = call.as_object().unwrap().keys().cloned().collect();
    let common = ["time", "event", "target", "chain", "seq", "hash"].map(str::to_owned);
    let undocumented: Vec<&String> = fields.iter().filter(|field| !documented.contains(*field)).collect();
    assert!(
        undocumented.iter().all(|field| common.contains(field)),
        "{undocumented:?}"
    );
    let file = mesh.directory().join("captured.log");
    fs::write(&file, text).unwrap();
    let (code, log) = verify(&mesh.spike().unwrap(), &["--stream", &file.display().to_string()]);
    assert_eq!(
        (code, &log["whole"], &log["ended"]),
        (0, &Value::Bool(true), &Value::Bool(true)),
        "{log}"
    );
    assert!(log["foreign"].as_u64() > Some(0), "the ready line, at least: {log}");
}
