//! A whole Nexus: opened, run, and shared with an ext-authz in the same process.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use spike_audit::{Journal, Outcome};
use spike_identity::{Identity, Standing};
use spike_policy::{Generation, PolicySet, Role, SpiffeId, TrustDomain};
use spike_runtime::logging::LIFECYCLE;
use spike_runtime::metrics::Registry;
use spike_runtime::socket::{BindError, bind_tcp};
use spike_runtime::{CancellationToken, Exit, Latch, Readiness, SharedClock};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Backend, Config};
use crate::figures;
use crate::http::{Api, Metrics, Server};
use crate::keeper::{Custodian, Keepers};
use crate::service::{Keeps, Rules, Service};
use crate::store::{self, Health, Store, Unavailable};
use crate::vault::{ByHand, Custody, InFile, Keeping, RootKeySource};

/// How often our own identity's remaining life is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a Nexus shares with its process.
#[derive(Clone, Debug)]
pub struct Context {
    /// The time.
    pub clock: SharedClock,
    /// Where its metrics go.
    pub registry: Registry,
    /// What its readiness is part of.
    pub readiness: Readiness,
    /// Where it records what happens.
    pub audit: Journal,
}

/// Why a Nexus does not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Official clients would refuse to talk to this identity.
    #[error(
        "this process is `{id}`, but Nexus must be `spiffe://<trust root>/spike/nexus` or below: register that \
         SPIFFE ID for it, or set trust_roots.nexus (SPIKE_TRUST_ROOT_NEXUS), which is now `{roots}`"
    )]
    NotANexus {
        /// Who we are.
        id: SpiffeId,
        /// Where a Nexus would count as one.
        roots: String,
    },
    /// The store does not open.
    #[error("cannot open the store: {0}")]
    Store(#[from] store::OpenError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The runtime refuses the listener.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
}

impl OpenError {
    /// How a program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotANexus { .. } => Exit::Config,
            Self::Store(_) | Self::Bind(_) | Self::Listen(_) => Exit::Unavailable,
        }
    }
}

/// Why a Nexus stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The disk failed for good.
    #[error("the store failed and could not be reopened")]
    StoreFailed,
    /// The server's task died.
    #[error("the API server died")]
    ServerDied,
}

/// An open Nexus: it has its store, its listener and its identity, and serves nobody until [`Nexus::run`].
#[derive(Debug)]
pub struct Nexus {
    server: Server,
    address: SocketAddr,
    store: Store,
    custodian: Option<Custodian>,
    standing: OwnStanding,
    readiness: Readiness,
    starting: Latch,
    drain: Duration,
}

impl Nexus {
    /// Opens the store and binds the listener. Blocks on the disk; needs a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(config: Config, identity: Identity, context: Context) -> Result<Self, OpenError> {
        let standing = OwnStanding {
            identity,
            config: config.clone(),
            clock: Arc::clone(&context.clock),
            audit: context.audit.clone(),
        };
        standing.check_name()?;
        let starting = context.readiness.latch("nexus");
        for warning in &config.warnings {
            tracing::warn!(target: LIFECYCLE, "{warning}");
        }
        let store = open_store(&config, &context.audit)?;
        figures::show(&context.registry, &store);
        let listener = bind_tcp(config.listen)?;
        let listener = TcpListener::from_std(listener).map_err(OpenError::Listen)?;
        let address = listener.local_addr().map_err(OpenError::Listen)?;
        let rules = Rules {
            keeps: match &config.backend {
                Backend::Redb { .. } => Keeps::Database,
                Backend::Memory => Keeps::UntilTheEnd,
                Backend::Lite { .. } => Keeps::Nothing,
            },
            ..config.rules
        };
        let custodian = config.keepers.as_ref().map(|settings| {
            let keepers = Keepers::new(settings, (&standing.identity, &context.registry), rules.sharing);
            (
                keepers.clone(),
                Custodian::new(keepers, store.clone(), settings.update_interval).recorded_in(&context.audit),
            )
        });
        let (keepers, custodian) = custodian.unzip();
        let service = Service::new(store.clone(), rules, context.clock)
            .kept_by(custody(&config.backend, keepers))
            .recorded_in(context.audit.clone());
        let api = Api {
            service,
            limits: config.limits,
            metrics: Metrics::new(&context.registry),
            audit: context.audit.clone(),
        };
        let server = Server::new(listener, &standing.identity, api).map_err(OpenError::Listen)?;
        Ok(Self {
            server,
            address,
            store,
            custodian,
            standing,
            readiness: context.readiness,
            starting,
            drain: config.drain,
        })
    }

    /// Where it listens; the port is never 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its policies, for a co-located ext-authz.
    pub fn policies(&self) -> Policies {
        Policies(self.store.clone())
    }

    /// Serves until `shutdown`, then drains and closes the store.
    ///
    /// # Errors
    /// [`RunError`]; the store is closed then, too.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let stop = CancellationToken::new();
        let mut serving = tokio::spawn(self.server.run(stop.clone(), self.drain));
        let custodian = self.custodian.map(|custodian| tokio::spawn(custodian.run()));
        let health = self.store.health();
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            () = failed(health.clone()) => Err(RunError::StoreFailed),
            _ = &mut serving => Err(RunError::ServerDied),
            never = self.standing.watch(&self.store, &self.readiness, self.starting) => match never {},
        };
        stop.cancel();
        let joined = if serving.is_finished() { Ok(()) } else { serving.await };
        // It ends by itself when the store is closed; but it must not keep that from happening.
        if let Some(custodian) = custodian {
            custodian.abort();
        }
        if let Err(unavailable) = self.store.close().await {
            tracing::debug!(%unavailable, "the store was closed already");
        }
        self.standing.audit.lifecycle("closed", "store");
        ended.and(joined.map_err(|_| RunError::ServerDied))
    }
}

