//! What an operator can say about the audit: the section `audit`.
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use spike_runtime::config::Section;

use crate::file::Rotate;
use crate::sink::Memory;

/// Lines that may wait, unless the settings say otherwise.
const QUEUE: usize = 8192;

/// The settings of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `audit.to`: where lines go.
    pub to: Target,
    /// `audit.queue`: how many may wait to be written.
    pub queue: usize,
    /// `audit.when_full`: what happens when more would wait, or when none can be written.
    pub when_full: WhenFull,
    /// `audit.rotate`
    pub rotate: Rotate,
    /// `audit.key`: a file with the key that lines are sealed with; a plain hash without it.
    pub key: Option<PathBuf>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `off`
    Off,
    /// `stdout`
    Stdout,
    /// `stderr`
    Stderr,
    /// `file:/path`: appended to, made with mode 0600.
    File(PathBuf),
    /// A buffer, for tests.
    Memory(Memory),
}

/// `audit.when_full`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Requests go on; lines are lost, counted, and the log says how many.
    Drop,
    /// What cannot be recorded does not happen: the API answers 503, a Check is denied.
    Deny,
    /// As `Deny`, but a call of the API waits a second for a place first. A Check never waits.
    Block,
}

impl WhenFull {
    /// Whether what cannot be recorded must not happen.
    pub(crate) fn is_strict(self) -> bool {
        match self {
            Self::Drop => false,
            Self::Deny | Self::Block => true,
        }
    }
}

impl Settings {
    /// The built-in settings for a target.
    pub fn to(to: Target) -> Self {
        Self {
            to,
            queue: QUEUE,
            when_full: WhenFull::Drop,
            rotate: Rotate::default(),
            key: None,
        }
    }

    /// Reads a section `audit`; `otherwise` is where lines go when it does not say.
    pub fn read(section: &Section<'_>, otherwise: Target) -> Self {
        const POLICIES: &[(&str, WhenFull)] = &[
            ("drop", WhenFull::Drop),
            ("deny", WhenFull::Deny),
            ("block", WhenFull::Block),
        ];
        let to = section
            .key("to")
            .parsed("off, stdout, stderr or file:/path", str::parse);
        let queue = section.key("queue").u64(1..=1_000_000).or(QUEUE as u64);
        Self {
            to: to.or(otherwise),
            queue: usize::try_from(queue).unwrap_or(QUEUE),
            when_full: section.key("when_full").one_of(POLICIES).or(WhenFull::Drop),
            rotate: Rotate::read(&section.section("rotate")),
            key: section.key("key").path().optional(),
        }
    }
}

impl Rotate {
    fn read(section: &Section<'_>) -> Self {
        let default = Self::default();
        let longest = Duration::ZERO..=Duration::from_secs(366 * 86_400);
        Self {
            size: section.key("size").size().between(0..=1 << 40).or(default.size),
            age: section.key("age").duration().between(longest).or(default.age),
            keep: section.key("keep").u64(0..=100_000).or(default.keep),
        }
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            other => match other.strip_prefix("file:") {
                Some(path) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
                Some(_) => Err("the path is missing"),
                None => Err("not a known target"),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Memory(_) => f.write_str("memory"),
        }
    }
}
