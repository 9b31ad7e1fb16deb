//! With the official software: real SPIRE, the official `spike` command line, the official Go SDK.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use spike_integration::{Envoy, Mesh, MeshOptions, Program, Spire, Upstream, workspace};

const NEXUS: u32 = 23_001;
const PILOT: u32 = 23_002;
const WEB: u32 = 23_003;
const BATCH: u32 = 23_004;
const SECRET: &str = "tenants/acme/db/creds";

/// What one command of one user said.
#[derive(Debug)]
struct Said {
    out: String,
    all: String,
    code: i32,
}

fn run(mut command: Command) -> Said {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
    Said {
        out,
        all,
        code: output.status.code().unwrap_or(-1),
    }
}

/// A program on `PATH`.
fn on_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{program}` is not on PATH"))
}

/// A Go program of `tests/interop`, built by `make interop`.
fn go_program(name: &str) -> PathBuf {
    let built = workspace::root().join("tests/interop").join(name).join(name);
    assert!(
        built.is_file(),
        "tests/interop/{name} was not built: use `make interop`"
    );
    built
}

/// Real SPIRE, and our servers in it, each workload a user of its own.
struct Field {
    ext_authz: Program,
    nexus: SocketAddr,
    spire: Spire,
    directory: PathBuf,
    _kept: tempfile::TempDir,
}

impl Field {
    fn start() -> Self {
        let kept = tempfile::Builder::new().prefix("spire-").tempdir().unwrap();
        let directory = kept.path().to_owned();
        let mut spire = Spire::start(&directory).unwrap();
        for (uid, path) in [
            (NEXUS, "spike/nexus"),
            (PILOT, "spike/pilot/role/superuser"),
            (WEB, "workload/web"),
            (BATCH, "workload/batch"),
            (0, "envoy/sidecar"),
        ] {
            spire.register(uid, path).unwrap();
        }
        let home = directory.join("nexus");
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(NEXUS), Some(NEXUS)).unwrap();
        let config = directory.join("ext-authz.yaml");
        let (at, socket) = (home.display(), spire.socket());
        let text = format!(
            "identity: {{socket: \"unix://{}\"}}
check: {{trust_domains: [example.org], listen: {{uds: {{path: {at}/ext-authz.sock}}}}}}
nexus:
  listen: \"127.0.0.1:0\"
  store: {{dir: {at}}}
  trust_roots: {{nexus: example.org, pilot: example.org}}
audit: {{to: \"file:{at}/decisions.log\"}}
",
            socket.display()
        );
        std::fs::write(&config, text).unwrap();
        let program = copied(&workspace::built("spike-ext-authz").unwrap(), &directory);
        let mut command = Spire::run_as(NEXUS, &program);
        command.arg("--config").arg(&config);
        let mut ext_authz = Program::start("ext-authz", command, &directory).unwrap();
        let line = ext_authz.wait_for_line("ready:").unwrap();
        let nexus = line
            .split("nexus=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        Self {
            ext_authz,
            nexus,
            spire,
            directory,
            _kept: kept,
        }
    }

    /// A command of this user, with the environment that SPIKE's documentation names.
    fn command(&self, uid: u32, program: &Path, arguments: &[&str]) -> Said {
        let mut command = Spire::run_as(uid, program);
        command
            .args(arguments)
            .env(
                "SPIFFE_ENDPOINT_SOCKET",
                format!("unix://{}", self.spire.socket().display()),
            )
            .env(
                "SPIKE_NEXUS_API_URL",
                format!("https://localhost:{}", self.nexus.port()),
            )
            .env("SPIKE_TRUST_ROOT_NEXUS", "example.org")
            .env("SPIKE_TRUST_ROOT_PILOT", "example.org")
            .env("HOME", &self.directory)
            .current_dir(&self.directory);
        run(command)
    }
}

/// Programs are copied to where every user may run them: the build directory may belong to one user alone.
fn copied(program: &Path, directory: &Path) -> PathBuf {
    spike_integration::official::copied(program, directory).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_works_under_real_spire_with_the_official_programs() {
    let mut field = Field::start();
    let official = copied(&on_path("spike-official-spike"), &field.directory);
    let ours = copied(&workspace::built("spike").unwrap(), &field.directory);
    let go = copied(&go_program("gosdk"), &field.directory);

    // Before there is a policy: the official SDK reads the denial as what it is.
    let said = field.command(
        PILOT,
        &official,
        &["secret", "put", SECRET, "username=orders", "password=s3cr3t"],
    );
    assert!(said.all.contains("OK"), "{}", said.all);
    let said = field.command(WEB, &go, &["GetSecret", SECRET]);
    assert_eq!(
        (said.out.trim(), said.code),
        ("error access_unauthorized", 1),
        "{}",
        said.all
    );

    // The recipe's policy, from the file of the README, by the official command line.
    let file = field.directory.join("orders.yaml");
    std::fs::copy(workspace::root().join("config/policies/orders.yaml"), &file).unwrap();
    let said = field.command(PILOT, &official, &["policy", "apply", "--file", file.to_str().unwrap()]);
    assert!(
        said.all.contains("Policy 'web-reads-orders' applied successfully"),
        "{}",
        said.all
    );
    let said = field.command(WEB, &go, &["GetSecret", SECRET]);
    let secret: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.all));
    assert!(said.out.contains("s3cr3t"), "{secret}");
    let said = field.command(WEB, &ours, &["secret", "get", SECRET, "password"]);
    assert_eq!(
        (said.out.trim(), said.code),
        ("s3cr3t", 0),
        "the Rust SDK in our command line: {}",
        said.all
    );
    let said = field.command(BATCH, &go, &["GetSecret", SECRET]);
    assert_eq!(said.out.trim(), "error access_unauthorized", "{}", said.all);

    // The same policy behind Envoy, whose only difference is the agent's socket.
    let upstream = Upstream::start().await.unwrap();
    let replacements = [
        (
            "/run/spire/sockets/agent.sock",
            field.spire.socket().display().to_string(),
        ),
        (
            "/run/spike/ext-authz.sock",
            field.directory.join("nexus/ext-authz.sock").display().to_string(),
        ),
        (
            "address: 127.0.0.1, port_value: 8080",
            format!("address: 127.0.0.1, port_value: {}", upstream.address().port()),
        ),
    ];
    let envoy = Envoy::start(&field.directory, "inbound-sidecar.yaml", &replacements).unwrap();
    assert_eq!(curl(&field, WEB, &envoy, "/7"), "200");
    assert_eq!(curl(&field, BATCH, &envoy, "/7"), "403");
    let said = field.command(PILOT, &ours, &["policy", "delete", "web-reads-orders", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.all);
    assert_eq!(curl(&field, WEB, &envoy, "/7"), "403");
    assert_eq!(upstream.targets(), [b"/7".to_vec()]);
    assert!(
        field.ext_authz.stop().unwrap().success(),
        "{}",
        field.ext_authz.output()
    );
}

/// The status that curl gets through Envoy with the SVID files that the agent wrote for this user.
fn curl(field: &Field, uid: u32, envoy: &Envoy, path: &str) -> String {
    let svid = field.spire.write_svid(uid).unwrap();
    let mut command = Command::new("curl");
    command
        .args(["-sk", "-o", "/dev/null", "-w", "%{http_code}", "--cert"])
        .arg(svid.join("svid.0.pem"))
        .arg("--key")
        .arg(svid.join("svid.0.key"))
        .arg(format!("https://{}{path}", envoy.address()));
    run(command).out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_command_line_works_against_our_nexus() {
    let mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let official = on_path("spike-official-spike");
    let mut commands = 0;
    let mut expect = |arguments: &[&str], text: &str| {
        let mut command = Command::new(&official);
        command
            .args(arguments)
            .envs(mesh.environment("pilot"))
            .stdin(std::process::Stdio::null());
        let said = run(command);
        assert!(
            said.all.contains(text),
            "spike {arguments:?} does not say `{text}` but:\n{}",
            said.all
        );
        commands += 1;
        said.out
    };
    let who = r"^spiffe://example\.org/workload/web$";
    expect(&["policy", "list"], "No policies found.");
    let create = |name: &'static str| {
        vec![
            "policy",
            "create",
            "--name",
            name,
            "--spiffeid-pattern",
            who,
            "--path-pattern",
            "^tenants/acme/.*$",
            "--permissions",
            "read,list",
        ]
    };
    expect(&create("web-reads"), "Policy created successfully.");
    expect(&create("web-reads"), "Error: Policy 'web-reads' already exists.");
    expect(&create("web-reads-too"), "Policy created successfully.");
    expect(&["policy", "list"], "Name: web-reads");
    expect(&["policy", "list", "--format", "json"], r#""name": "web-reads""#);
    expect(
        &["policy", "list", "--path-pattern", "^tenants/acme/.*$"],
        "web-reads-too",
    );
    expect(&["policy", "list", "--path-pattern", "^nothing$"], "No policies found.");
    expect(&["policy", "get", "web-reads"], "Path Pattern: ^tenants/acme/.*$");
    expect(
        &["policy", "get", "--name", "web-reads", "--format", "json"],
        r#""spiffiedPattern": "^spiffe"#,
    );
    expect(&["policy", "get", "nobody"], "Entity not found");
    let file = workspace::root().join("config/policies/orders.yaml");
    expect(
        &["policy", "apply", "--file", file.to_str().unwrap()],
        "Policy 'web-reads-orders' applied successfully",
    );
    expect(&["secret", "list"], "No secrets found.");
    expect(&["secret", "put", SECRET, "username=orders", "password=one"], "OK");
    expect(&["secret", "put", SECRET, "username=orders", "password=two"], "OK");
    expect(&["secret", "get", SECRET], "password: two");
    expect(&["secret", "get", SECRET, "username"], "orders");
    expect(&["secret", "get", SECRET, "--version", "1"], "password: one");
    expect(&["secret", "get", SECRET, "--format", "json"], r#""password": "two""#);
    expect(&["secret", "get", "tenants/acme/none"], "Resource not found");
    expect(&["secret", "list"], "- tenants/acme/db/creds");
    expect(&["secret", "metadata", "get", SECRET], "Current Version");
    expect(&["secret", "delete", SECRET], "OK");
    expect(&["secret", "get", SECRET], "password: one");
    expect(&["secret", "undelete", SECRET, "--versions", "2"], "OK");
    expect(&["secret", "get", SECRET], "password: two");
    let mut delete = Command::new("sh");
    delete
        .args(["-c", "echo y | \"$0\" policy delete web-reads"])
        .arg(&official)
        .envs(mesh.environment("pilot"));
    assert!(run(delete).all.contains("Policy deleted successfully."));
    expect(&["policy", "get", "web-reads"], "Entity not found");
    assert!(commands >= 27, "{commands} commands");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_go_sdk_works_against_our_nexus_and_agent() {
    let mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let go = go_program("gosdk");
    let call = |identity: &str, arguments: &[&str]| {
        let mut command = Command::new(&go);
        command
            .args(arguments)
            .envs(mesh.environment(identity))
            .stdin(std::process::Stdio::null());
        run(command)
    };
    let json = |said: &Said| -> serde_json::Value {
        serde_json::from_str(said.out.trim()).unwrap_or_else(|e| panic!("{e}: {}", said.all))
    };
    let who = r"^spiffe://example\.org/workload/web$";
    assert_eq!(json(&call("pilot", &["ListAllPolicies"])), json!([]));
    assert_eq!(
        json(&call(
            "pilot",
            &["CreatePolicy", "web-reads", who, "^tenants/acme/.*$", r#"["read"]"#]
        )),
        json!("ok")
    );
    let policy = json(&call("pilot", &["GetPolicy", "web-reads"]));
    assert_eq!(policy["name"], "web-reads");
    assert_eq!(policy["spiffiedPattern"], who);
    assert_eq!(policy["permissions"], json!(["read"]));
    assert_eq!(json(&call("pilot", &["ListAllPolicies"]))[0]["name"], "web-reads");
    assert_eq!(
        call("pilot", &["CreatePolicy", "bad", who, "(", r#"["read"]"#])
            .out
            .trim(),
        "error api_bad_request"
    );
    assert_eq!(
        call("pilot", &["GetPolicy", "nobody"]).out.trim(),
        "error api_not_found"
    );
    assert_eq!(
        call("web", &["ListAllPolicies"]).out.trim(),
        "error access_unauthorized"
    );

    assert_eq!(
        json(&call(
            "pilot",
            &["PutSecret", SECRET, r#"{"user":"a","password":"one"}"#]
        )),
        json!("ok")
    );
    assert_eq!(
        json(&call(
            "pilot",
            &["PutSecret", SECRET, r#"{"user":"a","password":"two"}"#]
        )),
        json!("ok")
    );
    assert!(call("web", &["GetSecret", SECRET]).out.contains("two"));
    assert!(call("web", &["GetSecretVersion", SECRET, "1"]).out.contains("one"));
    assert_eq!(
        call("web", &["GetSecretVersion", SECRET, "9"]).out.trim(),
        "error api_not_found"
    );
    assert_eq!(
        call("batch", &["GetSecret", SECRET]).out.trim(),
        "error access_unauthorized"
    );
    assert_eq!(
        call("web", &["PutSecret", SECRET, r#"{"user":"b"}"#]).out.trim(),
        "error access_unauthorized"
    );
    let metadata = json(&call("web", &["GetSecretMetadata", SECRET, "0"]));
    assert_eq!(metadata["metadata"]["currentVersion"], 2, "{metadata}");
    assert_eq!(
        metadata["versions"].as_object().map(serde_json::Map::len),
        Some(2),
        "{metadata}"
    );
    assert_eq!(json(&call("pilot", &["ListSecretKeys"])), json!([SECRET]));
    assert_eq!(json(&call("pilot", &["DeleteSecret", SECRET])), json!("ok"));
    assert!(call("web", &["GetSecret", SECRET]).out.contains("one"));
    assert_eq!(json(&call("pilot", &["UndeleteSecret", SECRET, "[2]"])), json!("ok"));
    assert!(call("web", &["GetSecret", SECRET]).out.contains("two"));
    assert_eq!(json(&call("pilot", &["DeletePolicy", "web-reads"])), json!("ok"));
    assert_eq!(
        call("web", &["GetSecret", SECRET]).out.trim(),
        "error access_unauthorized"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn go_spiffe_takes_identities_and_rotations_from_our_development_agent() {
    let mesh = Mesh::start(MeshOptions::without_envoy().with_svid_ttl("4s"))
        .await
        .unwrap();
    let mut command = Command::new(go_program("gospiffe"));
    command.arg(format!("unix://{}", mesh.agent_socket("web").display()));
    let said = run(command);
    assert_eq!(said.code, 0, "{}", said.all);
    assert_eq!(
        said.out.matches("X509-SVID spiffe://example.org/workload/web").count(),
        4,
        "{}",
        said.all
    );
    assert!(
        said.out.contains("JWT-SVID spiffe://example.org/workload/web\nOK"),
        "{}",
        said.all
    );
}
