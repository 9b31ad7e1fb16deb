//! When to stop.
//!
//! **Owns** SIGTERM and SIGINT, and the two spans of a drain. **Refuses** to end the process. **Invariant**: a signal
//! that arrives after [`Signals::install`] is never lost, even if nobody waits yet.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

use crate::config::Section;

/// Which signal asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGTERM: the supervisor.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// The signals that ask to stop. Install them before the first slow step of the start.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from their default action.
    ///
    /// # Errors
    /// When the kernel refuses the handlers. Must be called inside a tokio runtime.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// The next signal. Call it again to see an impatient second one.
    pub async fn next(&mut self) -> Cause {
        tokio::select! {
            _ = self.terminate.recv() => Cause::Terminate,
            _ = self.interrupt.recv() => Cause::Interrupt,
        }
    }
}

/// A future that completes at the first SIGTERM or SIGINT after this call.
///
/// # Errors
/// As [`Signals::install`].
pub fn signal() -> io::Result<impl Future<Output = Cause> + Send> {
    let mut signals = Signals::install()?;
    Ok(async move { signals.next().await })
}

/// How a program stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long to keep serving while `/ready` is already off, so that health checkers can look elsewhere.
    pub notice: Duration,
    /// How long running work may then take to finish.
    pub deadline: Duration,
}

impl Drain {
    /// Reads `notice` (default `0s`) and `deadline` (default `10s`) of a `drain` section.
    pub fn read(section: &Section<'_>) -> Self {
        let longest = Duration::ZERO..=Duration::from_secs(3600);
        let default = Self::default();
        Self {
            notice: section
                .key("notice")
                .duration()
                .between(longest.clone())
                .or(default.notice),
            deadline: section.key("deadline").duration().between(longest).or(default.deadline),
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            notice: Duration::ZERO,
            deadline: Duration::from_secs(10),
        }
    }
}
