//! `make demo`, `make up` and `make down`: the main job end to end, with nothing played by a stand-in but the agent.
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use spike_integration::{Answer, Mesh, MeshOptions, Program, workspace};
use tokio::signal::unix::{SignalKind, signal};

const POLICY: &str = "config/policies/orders.yaml";
const SECRET: &str = "tenants/acme/db/creds";

#[tokio::main]
async fn main() -> ExitCode {
    let mut story = Story::default();
    let told = match std::env::args().nth(1).as_deref() {
        None => demo(&mut story).await,
        Some("up") => up(),
        Some("serve") => serve().await,
        Some("down") => down(),
        Some(other) => Err(anyhow::anyhow!(
            "unknown word `{other}`: it is `demo`, `demo up` or `demo down`"
        )),
    };
    match told {
        Ok(()) if story.wrong == 0 => ExitCode::SUCCESS,
        Ok(()) => {
            say(&format!("\n{} of {} verdicts were wrong.", story.wrong, story.told));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("\nThe demo broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(story: &mut Story) -> Result<()> {
    say("Starting agent, Nexus with ext-authz, an upstream and Envoy ...");
    let mesh = Mesh::start(MeshOptions::default()).await?;
    say("Everything is up: workloads -> Envoy (mTLS) -> upstream; Envoy asks spike-ext-authz before each request.\n");
    identity_is_missing(story, &mesh).await?;
    policy_is_missing(story, &mesh).await?;
    permission_is_missing(story, &mesh).await?;
    access_is_granted(story, &mesh).await?;
    secret_is_read(story, &mesh).await?;
    access_is_withdrawn(story, &mesh).await?;
    say(&format!(
        "\n{} verdicts, {} wrong. Stopping everything.",
        story.told, story.wrong
    ));
    Ok(())
}

async fn identity_is_missing(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("Missing link 1, identity: a caller whose SVID this mesh did not issue");
    let answer = stranger()?.get(mesh.envoy_address()?, "/7").await;
    let why = "refused in the TLS handshake: to this mesh it is nobody";
    story.verdict("GET /7 with an SVID that another mesh issued", answer.is_err(), why);
    Ok(())
}

async fn policy_is_missing(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("Missing link 2, policy: workload/web has an identity, but no policy names it");
    let answer = mesh.caller("web").await?.get(mesh.envoy_address()?, "/7").await?;
    story.refused("GET /7 as workload/web", mesh, &answer, "identity_unmatched")
}

async fn permission_is_missing(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("Missing link 3, permission: a policy names identity and path, but gives only `list`");
    story.spike(
        mesh,
        &[
            "policy",
            "create",
            "--name",
            "web-lists-orders",
            "--spiffeid-pattern",
            r"^spiffe://example\.org/workload/web$",
            "--path-pattern",
            "^services/orders/.*$",
            "--permissions",
            "list",
        ],
        "Policy created successfully.",
    )?;
    let answer = mesh.caller("web").await?.get(mesh.envoy_address()?, "/7").await?;
    story.refused("GET /7 as workload/web", mesh, &answer, "permission_missing")
}

async fn access_is_granted(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("All three links: the policy of config/policies/orders.yaml is applied");
    let file = workspace::root().join(POLICY);
    story.spike(
        mesh,
        &["policy", "apply", "--file", &file.display().to_string()],
        "applied successfully",
    )?;
    let web = mesh.caller("web").await?;
    let answer = web.get(mesh.envoy_address()?, "/7").await?;
    story.allowed("the very next GET /7 as workload/web", mesh, &answer)?;
    let answer = web.request(mesh.envoy_address()?, "DELETE", "/7").await?;
    story.refused("DELETE /7 as workload/web", mesh, &answer, "permission_missing")?;
    let answer = mesh.caller("batch").await?.get(mesh.envoy_address()?, "/7").await?;
    story.refused("GET /7 as workload/batch", mesh, &answer, "identity_unmatched")
}

async fn secret_is_read(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("The same policy opens a secret in Nexus");
    story.spike(
        mesh,
        &["secret", "put", SECRET, "username=orders", "password=s3cr3t"],
        "OK",
    )?;
    let secret = mesh.client("web").await?.get_secret(SECRET).await?;
    let right = secret.data.get("password") == Some("s3cr3t");
    story.verdict(
        "get_secret through the Rust SDK as workload/web",
        right,
        "allowed: the password is the one that was put",
    );
    let denied = mesh.client("batch").await?.get_secret(SECRET).await;
    let text = denied.as_ref().err().map(ToString::to_string).unwrap_or_default();
    story.verdict(
        "get_secret through the Rust SDK as workload/batch",
        denied.is_err(),
        &format!("denied: {text}"),
    );
    let got = curl(mesh)?;
    story.verdict(
        "curl as workload/web",
        got.contains("s3cr3t"),
        "allowed: GET /v1/secrets/tenants/acme/db/creds",
    );
    Ok(())
}

async fn access_is_withdrawn(story: &mut Story, mesh: &Mesh) -> Result<()> {
    head("The policies are deleted");
    for name in ["web-reads-orders", "web-lists-orders"] {
        story.spike(
            mesh,
            &["policy", "delete", name, "--yes"],
            "Policy deleted successfully.",
        )?;
    }
    let answer = mesh.caller("web").await?.get(mesh.envoy_address()?, "/7").await?;
    story.refused(
        "the very next GET /7 as workload/web",
        mesh,
        &answer,
        "identity_unmatched",
    )
}

/// A caller whose certificate no bundle of the mesh vouches for.
fn stranger() -> Result<spike_integration::Caller> {
    let authority = spike_identity::authority::TestAuthority::new("elsewhere.example")?;
    Ok(spike_integration::Caller::with(authority.identity("/workload/web")?))
}

/// Reads the secret with curl and the SVID files of workload/web.
fn curl(mesh: &Mesh) -> Result<String> {
    let directory = mesh.write_svid("web")?;
    let url = format!("https://localhost:{}/v1/secrets/{SECRET}", mesh.nexus_address().port());
    let got = Command::new("curl")
        .args(["--silent", "--show-error", "--fail-with-body"])
        .arg("--cert")
        .arg(directory.join("svid.pem"))
        .arg("--key")
        .arg(directory.join("key.pem"))
        .arg("--cacert")
        .arg(directory.join("bundle.pem"))
        .arg(&url)
        .output()
        .context("curl is needed for this step")?;
    Ok(format!(
        "{}{}",
        String::from_utf8_lossy(&got.stdout),
        String::from_utf8_lossy(&got.stderr)
    ))
}

/// Starts everything in a process of its own and comes back when it is ready.
fn up() -> Result<()> {
    let run = run_directory();
    ensure!(!run.join("pid").exists(), "it is running already: `make down` stops it");
    std::fs::create_dir_all(&run)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").process_group(0);
    let mut program = Program::start("serve", command, &run)?;
    let ready = run.join("ready");
    let text = program.wait_for("everything to be up", || std::fs::read_to_string(&ready).ok())?;
    program.leave_running();
    say(&text);
    Ok(())
}

/// What `up` leaves running: the mesh, until SIGTERM.
async fn serve() -> Result<()> {
    let run = run_directory();
    let mut stop = signal(SignalKind::terminate())?;
    let mesh = Mesh::start(MeshOptions::default().in_directory(&run)).await?;
    std::fs::write(run.join("pid"), std::process::id().to_string())?;
    std::fs::write(run.join("ready"), what_to_type(&mesh)?)?;
    stop.recv().await;
    drop(mesh);
    std::fs::remove_file(run.join("ready"))?;
    Ok(std::fs::remove_file(run.join("pid"))?)
}

fn what_to_type(mesh: &Mesh) -> Result<String> {
    let envoy = mesh.envoy_address()?;
    let run = run_directory();
    let run = run.strip_prefix(workspace::root()).unwrap_or(&run).display();
    let mut text = format!(
        "Envoy listens on {envoy}, Nexus on {}. From the root of the repository:\n\n",
        mesh.nexus_address()
    );
    for (name, value) in mesh.environment("pilot") {
        writeln!(text, "  export {name}={value}")?;
    }
    writeln!(text, "  target/debug/spike policy apply --file {POLICY}")?;
    writeln!(text, "  target/debug/spike policy list")?;
    writeln!(
        text,
        "  target/debug/spike-dev-agent fetch --socket {run}/agent/web.sock --write {run}/web"
    )?;
    writeln!(
        text,
        "  curl -k --cert {run}/web/svid.pem --key {run}/web/key.pem https://{envoy}/7"
    )?;
    writeln!(text, "  tail {run}/decisions.log\n\n`make down` stops everything.")?;
    Ok(text)
}

fn down() -> Result<()> {
    let file = run_directory().join("pid");
    let pid = std::fs::read_to_string(&file).context("nothing is running")?;
    let asked = Command::new("kill").args(["-TERM", &pid]).status()?.success();
    if !asked {
        std::fs::remove_file(&file)?;
        bail!("process {pid} had ended by itself; its log is .run/serve.log");
    }
    while file.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    say("Stopped.");
    Ok(())
}

/// `.run` in the repository; tests choose another, so that they leave what a person plays with alone.
fn run_directory() -> PathBuf {
    std::env::var_os("SPIKE_DEMO_DIRECTORY").map_or_else(|| workspace::root().join(".run"), PathBuf::from)
}

/// What is told, and how much of it was right.
#[derive(Default)]
struct Story {
    told: usize,
    wrong: usize,
    decisions: usize,
}

impl Story {
    fn verdict(&mut self, what: &str, right: bool, why: &str) {
        self.told += 1;
        self.wrong += usize::from(!right);
        say(&format!(
            "  {} {what}\n       {why}",
            if right { "ok  " } else { "WRONG" }
        ));
    }

    fn allowed(&mut self, what: &str, mesh: &Mesh, answer: &Answer) -> Result<()> {
        let decision = self.decision(mesh)?;
        let right = answer.status == 200 && word(&decision, "verdict") == "allow";
        self.verdict(
            what,
            right,
            &format!("{}: allowed by policy {}", answer.status, word(&decision, "policy")),
        );
        Ok(())
    }

    /// A refusal must carry the expected reason; what the reason means is told beside it.
    fn refused(&mut self, what: &str, mesh: &Mesh, answer: &Answer, reason: &str) -> Result<()> {
        let decision = self.decision(mesh)?;
        let right = answer.status == 403 && word(&decision, "reason") == reason;
        let id = answer.header("x-spike-decision-id").unwrap_or("-");
        let missing = match reason {
            "identity_unmatched" => "no policy names this identity",
            "permission_missing" => "a policy names identity and path, but does not give the permission",
            other => other,
        };
        let (asked, resource) = (word(&decision, "permission"), word(&decision, "resource"));
        let why = format!(
            "{}: {reason}, {missing} ({asked} on {resource}; decision {id})",
            answer.status
        );
        self.verdict(what, right, &why);
        Ok(())
    }

    /// The audit line of the request that was just answered: each request makes exactly one.
    fn decision(&mut self, mesh: &Mesh) -> Result<serde_json::Value> {
        self.decisions += 1;
        mesh.decision(self.decisions - 1)
    }

    /// Runs the operator's command line, shows the command, and checks what it says.
    fn spike(&mut self, mesh: &Mesh, arguments: &[&str], expected: &str) -> Result<()> {
        let said = mesh.spike()?.run(arguments)?;
        let root = format!("{}/", workspace::root().display());
        let shown = arguments.join(" ").replace(&root, "");
        let hidden = shown.replace("s3cr3t", "...");
        if said.code != 0 {
            bail!("spike {hidden}: {}{}", said.out, said.err);
        }
        self.verdict(
            &format!("$ spike {hidden}"),
            said.out.contains(expected),
            said.out.trim(),
        );
        Ok(())
    }
}

fn head(text: &str) {
    say(&format!("\n{text}"));
}

fn say(text: &str) {
    // A reader who went away does not change any verdict.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// A field of an audit line; empty when it is not there.
fn word<'a>(decision: &'a serde_json::Value, field: &str) -> &'a str {
    decision
        .get(field)
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
}
