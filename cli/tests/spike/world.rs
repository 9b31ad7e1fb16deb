//! A real Nexus, and a development agent that gives identities to it and to the binary under test.
use spike_dev_agent::{Config as AgentConfig, DevAgent, Running};
use spike_identity::Identity;
use spike_nexus::{Config, Context, Nexus};
use spike_policy::{Roles, SpiffeId, TrustRoots};
use spike_runtime::metrics::Registry;
use spike_runtime::{Readiness, SystemClock};
use spike_sdk::Client;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::run::{Ended, Spike};

const DOMAIN: &str = "example.org";

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// SPIKE Pilot: may do everything.
    Pilot,
    /// `/app`: may do what policies say.
    App,
}

impl Who {
    fn path(self) -> &'static str {
        match self {
            Self::Pilot => "/spike/pilot/role/superuser",
            Self::App => "/app",
        }
    }
}

pub(crate) struct World {
    runtime: Runtime,
    agent: Running,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    /// Holds the sockets.
    _directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = AgentConfig::new(directory.path(), DOMAIN.parse().unwrap());
        for (path, socket) in [
            ("/spike/nexus", "nexus.sock"),
            (Who::Pilot.path(), "pilot.sock"),
            (Who::App.path(), "app.sock"),
        ] {
            config = config.with_socket(id(path), socket);
        }
        let (agent, nexus) = runtime.block_on(async {
            let agent = DevAgent::start(config).unwrap();
            let endpoint = agent.endpoint(&id("/spike/nexus")).unwrap();
            let identity = Identity::from_workload_api(Some(&endpoint), None).await.unwrap();
            (agent, open(identity))
        });
        let url = format!("https://{}", nexus.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = runtime.spawn(async move {
            let ended = nexus.run(async { drop(stopped.await) }).await;
            ended.unwrap();
        });
        Self {
            runtime,
            agent,
            url,
            stop: Some(stop),
            serving: Some(serving),
            _directory: directory,
        }
    }

    /// The binary with these words, as somebody.
    pub(crate) fn command(&self, who: Who, words: &[&str]) -> Spike {
        let endpoint = self.agent.endpoint(&id(who.path())).unwrap();
        Spike::with(words)
            .env("SPIFFE_ENDPOINT_SOCKET", &endpoint)
            .env("SPIKE_SPIFFE_SOURCE_TIMEOUT", "30s")
            .env("SPIKE_NEXUS_API_URL", &self.url)
            .env("SPIKE_TRUST_ROOT_NEXUS", DOMAIN)
    }

    /// Runs these words as somebody.
    pub(crate) fn run(&self, who: Who, words: &[&str]) -> Ended {
        self.command(who, words).run()
    }

    /// Runs these words as Pilot and gives what was printed; they must succeed.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let ended = self.run(Who::Pilot, words);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words:?}");
        ended.out
    }

    /// Applies a policy as Pilot.
    pub(crate) fn allow(&self, name: &str, path: &str, permissions: &str) {
        self.done(&[
            "policy",
            "apply",
            "--name",
            name,
            r"--spiffeid-pattern=^spiffe://example\.org/app$",
            "--path-pattern",
            path,
            "--permissions",
            permissions,
        ]);
    }

    /// Where Nexus is, or was.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The Workload API of somebody.
    pub(crate) fn endpoint(&self, who: Who) -> String {
        self.agent.endpoint(&id(who.path())).unwrap()
    }

    /// Waits for something done with Pilot's client.
    pub(crate) fn with_client<T>(&self, work: impl AsyncFnOnce(Client) -> T) -> T {
        self.runtime.block_on(async {
            let client = Client::builder()
                .nexus_url(self.url.parse().unwrap())
                .nexus_trust_roots(TrustRoots::parse(DOMAIN).unwrap())
                .workload_api(self.endpoint(Who::Pilot));
            work(client.connect().await.unwrap()).await
        })
    }

    /// Ends Nexus; the agent goes on.
    pub(crate) fn stop_nexus(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.runtime.block_on(self.serving.take().unwrap()).unwrap();
    }
}

fn id(path: &str) -> SpiffeId {
    format!("spiffe://{DOMAIN}{path}").parse().unwrap()
}

fn open(identity: Identity) -> Nexus {
    let root = || TrustRoots::parse(DOMAIN).unwrap();
    let roles = Roles {
        pilot: root(),
        nexus: root(),
        ..Roles::default()
    };
    let (readiness, latch) = Readiness::new();
    drop(latch);
    let context = Context {
        clock: SystemClock::shared(),
        registry: Registry::new("spike-nexus", "test"),
        readiness,
        audit: spike_nexus::Journal::off(),
    };
    Nexus::open(Config::in_memory(roles), identity, context).unwrap()
}
