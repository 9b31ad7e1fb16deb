//! An audit in memory, whose chain is verified when it is read.
use std::sync::Arc;

use serde_json::Value;
use spike_audit::verify::{Options, Source, verify};
use spike_audit::{Journal, Memory, Program, Settings, Target, Writer};
use spike_identity::authority::TestAuthority;
use spike_nexus::Config;
use spike_runtime::SystemClock;
use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;

use crate::harness::{START, World};

pub(crate) struct Audited {
    pub(crate) memory: Memory,
    pub(crate) journal: Journal,
    writer: Writer,
}

impl Audited {
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let memory = Memory::default();
        let mut settings = Settings::to(Target::Memory(memory.clone()));
        change(&mut settings);
        let program = Program {
            name: "test",
            version: "0",
        };
        let (journal, writer) =
            Journal::open(&settings, program, SystemClock::shared(), &Registry::new("t", "0")).unwrap();
        Self {
            memory,
            journal,
            writer: writer.unwrap(),
        }
    }

    /// A Nexus whose calls are recorded here.
    pub(crate) fn world(&self, change: impl FnOnce(&mut Config)) -> World {
        let authority = Arc::new(TestAuthority::new("example.org").unwrap());
        World::open(&authority, (change, self.journal.clone()), &FakeClock::at_unix(START))
    }

    /// All of it, once everything is written; the chain is whole.
    pub(crate) fn finish(self) -> (String, Vec<Value>) {
        self.writer.finish();
        let text = self.memory.text();
        let report = verify(vec![Source::of("memory", text.clone().into())], &Options::default()).unwrap();
        assert_eq!((report.broken, report.ended), (None, true));
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        (text.clone(), lines.collect())
    }
}

/// The lines about such events.
pub(crate) fn events<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}
