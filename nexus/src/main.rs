//! The program `spike-nexus`: a Nexus alone.

mod args;

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use spike_audit::{Journal, Program, Target};
use spike_identity::{DEFAULT_ENDPOINT, Identity, SourceError, check_endpoint};
use spike_nexus::{Config, Context, Nexus, OpenError, RestoreBackup, RestoreBackupError};
use spike_runtime::admin::{Admin, View};
use spike_runtime::config::{Effective, Endpoint, Environment, Faults, Layers};
use spike_runtime::logging::{self, LIFECYCLE};
use spike_runtime::metrics::Registry;
use spike_runtime::shutdown::{self, Drain};
use spike_runtime::socket::BindError;
use spike_runtime::tasks::Tasks;
use spike_runtime::{CancellationToken, Exit, Readiness, SystemClock, names, process};

use crate::args::{Args, Command};

const PROGRAM: &str = "spike-nexus";
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

/// Everything `spike-nexus` reads from its configuration.
struct Settings {
    nexus: Config,
    socket: String,
    wait: Option<Duration>,
    admin: Option<Endpoint>,
    drain: Drain,
    log: logging::Settings,
    audit: spike_audit::Settings,
}

impl Settings {
    fn read(args: &Args) -> Result<(Self, Effective), Faults> {
        let layers = Layers::load(args.config.as_deref(), Environment::of_process(), &args.set);
        let root = layers.root();
        let home = layers.variable("HOME");
        let identity = root.section("identity");
        let drain = Drain::read(&root.section("drain"));
        let nexus = Config::read(&root.section("nexus"), home.as_deref().map(Path::new));
        let mut nexus = nexus.accepting_rollback(args.accept_rollback);
        // The store is closed after the last connection, and still within the deadline.
        nexus.drain = drain.deadline.mul_f64(0.8);
        let settings = Self {
            nexus,
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
            audit: spike_audit::Settings::read(&root.section("audit"), Target::Stderr),
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
    Open(#[from] OpenError),
    #[error("{PROGRAM}: {0}")]
    Restore(#[from] RestoreBackupError),
    #[error("{PROGRAM}: {0}")]
    Admin(#[from] BindError),
    #[error("{PROGRAM}: {0}")]
    Audit(#[from] spike_audit::OpenError),
    #[error("{PROGRAM}: {0}")]
    Stopped(String),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Open(OpenError::NotANexus { .. }) => Exit::Config,
            Self::Restore(error) => error.exit(),
            Self::Identity(_)
            | Self::Admin(_)
            | Self::Audit(_)
            | Self::Open(OpenError::Store(_) | OpenError::Bind(_) | OpenError::Listen(_)) => Exit::Unavailable,
            Self::Log(_) | Self::System(_) | Self::Stopped(_) => Exit::Internal,
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let (settings, effective) = Settings::read(args)?;
    if args.check {
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
    let restored = spike_nexus::restore_backup(Some(&settings.nexus), &said, (&settings.audit, PROGRAM_OF_AUDIT))?;
    tell(&mut std::io::stdout(), &restored.to_string());
    Ok(())
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
    let (own, clock) = (identity.clone(), SystemClock::shared());
    let help = "Seconds until our own SVID expires; negative afterwards";
    registry.computed(names::SVID_REMAINING_SECONDS, help, move || {
        own.remaining_seconds(clock.now())
    });
    let own = identity.clone();
    let help = "New SVIDs received after the first";
    registry.counted(names::SVID_UPDATES, help, move || own.svid_updates());
    let (audit, writer) = Journal::open(&settings.audit, PROGRAM_OF_AUDIT, SystemClock::shared(), &registry)?;
    tasks.spawn("audit", obey_hangups(audit.on_hangup()?, tasks.stop()));
    audit.lifecycle("start", identity.spiffe_id().as_str());
    let context = Context {
        clock: SystemClock::shared(),
        registry,
        readiness: readiness.clone(),
        audit: audit.clone(),
    };
    let nexus = Nexus::open(settings.nexus, identity.clone(), context)?;
    tracing::info!(target: LIFECYCLE, id = %identity.spiffe_id(), address = %nexus.address(), "serving");
    let address = nexus.address();
    tasks.spawn("nexus", nexus.run(tasks.stop().cancelled_owned()));
    drop(startup);
    tasks.spawn("ready line", announce(readiness.clone(), address, tasks.stop()));
    let report = tasks.run(signal, &readiness, settings.drain).await;
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

async fn obey_hangups(hangups: impl Future<Output = Infallible>, stop: CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        never = hangups => match never {},
        () = stop.cancelled() => Ok(()),
    }
}

/// One line on standard error when requests are served: scripts wait for it.
async fn announce(readiness: Readiness, address: SocketAddr, stop: CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        () = readiness.ready() => tell(&mut std::io::stderr(), &format!("{PROGRAM} ready: nexus={address}")),
        () = stop.cancelled() => {}
    }
    stop.cancelled().await;
    Ok(())
}

/// Nothing can be done when even the terminal is gone.
fn tell(to: &mut impl Write, text: &str) {
    drop(writeln!(to, "{text}"));
}
