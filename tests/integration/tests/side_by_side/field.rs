//! The official Nexus and ours under one SPIRE, and callers with every identity that SPIKE knows.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use spike_integration::official::{self, Keepers, OfficialNexus, OfficialStore};
use spike_integration::{Caller, Program, Spire, workspace};

/// Who sends a request.
pub(crate) const CALLERS: &[(&str, u32)] = &[
    ("pilot", official::PILOT),
    ("web", official::WEB),
    ("batch", official::BATCH),
    ("recover", official::RECOVER),
    ("restore", official::RESTORE),
    ("bootstrap", official::BOOTSTRAP),
    ("lite", official::LITE),
    ("nexus", official::NEXUS),
    ("keeper", official::FIRST_KEEPER),
];

/// Both servers. With SQLite they have the same root key: the official Bootstrap made it, the official Keepers hold it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) ours: Ours,
    pub(crate) official: OfficialNexus,
    keepers: Option<Keepers>,
    root_key: Option<Vec<u8>>,
    development: Option<Development>,
    pub(crate) spire: Spire,
    callers: BTreeMap<&'static str, Caller>,
    pub(crate) directory: PathBuf,
    _kept: tempfile::TempDir,
}

impl Field {
    /// Starts everything; `store` is what the official Nexus keeps its data in, ours keeps it likewise.
    pub(crate) async fn start(store: OfficialStore) -> Result<Self> {
        let kept = tempfile::Builder::new().prefix("spike-").tempdir()?;
        let directory = kept.path().to_owned();
        let mut spire = Spire::start(&directory)?;
        spire.register_all(official::USERS)?;
        let callers = CALLERS
            .iter()
            .map(|(name, uid)| Ok((*name, caller(&spire, *uid)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let (keepers, official, root_key) = match store {
            OfficialStore::Memory => {
                let official = OfficialNexus::start(&spire, &directory, store, None)?;
                (None, official, None)
            }
            OfficialStore::Sqlite | OfficialStore::Lite => {
                let keepers = Keepers::start(&spire.socket(), &directory, 3)?;
                let mut official = OfficialNexus::start(&spire, &directory, store, Some(&keepers))?;
                official::bootstrap(&spire, &directory, &keepers, official.address())?;
                official.wait_until_open()?;
                let shares = callers["recover"]
                    .raw(official.address(), &post("/v1/operator/recover", "{}"))
                    .await?;
                let root_key = combined(&shares.text())?;
                (Some(keepers), official, Some(root_key))
            }
        };
        let ours = Ours::start(&spire.socket(), &directory, ("ours", Key::of(root_key.as_deref())))?;
        Ok(Self {
            ours,
            official,
            keepers,
            root_key,
            development: None,
            spire,
            callers,
            directory,
            _kept: kept,
        })
    }

    /// The caller of this name.
    pub(crate) fn caller(&self, name: &str) -> &Caller {
        &self.callers[name]
    }

    /// What the official server answers to a good request.
    pub(crate) async fn ask(&self, who: &str, target: &str, body: &str) -> Result<Value> {
        let answer = self
            .caller(who)
            .raw(self.official.address(), &post(target, body))
            .await?;
        ensure!(answer.status == 200, "{target}: {}", answer.text());
        Ok(serde_json::from_str(&answer.text())?)
    }

    /// Both servers crash, and so do all Keepers: nobody is left who has the root key.
    pub(crate) fn lose_the_root_key(&mut self) -> Result<()> {
        // A Keeper that is dropped is killed.
        self.keepers = None;
        self.official.kill()?;
        self.official.start_again()?;
        if let Some(development) = &mut self.development {
            development.nexus.start_again_without_key()?;
        }
        self.ours.start_again_without_key()
    }

    /// The development agent beside SPIRE, with the same identities for the same users, and a Nexus of ours that has its
    /// own from there and the root key of the others. Gives the agent's socket and the server's address.
    pub(crate) fn develop(&mut self) -> Result<(PathBuf, SocketAddr)> {
        let development = Development::start(&self.directory, self.root_key.as_deref())?;
        let at = (development.socket.clone(), development.nexus.address);
        self.development = Some(development);
        Ok(at)
    }

    /// One more Nexus of ours, empty and in memory; `agent` is the Workload API's socket.
    pub(crate) fn another(&self, agent: &Path, name: &'static str) -> Result<Ours> {
        Ours::start(agent, &self.directory, (name, Key::None))
    }

    /// One more Nexus of ours, empty, which gets its root key from these Keepers: this ends when it has it.
    pub(crate) fn fed(&self, agent: &Path, (name, keepers): (&'static str, &Keepers)) -> Result<Ours> {
        Ours::start(agent, &self.directory, (name, Key::Keepers(keepers)))
    }

    /// Three more Keepers, empty, apart from those of the official Nexus.
    pub(crate) fn keepers(&self, agent: &Path, name: &str) -> Result<Keepers> {
        let directory = self.directory.join(name);
        std::fs::create_dir(&directory)?;
        Keepers::start(agent, &directory, 3)
    }
}

/// An HTTP/1.1 request as an SDK sends it.
fn post(target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The identity that SPIRE gives this user.
fn caller(spire: &Spire, uid: u32) -> Result<Caller> {
    let directory = spire.write_svid(uid)?;
    for (from, to) in [
        ("svid.0.pem", "svid.pem"),
        ("svid.0.key", "key.pem"),
        ("bundle.0.pem", "bundle.pem"),
    ] {
        std::fs::rename(directory.join(from), directory.join(to))?;
    }
    Caller::from_files(&directory)
}

/// The root key that these shares give back, as SPIKE's own code puts it together.
fn combined(shares: &str) -> Result<Vec<u8>> {
    let shares: Value = serde_json::from_str(shares).with_context(|| shares.to_owned())?;
    let mut command = Command::new(go_program("gosdk")?);
    command.args(["root-key", &shares["shards"].to_string()]);
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the shares give no key");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A Go program of `tests/interop`.
pub(crate) fn go_program(name: &str) -> Result<PathBuf> {
    let built = workspace::root().join("tests/interop").join(name).join(name);
    ensure!(
        built.is_file(),
        "tests/interop/{name} was not built: use `make interop`"
    );
    Ok(built)
}

/// The development agent and what lives on it.
#[derive(Debug)]
struct Development {
    nexus: Ours,
    socket: PathBuf,
    _agent: Program,
}

impl Development {
    fn start(directory: &Path, root_key: Option<&[u8]>) -> Result<Self> {
        let home = directory.join("development");
        std::fs::create_dir(&home)?;
        let mut config = format!(
            "trust_domain: example.org\ndirectory: {}\nsocket: agent.sock\nentries:\n",
            home.display()
        );
        for (uid, path) in official::USERS {
            writeln!(config, "- {{spiffe_id: /{path}, selectors: ['unix:uid:{uid}']}}")?;
        }
        let file = directory.join("development.yaml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(workspace::built("spike-dev-agent")?);
        command.arg("--config").arg(&file);
        let mut agent = Program::start("development", command, directory)?;
        agent.wait_for_line("ready")?;
        let socket = home.join("agent.sock");
        // It is made for one user; here several share it.
        for path in [&home, &socket] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        }
        let nexus = Ours::start(&socket, directory, ("ours-in-development", Key::of(root_key)))?;
        Ok(Self {
            nexus,
            socket,
            _agent: agent,
        })
    }
}

/// Our Nexus, as the user that SPIRE knows as the Nexus.
#[derive(Debug)]
pub(crate) struct Ours {
    name: &'static str,
    directory: PathBuf,
    binary: PathBuf,
    socket: PathBuf,
    address: SocketAddr,
    running: Option<Program>,
}

/// Where a Nexus of ours has its root key from.
#[derive(Clone, Copy, Debug)]
enum Key<'a> {
    /// It needs none: it keeps everything in memory.
    None,
    File(&'a [u8]),
    Keepers(&'a Keepers),
}

impl<'a> Key<'a> {
    fn of(key: Option<&'a [u8]>) -> Self {
        key.map_or(Self::None, Self::File)
    }

    /// The settings of a Nexus that is at home here.
    fn settings(self, home: &Path) -> Result<String> {
        let at = home.display();
        Ok(match self {
            Self::None => "store: {backend: memory}".to_owned(),
            Self::File(key) => {
                let file = home.join("root.key");
                std::fs::write(&file, key)?;
                std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
                std::os::unix::fs::chown(&file, Some(official::NEXUS), Some(official::NEXUS))?;
                format!("store: {{dir: {at}, key_file: {}}}", file.display())
            }
            Self::Keepers(keepers) => {
                let peers = keepers.peers();
                format!("store: {{dir: {at}, key: keepers}}\n  keepers: {{peers: [{peers}]}}")
            }
        })
    }
}

impl Ours {
    /// Starts it and waits until it has its root key.
    fn start(agent: &Path, directory: &Path, (name, key): (&'static str, Key<'_>)) -> Result<Self> {
        let home = directory.join(name);
        std::fs::create_dir(&home)?;
        let settings = key.settings(&home)?;
        std::os::unix::fs::chown(&home, Some(official::NEXUS), Some(official::NEXUS))?;
        let mut ours = Self {
            name,
            directory: directory.to_owned(),
            binary: official::copied(&workspace::built("spike-nexus")?, directory)?,
            socket: agent.to_owned(),
            address: official::free_address()?,
            running: None,
        };
        ours.run(&settings)?;
        let running = ours.running.as_mut().context("our Nexus")?;
        running.wait_for_line("spike-nexus ready:")?;
        Ok(ours)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn run(&mut self, settings: &str) -> Result<()> {
        let config = self.directory.join(format!("{}.yaml", self.name));
        let text = format!(
            "identity: {{socket: \"unix://{}\"}}
nexus:
  listen: \"{}\"
  {settings}
  trust_roots: {{nexus: example.org, pilot: example.org, bootstrap: example.org, keeper: example.org, lite_workload: example.org}}
",
            self.socket.display(),
            self.address
        );
        std::fs::write(&config, text)?;
        let mut command = Spire::run_as(official::NEXUS, &self.binary);
        command.arg("--config").arg(&config).current_dir(&self.directory);
        let mut running = Program::start(self.name, command, &self.directory)?;
        let address = self.address;
        running.wait_for("its port", || TcpStream::connect(address).ok())?;
        self.running = Some(running);
        Ok(())
    }

    /// It crashes and comes back with nothing but its database.
    fn start_again_without_key(&mut self) -> Result<()> {
        let home = self.directory.join(self.name);
        self.running.take().context("our Nexus")?.kill()?;
        let key = home.join("root.key");
        if key.is_file() {
            std::fs::remove_file(key)?;
        }
        self.run(&format!("store: {{dir: {}, key: operator}}", home.display()))
    }
}
