//! The process of a server, from its first log line to its last.
//!
//! **Owns** the order: log, protection, admin listener, identity, the server's own parts, drain. **Refuses** to make
//! any part before what it stands on. **Invariant**: a signal that arrives while the server starts is obeyed; and whatever
//! ends the server, every task is joined or cut off at the drain's deadline, and the audit is written to its end.
use spike_audit::Program;
use spike_runtime::admin::{Admin, View};
use spike_runtime::logging::{self, InitError, LIFECYCLE, LogGuard};
use spike_runtime::metrics::Registry;
use spike_runtime::tasks::Tasks;
use spike_runtime::{Readiness, SystemClock, process, shutdown};

use crate::failure::{Failure, Fatal};
use crate::identity;
use crate::server::{Audited, Ground, Identified};
use crate::settings::Configuration;

/// A process that may begin to work: its log runs, a panic shows nothing, and its memory is closed to others as far as
/// the system allows. Its end is the end of the log.
#[derive(Debug)]
#[must_use = "the log stops when this is dropped"]
pub struct Process {
    program: Program,
    configuration: Configuration,
    log: LogGuard,
}

impl Process {
    /// Prepares this process. What the system refuses of the protection is a warning in the log.
    ///
    /// # Errors
    /// [`InitError`]
    pub(crate) fn prepare(program: Program, configuration: Configuration) -> Result<Self, InitError> {
        let log = logging::init(configuration.settings.log)?;
        process::log_panics();
        if let Err(error) = process::harden() {
            tracing::warn!(target: LIFECYCLE, %error, "this process is less protected than it should be");
        }
        Ok(Self {
            program,
            configuration,
            log,
        })
    }

    /// Serves until a signal or the end of a task, on threads of its own. `compose` opens and starts the server's own
    /// parts; it runs on a tokio runtime and may block.
    ///
    /// # Errors
    /// [`Failure`]. A signal is no error, also when it comes before there is an identity.
    pub fn serve<E: Fatal>(
        self,
        compose: impl FnOnce(Identified) -> Result<Audited, Failure<E>>,
    ) -> Result<(), Failure<E>> {
        let registry = Registry::new(self.program.name, self.program.version);
        self.log.register(&registry);
        let start = Start {
            program: self.program,
            configuration: self.configuration,
            registry,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(start.live(compose))
    }
}

/// What is at hand before anything runs.
struct Start {
    program: Program,
    configuration: Configuration,
    registry: Registry,
}

impl Start {
    async fn live<E: Fatal>(
        self,
        compose: impl FnOnce(Identified) -> Result<Audited, Failure<E>>,
    ) -> Result<(), Failure<E>> {
        let Configuration { settings, effective } = self.configuration;
        let mut signal = Box::pin(shutdown::signal()?);
        let (readiness, startup) = Readiness::new();
        let mut tasks = Tasks::new();
        if let Some(endpoint) = &settings.admin {
            let view = View {
                program: self.program.name,
                version: self.program.version,
                readiness: readiness.clone(),
                registry: self.registry.clone(),
                config: effective,
            };
            tasks.spawn("admin", Admin::bind(endpoint, view)?.run(tasks.stop()));
        }
        let identity = settings.identity.first(self.program.version, &mut signal);
        let Some(identity) = identity.await? else {
            return Ok(());
        };
        let ground = Ground {
            identity,
            clock: SystemClock::shared(),
            registry: self.registry,
            readiness,
        };
        identity::show(&ground.identity, &ground.clock, &ground.registry);
        let server = compose(Identified::new(self.program, ground, tasks))?;
        drop(startup);
        let report = server.run(signal, settings.drain).await;
        tracing::info!(target: LIFECYCLE, %report, "stopped");
        if report.is_clean() {
            Ok(())
        } else {
            Err(Failure::Stopped(report))
        }
    }
}
