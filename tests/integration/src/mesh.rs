//! A whole mesh on one machine: development agent, `spike-ext-authz` with its Nexus, an upstream and the real Envoy.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use spike_policy::TrustRoots;
use spike_sdk::{Client, Settings};
use tempfile::TempDir;

use crate::servers::{agent_socket, named, start_agent, start_ext_authz, start_nexus, start_servers};
use crate::{Caller, Envoy, Program, Spike, Upstream, workspace};

/// Identities of the mesh: the name of the agent's socket, and the path of the SPIFFE ID.
pub const IDENTITIES: &[(&str, &str)] = &[
    ("nexus", "/spike/nexus"),
    ("pilot", "/spike/pilot/role/superuser"),
    ("recover", "/spike/pilot/role/recover"),
    ("restore", "/spike/pilot/role/restore"),
    ("ext-authz", "/spike/ext-authz"),
    ("envoy", "/envoy/sidecar"),
    ("web", "/workload/web"),
    ("batch", "/workload/batch"),
    ("db", "/workload/db"),
];

/// What a mesh is made of.
#[derive(Clone, Debug)]
pub struct MeshOptions {
    pub(crate) envoy: Option<&'static str>,
    pub(crate) backend: &'static str,
    pub(crate) settings: String,
    pub(crate) apart: bool,
    pub(crate) svid_ttl: &'static str,
    directory: Option<PathBuf>,
}

impl Default for MeshOptions {
    /// The inbound sidecar before an upstream, policies on disk.
    fn default() -> Self {
        Self {
            envoy: Some("inbound-sidecar.yaml"),
            backend: "redb",
            settings: String::new(),
            apart: false,
            svid_ttl: "1h",
            directory: None,
        }
    }
}

impl MeshOptions {
    /// No Envoy and no upstream.
    #[must_use]
    pub fn without_envoy() -> Self {
        Self {
            envoy: None,
            ..Self::default()
        }
    }

    /// Another file of `envoy/`.
    #[must_use]
    pub fn with_envoy(mut self, file: &'static str) -> Self {
        self.envoy = Some(file);
        self
    }

    /// Nothing on disk.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.backend = "memory";
        self
    }

    /// Nexus in a process of its own, followed by `spike-ext-authz` over the feed, which then also serves Check on TCP
    /// with mTLS.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// SVIDs that live this long (the agent's notation, such as `2s`).
    #[must_use]
    pub fn with_svid_ttl(mut self, ttl: &'static str) -> Self {
        self.svid_ttl = ttl;
        self
    }

    /// In this directory, which stays, instead of a temporary one.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// More lines for the configuration of `spike-ext-authz`: top-level keys that it does not have yet.
    #[must_use]
    pub fn with_settings(mut self, yaml: &str) -> Self {
        self.settings.push_str(yaml);
        self
    }
}

/// A running mesh. Everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Mesh {
    // The order of the fields is the order of stopping: callers before what they call.
    envoy: Option<Envoy>,
    upstream: Upstream,
    ext_authz: Program,
    separate_nexus: Option<Program>,
    agent: Program,
    addresses: Addresses,
    options: MeshOptions,
    directory: Place,
}

/// What the ready lines said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) nexus: SocketAddr,
    pub(crate) check_mtls: Option<SocketAddr>,
}

/// A directory that goes with the mesh, or one that stays.
#[derive(Debug)]
enum Place {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Place {
    fn new(kept: Option<&PathBuf>) -> Result<Self> {
        let Some(directory) = kept else {
            return Ok(Self::Temporary(tempfile::Builder::new().prefix("spike-").tempdir()?));
        };
        std::fs::create_dir_all(directory)?;
        Ok(Self::Kept(directory.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(directory) => directory,
        }
    }
}

/// How long an audit line may take to be written: it only bounds a hang.
const PATIENCE: Duration = Duration::from_secs(20);

impl Mesh {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When one of the programs does not come up; the text carries the end of its log.
    pub async fn start(options: MeshOptions) -> Result<Self> {
        let directory = Place::new(options.directory.as_ref())?;
        let upstream = Upstream::start().await?;
        let agent = start_agent(directory.path(), &options)?;
        let (separate_nexus, ext_authz, addresses) = start_servers(directory.path(), &options)?;
        let mut mesh = Self {
            envoy: None,
            upstream,
            ext_authz,
            separate_nexus,
            agent,
            addresses,
            options,
            directory,
        };
        if let Some(file) = mesh.options.envoy {
            mesh.envoy = Some(mesh.start_envoy(file)?);
        }
        Ok(mesh)
    }

    /// Where everything of this mesh lies: sockets, logs, configuration, data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The Workload API socket of an identity in [`IDENTITIES`].
    pub fn agent_socket(&self, identity: &str) -> PathBuf {
        agent_socket(self.directory(), identity)
    }

    /// The socket on which Check is served.
    pub fn check_socket(&self) -> PathBuf {
        self.directory().join("ext-authz.sock")
    }

    /// Where Nexus's API is.
    pub fn nexus_address(&self) -> SocketAddr {
        self.addresses.nexus
    }

    /// The process of `spike-ext-authz`.
    pub fn ext_authz_pid(&self) -> u32 {
        self.ext_authz.id()
    }

    /// The program of `spike-ext-authz`.
    pub fn ext_authz(&mut self) -> &mut Program {
        &mut self.ext_authz
    }

    /// The program of the agent.
    pub fn agent(&mut self) -> &mut Program {
        &mut self.agent
    }

