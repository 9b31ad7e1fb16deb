//! The program `spike-ext-authz`: Checks, and by default Nexus in the same process.
//!
//! **Owns** composition: settings, policies (from the Nexus it opens, or from a feed), the Check service, and the order
//! in which they end. **Refuses** logic: each part is built and run by its room. **Invariant**: Checks end before the
//! policies they are decided by do.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use spike_ext_authz::check::Authorizer;
use spike_ext_authz::config::{Config, Feed, Pilot, Remote};
use spike_ext_authz::feed::embedded::Embedded;
use spike_ext_authz::feed::remote::{Follower, RemoteNexus};
use spike_ext_authz::feed::{Lease, Source};
use spike_ext_authz::metrics::{FeedMetrics, Metrics};
use spike_ext_authz::serve::{Door, OpenError, Server};
use spike_ext_authz::snapshot::Views;
use spike_nexus::{Context, Nexus, NexusArgs, RestoreBackup, RestoreBackupError, RunError, restore_backup};
use spike_policy::{Roles, TrustRoots};
use spike_program::{Args, Audited, CommandLine, Configuration, Failure, Fatal, Identified, Process, Program, say};
use spike_runtime::config::Faults;
use spike_runtime::logging::LIFECYCLE;
use spike_runtime::shutdown::Drain;
use spike_runtime::threads::Threads;
use spike_runtime::{CancellationToken, Exit, names};

const PROGRAM: Program = Program {
    name: "spike-ext-authz",
    version: env!("CARGO_PKG_VERSION"),
};

const COMMAND_LINE: CommandLine = CommandLine {
    program: PROGRAM,
    about: "Answers Envoy's external authorization by SPIFFE identity and path, decided by SPIKE policies",
    config: "The configuration file (YAML)",
    example: "cache.ttl=0s",
    check: "check-config",
};

fn main() -> ExitCode {
    spike_program::main(&COMMAND_LINE, Settings::read, run)
}

fn run(settings: Settings, process: Process) -> Result<(), Failure<Own>> {
    let Settings {
        check,
        policies,
        restore,
    } = settings;
    if let Some(said) = restore {
        let restored = restore_backup(policies.nexus(), &said, (&check.audit, PROGRAM));
        say(&restored.map_err(Own::Restore)?);
        return Ok(());
    }
    process.serve(|start| compose(check, policies, start))
}

/// What is said to `spike-ext-authz`, in its configuration and on its command line.
struct Settings {
    check: Config,
    policies: Policies,
    /// What to do instead of serving.
    restore: Option<RestoreBackup>,
}

/// Where policies come from.
enum Policies {
    /// A Nexus in this process.
    Here(Box<spike_nexus::Config>),
    /// A Nexus elsewhere.
    Elsewhere(Remote),
}

impl Settings {
    fn read(args: &Args<NexusArgs>) -> Result<(Self, Configuration), Faults> {
        let layers = args.layers();
        let root = layers.root();
        let home = layers.variable("HOME");
        let drain = Drain::read(&root.section("drain"));
        // Checks end in the first half of the drain, so that Nexus can end in the second.
        let check = Config::read(&root, drain.deadline / 2);
        let policies = match &check.feed {
            Feed::Embedded => {
                let nexus = spike_nexus::Config::read(&root.section("nexus"), home.as_deref().map(Path::new));
                Policies::Here(Box::new(nexus.accepting_rollback(args.own.accept_rollback)))
            }
            Feed::Remote(remote) => Policies::Elsewhere(remote.clone()),
        };
        let program = spike_program::Settings::read(&root, drain);
        let settings = Self {
            check,
            policies,
            restore: args.own.restore_backup(),
        };
        Ok((settings, program.finish(layers)?))
    }
}

impl Policies {
    fn nexus(&self) -> Option<&spike_nexus::Config> {
        match self {
            Self::Here(nexus) => Some(nexus),
            Self::Elsewhere(_) => None,
        }
    }

    /// Where operators are believed to be some.
    fn pilot(&self) -> &TrustRoots {
        match self {
            Self::Here(nexus) => &nexus.rules.roles.pilot,
            Self::Elsewhere(remote) => &remote.pilot,
        }
    }
}

