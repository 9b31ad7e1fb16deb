#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::Level as L;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that the events of `log` become.
fn lines(settings: Settings, log: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::registry().with(layer(settings, move || writer.clone()));
    tracing::subscriber::with_default(subscriber, log);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn audit_and_lifecycle_are_written_at_every_level() {
    let quiet = filter(Level::Error);
    for target in [AUDIT, LIFECYCLE] {
        assert!(quiet.would_enable(target, &L::INFO), "{target}");
    }
    assert!(!quiet.would_enable("spike_nexus::store", &L::WARN));
}

#[test]
fn other_peoples_debug_lines_are_never_written() {
    let loud = filter(Level::Trace);
    assert!(loud.would_enable("spike_nexus::store", &L::TRACE));
    for target in ["h2::codec", "hyper", "rustls::server"] {
        assert!(!loud.would_enable(target, &L::DEBUG), "{target}");
        assert!(loud.would_enable(target, &L::INFO), "{target}");
    }
}

#[test]
fn a_hostile_value_stays_inside_its_line_and_its_field() {
    let hostile = "x\n{\"level\":\"FORGED\"}\r\u{1b}[2J\u{7}\",\"target\":\"forged";
    for format in [Format::Json, Format::Text] {
        let settings = Settings {
            level: Level::Info,
            format,
        };
        let lines = lines(
            settings,
            || tracing::info!(target: AUDIT, path = hostile, shown = ?hostile, text = %hostile, "decision"),
        );
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines.first().unwrap();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        if format == Format::Json {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(object.get("path").unwrap(), hostile);
            assert_eq!(object.get("target").unwrap(), AUDIT);
            assert_eq!(object.get("level").unwrap(), "INFO");
        }
    }
}

#[test]
fn the_level_counts_for_our_own_code() {
    let log = || {
        tracing::info!(target: "spike_nexus", "a");
        tracing::warn!(target: "spike_nexus", "b");
        tracing::info!(target: LIFECYCLE, "c");
    };
    let count = |level| {
        lines(
            Settings {
                level,
                format: Format::Json,
            },
            log,
        )
        .len()
    };
    assert_eq!((count(Level::Info), count(Level::Warn), count(Level::Error)), (3, 2, 1));
}
