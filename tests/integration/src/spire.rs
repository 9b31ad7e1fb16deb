//! The real SPIRE: a server and an agent on this machine, with registration entries by user id.
//!
//! Several workloads of one machine are told apart by the user they run as, so each program that needs an identity of
//! its own is started under the user id of its entry ([`Spire::run_as`]).
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{Program, official};

/// A running server and agent of trust domain `example.org`.
#[derive(Debug)]
pub struct Spire {
    directory: PathBuf,
    agent: Program,
    server: Program,
}

const TRUST_DOMAIN: &str = "example.org";
const NODE: &str = "spiffe://example.org/node";

impl Spire {
    /// Starts both and attests the agent; `directory` must be short (socket paths are limited) and readable by all.
    ///
    /// # Errors
    /// When `spire-server` and `spire-agent` are not on `PATH` or do not come up.
    pub fn start(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
        let port = official::free_address()?.port();
        std::fs::write(directory.join("server.conf"), server_conf(directory, port))?;
        std::fs::write(directory.join("agent.conf"), agent_conf(directory, port))?;
        let mut command = Command::new("spire-server");
        command.args(["run", "-config"]).arg(directory.join("server.conf"));
        let mut server = Program::start("spire-server", command, directory)?;
        let admin = directory.join("server.sock");
        server.wait_for("the server's socket", || {
            let healthy = Command::new("spire-server")
                .args(["healthcheck", "-socketPath"])
                .arg(&admin)
                .output();
            healthy.is_ok_and(|output| output.status.success()).then_some(())
        })?;
        let token = run(Command::new("spire-server")
            .args(["token", "generate", "-socketPath"])
            .arg(&admin)
            .args(["-spiffeID", NODE]))?;
        let token = token.trim().strip_prefix("Token: ").context("a join token")?.to_owned();
        let mut command = Command::new("spire-agent");
        command
            .args(["run", "-joinToken", &token, "-config"])
            .arg(directory.join("agent.conf"));
        let mut agent = Program::start("spire-agent", command, directory)?;
        let socket = directory.join("agent.sock");
        agent.wait_for("the agent's socket", || {
            let healthy = Command::new("spire-agent")
                .args(["healthcheck", "-socketPath"])
                .arg(&socket)
                .output();
            healthy.is_ok_and(|output| output.status.success()).then_some(())
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            agent,
            server,
        })
    }

    /// The Workload API and SDS socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("agent.sock")
    }

    /// Registers `spiffe://example.org/PATH` for the user `uid`, and waits until the agent serves it.
    ///
    /// # Errors
    /// When SPIRE refuses.
    pub fn register(&mut self, uid: u32, path: &str) -> Result<()> {
        self.register_all(&[(uid, path)])
    }

    /// Registers many at once, each a user and the path of its SPIFFE ID, and waits until the agent serves them all.
    ///
    /// # Errors
    /// When SPIRE refuses.
    pub fn register_all(&mut self, users: &[(u32, &str)]) -> Result<()> {
        for (uid, path) in users {
            self.create_entry(*uid, path)?;
        }
        users.iter().try_for_each(|(uid, _)| self.wait_for_svid(*uid))
    }

    fn create_entry(&self, uid: u32, path: &str) -> Result<()> {
        run(Command::new("spire-server")
            .args(["entry", "create", "-socketPath"])
            .arg(self.directory.join("server.sock"))
            .args([
                "-parentID",
                NODE,
                "-spiffeID",
                &format!("spiffe://{TRUST_DOMAIN}/{path}"),
            ])
            .args(["-selector", &format!("unix:uid:{uid}"), "-x509SVIDTTL", "3600"]))?;
        Ok(())
    }

    fn wait_for_svid(&mut self, uid: u32) -> Result<()> {
        let socket = self.socket();
        self.agent.wait_for("an SVID for the new entry", || {
            let mut command = Command::new("spire-agent");
            command
                .args(["api", "fetch", "x509", "-socketPath"])
                .arg(&socket)
                .uid(uid);
            command
                .output()
                .is_ok_and(|output| output.status.success())
                .then_some(())
        })
    }

    /// Writes the SVID, key and bundle of user `uid` as PEM files (`svid.0.pem`, `svid.0.key`, `bundle.0.pem`).
    ///
    /// # Errors
    /// When the agent gives that user no identity.
    pub fn write_svid(&self, uid: u32) -> Result<PathBuf> {
        let directory = self.directory.join(format!("svid-{uid}"));
        std::fs::create_dir_all(&directory)?;
        std::os::unix::fs::chown(&directory, Some(uid), None)?;
        run(Command::new("spire-agent")
            .args(["api", "fetch", "x509", "-silent", "-socketPath"])
            .arg(self.socket())
            .arg("-write")
            .arg(&directory)
            .uid(uid))?;
        Ok(directory)
    }

    /// A command that will run as user `uid`.
    pub fn run_as(uid: u32, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.uid(uid).gid(uid);
        command
    }
}

impl Drop for Spire {
    fn drop(&mut self) {
        // The agent first: it would log the server's end as a failure of its own.
        drop(self.agent.stop());
        drop(self.server.stop());
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| command.get_program().display().to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

fn server_conf(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        r#"server {{
    bind_address = "127.0.0.1"
    bind_port = "{port}"
    socket_path = "{directory}/server.sock"
    trust_domain = "{TRUST_DOMAIN}"
    data_dir = "{directory}/server"
    log_level = "INFO"
    ca_ttl = "24h"
    default_x509_svid_ttl = "1h"
}}
plugins {{
    DataStore "sql" {{ plugin_data {{ database_type = "sqlite3", connection_string = "{directory}/server.sqlite3" }} }}
    KeyManager "memory" {{ plugin_data {{}} }}
    NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"#
    )
}

fn agent_conf(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        r#"agent {{
    data_dir = "{directory}/agent"
    log_level = "INFO"
    server_address = "127.0.0.1"
    server_port = "{port}"
    socket_path = "{directory}/agent.sock"
    trust_domain = "{TRUST_DOMAIN}"
    insecure_bootstrap = true
    experimental {{ sync_interval = "1s" }}
}}
plugins {{
    KeyManager "memory" {{ plugin_data {{}} }}
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
"#
    )
}
