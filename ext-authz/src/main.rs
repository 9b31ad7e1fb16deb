//! The program `spike-ext-authz`: Checks, and by default Nexus in the same process.
//!
//! **Owns** composition: settings, identity, policies (from the Nexus it opens, or from a feed), the Check service, and
//! the order in which they end. **Refuses** logic: each part is built and run by its room. **Invariant**: Checks end
//! before the policies they are decided by do.
mod args;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use spike_audit::{Journal, Program, Writer};
use spike_ext_authz::check::Authorizer;
use spike_ext_authz::config::{Config, Feed, Pilot, Remote};
use spike_ext_authz::feed::embedded::Embedded;
use spike_ext_authz::feed::remote::{Follower, RemoteNexus};
use spike_ext_authz::feed::{Lease, Source};
use spike_ext_authz::metrics::{FeedMetrics, Metrics};
use spike_ext_authz::serve::{Door, OpenError, Server};
use spike_ext_authz::snapshot::Views;
use spike_identity::{DEFAULT_ENDPOINT, Identity, SourceError, check_endpoint};
use spike_nexus::{Context, Nexus, RestoreBackup, RestoreBackupError, RunError};
use spike_policy::{Roles, TrustRoots};
use spike_runtime::admin::{Admin, View};
use spike_runtime::config::{Effective, Endpoint, Environment, Faults, Layers};
use spike_runtime::logging::{self, LIFECYCLE};
use spike_runtime::metrics::Registry;
use spike_runtime::shutdown::{self, Drain};
use spike_runtime::socket::BindError;
use spike_runtime::tasks::Tasks;
use spike_runtime::threads::Threads;
use spike_runtime::{CancellationToken, Exit, Readiness, SharedClock, SystemClock, names, process};

use crate::args::{Args, Command};

const PROGRAM: &str = "spike-ext-authz";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const PROGRAM_OF_AUDIT: Program = Program {
    name: PROGRAM,
    version: VERSION,
};

fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    match run(&args) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            tell(&mut std::io::stderr(), &failure.to_string());
            failure.exit().into()
        }
    }
}

/// Everything `spike-ext-authz` reads from its configuration.
struct Settings {
    check: Config,
    /// The Nexus in this process, unless policies come from elsewhere.
    nexus: Option<spike_nexus::Config>,
    socket: String,
    wait: Option<Duration>,
    admin: Option<Endpoint>,
    drain: Drain,
    log: logging::Settings,
}

