//! The tasks of a program, each with a name, each joined.
//!
//! **Owns** starting, watching and joining. **Refuses** tasks that nobody waits for. **Invariant**: the first task to
//! end, for whatever reason, begins the drain of all others; no task outlives [`Tasks::run`].

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;
use crate::shutdown::Drain;

/// Why a task ended with an error.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// Named tasks that live and end together.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<Result<(), TaskError>>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
}

/// What began the end.
#[derive(Debug)]
pub enum Ended {
    /// The shutdown future completed.
    Asked,
    /// A task ended by itself, though nobody asked.
    Task {
        /// Its name.
        name: &'static str,
        /// Its error; `None` when it just returned.
        error: Option<TaskError>,
    },
}

/// How a program ended.
#[derive(Debug)]
pub struct Report {
    /// What began the end.
    pub ended: Ended,
    /// Tasks that failed while draining.
    pub failed: Vec<(&'static str, TaskError)>,
    /// Tasks that were still running at the deadline and were cut off.
    pub cut_off: Vec<&'static str>,
}

impl Report {
    /// Whether it was asked for and everything finished its work.
    pub fn is_clean(&self) -> bool {
        matches!(self.ended, Ended::Asked) && self.failed.is_empty() && self.cut_off.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ended {
            Ended::Asked => f.write_str("stopped as asked")?,
            Ended::Task { name, error: None } => write!(f, "task `{name}` ended by itself")?,
            Ended::Task {
                name,
                error: Some(error),
            } => write!(f, "task `{name}` failed: {error}")?,
        }
        self.failed
            .iter()
            .try_for_each(|(name, error)| write!(f, "; task `{name}` failed while draining: {error}"))?;
        self.cut_off
            .iter()
            .try_for_each(|name| write!(f, "; task `{name}` was cut off at the drain deadline"))
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self {
            set: JoinSet::new(),
            names: HashMap::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The token that every task must obey: cancelled when the drain begins.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task.
    pub fn spawn<E>(&mut self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError>,
    {
        let handle = self.set.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name);
    }

    /// Runs until `shutdown` completes or a task ends, then drains: readiness off, notice, stop, join until the
    /// deadline, cut off.
    pub async fn run(mut self, shutdown: impl Future, readiness: &Readiness, drain: Drain) -> Report {
        let ended = tokio::select! {
            _ = shutdown => Ended::Asked,
            Some(joined) = self.set.join_next_with_id() => {
                let (name, error) = self.outcome(joined);
                Ended::Task { name, error }
            }
        };
        readiness.begin_drain();
        if matches!(ended, Ended::Asked) && !drain.notice.is_zero() {
            tokio::time::sleep(drain.notice).await;
        }
        self.stop.cancel();
        let mut failed = Vec::new();
        let joined = tokio::time::timeout(drain.deadline, self.join_all(&mut failed)).await;
        let mut cut_off = Vec::new();
        if joined.is_err() {
            cut_off = self.names.values().copied().collect();
            cut_off.sort_unstable();
            self.set.shutdown().await;
        }
        Report { ended, failed, cut_off }
    }

    async fn join_all(&mut self, failed: &mut Vec<(&'static str, TaskError)>) {
        while let Some(joined) = self.set.join_next_with_id().await {
            let (name, error) = self.outcome(joined);
            failed.extend(error.map(|error| (name, error)));
        }
    }

    fn outcome(&mut self, joined: Result<(Id, Result<(), TaskError>), JoinError>) -> (&'static str, Option<TaskError>) {
        let (id, error) = match joined {
            Ok((id, result)) => (id, result.err()),
            // A panic's payload may hold anything, so only the fact is kept.
            Err(error) if error.is_panic() => (error.id(), Some("panicked".into())),
            Err(error) => (error.id(), Some("cancelled".into())),
        };
        (self.names.remove(&id).unwrap_or("unnamed"), error)
    }
}

#[cfg(test)]
mod tests;
