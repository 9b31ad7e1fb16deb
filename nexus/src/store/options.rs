//! How a store is opened.
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spike_audit::Journal;
use spike_runtime::{SharedClock, SystemClock};

use super::anchor::{Anchoring, Files, Volume};
use super::unfinished::Unfinished;
use crate::vault::{RootKeySource, SealLimits};

/// How to open a store on disk.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; created (0600, in a directory 0700) when absent.
    pub path: PathBuf,
    /// Where the root key comes from.
    pub root_key: RootKeySource,
    /// Versions kept per secret, frozen into a secret when it is created. SPIKE's default is 10.
    pub max_versions: NonZeroU32,
    /// Writes that may wait for the writer; one more is [`super::WriteError::Busy`].
    pub queue: NonZeroUsize,
    /// Where the newest transaction is noted outside the database; nowhere when `None`.
    pub anchor: Option<Anchoring>,
    /// Where it is recorded what the store does without being asked.
    pub audit: Journal,
}

impl Options {
    /// SPIKE's defaults for this file and key: 10 versions, 1,024 waiting writes.
    pub fn new(path: PathBuf, root_key: RootKeySource) -> Self {
        Self {
            path,
            root_key,
            max_versions: default_max_versions(),
            queue: default_queue(),
            anchor: None,
            audit: Journal::off(),
        }
    }
}

/// SPIKE's `SPIKE_NEXUS_MAX_SECRET_VERSIONS`: 10.
pub fn default_max_versions() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(9)
}

fn default_queue() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(1023)
}

/// What only tests turn.
#[derive(Clone, Debug)]
pub(super) struct Tuning {
    pub(super) max_versions: NonZeroU32,
    pub(super) queue: NonZeroUsize,
    pub(super) anchor: Option<Anchoring>,
    /// Where the anchor lies.
    pub(super) volume: Arc<dyn Volume>,
    pub(super) audit: Journal,
    pub(super) seal_limits: SealLimits,
    pub(super) unfinished: Unfinished,
    /// Pauses before each attempt to reopen; when they are used up the store has failed.
    pub(super) reopen_pauses: Vec<Duration>,
    /// What publications are timed by.
    pub(super) clock: SharedClock,
}

impl Tuning {
    pub(super) fn new(max_versions: NonZeroU32, queue: NonZeroUsize) -> Self {
        let reopen_pauses = [50, 250, 1000].map(Duration::from_millis).to_vec();
        Self {
            max_versions,
            queue,
            anchor: None,
            volume: Arc::new(Files),
            audit: Journal::off(),
            seal_limits: SealLimits::default(),
            unfinished: Unfinished::default(),
            reopen_pauses,
            clock: SystemClock::shared(),
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::new(default_max_versions(), default_queue())
    }
}
