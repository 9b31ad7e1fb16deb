//! The README does what it says: every command in it is run, every piece of code in it is compiled and run, every link
//! leads somewhere. A command or block that no test knows fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use spike_integration::{Mesh, MeshOptions, Program, workspace};

const SECRET: &str = "tenants/acme/db/creds";

/// Every command that the README shows, and the test that runs it.
const COMMANDS: &[(&str, &str)] = &[
    ("make demo", "the_demo_ends_with_every_verdict_right"),
    ("make test", "make_test_is_the_run_that_this_test_is_part_of"),
    (APPLY, "the_policy_is_applied_and_the_secret_read_with_curl"),
    (CURL, "the_policy_is_applied_and_the_secret_read_with_curl"),
    (TOGETHER, "the_servers_start_as_shown"),
    (NEXUS, "the_servers_start_as_shown"),
    (APART, "the_servers_start_as_shown"),
    (MIGRATE, "the_migration_says_what_it_would_copy"),
];

const APPLY: &str = "spike policy apply --file config/policies/orders.yaml";
const CURL: &str =
    "curl --cert svid.pem --key key.pem --cacert bundle.pem https://localhost:8553/v1/secrets/tenants/acme/db/creds";
const TOGETHER: &str = "spike-ext-authz --config config/ext-authz.yaml";
const NEXUS: &str = "spike-nexus --config config/nexus.yaml";
const APART: &str = "spike-ext-authz --config config/ext-authz-remote.yaml";
const MIGRATE: &str = "spike migrate --from https://old.example:8553 --to https://localhost:8553 --dry-run";

/// `make` targets that are named in the text.
const TARGETS: &[&str] = &["bench", "bench-peers", "demo", "down", "test", "up"];

fn read(file: &str) -> String {
    std::fs::read_to_string(workspace::root().join(file)).expect(file)
}

/// The fenced blocks of a page: language and text, without the indentation of the fence.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                open = Some((line.len() - line.trim_start().len(), language.to_owned(), String::new()));
            }
            (Some(_), Some(_)) => {
                let (_, language, text) = open.take().unwrap();
                blocks.push((language, text));
            }
            (Some((indent, _, text)), None) => {
                text.push_str(line.get(*indent..).unwrap_or_default());
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

fn block(language: &str) -> String {
    let readme = read("README.md");
    let mut found = blocks(&readme).into_iter().filter(|(known, _)| known == language);
    let (_, text) = found.next().expect(language);
    assert!(found.next().is_none(), "one block of {language}");
    text
}

/// The directory of the programs, as the first part of `PATH`.
fn path() -> String {
    let programs = workspace::built("spike").unwrap();
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("{}:{rest}", programs.parent().unwrap().display())
}

/// Runs a line as it stands in the README.
fn shell(line: &str, directory: &Path, environment: &[(&str, String)]) -> Output {
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", line])
        .current_dir(directory)
        .env("PATH", path())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn there_is_no_command_or_block_that_no_test_knows() {
    let readme = read("README.md");
    let mut commands = Vec::new();
    for (language, text) in blocks(&readme) {
        match language.as_str() {
            "console" => commands.extend(text.lines().map(|line| line.strip_prefix("$ ").expect(line).to_owned())),
            // `the_policy_of_the_readme_is_the_shipped_one`, `the_rust_of_the_readme_reads_a_secret`, the picture.
            "yaml" | "rust" | "" => {}
            other => assert_eq!(other, "", "a block of another language"),
        }
    }
    let known: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(commands, known);
    let me = read("tests/integration/tests/readme.rs");
    for (command, test) in COMMANDS {
        assert!(me.contains(&format!("fn {test}()")), "{command}: {test}");
    }
    let mut targets: Vec<&str> = readme
        .split("`make ")
        .skip(1)
        .map(|rest| rest.split('`').next().unwrap())
        .collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(
        targets,
        ["bench", "bench-peers", "demo", "down", "up"],
        "named in the text"
    );
}

/// What `make TARGET` would run, with everything up to date or not.
fn recipe(target: &str) -> String {
    let output = Command::new("make")
        .args(["--dry-run", "--no-print-directory", target])
        .current_dir(workspace::root())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    assert!(output.status.success(), "make {target}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_make_target_that_is_named_exists() {
    for target in TARGETS {
        assert!(!recipe(target).is_empty(), "{target}");
    }
    assert!(recipe("up").trim_end().ends_with("target/debug/demo up"));
    assert!(recipe("down").trim_end().ends_with("target/debug/demo down"));
}

/// `make test` cannot run inside itself: its recipe is the cargo command that runs this very test, every package of it.
#[test]
fn make_test_is_the_run_that_this_test_is_part_of() {
    let recipe = recipe("test");
    assert_eq!(
        recipe.trim_end().lines().last(),
        Some("cargo test --locked --workspace --no-fail-fast")
    );
    let mut ignored = 0;
    let mut files = 0;
    let mut open = vec![workspace::root()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                ignored += usize::from(text.lines().any(|line| line.trim_start().starts_with("#[ignore")));
            }
        }
    }
    assert!(files > 100, "{files}");
    assert_eq!(ignored, 0, "a test that `make test` leaves out");
}

#[test]
fn the_demo_ends_with_every_verdict_right() {
    assert!(recipe("demo").trim_end().ends_with("target/debug/demo"));
    let demo = workspace::built("demo").unwrap();
    let output = Command::new(demo).current_dir(workspace::root()).output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(" verdicts, 0 wrong."), "{text}");
    // The README promises these.
    for promised in [
        "identity_unmatched",
        "permission_missing",
        "allowed by policy web-reads-orders",
        "get_secret through the Rust SDK",
        "curl as workload/web",
        "$ spike policy delete",
    ] {
        assert!(text.contains(promised), "{promised}: {text}");
    }
}

