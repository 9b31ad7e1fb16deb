//! The program `spike-nexus`: a Nexus alone.

use std::path::Path;
use std::process::ExitCode;

use spike_audit::Target;
use spike_nexus::{Config, Context, Nexus, NexusArgs, OpenError, RestoreBackup, RestoreBackupError, restore_backup};
use spike_program::{Args, Audited, CommandLine, Configuration, Failure, Fatal, Process, Program, say};
use spike_runtime::Exit;
use spike_runtime::config::Faults;
use spike_runtime::logging::LIFECYCLE;
use spike_runtime::shutdown::Drain;

const PROGRAM: Program = Program {
    name: "spike-nexus",
    version: env!("CARGO_PKG_VERSION"),
};

const COMMAND_LINE: CommandLine = CommandLine {
    program: PROGRAM,
    about: "Keeps versioned secrets and SPIKE policies, encrypted, and serves them over mutual TLS",
    config: "The configuration file (YAML). Without it, built-in values and the environment count",
    example: "nexus.listen=127.0.0.1:8553",
    check: "check",
};

fn main() -> ExitCode {
    spike_program::main(&COMMAND_LINE, Settings::read, run)
}

fn run(settings: Settings, process: Process) -> Result<(), Failure<Own>> {
    let Settings { nexus, audit, restore } = settings;
    if let Some(said) = restore {
        let restored = restore_backup(Some(&nexus), &said, (&audit, PROGRAM));
        say(&restored.map_err(Own::Restore)?);
        return Ok(());
    }
    process.serve(|start| open(nexus, start.open_audit(&audit)?))
}

/// What is said to `spike-nexus`, in its configuration and on its command line.
struct Settings {
    nexus: Config,
    audit: spike_audit::Settings,
    /// What to do instead of serving.
    restore: Option<RestoreBackup>,
}

impl Settings {
    fn read(args: &Args<NexusArgs>) -> Result<(Self, Configuration), Faults> {
        let layers = args.layers();
        let root = layers.root();
        let home = layers.variable("HOME");
        let drain = Drain::read(&root.section("drain"));
        let nexus = Config::read(&root.section("nexus"), home.as_deref().map(Path::new));
        let mut nexus = nexus.accepting_rollback(args.own.accept_rollback);
        // The store is closed after the last connection, and still within the deadline.
        nexus.drain = drain.deadline.mul_f64(0.8);
        let program = spike_program::Settings::read(&root, drain);
        let settings = Self {
            nexus,
            audit: spike_audit::Settings::read(&root.section("audit"), Target::Stderr),
            restore: args.own.restore_backup(),
        };
        Ok((settings, program.finish(layers)?))
    }
}

/// Opens the Nexus, and starts it as the one part of this server.
fn open(config: Config, mut server: Audited) -> Result<Audited, Failure<Own>> {
    let ground = server.ground().clone();
    let context = Context {
        clock: ground.clock,
        registry: ground.registry,
        readiness: ground.readiness,
        audit: server.journal().clone(),
    };
    let nexus = Nexus::open(config, ground.identity.clone(), context).map_err(Own::Open)?;
    let address = nexus.address();
    tracing::info!(target: LIFECYCLE, id = %ground.identity.spiffe_id(), %address, "serving");
    server.spawn("nexus", nexus.run(server.stop().cancelled_owned()));
    server.listens("nexus", &address);
    Ok(server)
}

/// What can go wrong here and in no other server.
#[derive(Debug, thiserror::Error)]
enum Own {
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Restore(RestoreBackupError),
}

impl Fatal for Own {
    fn exit(&self) -> Exit {
        match self {
            Self::Open(error) => error.exit(),
            Self::Restore(error) => error.exit(),
        }
    }
}
