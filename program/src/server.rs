//! A server while it is composed, and while it runs.
//!
//! **Owns** what a server's parts stand on ([`Ground`]), its tasks, its audit and its ready line. **Refuses** tasks of a
//! server that records nothing. **Invariant**: the stages follow each other, [`Identified`] then [`Audited`]; nothing
//! but the stage before makes one.
use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::sync::Arc;

use spike_audit::{Journal, OpenError, Program, Settings, Writer};
use spike_identity::Identity;
use spike_runtime::metrics::Registry;
use spike_runtime::shutdown::Drain;
use spike_runtime::tasks::{Report, TaskError, Tasks};
use spike_runtime::{CancellationToken, Readiness, SharedClock};

use crate::voice::tell;

/// What every part of a server stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Who we are.
    pub identity: Identity,
    /// The time.
    pub clock: SharedClock,
    /// Where metrics go.
    pub registry: Registry,
    /// What holds the ready line and `/ready` back.
    pub readiness: Readiness,
}

/// A server that has an identity, and no part of its own yet.
#[derive(Debug)]
pub struct Identified {
    program: Program,
    ground: Ground,
    tasks: Tasks,
}

/// A server whose audit is open: its parts may be started.
#[derive(Debug)]
pub struct Audited {
    program: Program,
    /// First to be dropped of what follows: what was recorded is written, whatever went wrong.
    writer: Option<Writer>,
    journal: Journal,
    ground: Ground,
    tasks: Tasks,
    addresses: String,
}

/// Why a server cannot record what happens.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The target, or the key, cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The kernel refuses the handler of SIGHUP.
    #[error(transparent)]
    Hangups(#[from] io::Error),
}

impl Identified {
    pub(crate) fn new(program: Program, ground: Ground, tasks: Tasks) -> Self {
        Self { program, ground, tasks }
    }

    /// What its parts stand on.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Opens the audit, records the start, and obeys SIGHUP from now on.
    ///
    /// # Errors
    /// [`AuditError`]
    pub fn open_audit(self, settings: &Settings) -> Result<Audited, AuditError> {
        let Self {
            program,
            ground,
            mut tasks,
        } = self;
        let (journal, writer) = Journal::open(settings, program, Arc::clone(&ground.clock), &ground.registry)?;
        tasks.spawn("audit", until(tasks.stop(), journal.on_hangup()?));
        journal.lifecycle("start", ground.identity.spiffe_id().as_str());
        Ok(Audited {
            program,
            writer,
            journal,
            ground,
            tasks,
            addresses: String::new(),
        })
    }
}

impl Audited {
    /// What its parts stand on.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Where its parts record what happens.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Starts a part: a task under this name, whose end is the end of the server.
    pub fn spawn<E>(&mut self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError>,
    {
        self.tasks.spawn(name, task);
    }

    /// Cancelled when the drain begins; every part must obey it.
    pub fn stop(&self) -> CancellationToken {
        self.tasks.stop()
    }

    /// One more address for the ready line.
    pub fn listens(&mut self, name: &str, address: &impl Display) {
        self.addresses.extend([" ", name, "=", &address.to_string()]);
    }

    /// The addresses as the ready line shows them: ` name=address` each.
    pub fn addresses(&self) -> &str {
        &self.addresses
    }

    /// Says when it is ready, and drains when asked to stop or when a part ends.
    pub(crate) async fn run(mut self, signal: impl Future, drain: Drain) -> Report {
        let ready = format!("{} ready:{}", self.program.name, self.addresses);
        let announcement = announce(
            ready,
            (self.ground.readiness.clone(), self.journal.clone()),
            self.tasks.stop(),
        );
        self.tasks.spawn("ready line", announcement);
        let report = self.tasks.run(signal, &self.ground.readiness, drain).await;
        if let Some(writer) = self.writer {
            writer.finish();
        }
        report
    }
}

/// An endless duty, ended by the stop.
async fn until(stop: CancellationToken, duty: impl Future<Output = Infallible>) -> Result<(), Infallible> {
    tokio::select! {
        never = duty => match never {},
        () = stop.cancelled() => Ok(()),
    }
}

/// One line on standard error when the server may be sent work: scripts wait for it. What the start did is in the audit
/// by then.
async fn announce(
    line: String,
    (readiness, journal): (Readiness, Journal),
    stop: CancellationToken,
) -> Result<(), Infallible> {
    tokio::select! {
        () = async {
            readiness.ready().await;
            journal.settled().await;
        } => tell(&line),
        () = stop.cancelled() => {}
    }
    stop.cancelled().await;
    Ok(())
}

#[cfg(test)]
mod tests;
