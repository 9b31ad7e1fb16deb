//! Log lines.
//!
//! **Owns** the level, the format and the writing. **Refuses** to let a slow log slow the program down: lines go
//! through a bounded queue to a thread of their own, and what does not fit is dropped and counted; and refuses debug
//! lines of other people's code, which may hold headers and bodies. **Invariant**: events of [`AUDIT`] and
//! [`LIFECYCLE`] are written at every level.

use std::fmt;
use std::io;

use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::Section;
use crate::metrics::Registry;
use crate::names;

/// The target of audit events: who asked for what, and the answer.
pub const AUDIT: &str = "audit";
/// The target of the few events that an operator always wants: start, ready, drain, stop, panic.
pub const LIFECYCLE: &str = "lifecycle";

/// Lines that may wait to be written.
const QUEUE: usize = 65_536;

/// How much to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everything, for developers.
    Trace,
    /// Details.
    Debug,
    /// Notable events.
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// What to log and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How much.
    pub level: Level,
    /// How it looks.
    pub format: Format,
}

impl Default for Settings {
    /// SPIKE's: `warn`, JSON.
    fn default() -> Self {
        Self {
            level: Level::Warn,
            format: Format::Json,
        }
    }
}

impl Settings {
    /// Reads `level` (also `SPIKE_SYSTEM_LOG_LEVEL`, default `warn`) and `format` (`json` or `text`, default `json`)
    /// of a `log` section.
    pub fn read(section: &Section<'_>) -> Self {
        const LEVELS: &[(&str, Level)] = &[
            ("trace", Level::Trace),
            ("debug", Level::Debug),
            ("info", Level::Info),
            ("warn", Level::Warn),
            ("error", Level::Error),
        ];
        const FORMATS: &[(&str, Format)] = &[("json", Format::Json), ("text", Format::Text)];
        let default = Self::default();
        Self {
            level: section
                .key("level")
                .env("SPIKE_SYSTEM_LOG_LEVEL")
                .one_of(LEVELS)
                .or(default.level),
            format: section.key("format").one_of(FORMATS).or(default.format),
        }
    }
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// This process already has a log.
    #[error("a log is already set up in this process")]
    Twice(#[from] TryInitError),
}

/// Keeps the log running; write it down until the end of `main`, its drop writes what still waits.
#[derive(Debug)]
#[must_use = "the log stops when this is dropped"]
pub struct LogGuard {
    _worker: WorkerGuard,
    dropped: ErrorCounter,
}

impl LogGuard {
    /// Counts dropped lines under [`names::LOG_LINES_DROPPED`].
    #[expect(clippy::cast_precision_loss, reason = "a count of lines stays far below 2^52")]
    pub fn register(&self, registry: &Registry) {
        let dropped = self.dropped.clone();
        let help = "Log lines dropped because the log could not be written fast enough";
        registry.computed(names::LOG_LINES_DROPPED, help, move || dropped.dropped_lines() as f64);
    }
}

/// Starts the log of this process, on standard error.
///
/// # Errors
/// [`InitError::Twice`] when something set up a log before.
pub fn init(settings: Settings) -> Result<LogGuard, InitError> {
    let builder = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE)
        .thread_name("log-writer");
    let (writer, worker) = builder.finish(io::stderr());
    let dropped = writer.error_counter();
    tracing_subscriber::registry()
        .with(layer(settings, writer))
        .try_init()?;
    Ok(LogGuard {
        _worker: worker,
        dropped,
    })
}

/// Lines of one event each: control characters inside a value are escaped in both formats.
fn layer<S, W>(settings: Settings, writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let layer = match settings.format {
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        Format::Text => layer.fmt_fields(debug_fn(write_field).delimited(" ")).boxed(),
    };
    layer.with_filter(filter(settings.level))
}

/// A field as text. The library writes displayed values as they are, so a path could forge a line.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    for letter in format!("{value:?}").chars() {
        if letter.is_control() {
            write!(writer, "{}", letter.escape_default())?;
        } else {
            writer.write_char(letter)?;
        }
    }
    Ok(())
}

/// Our own code at the wanted level; other people's at `info` at most; audit and lifecycle always.
fn filter(level: Level) -> Targets {
    let level = match level {
        Level::Trace => LevelFilter::TRACE,
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_target("spike", level)
        .with_target(AUDIT, level.max(LevelFilter::INFO))
        .with_target(LIFECYCLE, level.max(LevelFilter::INFO))
}

#[cfg(test)]
mod tests;