impl Settings {
    fn read(args: &Args) -> Result<(Self, Effective), Faults> {
        let layers = Layers::load(args.config.as_deref(), Environment::of_process(), &args.set);
        let root = layers.root();
        let home = layers.variable("HOME");
        let identity = root.section("identity");
        let drain = Drain::read(&root.section("drain"));
        // Checks end in the first half of the drain, so that Nexus can end in the second.
        let check = Config::read(&root, drain.deadline / 2);
        let embedded = matches!(check.feed, Feed::Embedded);
        let nexus = || {
            spike_nexus::Config::read(&root.section("nexus"), home.as_deref().map(Path::new))
                .accepting_rollback(args.accept_rollback)
        };
        let settings = Self {
            nexus: embedded.then(nexus),
            check,
            socket: identity
                .key("socket")
                .env("SPIFFE_ENDPOINT_SOCKET")
                .parsed("a Workload API such as unix:///path/to/api.sock", |text| {
                    check_endpoint(text).map(|()| text.to_owned())
                })
                .or(DEFAULT_ENDPOINT.to_owned()),
            wait: identity.key("wait").duration().optional(),
            admin: Admin::read(&root.section("admin")),
            drain,
            log: logging::Settings::read(&root.section("log")),
        };
        Ok((settings, layers.finish()?))
    }
}

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Config(#[from] Faults),
    #[error("{PROGRAM}: {0}")]
    Log(#[from] logging::InitError),
    #[error("{PROGRAM}: {0}")]
    System(#[from] std::io::Error),
    #[error("{PROGRAM}: {0}")]
    Identity(#[from] SourceError),
    #[error("{PROGRAM}: {0}")]
    Nexus(#[from] spike_nexus::OpenError),
    #[error("{PROGRAM}: {0}")]
    Restore(#[from] RestoreBackupError),
    #[error("{PROGRAM}: {0}")]
    Admin(#[from] BindError),
    #[error("{PROGRAM}: {0}")]
    Listen(#[from] OpenError),
    #[error("{PROGRAM}: {0}")]
    Audit(#[from] spike_audit::OpenError),
    #[error("{PROGRAM}: {0}")]
    Stopped(String),
}

impl Failure {
    fn exit(&self) -> Exit {
        use spike_nexus::OpenError as Nexus;
        match self {
            Self::Config(_) | Self::Nexus(Nexus::NotANexus { .. }) => Exit::Config,
            Self::Restore(error) => error.exit(),
            Self::Identity(_)
            | Self::Admin(_)
            | Self::Listen(_)
            | Self::Audit(_)
            | Self::Nexus(Nexus::Store(_) | Nexus::Bind(_) | Nexus::Listen(_)) => Exit::Unavailable,
            Self::Log(_) | Self::System(_) | Self::Stopped(_) => Exit::Internal,
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let (settings, effective) = Settings::read(args)?;
    if args.check_config {
        tell(&mut std::io::stdout(), effective.to_string().trim_end());
        return Ok(());
    }
    let log = logging::init(settings.log)?;
    process::log_panics();
    if let Err(error) = process::harden() {
        tracing::warn!(target: LIFECYCLE, %error, "this process is less protected than it should be");
    }
    if let Some(Command::RestoreBackup(restore)) = &args.command {
        return restore_backup(&settings, args, restore);
    }
    let registry = Registry::new(PROGRAM, VERSION);
    log.register(&registry);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(settings, effective, registry))
}

/// Instead of serving.
fn restore_backup(settings: &Settings, args: &Args, restore: &args::RestoreBackup) -> Result<(), Failure> {
    let said = RestoreBackup {
        from: restore.from.clone(),
        shares: restore.share.clone(),
        accept_rollback: args.accept_rollback,
        accept_other_store: restore.accept_other_store,
        accept_damaged: restore.accept_damaged,
    };
    let restored = spike_nexus::restore_backup(
        settings.nexus.as_ref(),
        &said,
        (&settings.check.audit, PROGRAM_OF_AUDIT),
    )?;
    tell(&mut std::io::stdout(), &restored.to_string());
    Ok(())
}

/// What the parts share.
struct Common {
    identity: Identity,
    clock: SharedClock,
    registry: Registry,
    readiness: Readiness,
    /// Cancelled when the last Check is answered.
    checks_done: CancellationToken,
}

async fn serve(settings: Settings, effective: Effective, registry: Registry) -> Result<(), Failure> {
    let mut signal = Box::pin(shutdown::signal()?);
    let (readiness, startup) = Readiness::new();
    let mut tasks = Tasks::new();
    if let Some(endpoint) = &settings.admin {
        let view = View {
            program: PROGRAM,
            version: VERSION,
            readiness: readiness.clone(),
            registry: registry.clone(),
            config: effective,
        };
        tasks.spawn("admin", Admin::bind(endpoint, view)?.run(tasks.stop()));
    }
    tracing::info!(target: LIFECYCLE, version = VERSION, socket = settings.socket, "waiting for an identity");
    let identity = tokio::select! {
        identity = Identity::from_workload_api(Some(&settings.socket), settings.wait) => identity?,
        cause = &mut signal => {
            tracing::info!(target: LIFECYCLE, %cause, "stopped before there was an identity");
            return Ok(());
        }
    };
    let clock = SystemClock::shared();
    let (own, time) = (identity.clone(), Arc::clone(&clock));
    let help = "Seconds until our own SVID expires; negative afterwards";
    registry.computed(names::SVID_REMAINING_SECONDS, help, move || {
        own.remaining_seconds(time.now())
    });
    let own = identity.clone();
    let help = "New SVIDs received after the first";
    registry.counted(names::SVID_UPDATES, help, move || own.svid_updates());
    let common = Common {
        identity,
        clock,
        registry,
        readiness,
        checks_done: CancellationToken::new(),
    };
    let (writer, addresses) = compose(settings.check, settings.nexus, &common, &mut tasks)?;
    tracing::info!(target: LIFECYCLE, id = %common.identity.spiffe_id(), addresses, "started");
    drop(startup);
    tasks.spawn(
        "ready line",
        announce(common.readiness.clone(), addresses, tasks.stop()),
    );
    let report = tasks.run(signal, &common.readiness, settings.drain).await;
    if let Some(writer) = writer {
        writer.finish();
    }
    tracing::info!(target: LIFECYCLE, %report, "stopped");
    if report.is_clean() {
        Ok(())
    } else {
        Err(Failure::Stopped(report.to_string()))
    }
}

/// Opens and starts everything; gives the audit writer and the addresses for the ready line.
fn compose(
    config: Config,
    nexus: Option<spike_nexus::Config>,
    common: &Common,
    tasks: &mut Tasks,
) -> Result<(Option<Writer>, String), Failure> {
    let mut addresses = String::new();
    let metrics = Metrics::register(&common.registry);
    let (audit, writer) = open_audit(&config, common, tasks)?;
    let (source, pilot): (Arc<dyn Source>, TrustRoots) = match (&config.feed, nexus) {
        (Feed::Remote(remote), _) => (follow(remote, common, tasks), remote.pilot.clone()),
        (Feed::Embedded, nexus) => {
            let nexus = nexus.ok_or_else(|| Failure::Stopped("the settings name no Nexus".to_owned()))?;
            let pilot = nexus.rules.roles.pilot.clone();
            let (source, address) = embed(nexus, audit.clone(), common, tasks)?;
            addresses = format!(" nexus={address}");
            (source, pilot)
        }
    };
    let mut rulebook = config.rulebook;
    rulebook.roles = match config.pilot {
        Pilot::Role => Roles {
            pilot,
            ..Roles::default()
        },
        Pilot::Policy => Roles::default(),
    };
    let authorizer = Authorizer {
        source,
        views: Views::new(config.cache.ttl, config.cache.bound, metrics.view_lookups.clone()),
        rulebook,
        audit,
        metrics,
        clock: Arc::clone(&common.clock),
    };
    let doors = Door::open_all(&config.listen, &common.identity)?;
    for door in &doors {
        addresses = format!("{addresses} {}={}", door.name(), door.endpoint()?);
    }
    let server = Server::new(Arc::new(authorizer), config.limits, common.readiness.clone());
    let (stop, done) = (tasks.stop(), common.checks_done.clone().drop_guard());
    tasks.spawn("check", async move {
        server.run(doors, stop).await;
        drop(done);
        Ok::<_, Failure>(())
    });
    Ok((writer, addresses))
}

/// Opens the audit, which both servers in this process write to, and obeys SIGHUP.
fn open_audit(config: &Config, common: &Common, tasks: &mut Tasks) -> Result<(Journal, Option<Writer>), Failure> {
    let (journal, writer) = Journal::open(
        &config.audit,
        PROGRAM_OF_AUDIT,
        Arc::clone(&common.clock),
        &common.registry,
    )?;
    let (hangups, stop) = (journal.on_hangup()?, tasks.stop());
    tasks.spawn("audit", async move {
        tokio::select! {
            never = hangups => match never {},
            () = stop.cancelled() => Ok::<_, Failure>(()),
        }
    });
    journal.lifecycle("start", common.identity.spiffe_id().as_str());
    Ok((journal, writer))
}

/// The Nexus in this process, on threads of its own: what it reads from the disk holds up no Check. It goes on until the
/// last Check is answered.
fn embed(
    config: spike_nexus::Config,
    audit: Journal,
    common: &Common,
    tasks: &mut Tasks,
) -> Result<(Arc<dyn Source>, std::net::SocketAddr), Failure> {
    let context = Context {
        clock: Arc::clone(&common.clock),
        registry: common.registry.clone(),
        readiness: common.readiness.clone(),
        audit,
    };
    let threads = Threads::start("nexus")?;
    let nexus = {
        let _on_them = threads.enter();
        Nexus::open(config, common.identity.clone(), context)?
    };
    let (address, source) = (nexus.address(), Embedded::new(nexus.policies()));
    let (stop, done) = (tasks.stop(), common.checks_done.clone());
    tasks.spawn("nexus", async move {
        let stopped = async move {
            stop.cancelled().await;
            done.cancelled().await;
        };
        let ended = threads.spawn(nexus.run(stopped)).await;
        ended.unwrap_or(Err(RunError::ServerDied))
    });
    Ok((Arc::new(source), address))
}

/// The policies of a Nexus elsewhere.
fn follow(remote: &Remote, common: &Common, tasks: &mut Tasks) -> Arc<dyn Source> {
    let metrics = FeedMetrics::register(&common.registry);
    let clock = Arc::clone(&common.clock);
    let lease = Arc::new(Lease::new(
        remote.max_age,
        remote.on_stale,
        metrics.served_stale.clone(),
        clock,
    ));
    let aged = Arc::clone(&lease);
    let help = "Time since the policies in force were confirmed to be the current ones";
    common
        .registry
        .computed(names::POLICY_AGE_SECONDS, help, move || aged.age().as_secs_f64());
    let upstream = RemoteNexus::new(remote.url.clone(), remote.nexus.clone(), common.identity.clone());
    let follower = Follower::new(upstream, Arc::clone(&lease), metrics);
    let done = common.checks_done.clone();
    tasks.spawn("feed", async move {
        follower.run(done).await;
        Ok::<_, Failure>(())
    });
    lease
}

/// One line on standard error when Checks can be decided: scripts wait for it.
async fn announce(readiness: Readiness, addresses: String, stop: CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        () = readiness.ready() => tell(&mut std::io::stderr(), &format!("{PROGRAM} ready:{addresses}")),
        () = stop.cancelled() => {}
    }
    stop.cancelled().await;
    Ok(())
}

/// Nothing can be done when even the terminal is gone.
fn tell(to: &mut impl Write, text: &str) {
    drop(writeln!(to, "{text}"));
}
