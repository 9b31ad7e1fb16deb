//! `spike-dev-agent --config FILE`, `spike-dev-agent fetch --socket PATH --write DIR`

mod args;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use spike_dev_agent::{Config, DevAgent, Running, fetch};
use spike_runtime::config::{Environment, Layers};
use spike_runtime::logging::{self, LIFECYCLE};
use spike_runtime::{Exit, process, shutdown};

use args::{Args, Command};

fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let exit = match (&args.command, &args.config) {
        (Some(Command::Fetch { socket, write }), _) => write_svid(socket, write),
        (None, Some(config)) => run(config, &args.set),
        (None, None) => fail(Exit::Usage, &"give --config FILE"),
    };
    exit.into()
}

fn run(config: &Path, set: &[(String, String)]) -> Exit {
    let layers = Layers::load(Some(config), Environment::of_process(), set);
    let root = layers.root();
    let log = logging::Settings::read(&root.section("log"));
    let config = Config::read(&root);
    let config = match (layers.finish(), config) {
        (Ok(_), Some(config)) => config,
        (Ok(_), None) => return fail(Exit::Config, &"the configuration is incomplete"),
        (Err(faults), _) => return fail(Exit::Config, &faults),
    };
    let _log = match logging::init(log) {
        Ok(guard) => guard,
        Err(error) => return fail(Exit::Internal, &error),
    };
    process::log_panics();
    if let Err(error) = process::harden() {
        tracing::warn!(target: LIFECYCLE, %error, "the process is not hardened");
    }
    match serve(config) {
        Ok(()) => Exit::Ok,
        Err(error) => fail(Exit::Unavailable, &Chain(error.as_ref())),
    }
}

#[tokio::main]
async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let stop = shutdown::signal()?;
    let agent = DevAgent::start(config)?;
    announce(&agent)?;
    let cause = stop.await;
    tracing::info!(target: LIFECYCLE, %cause, "stopping");
    agent.shutdown().await;
    Ok(())
}

/// The ready line, then one line per socket: who waits for the agent reads them.
fn announce(agent: &Running) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (domain, count) = (agent.trust_domain(), agent.identities());
    writeln!(
        out,
        "spike-dev-agent (NOT FOR PRODUCTION) ready: trust domain {domain}, {count} identities"
    )?;
    for socket in agent.sockets() {
        writeln!(out, "  {}  {}", socket.endpoint(), socket.spiffe_id)?;
    }
    if let Some(common) = agent.common_socket() {
        writeln!(out, "  unix://{}  by selectors", common.display())?;
    }
    out.flush()
}

fn fail(exit: Exit, error: &dyn std::fmt::Display) -> Exit {
    // Without a standard error there is nobody to tell; the exit code still says it.
    drop(writeln!(io::stderr(), "{error}"));
    exit
}

#[tokio::main(flavor = "current_thread")]
async fn write_svid(socket: &Path, directory: &Path) -> Exit {
    let written = match fetch(socket).await {
        Ok(fetched) => fetched.write(directory).map(|()| fetched.spiffe_id),
        Err(error) => Err(error),
    };
    match written {
        Ok(id) => match writeln!(io::stdout(), "{id} written to {}", directory.display()) {
            Ok(()) => Exit::Ok,
            Err(error) => fail(Exit::Internal, &error),
        },
        Err(error) => fail(Exit::Unavailable, &Chain(&error)),
    }
}

/// An error with everything that caused it, on one line.
struct Chain<'e>(&'e dyn Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            // Some libraries repeat their cause in their own text.
            let text = error.to_string();
            if !said.ends_with(&text) {
                said = format!("{said}: {text}");
            }
            source = error.source();
        }
        f.write_str(&said)
    }
}
