//! The sending end.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use spike_runtime::SharedClock;
use spike_runtime::metrics::Registry;
use tokio::sync::oneshot;

use crate::line::{Line, Outcome};
use crate::queue::{Lost, Program, Shared};
use crate::settings::{Settings, WhenFull};
use crate::writer::{OpenError, Writer};

/// How long anybody may wait: for a place (`audit.when_full: block`), or until lines are written; and how often it
/// looks for a place.
const LONGEST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// Where rooms leave what happened. Cheap to clone; never waits for a disk.
#[derive(Clone, Debug, Default)]
pub struct Journal(Option<Arc<Shared>>);

/// No call may be answered, because it could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct Unavailable;

impl Journal {
    /// A journal that keeps nothing: `audit.to: off`.
    pub fn off() -> Self {
        Self(None)
    }

    /// Opens the target and starts the writing thread. `None` instead of a writer: lines go nowhere.
    ///
    /// # Errors
    /// [`OpenError`]: the target, or the key, cannot be used.
    pub fn open(
        settings: &Settings,
        program: Program,
        clock: SharedClock,
        registry: &Registry,
    ) -> Result<(Self, Option<Writer>), OpenError> {
        let (shared, receiver) = Shared::open(settings, clock, registry);
        let shared = Arc::new(shared);
        let writer = Writer::start(settings, program, (Arc::clone(&shared), receiver))?;
        let journal = if writer.is_some() {
            Self(Some(shared))
        } else {
            Self::off()
        };
        Ok((journal, writer))
    }

    /// Whether lines go anywhere: if not, nobody needs to make one.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether what cannot be recorded must not happen.
    pub fn is_strict(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.is_strict())
    }

    /// Whether nothing can be written now, and nothing may happen without.
    pub fn refuses(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|shared| shared.is_strict() && shared.failing.load(Ordering::Acquire))
    }

    /// Queues a line. Never waits.
    ///
    /// # Errors
    /// [`Lost`]; whether that matters is what [`Journal::is_strict`] says.
    pub fn record(&self, at: SystemTime, line: Line) -> Result<(), Lost> {
        match &self.0 {
            None => Ok(()),
            Some(shared) => shared.send(at, line),
        }
    }

    /// Queues a line about which nothing can be done when it is lost: it is counted then.
    pub fn note(&self, line: Line) {
        if let Some(shared) = &self.0
            && self.record(shared.clock.now(), line).is_err()
        {
            tracing::debug!("an audit line was lost");
        }
    }

    /// What happened to the program itself, and under which identity or to which part. Where no line may be lost there is
    /// room for it that calls cannot fill.
    pub fn lifecycle(&self, what: &'static str, subject: &str) {
        self.tell(lifecycle(what, subject));
    }

    /// How something ended that no call waits for, or that goes on behind one. It has the same room.
    pub fn happened(&self, what: &'static str, subject: &str, outcome: Outcome<'_>) {
        let mut line = lifecycle(what, subject);
        line.outcome(outcome);
        self.tell(line);
    }

    fn tell(&self, line: Line) {
        if let Some(shared) = &self.0
            && shared.send_reserved(shared.clock.now(), line).is_err()
        {
            tracing::debug!("an audit line was lost");
        }
    }

    /// Completes when every line that was queued before is written, or counted as lost; at the latest after a second. For
    /// what must not be said before it is recorded.
    pub async fn settled(&self) {
        let Some(shared) = &self.0 else { return };
        let (settled, told) = oneshot::channel();
        if shared.mark(settled) {
            // A log that cannot be written is told of elsewhere.
            drop(tokio::time::timeout(LONGEST, told).await);
        }
    }

    /// A place for the line of a call that is about to begin, so that its line cannot be lost any more.
    ///
    /// # Errors
    /// [`Unavailable`]: every place is taken, or nothing can be written (not with `audit.when_full: drop`).
    pub async fn place(&self) -> Result<Place, Unavailable> {
        let Some(shared) = self.0.as_ref().filter(|shared| shared.is_strict()) else {
            return Ok(Place::unbound(self.clone()));
        };
        let tries = match shared.when_full {
            WhenFull::Drop | WhenFull::Deny => 0,
            WhenFull::Block => LONGEST.as_millis() / LOOK.as_millis(),
        };
        for _ in 0..tries {
            if let Some(place) = self.place_now(shared) {
                return Ok(place);
            }
            tokio::time::sleep(LOOK).await;
        }
        self.place_now(shared).ok_or(Unavailable)
    }

    fn place_now(&self, shared: &Shared) -> Option<Place> {
        let free = !shared.failing.load(Ordering::Acquire) && shared.take_place();
        free.then(|| Place {
            journal: self.clone(),
            taken: true,
        })
    }

    /// Lines lost so far.
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.metrics.dropped.get())
    }

    /// Opens the file again under its name, if somebody renamed it: what SIGHUP asks for.
    pub fn reopen(&self) {
        if let Some(shared) = &self.0 {
            shared.reopen.store(true, Ordering::Release);
        }
    }

    /// Obeys SIGHUP for as long as it is polled.
    ///
    /// # Errors
    /// When the kernel refuses the handler. Must be called inside a tokio runtime.
    pub fn on_hangup(&self) -> std::io::Result<impl Future<Output = std::convert::Infallible> + Send + 'static> {
        let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let journal = self.clone();
        Ok(async move {
            loop {
                if hangups.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                journal.reopen();
            }
        })
    }
}

fn lifecycle(what: &'static str, subject: &str) -> Line {
    let mut line = Line::new("lifecycle");
    line.word("what", what);
    line.subject(subject);
    line
}

/// A place in the queue; given back when it is dropped without a line.
#[derive(Debug)]
pub struct Place {
    journal: Journal,
    taken: bool,
}

impl Place {
    fn unbound(journal: Journal) -> Self {
        Self { journal, taken: false }
    }

    /// A place in no particular queue position: the line is lost when the queue is full.
    pub fn without(journal: &Journal) -> Self {
        Self::unbound(journal.clone())
    }

    /// The journal that it is a place of.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Uses it.
    pub fn record(mut self, at: SystemTime, line: Line) {
        let Some(shared) = &self.journal.0 else { return };
        let taken = std::mem::take(&mut self.taken);
        let sent = if taken {
            shared.send_in_place(at, line)
        } else {
            shared.send(at, line)
        };
        if sent.is_err() {
            tracing::debug!("an audit line was lost");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.journal.0.as_ref().filter(|_| self.taken) {
            shared.give_back(1);
        }
    }
}
