//! The official SPIKE programs under real SPIRE, each as a user of its own: Keepers, Bootstrap, Nexus.
//!
//! They must be on `PATH` as `spike-official-{keeper,bootstrap,nexus,spike}`. Every address is a free port of the
//! loopback interface, and every wait is for something that the program says or does.
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{Program, Spire};

/// The user that a Nexus runs as, official or ours.
pub const NEXUS: u32 = 23_001;
/// The operator.
pub const PILOT: u32 = 23_002;
/// A workload.
pub const WEB: u32 = 23_003;
/// Another workload.
pub const BATCH: u32 = 23_004;
/// Who may ask for the shards.
pub const RECOVER: u32 = 23_005;
/// Who may feed shards.
pub const RESTORE: u32 = 23_006;
/// SPIKE Bootstrap.
pub const BOOTSTRAP: u32 = 23_007;
/// A workload that may only use the cipher.
pub const LITE: u32 = 23_008;
/// The first Keeper; the others follow.
pub const FIRST_KEEPER: u32 = 23_011;

/// The users above with the paths of their SPIFFE IDs, for [`Spire::register_all`]; with three Keepers.
pub const USERS: &[(u32, &str)] = &[
    (NEXUS, "spike/nexus"),
    (PILOT, "spike/pilot/role/superuser"),
    (WEB, "workload/web"),
    (BATCH, "workload/batch"),
    (RECOVER, "spike/pilot/role/recover"),
    (RESTORE, "spike/pilot/role/restore"),
    (BOOTSTRAP, "spike/bootstrap"),
    (LITE, "spike/workload/role/lite"),
    (FIRST_KEEPER, "spike/keeper/1"),
    (FIRST_KEEPER + 1, "spike/keeper/2"),
    (FIRST_KEEPER + 2, "spike/keeper/3"),
];

/// What the official Nexus keeps its data in (`SPIKE_NEXUS_BACKEND_STORE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfficialStore {
    /// Nothing outlives the process; needs no Keepers.
    Memory,
    /// A file; sealed until the Keepers give the root key.
    Sqlite,
    /// Nothing is kept at all: only the cipher; sealed until the Keepers give the root key.
    Lite,
}

/// The variables that every program of SPIKE reads here: the Workload API's socket and the trust roots.
pub fn environment(agent: &Path) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", agent.display())),
        ("SPIKE_BANNER_ENABLED", "false".to_owned()),
    ];
    let roots = [
        "SPIKE_TRUST_ROOT",
        "SPIKE_TRUST_ROOT_NEXUS",
        "SPIKE_TRUST_ROOT_KEEPER",
        "SPIKE_TRUST_ROOT_PILOT",
        "SPIKE_TRUST_ROOT_BOOTSTRAP",
        "SPIKE_TRUST_ROOT_LITE_WORKLOAD",
    ];
    variables.extend(roots.map(|root| (root, "example.org".to_owned())));
    variables
}

/// A program on `PATH`, copied to where every user may run it: the original may belong to one user alone.
///
/// # Errors
/// When it is not on `PATH`.
pub fn on_path(program: &str, directory: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|place| place.join(program))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("`{program}` is not on PATH"))?;
    copied(&found, directory)
}

/// A program under a name that every user can reach; made once.
///
/// # Errors
/// When the file cannot be copied.
pub fn copied(program: &Path, directory: &Path) -> Result<PathBuf> {
    let copy = directory.join(program.file_name().context("a program's name")?);
    if !copy.is_file() {
        // A second name where one file system holds both: nothing is written. If it must be copied, then not by this
        // process: a child that another thread starts meanwhile would hold the file open for writing, and a file that
        // is open for writing cannot be run.
        if std::fs::hard_link(program, &copy).is_err() {
            let copying = Command::new("cp").arg(program).arg(&copy).status();
            ensure!(copying.context("cp")?.success(), "cannot copy {}", program.display());
        }
    }
    Ok(copy)
}

/// An address of the loopback interface where nobody listens.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A program that listens, and how to start it again.
#[derive(Debug)]
struct Server {
    name: String,
    program: PathBuf,
    user: u32,
    directory: PathBuf,
    variables: Vec<(&'static str, String)>,
    address: SocketAddr,
    running: Option<Program>,
}

impl Server {
    fn start(&mut self) -> Result<()> {
        let mut command = Spire::run_as(self.user, &self.program);
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("HOME", &self.directory)
            .current_dir(&self.directory);
        let mut program = Program::start(&self.name, command, &self.directory)?;
        let address = self.address;
        program.wait_for("its port", || TcpStream::connect(address).ok())?;
        self.running = Some(program);
        Ok(())
    }

    fn running(&mut self) -> Result<&mut Program> {
        let name = &self.name;
        self.running.as_mut().with_context(|| format!("{name} is not running"))
    }

    fn stop(&mut self) -> Result<()> {
        // An official program ends with the signal that it was sent: its status says nothing.
        self.running()?.stop()?;
        self.running = None;
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        self.running()?.kill()?;
        self.running = None;
        Ok(())
    }
}

/// Official Keepers. Users [`FIRST_KEEPER`] and on must be registered.
#[derive(Debug)]
pub struct Keepers {
    servers: Vec<Server>,
}

impl Keepers {
    /// Starts `count` empty Keepers with their logs in `directory`; `agent` is the Workload API's socket.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(agent: &Path, directory: &Path, count: u32) -> Result<Self> {
        let program = on_path("spike-official-keeper", directory)?;
        let servers = (1..=count).map(|number| {
            let address = free_address()?;
            let mut variables = environment(agent);
            variables.push(("SPIKE_KEEPER_TLS_PORT", address.to_string()));
            variables.push(("SPIKE_SYSTEM_LOG_LEVEL", "INFO".to_owned()));
            let mut server = Server {
                name: format!("keeper-{number}"),
                program: program.clone(),
                user: FIRST_KEEPER + number - 1,
                directory: directory.to_owned(),
                variables,
                address,
                running: None,
            };
            server.start()?;
            Ok(server)
        });
        Ok(Self {
            servers: servers.collect::<Result<_>>()?,
        })
    }

