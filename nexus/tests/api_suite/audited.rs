//! An audit in memory, whose chain is verified when it is read.
use serde_json::Value;
use spike_audit::verify::{Options, Source, verify};
use spike_audit::{Journal, Memory, Program, Settings, Target, Writer};
use spike_runtime::SystemClock;
use spike_runtime::metrics::Registry;

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