#[test]
fn the_policy_of_the_readme_is_the_shipped_one() {
    let shipped = read("config/policies/orders.yaml");
    let shipped: Vec<&str> = shipped.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(block("yaml").lines().collect::<Vec<_>>(), shipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_applied_and_the_secret_read_with_curl() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let pilot = mesh.environment("pilot");
    let root = workspace::root();
    let output = shell(&format!("spike secret put {SECRET} password=s3cr3t"), &root, &pilot);
    assert!(output.status.success(), "{}", said(&output));
    let own = tempfile::tempdir().unwrap();
    let fetch = format!(
        "spike-dev-agent fetch --socket {} --write .",
        mesh.agent_socket("web").display()
    );
    let output = shell(&fetch, own.path(), &[]);
    assert!(output.status.success(), "{}", said(&output));
    let port = format!(":{}/", mesh.nexus_address().port());
    assert!(CURL.contains(":8553/"));
    let curl = format!("{} --silent --show-error", CURL.replace(":8553/", &port));
    let before = shell(&curl, own.path(), &[]);
    assert!(!said(&before).contains("s3cr3t"), "no policy yet: {}", said(&before));
    let output = shell(APPLY, &root, &pilot);
    assert!(
        output.status.success() && said(&output).contains("web-reads-orders"),
        "{}",
        said(&output)
    );
    let after = shell(&curl, own.path(), &[]);
    assert_eq!(said(&after).trim(), r#"{"data":{"password":"s3cr3t"}}"#);
    let script = root.join("examples/curl/read-secret.sh");
    let line = format!("{} . {SECRET}", script.display());
    let url = format!("https://localhost:{}", mesh.nexus_address().port());
    let output = shell(&line, own.path(), &[("SPIKE_NEXUS_API_URL", url)]);
    assert_eq!(said(&output).trim(), r#"{"data":{"password":"s3cr3t"}}"#);
}

/// From one Nexus to another one; the sockets of their agents are given, for each has its own here.
#[tokio::test(flavor = "multi_thread")]
async fn the_migration_says_what_it_would_copy() {
    let old = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let new = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let root = workspace::root();
    let put = format!("spike secret put {SECRET} password=s3cr3t");
    assert!(shell(&put, &root, &old.environment("pilot")).status.success());
    assert!(shell(APPLY, &root, &old.environment("pilot")).status.success());
    assert!(MIGRATE.contains("https://old.example:8553") && MIGRATE.contains("https://localhost:8553"));
    let url = |mesh: &Mesh| format!("https://localhost:{}", mesh.nexus_address().port());
    let line = MIGRATE
        .replace("https://old.example:8553", &url(&old))
        .replace("https://localhost:8553", &url(&new));
    let socket = |mesh: &Mesh| format!("unix://{}", mesh.agent_socket("pilot").display());
    let line = format!("{line} --from-socket {} --to-socket {}", socket(&old), socket(&new));
    let output = shell(&line, &root, &new.environment("pilot"));
    let text = said(&output);
    assert!(
        output.status.success() && text.contains("Secrets: 1 in the source, 1 created"),
        "{text}"
    );
    let listed = shell("spike secret list; spike policy list", &root, &new.environment("pilot"));
    assert!(
        said(&listed).contains("No secrets found.") && said(&listed).contains("No policies found."),
        "{}",
        said(&listed)
    );
}

/// The README's Rust, between the two marks, letter for letter.
#[rustfmt::skip]
async fn snippet() -> anyhow::Result<String> {
    use spike_sdk::Client;
    // README {
let secret = Client::connect().await?.get_secret("tenants/acme/db/creds").await?;
let password = &secret.data["password"];
    // }
    Ok(password.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_of_the_readme_reads_a_secret() {
    const CHILD: &str = "SPIKE_README_READS";
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(snippet().await.unwrap(), "s3cr3t");
        return;
    }
    let me = read("tests/integration/tests/readme.rs");
    let region = me.split("    // README {\n").nth(1).unwrap();
    let region = region.split("    // }\n").next().unwrap();
    assert_eq!(block("rust"), region);
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let said = mesh
        .spike()
        .unwrap()
        .run(&["secret", "put", SECRET, "password=s3cr3t"])
        .unwrap();
    assert_eq!(said.code, 0, "{}", said.err);
    let file = workspace::root().join("config/policies/orders.yaml");
    let said = mesh
        .spike()
        .unwrap()
        .run(&["policy", "apply", "--file", &file.display().to_string()])
        .unwrap();
    assert_eq!(said.code, 0, "{}", said.err);
    // The SDK reads the environment, so it gets a process of its own: this test, told to read.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_rust_of_the_readme_reads_a_secret"])
        .envs(mesh.environment("web"))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A server as the README starts it, with this machine's places given by variables and flags.
fn server(line: &str, name: &str, directory: &Path, settings: &[String], environment: &[(&str, String)]) -> Program {
    let settings: Vec<String> = settings.iter().map(|set| format!("--set '{set}'")).collect();
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("exec {line} {}", settings.join(" "))])
        .current_dir(workspace::root())
        .env("PATH", path())
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let mut program = Program::start(name, command, directory).unwrap();
    program.wait_for_line(" ready:").unwrap();
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_start_as_shown() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let own = tempfile::tempdir().unwrap();
    let here = own.path().display();
    let agent = |identity: &str| {
        let socket = format!("unix://{}", mesh.agent_socket(identity).display());
        ("SPIFFE_ENDPOINT_SOCKET", socket)
    };
    let nexus = |data: &str| {
        vec![
            agent("nexus"),
            ("SPIKE_NEXUS_TLS_PORT", ":0".to_owned()),
            ("SPIKE_NEXUS_DATA_DIR", format!("{here}/{data}")),
            ("SPIKE_TRUST_ROOT_NEXUS", "example.org".to_owned()),
            ("SPIKE_TRUST_ROOT_PILOT", "example.org".to_owned()),
        ]
    };
    let sockets = |name: &str| {
        vec![
            format!("check.listen.uds.path={here}/{name}.sock"),
            format!("admin.listen=unix:{here}/{name}-admin.sock"),
        ]
    };
    let mut together = server(TOGETHER, "together", own.path(), &sockets("together"), &nexus("one"));
    assert!(own.path().join("one/data/nexus.redb").exists());
    assert_eq!(together.stop().unwrap().code(), Some(0), "{}", together.output());

    let mut alone = server(NEXUS, "nexus", own.path(), &[], &nexus("two"));
    let line = alone.wait_for_line("ready: nexus=").unwrap();
    let port = line.rsplit(':').next().unwrap().to_owned();
    let mut settings = sockets("apart");
    settings.push("check.listen.mtls.address=127.0.0.1:0".to_owned());
    let environment = [
        agent("ext-authz"),
        ("SPIKE_NEXUS_API_URL", format!("https://localhost:{port}")),
    ];
    let mut apart = server(APART, "apart", own.path(), &settings, &environment);
    assert_eq!(apart.stop().unwrap().code(), Some(0), "{}", apart.output());
    assert_eq!(alone.stop().unwrap().code(), Some(0), "{}", alone.output());
}

/// `make up` in a directory of the test's own; what it started ends with it.
struct Up {
    directory: PathBuf,
}

impl Up {
    fn demo(&self, word: &str) -> Output {
        Command::new(workspace::built("demo").unwrap())
            .arg(word)
            .env("SPIKE_DEMO_DIRECTORY", &self.directory)
            .current_dir(workspace::root())
            .output()
            .unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.directory.join("pid").exists() {
            drop(self.demo("down"));
        }
    }
}

#[test]
fn what_make_up_says_to_type_works_until_make_down() {
    let own = tempfile::Builder::new().prefix("spike-").tempdir().unwrap();
    let up = Up {
        directory: own.path().to_owned(),
    };
    let started = up.demo("up");
    let text = said(&started);
    assert!(started.status.success(), "{text}");
    let again = up.demo("up");
    assert!(
        !again.status.success() && said(&again).contains("running already"),
        "{}",
        said(&again)
    );
    let programs = workspace::built("spike").unwrap();
    let programs = format!("{}/", programs.parent().unwrap().display());
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert!(lines.len() >= 8, "{text}");
    let script = lines.join("\n").replace("target/debug/", &programs);
    let typed = shell(&script, &workspace::root(), &[]);
    let answers = said(&typed);
    assert!(typed.status.success(), "{script}\n{answers}");
    for expected in ["web-reads-orders", "upstream", "\"verdict\":\"allow\""] {
        assert!(answers.contains(expected), "{expected}: {answers}");
    }
    let stopped = up.demo("down");
    assert!(
        stopped.status.success() && said(&stopped).contains("Stopped."),
        "{}",
        said(&stopped)
    );
    assert!(!own.path().join("pid").exists());
    assert!(std::os::unix::net::UnixStream::connect(own.path().join("ext-authz.sock")).is_err());
    let nothing = up.demo("down");
    assert!(!nothing.status.success() && said(&nothing).contains("nothing is running"));
}

#[test]
fn every_program_that_is_named_was_built() {
    let readme = read("README.md");
    let mut programs = 0;
    for line in readme.lines().filter(|line| line.starts_with("| `spike")) {
        let name = line.split('`').nth(1).unwrap();
        if name != "spike-sdk" {
            workspace::built(name).unwrap();
            programs += 1;
        }
    }
    assert_eq!(programs, 4);
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "DEPENDENCIES.md",
        "CHANGELOG.md",
        "examples/README.md",
        "dev-agent/README.md",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    for directory in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(workspace::root().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        pages.extend(
            names
                .filter(|name| name.to_string_lossy().ends_with(".md"))
                .map(|name| Path::new(directory).join(name)),
        );
    }
    let mut links = 0;
    for page in &pages {
        let text = read(&page.display().to_string());
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let target = target.split('#').next().unwrap();
            let file = workspace::root().join(page.parent().unwrap()).join(target);
            assert!(file.exists(), "{} links to {target}", page.display());
            links += 1;
        }
    }
    assert!(pages.len() >= 13 && links >= 25, "{} pages, {links} links", pages.len());
}

/// Each decision is in the index, and at most sixty lines long.
#[test]
fn every_decision_is_listed() {
    let index = read("docs/decisions/README.md");
    let mut listed = 0;
    for entry in std::fs::read_dir(workspace::root().join("docs/decisions")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name != "README.md" {
            assert!(index.contains(&format!("({name})")), "{name}");
            assert!(read(&format!("docs/decisions/{name}")).lines().count() <= 60, "{name}");
            listed += 1;
        }
    }
    assert!(listed >= 6, "{listed}");
}