    /// The value of `SPIKE_NEXUS_KEEPER_PEERS`.
    pub fn peers(&self) -> String {
        let urls: Vec<String> = self
            .servers
            .iter()
            .map(|keeper| format!("https://{}", keeper.address))
            .collect();
        urls.join(",")
    }

    /// How many there are, running or not.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Where Keeper `index` (from 0) listens.
    ///
    /// # Errors
    /// When there is no such Keeper.
    pub fn address(&self, index: usize) -> Result<SocketAddr> {
        Ok(self.servers.get(index).context("a Keeper")?.address)
    }

    /// Everything that Keeper `index` has printed since its last start.
    ///
    /// # Errors
    /// When there is no such Keeper or it is not running.
    pub fn output(&mut self, index: usize) -> Result<String> {
        Ok(self.servers.get_mut(index).context("a Keeper")?.running()?.output())
    }

    /// Ends Keeper `index` as a crash does; its shard is gone.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&mut self, index: usize) -> Result<()> {
        self.servers.get_mut(index).context("a Keeper")?.kill()
    }

    /// Starts Keeper `index` again, empty, at its old address.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self, index: usize) -> Result<()> {
        self.servers.get_mut(index).context("a Keeper")?.start()
    }
}

/// Runs the official Bootstrap to its end: it makes a root key, gives the Keepers their shards and waits until the
/// Nexus at this address proves that it has the key. Returns what it printed.
///
/// # Errors
/// When it fails.
pub fn bootstrap(spire: &Spire, directory: &Path, keepers: &Keepers, nexus: SocketAddr) -> Result<String> {
    let program = on_path("spike-official-bootstrap", directory)?;
    let shares = keepers.count().to_string();
    let output = Spire::run_as(BOOTSTRAP, &program)
        .arg("-init")
        .envs(environment(&spire.socket()))
        .env("SPIKE_NEXUS_KEEPER_PEERS", keepers.peers())
        .env("SPIKE_NEXUS_SHAMIR_SHARES", shares)
        .env("SPIKE_NEXUS_API_URL", format!("https://{nexus}"))
        .env("SPIKE_BOOTSTRAP_INIT_VERIFICATION_TIMEOUT", "60s")
        .env("SPIKE_SYSTEM_LOG_LEVEL", "INFO")
        .env("HOME", directory)
        .current_dir(directory)
        .output()
        .context("the official Bootstrap")?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        output.status.success(),
        "Bootstrap ended with {}:\n{said}",
        output.status
    );
    Ok(said)
}

/// The official Nexus, as user [`NEXUS`].
#[derive(Debug)]
pub struct OfficialNexus {
    server: Server,
}

impl OfficialNexus {
    /// Starts it; with Keepers it is sealed until they hold their shards ([`bootstrap`]).
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(spire: &Spire, directory: &Path, store: OfficialStore, keepers: Option<&Keepers>) -> Result<Self> {
        let word = match store {
            OfficialStore::Memory => "memory",
            OfficialStore::Sqlite => "sqlite",
            OfficialStore::Lite => "lite",
        };
        let name = format!("official-nexus-{word}");
        let home = directory.join(&name);
        std::fs::create_dir_all(&home)?;
        std::os::unix::fs::chown(&home, Some(NEXUS), Some(NEXUS))?;
        let address = free_address()?;
        let mut variables = environment(&spire.socket());
        variables.push(("SPIKE_NEXUS_BACKEND_STORE", word.to_owned()));
        variables.push(("SPIKE_NEXUS_DATA_DIR", home.display().to_string()));
        variables.push(("SPIKE_NEXUS_TLS_PORT", address.to_string()));
        variables.push(("SPIKE_SYSTEM_LOG_LEVEL", "INFO".to_owned()));
        if let Some(keepers) = keepers {
            variables.push(("SPIKE_NEXUS_KEEPER_PEERS", keepers.peers()));
            variables.push(("SPIKE_NEXUS_SHAMIR_SHARES", keepers.count().to_string()));
        }
        let mut server = Server {
            name,
            program: on_path("spike-official-nexus", directory)?,
            user: NEXUS,
            directory: directory.to_owned(),
            variables,
            address,
            running: None,
        };
        server.start()?;
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until it has the root key.
    ///
    /// # Errors
    /// When it ends or never gets it.
    pub fn wait_until_open(&mut self) -> Result<()> {
        self.server.running()?.wait_for_line("state initialized")?;
        Ok(())
    }

    /// Everything it has printed since its last start.
    ///
    /// # Errors
    /// When it is not running.
    pub fn output(&mut self) -> Result<String> {
        Ok(self.server.running()?.output())
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is not running.
    pub fn id(&mut self) -> Result<u32> {
        Ok(self.server.running()?.id())
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// When it is not running.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again, sealed, at its old address and with its old data.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        self.server.start()
    }
}

/// A command of user `user`, with the environment of an official client of the Nexus at `nexus`.
pub fn client(spire: &Spire, user: u32, program: &Path, nexus: SocketAddr) -> Command {
    let mut command = Spire::run_as(user, program);
    command
        .envs(environment(&spire.socket()))
        .env("SPIKE_NEXUS_API_URL", format!("https://{nexus}"));
    command
}
