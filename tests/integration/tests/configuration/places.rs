//! Places that cannot be used: sockets, ports and files that are taken, and agents that are none. Exit code 69.
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spike_integration::{Mesh, MeshOptions, workspace};

/// How long a program may take to say that it cannot start; the longest waits two seconds for an agent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program that must give up by itself with code 69; gives what it said.
fn gives_up(name: &str, directory: &Path, sets: &[&str]) -> String {
    let mut command = Command::new(workspace::built(name).unwrap());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command.arg("--config").arg(directory.join("it.yaml"));
    command.args(sets.iter().flat_map(|pair| ["--set", *pair]));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let code = ended(&mut child, sets);
    let mut err = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
    assert_eq!(code, Some(69), "{name} {sets:?}: {err}");
    err
}

fn ended(child: &mut Child, sets: &[&str]) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it hangs: {sets:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_taken_or_missing_ends_the_program_with_its_name() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let run = mesh.directory().display().to_string();
    let own = tempfile::tempdir().unwrap();
    let here = own.path().display().to_string();
    std::fs::write(own.path().join("plain"), "a file of somebody").unwrap();
    let yaml = format!(
        "identity: {{socket: \"unix://{run}/agent/nexus.sock\", wait: 20s}}
check: {{trust_domains: [example.org], listen: {{uds: {{path: {here}/check.sock}}}}}}
audit: {{to: \"off\"}}
nexus: {{listen: \"127.0.0.1:0\", store: {{backend: memory}}, trust_roots: {{nexus: example.org}}}}
"
    );
    std::fs::write(own.path().join("it.yaml"), yaml).unwrap();
    let long = format!("check.listen.uds.path={here}/{}.sock", "x".repeat(120));
    let port = mesh.nexus_address().port();
    let rows: Vec<(String, &str)> = vec![
        (format!("check.listen.uds.path={run}/ext-authz.sock"), "ext-authz.sock"),
        (format!("check.listen.uds.path={here}/plain"), "plain"),
        (
            format!("check.listen.uds.path={here}/no/such/directory.sock"),
            "directory.sock",
        ),
        (long, "xxx.sock"),
        (format!("check.listen.tcp.address=127.0.0.1:{port}"), "127.0.0.1:"),
        (format!("nexus.listen=127.0.0.1:{port}"), "127.0.0.1:"),
        ("nexus.listen=192.0.2.1:8553".to_owned(), "192.0.2.1:8553"),
        (format!("admin.listen=unix:{run}/admin.sock"), "admin.sock"),
        (format!("admin.listen=127.0.0.1:{port}"), "127.0.0.1:"),
        (format!("audit.to=file:{here}/no/such/audit.log"), "audit.log"),
        (format!("audit.to=file:{here}"), &here),
    ];
    for (set, names) in &rows {
        let said = gives_up("spike-ext-authz", own.path(), &[set]);
        assert!(
            said.lines()
                .any(|line| line.starts_with("spike-ext-authz: ") && line.contains(names)),
            "{set} should name {names}: {said}"
        );
    }
    // The files of others are as they were.
    assert_eq!(
        std::fs::read_to_string(own.path().join("plain")).unwrap(),
        "a file of somebody"
    );
    assert!(mesh.check_socket().exists());
    let data = format!("nexus.store.dir={here}/plain");
    let said = gives_up("spike-ext-authz", own.path(), &["nexus.store.backend=redb", &data]);
    assert!(said.contains("plain"), "{said}");
}

#[test]
fn an_agent_that_is_none_ends_the_program_in_time() {
    let own = tempfile::tempdir().unwrap();
    let here = own.path().display().to_string();
    std::fs::write(own.path().join("plain"), "").unwrap();
    // Somebody listens there, and never answers.
    let silent = UnixListener::bind(own.path().join("silent.sock")).unwrap();
    std::fs::write(
        own.path().join("it.yaml"),
        format!(
            "identity: {{wait: 1s}}
check: {{trust_domains: [example.org], listen: {{uds: {{path: {here}/check.sock}}}}}}
nexus: {{listen: \"127.0.0.1:0\", store: {{backend: memory}}}}
"
        ),
    )
    .unwrap();
    let alone = own.path().join("nexus");
    std::fs::create_dir(&alone).unwrap();
    std::fs::write(
        alone.join("it.yaml"),
        "identity: {wait: 1s}\nnexus: {listen: \"127.0.0.1:0\", store: {backend: memory}}\n",
    )
    .unwrap();
    for (socket, says) in [
        ("missing.sock", "the socket does not exist"),
        ("plain", "nobody listens"),
        ("silent.sock", "within 1s"),
    ] {
        let set = format!("identity.socket=unix://{here}/{socket}");
        for (name, directory) in [("spike-ext-authz", own.path()), ("spike-nexus", alone.as_path())] {
            let said = gives_up(name, directory, &[&set]);
            assert!(
                said.contains(socket) && said.contains(says),
                "{name}: {socket} should say {says}: {said}"
            );
        }
    }
    drop(silent);
}

#[test]
fn an_agent_socket_that_is_taken_ends_the_development_agent() {
    let own = tempfile::tempdir().unwrap();
    let here = own.path().display().to_string();
    std::fs::write(
        own.path().join("it.yaml"),
        format!("directory: {here}\ntrust_domain: example.org\nentries: [{{spiffe_id: /x, socket: x.sock}}]\n"),
    )
    .unwrap();
    let taken = UnixListener::bind(own.path().join("x.sock")).unwrap();
    let said = gives_up("spike-dev-agent", own.path(), &[]);
    assert!(said.contains("x.sock"), "{said}");
    drop(taken);
    let said = gives_up("spike-dev-agent", own.path(), &["directory=/proc/nowhere"]);
    assert!(said.contains("/proc/nowhere"), "{said}");
}