    /// Where Envoy listens.
    ///
    /// # Errors
    /// When this mesh has no Envoy.
    pub fn envoy_address(&self) -> Result<SocketAddr> {
        Ok(self.envoy.as_ref().context("a mesh with Envoy")?.address())
    }

    /// Envoy.
    ///
    /// # Errors
    /// When this mesh has none.
    pub fn envoy(&mut self) -> Result<&mut Envoy> {
        self.envoy.as_mut().context("a mesh with Envoy")
    }

    /// The upstream behind Envoy.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The environment that makes an official or own SPIKE client this identity.
    pub fn environment(&self, identity: &str) -> Vec<(&'static str, String)> {
        vec![
            (
                "SPIFFE_ENDPOINT_SOCKET",
                format!("unix://{}", self.agent_socket(identity).display()),
            ),
            (
                "SPIKE_NEXUS_API_URL",
                format!("https://localhost:{}", self.addresses.nexus.port()),
            ),
            ("SPIKE_TRUST_ROOT_NEXUS", "example.org".to_owned()),
            ("SPIKE_TRUST_ROOT_PILOT", "example.org".to_owned()),
        ]
    }

    /// The operator's command line.
    ///
    /// # Errors
    /// When it was not built.
    pub fn spike(&self) -> Result<Spike> {
        self.spike_as("pilot")
    }

    /// The command line of another identity.
    ///
    /// # Errors
    /// When it was not built.
    pub fn spike_as(&self, identity: &str) -> Result<Spike> {
        Spike::ours(&self.environment(identity))
    }

    /// A workload that calls through Envoy.
    ///
    /// # Errors
    /// When the agent gives it no identity.
    pub async fn caller(&self, identity: &str) -> Result<Caller> {
        Caller::attested(&self.agent_socket(identity)).await
    }

    /// Has the agent write `svid.pem`, `key.pem` and `bundle.pem` of an identity, as for programs like curl.
    ///
    /// # Errors
    /// When the agent refuses.
    pub fn write_svid(&self, identity: &str) -> Result<PathBuf> {
        let directory = self.directory().join(format!("svid-{identity}"));
        let mut command = Command::new(workspace::built("spike-dev-agent")?);
        command
            .args(["fetch", "--socket"])
            .arg(self.agent_socket(identity))
            .arg("--write")
            .arg(&directory);
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(directory)
    }

    /// The Rust SDK as this identity.
    ///
    /// # Errors
    /// When the agent gives it no identity.
    pub async fn client(&self, identity: &str) -> Result<Client> {
        let caller = self.caller(identity).await?;
        let settings = Settings {
            nexus_url: format!("https://localhost:{}", self.addresses.nexus.port()).parse()?,
            nexus_trust_roots: TrustRoots::parse("example.org")?,
            ..Settings::default()
        };
        Ok(Client::new(&settings, caller.identity().clone()))
    }

    /// The audit lines of every decision so far, in order.
    ///
    /// # Errors
    /// When a line is not JSON.
    pub fn decisions(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(self.directory().join("decisions.log"))?;
        // A line that is being written has no end yet.
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        // Nexus's calls and the lines of the log's own stand there, too.
        let checks = whole.lines().filter(|line| line.contains("\"event\":\"check\""));
        checks
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }

    /// The audit line of the `at`-th decision, counted from 0, as soon as it is written.
    ///
    /// # Errors
    /// When it is not written in time.
    pub fn decision(&self, at: usize) -> Result<serde_json::Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.decisions()?.into_iter().nth(at) {
                return Ok(line);
            }
            ensure!(
                Instant::now() < deadline,
                "decision {at} was not logged in {PATIENCE:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts `spike-ext-authz` again after it was stopped or killed, on the same data.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_ext_authz(&mut self) -> Result<()> {
        let (program, line) = start_ext_authz(self.directory.path(), &self.options, self.addresses.nexus)?;
        self.ext_authz = program;
        self.addresses.check_mtls = named(&line, "mtls").ok();
        if !self.options.apart {
            self.addresses.nexus = named(&line, "nexus")?;
        }
        Ok(())
    }

    /// The separate Nexus.
    ///
    /// # Errors
    /// When Nexus is co-located.
    pub fn separate_nexus(&mut self) -> Result<&mut Program> {
        self.separate_nexus.as_mut().context("a mesh with Nexus apart")
    }

    /// Starts the separate Nexus again, on the same data and port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_separate_nexus(&mut self) -> Result<()> {
        let address = self.addresses.nexus;
        let (program, _) = start_nexus(self.directory.path(), &self.options, address)?;
        self.separate_nexus = Some(program);
        Ok(())
    }

    /// Where Check is served with mTLS.
    ///
    /// # Errors
    /// When Nexus is co-located: then it is served on the Unix socket only.
    pub fn check_mtls_address(&self) -> Result<SocketAddr> {
        self.addresses.check_mtls.context("a mesh with Nexus apart")
    }

    fn start_envoy(&self, file: &str) -> Result<Envoy> {
        let upstream = format!("address: 127.0.0.1, port_value: {}", self.upstream.address().port());
        let check = match self.addresses.check_mtls {
            None => ("/run/spike/ext-authz.sock", self.check_socket().display().to_string()),
            Some(address) => (
                "address: ext-authz.example.org, port_value: 9443",
                format!("address: 127.0.0.1, port_value: {}", address.port()),
            ),
        };
        let agent = (
            "/run/spire/sockets/agent.sock",
            self.agent_socket("envoy").display().to_string(),
        );
        let replacements = [agent, check, ("address: 127.0.0.1, port_value: 8080", upstream)];
        Envoy::start(self.directory(), file, &replacements)
    }
}
