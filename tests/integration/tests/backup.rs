//! Backup and restore through running processes: under load, killed at any moment, and against a rolled back file.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spike_integration::{Mesh, MeshOptions, workspace};
use spike_sdk::Client;

const SECRETS: usize = 5_000;
const KILLS: u32 = 50;

fn database(mesh: &Mesh) -> PathBuf {
    mesh.directory().join("data/nexus.redb")
}

fn restore_command(mesh: &Mesh, flags: &[&str]) -> Command {
    let mut command = Command::new(workspace::built("spike-ext-authz").unwrap());
    command
        .args(["restore-backup", "--config"])
        .arg(mesh.directory().join("spike-ext-authz.yaml"))
        .args(flags);
    command
}

fn restore(mesh: &Mesh, flags: &[&str]) -> Output {
    restore_command(mesh, flags).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// What the audit says about such events, in order: how each ended, and why if it did not end well.
fn told(mesh: &Mesh, what: &str) -> Vec<(String, String)> {
    let log = mesh.directory().join("decisions.log");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let told = lines.filter(|line: &serde_json::Value| line["event"] == "lifecycle" && line["what"] == what);
    let word = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let told = told
        .map(|line| (word(&line, "outcome"), word(&line, "reason")))
        .collect();
    let whole = mesh
        .spike()
        .unwrap()
        .run(&["audit", "verify", log.to_str().unwrap()])
        .unwrap();
    assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
    told
}

/// Puts `many/N` = `value N`, many at a time.
async fn fill(client: &Client) {
    let writers = (0..50).map(|writer| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (writer..SECRETS).step_by(50) {
                let value = [("value", format!("value {number}"))];
                client.put_secret(&format!("many/{number}"), value).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn assert_filled(client: &Client) {
    for number in 0..SECRETS {
        let secret = client.get_secret(&format!("many/{number}")).await.unwrap();
        assert_eq!(&secret.data["value"], &format!("value {number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_backup_under_load_comes_back_and_an_older_state_only_when_accepted() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    fill(&client).await;
    let spike = mesh.spike().unwrap();
    let out = mesh.directory().join("nexus.backup");
    let out = out.to_str().unwrap();

    // Only Pilot has it; nobody else leaves a file.
    let denied = mesh.spike_as("web").unwrap();
    let said = denied.run(&["operator", "backup", "--out", out]).unwrap();
    assert_eq!((said.code, Path::new(out).exists()), (77, false), "{}", said.err);

    // While somebody writes.
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = {
        let (client, stop, acknowledged) = (client.clone(), Arc::clone(&stop), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for number in 1_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return number - 1;
                }
                client
                    .put_secret("load", [("number", number.to_string())])
                    .await
                    .unwrap();
                acknowledged.store(number, Ordering::SeqCst);
            }
            0
        })
    };
    while acknowledged.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    let before = acknowledged.load(Ordering::SeqCst);
    let running = spike.clone();
    let to = out.to_owned();
    let said = tokio::task::spawn_blocking(move || running.run(&["operator", "backup", "--out", &to]).unwrap());
    let said = said.await.unwrap();
    let after = acknowledged.load(Ordering::SeqCst) + 1;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("It holds no root key."), "{}", said.out);
    stop.store(true, Ordering::Relaxed);
    let last = writer.await.unwrap();
    assert!(last > before, "nothing was written meanwhile");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(out).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let said = spike.run(&["operator", "backup", "--out", out]).unwrap();
    assert_eq!(said.code, 65, "a second one must not replace the first: {}", said.out);

    // Running: refused. Stopped, and older than what was acknowledged: refused.
    let refused = restore(&mesh, &["--from", out, "--accept-rollback"]);
    assert_eq!(code(&refused), 69);
    // The running server has the audit log, too.
    assert!(
        text(&refused.stderr).contains("another process"),
        "{}",
        text(&refused.stderr)
    );
    mesh.ext_authz().kill().unwrap();
    let untouched = std::fs::read(database(&mesh)).unwrap();
    let refused = restore(&mesh, &["--from", out]);
    assert_eq!(code(&refused), 69);
    assert!(
        text(&refused.stderr).contains("--accept-rollback"),
        "{}",
        text(&refused.stderr)
    );
    assert!(std::fs::read(database(&mesh)).unwrap() == untouched);

    // A damaged one: refused with the code of bad data.
    let mut damaged = std::fs::read(out).unwrap();
    // In its code: a bit in the middle may be one of a length, and then it seems cut off.
    *damaged.last_mut().unwrap() ^= 1;
    let bad = mesh.directory().join("bad.backup");
    std::fs::write(&bad, damaged).unwrap();
    let refused = restore(&mesh, &["--from", bad.to_str().unwrap(), "--accept-rollback"]);
    assert_eq!(code(&refused), 65, "{}", text(&refused.stderr));
    assert!(std::fs::read(database(&mesh)).unwrap() == untouched);

    let (server, config) = (
        workspace::built("spike-ext-authz").unwrap(),
        mesh.directory().join("spike-ext-authz.yaml"),
    );
    let restored = spike
        .run(&[
            "operator",
            "restore-backup",
            "--server",
            server.to_str().unwrap(),
            "--config",
            config.to_str().unwrap(),
            "--from",
            out,
            "--accept-rollback",
        ])
        .unwrap();
    assert_eq!(restored.code, 0, "{}", restored.err);
    assert!(
        restored.out.contains("the database that was there is now"),
        "{}",
        restored.out
    );
    let audit = std::fs::read_to_string(mesh.directory().join("decisions.log")).unwrap();
    assert!(audit.contains("backup_restored"), "{audit}");
    let ends = told(&mesh, "backup_restored");
    let [(older, why), (bad, damaged), (done, _)] = &ends[..] else {
        panic!("{ends:?}")
    };
    assert_eq!(
        [older.as_str(), bad.as_str(), done.as_str()],
        ["refused", "refused", "ok"]
    );
    assert!(
        why.contains("--accept-rollback") && damaged.contains("it is damaged"),
        "{ends:?}"
    );
    assert_eq!(told(&mesh, "backup_taken"), [("ok".to_owned(), String::new())]);
    mesh.restart_ext_authz().unwrap();
    let client = mesh.client("pilot").await.unwrap();
    assert_filled(&client).await;
    let load = client.get_secret("load").await.unwrap();
    let found: u64 = load.data["number"].parse().unwrap();
    assert!(
        before <= found && found <= after,
        "{before} acknowledged, {after} issued, found {found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_moment_leaves_a_whole_database() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    for number in 0..200 {
        client
            .put_secret(&format!("many/{number}"), [("state", "backup")])
            .await
            .unwrap();
    }
    let out = mesh.directory().join("nexus.backup");
    let out = out.to_str().unwrap().to_owned();
    assert_eq!(
        mesh.spike()
            .unwrap()
            .run(&["operator", "backup", "--out", &out])
            .unwrap()
            .code,
        0
    );
    client.put_secret("many/0", [("state", "later")]).await.unwrap();
    mesh.ext_authz().kill().unwrap();
    let saved: Vec<(PathBuf, Vec<u8>)> = [database(&mesh), mesh.directory().join("anchor")]
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    // How long a whole one takes, in which the kills are spread.
    let started = Instant::now();
    assert_eq!(code(&restore(&mesh, &["--from", &out, "--accept-rollback"])), 0);
    let whole = started.elapsed();
    let mut states = BTreeSet::new();
    for kill in 0..KILLS {
        for (path, bytes) in &saved {
            std::fs::write(path, bytes).unwrap();
        }
        let mut running = restore_command(&mesh, &["--from", &out, "--accept-rollback"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(
            u64::try_from(whole.as_micros()).unwrap() * u64::from(kill) * 11 / 10 / u64::from(KILLS),
        ));
        drop(running.kill());
        running.wait().unwrap();
        mesh.restart_ext_authz()
            .unwrap_or_else(|error| panic!("kill {kill}: no usable database: {error}"));
        let client = mesh.client("pilot").await.unwrap();
        let state = client.get_secret("many/0").await.unwrap();
        states.insert(state.data["state"].to_string());
        for number in 1..200 {
            let secret = client.get_secret(&format!("many/{number}")).await.unwrap();
            assert_eq!(&secret.data["state"], "backup", "kill {kill}");
        }
        mesh.ext_authz().kill().unwrap();
    }
    assert_eq!(
        states.into_iter().collect::<Vec<_>>(),
        ["backup", "later"],
        "kills must fall before and after the replacement"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_file_is_refused_on_start_and_accepted_once() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    client.put_secret("s", [("state", "old")]).await.unwrap();
    mesh.ext_authz().kill().unwrap();
    let old = std::fs::read(database(&mesh)).unwrap();
    mesh.restart_ext_authz().unwrap();
    let client = mesh.client("pilot").await.unwrap();
    client.put_secret("s", [("state", "new")]).await.unwrap();
    mesh.ext_authz().kill().unwrap();
    std::fs::write(database(&mesh), &old).unwrap();
    let refused = mesh.restart_ext_authz().unwrap_err().to_string();
    assert!(
        refused.contains("69")
            && refused.contains("the database is older than it")
            && refused.contains("--accept-rollback"),
        "{refused}"
    );
    assert!(std::fs::read(database(&mesh)).unwrap() == old, "the file was changed");

    // Started once with the flag, by hand.
    let mut command = Command::new(workspace::built("spike-ext-authz").unwrap());
    command
        .arg("--accept-rollback")
        .arg("--config")
        .arg(mesh.directory().join("spike-ext-authz.yaml"));
    let mut once = spike_integration::Program::start("accepting", command, mesh.directory()).unwrap();
    once.wait_for_line("ready").unwrap();
    once.kill().unwrap();
    let audit = std::fs::read_to_string(mesh.directory().join("decisions.log")).unwrap();
    assert!(audit.contains("rollback_accepted"), "{audit}");
    let refused = told(&mesh, "open_refused");
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].0 == "refused" && refused[0].1.contains("the database is older than it"),
        "{refused:?}"
    );
    let anchored = told(&mesh, "anchor_written");
    assert_eq!(
        anchored,
        vec![("ok".to_owned(), String::new()); 3],
        "at each start that was none"
    );
    mesh.restart_ext_authz().unwrap();
    let client = mesh.client("pilot").await.unwrap();
    assert_eq!(&client.get_secret("s").await.unwrap().data["state"], "old");
}
