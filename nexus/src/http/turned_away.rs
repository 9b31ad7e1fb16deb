//! Connections that were refused, in the audit.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use spike_audit::{Journal, Line};
use spike_policy::SpiffeId;
use spike_runtime::SharedClock;

use super::audit::Remote;

/// Lines in a second: anybody can knock, and nobody may fill the log by it.
const MOST: u32 = 50;
const SPAN: Duration = Duration::from_secs(1);

/// Bytes of a reason that a line repeats.
const REASON: usize = 1024;

/// Records refused connections. Clones share the count.
#[derive(Clone, Debug)]
pub(super) struct TurnedAway {
    journal: Journal,
    clock: SharedClock,
    span: Arc<Mutex<Span>>,
}

#[derive(Debug)]
struct Span {
    began: Instant,
    lines: u32,
    /// Refused without a line, since the last line.
    untold: u64,
}

impl TurnedAway {
    /// Nobody yet.
    pub(super) fn new(journal: Journal, clock: SharedClock) -> Self {
        let span = Span {
            began: clock.monotonic(),
            lines: 0,
            untold: 0,
        };
        Self {
            journal,
            clock,
            span: Arc::new(Mutex::new(span)),
        }
    }

    /// A connection was refused or ended by us, for this reason: a word, and more about it.
    pub(super) fn tell(&self, (peer, remote): (Option<&SpiffeId>, Remote), reason: &'static str, more: &str) {
        let Some(untold) = self.place() else { return };
        let mut line = Line::new("connection");
        line.word("target", "audit");
        if let Some(peer) = peer {
            line.text("peer", peer.as_str().as_bytes(), REASON * 2);
        }
        remote.tell(&mut line);
        line.word("outcome", "refused");
        line.word("reason", reason);
        if !more.is_empty() {
            line.text("detail", more.as_bytes(), REASON);
        }
        if untold > 0 {
            line.number("untold", untold);
        }
        self.journal.note(line);
    }

    /// Whether there is a line for one more, and how many before it had none.
    fn place(&self) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(span.began) >= SPAN {
            span.began = now;
            span.lines = 0;
        }
        if span.lines >= MOST {
            span.untold += 1;
            return None;
        }
        span.lines += 1;
        Some(std::mem::take(&mut span.untold))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use spike_audit::{Memory, Program, Settings, Target};
    use spike_runtime::clock::FakeClock;
    use spike_runtime::metrics::Registry;

    use super::*;

    #[test]
    fn a_flood_of_refused_connections_is_counted_not_listed() {
        let (memory, clock) = (Memory::default(), FakeClock::at_unix(0));
        let program = Program {
            name: "t",
            version: "0",
        };
        let settings = Settings::to(Target::Memory(memory.clone()));
        let (journal, writer) = Journal::open(&settings, program, clock.shared(), &Registry::new("t", "0")).unwrap();
        let turned_away = TurnedAway::new(journal, clock.shared());
        let one = || turned_away.tell((None, Remote(None)), "expired", "");
        (0..1_000).for_each(|_| one());
        clock.advance(SPAN);
        (0..2).for_each(|_| one());
        writer.unwrap().finish();
        let text = memory.text();
        assert_eq!(text.matches("\"reason\":\"expired\"").count(), 52);
        assert_eq!(text.matches("\"untold\":950").count(), 1);
    }
}