/// Opens and starts everything.
fn compose(config: Config, policies: Policies, start: Identified) -> Result<Audited, Failure<Own>> {
    let metrics = Metrics::register(&start.ground().registry);
    let mut server = start.open_audit(&config.audit)?;
    let mut rulebook = config.rulebook;
    rulebook.roles = match config.pilot {
        Pilot::Role => Roles {
            pilot: policies.pilot().clone(),
            ..Roles::default()
        },
        Pilot::Policy => Roles::default(),
    };
    // Cancelled when the last Check is answered.
    let checks_done = CancellationToken::new();
    let source = match policies {
        Policies::Here(nexus) => embed(*nexus, &checks_done, &mut server)?,
        Policies::Elsewhere(remote) => follow(remote, &checks_done, &mut server),
    };
    let authorizer = Authorizer {
        source,
        views: Views::new(config.cache.ttl, config.cache.bound, metrics.view_lookups.clone()),
        rulebook,
        audit: server.journal().clone(),
        metrics,
        clock: Arc::clone(&server.ground().clock),
    };
    let doors = Door::open_all(&config.listen, &server.ground().identity).map_err(Own::Listen)?;
    for door in &doors {
        server.listens(door.name(), &door.endpoint()?);
    }
    let checks = Server::new(Arc::new(authorizer), config.limits, server.ground().readiness.clone());
    let (stop, done) = (server.stop(), checks_done.drop_guard());
    server.spawn("check", async move {
        checks.run(doors, stop).await;
        drop(done);
        Ok::<_, Infallible>(())
    });
    tracing::info!(
        target: LIFECYCLE,
        id = %server.ground().identity.spiffe_id(),
        addresses = server.addresses(),
        "started"
    );
    Ok(server)
}

/// The Nexus in this process, on threads of its own: what it reads from the disk holds up no Check. It goes on until the
/// last Check is answered.
fn embed(
    config: spike_nexus::Config,
    checks_done: &CancellationToken,
    server: &mut Audited,
) -> Result<Arc<dyn Source>, Failure<Own>> {
    let ground = server.ground().clone();
    let context = Context {
        clock: ground.clock,
        registry: ground.registry,
        readiness: ground.readiness,
        audit: server.journal().clone(),
    };
    let threads = Threads::start("nexus")?;
    let nexus = {
        let _on_them = threads.enter();
        Nexus::open(config, ground.identity, context).map_err(Own::Nexus)?
    };
    let (address, source) = (nexus.address(), Embedded::new(nexus.policies()));
    let (stop, done) = (server.stop(), checks_done.clone());
    server.spawn("nexus", async move {
        let stopped = async move {
            stop.cancelled().await;
            done.cancelled().await;
        };
        let ended = threads.spawn(nexus.run(stopped)).await;
        ended.unwrap_or(Err(RunError::ServerDied))
    });
    server.listens("nexus", &address);
    Ok(Arc::new(source))
}

/// The policies of a Nexus elsewhere.
fn follow(remote: Remote, checks_done: &CancellationToken, server: &mut Audited) -> Arc<dyn Source> {
    let ground = server.ground().clone();
    let metrics = FeedMetrics::register(&ground.registry);
    let lease = Arc::new(Lease::new(
        remote.max_age,
        remote.on_stale,
        metrics.served_stale.clone(),
        ground.clock,
    ));
    let aged = Arc::clone(&lease);
    let help = "Time since the policies in force were confirmed to be the current ones";
    ground
        .registry
        .computed(names::POLICY_AGE_SECONDS, help, move || aged.age().as_secs_f64());
    let upstream = RemoteNexus::new(remote.url, remote.nexus, ground.identity);
    let follower = Follower::new(upstream, Arc::clone(&lease), metrics);
    let done = checks_done.clone();
    server.spawn("feed", async move {
        follower.run(done).await;
        Ok::<_, Infallible>(())
    });
    lease
}

/// What can go wrong here and in no other server.
#[derive(Debug, thiserror::Error)]
enum Own {
    #[error(transparent)]
    Nexus(spike_nexus::OpenError),
    #[error(transparent)]
    Restore(RestoreBackupError),
    #[error(transparent)]
    Listen(OpenError),
}

impl Fatal for Own {
    fn exit(&self) -> Exit {
        match self {
            Self::Nexus(error) => error.exit(),
            Self::Restore(error) => error.exit(),
            Self::Listen(_) => Exit::Unavailable,
        }
    }
}