/// The policies of an open Nexus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Policies(Store);

impl Policies {
    /// The policies in force: one atomic load. An error when they may not be the current ones (a write's outcome is
    /// unknown, or the store is closed): then nothing may be allowed.
    pub fn current(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.0.policies()
    }

    /// Reads and decrypts the policies from disk. Blocks: call it off the async workers.
    pub fn reload(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.0.reload_policies()
    }

    /// A new value after each change, which [`Policies::current`] shows by then.
    pub fn changes(&self) -> watch::Receiver<Generation> {
        self.0.changes()
    }
}

fn open_store(config: &Config, audit: &Journal) -> Result<Store, OpenError> {
    let opened = match &config.backend {
        Backend::Memory => Store::open_in_memory(config.max_secret_versions),
        Backend::Lite { root_key } => Store::open_lite(root_key),
        Backend::Redb { database, root_key } => Store::open(store::Options {
            path: database.clone(),
            root_key: root_key.clone(),
            max_versions: config.max_secret_versions,
            queue: config.queue,
            anchor: config.anchor.clone(),
            audit: audit.clone(),
        }),
    };
    opened.map_err(|error| {
        audit.happened("open_refused", "store", Outcome::Refused(&error.to_string()));
        error.into()
    })
}

/// Who keeps the root key, and takes a new one.
fn custody(backend: &Backend, keepers: Option<Keepers>) -> Arc<dyn Custody> {
    let by_hand = |keeping| -> Arc<dyn Custody> { Arc::new(ByHand(keeping)) };
    match (backend.root_key(), keepers) {
        (Some(RootKeySource::Keepers), Some(keepers)) => Arc::new(keepers),
        (Some(RootKeySource::KeyFile(path)), _) => Arc::new(InFile(path.clone())),
        (Some(RootKeySource::CredentialsDirectory { .. }), _) => by_hand(Keeping::Credential),
        (Some(RootKeySource::Operators), _) => by_hand(Keeping::Operators),
        (Some(RootKeySource::Keepers) | None, _) => by_hand(Keeping::Nobody),
    }
}

/// Completes when the store has failed for good.
async fn failed(mut health: watch::Receiver<Health>) {
    if health.wait_for(|health| *health == Health::Failed).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether we are still who we must be.
#[derive(Debug)]
struct OwnStanding {
    identity: Identity,
    config: Config,
    clock: SharedClock,
    audit: Journal,
}

impl OwnStanding {
    fn is_nexus(&self) -> bool {
        self.config.rules.roles.of(&self.identity.spiffe_id()) == Role::Nexus
    }

    fn check_name(&self) -> Result<(), OpenError> {
        if self.is_nexus() {
            return Ok(());
        }
        let roots: Vec<&str> = self.config.rules.roles.nexus.iter().map(TrustDomain::as_str).collect();
        Err(OpenError::NotANexus {
            id: self.identity.spiffe_id(),
            roots: roots.join(", "),
        })
    }

    fn is_good(&self) -> bool {
        let valid = match self.identity.standing(self.clock.now()) {
            Standing::Good | Standing::Ageing => true,
            Standing::Expired | Standing::Withdrawn => false,
        };
        valid && self.is_nexus()
    }

    /// Holds readiness back while our identity or the store is not usable, and from the start until that is known.
    async fn watch(&self, kept: &Store, readiness: &Readiness, starting: Latch) -> std::convert::Infallible {
        let mut health = kept.health();
        let mut starting = Some(starting);
        let mut rotations = self.identity.rotations();
        let mut told = None;
        let (mut svid, mut store, mut root_key): (Option<Latch>, Option<Latch>, Option<Latch>) = (None, None, None);
        loop {
            hold(&mut svid, self.is_good(), || readiness.latch("svid"));
            let state = *health.borrow_and_update();
            let sealed = state == Health::Sealed;
            if told.replace(state) != Some(state) {
                self.audit.lifecycle(word(state), "store");
                if let Some(from) = kept.accepted_rollback().filter(|_| state == Health::Ready) {
                    self.audit.lifecycle(
                        "rollback_accepted",
                        &format!("store {} at generation {}", kept.id(), from.0),
                    );
                }
            }
            hold(&mut root_key, !sealed, || readiness.latch("root_key"));
            hold(&mut store, sealed || state == Health::Ready, || {
                readiness.latch("store")
            });
            drop(starting.take());
            tokio::select! {
                _ = rotations.changed() => {}
                _ = health.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// The word of a state, for the audit.
fn word(state: Health) -> &'static str {
    match state {
        Health::Sealed => "sealed",
        // Not `ready`: for that word scripts wait in the same stream, with an address behind it.
        Health::Ready => "open",
        Health::Recovering => "recovering",
        Health::Failed => "failed",
        Health::Closed => "closed",
    }
}

/// Takes a latch when something becomes bad, and drops it when it is good again.
fn hold(latch: &mut Option<Latch>, good: bool, take: impl FnOnce() -> Latch) {
    if good {
        *latch = None;
    } else if latch.is_none() {
        *latch = Some(take());
    }
}
