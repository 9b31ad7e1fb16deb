//! How a store comes to be: from a file or in memory, with its key at hand or still to be brought.
use std::num::NonZeroU32;
use std::sync::Arc;

use spike_policy::Generation;
use tokio::sync::mpsc;

use super::anchor::{self, Anchor};
use super::disk::Disk;
use super::handle::Store;
use super::open::OpenError;
use super::options::{Options, Tuning};
use super::reseal::Reseal;
use super::state::State;
use super::unfinished::{self, Settled, Unfinished};
use super::writer::Writer;
use crate::vault::{RootKey, RootKeySource};

impl Store {
    /// The generation that was gone on from, if the database may have been rolled back and that was accepted.
    pub fn accepted_rollback(&self) -> Option<Generation> {
        self.state.accepted()
    }

    /// Opens the database, or creates it (and the key file) when absent. Blocks: call it before serving.
    ///
    /// # Errors
    /// [`OpenError`], with nothing on disk changed: never is a file that does not open replaced by an empty one.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let mut tuning = Tuning::new(options.max_versions, options.queue);
        tuning.anchor = options.anchor;
        tuning.audit = options.audit;
        let disk = Disk::File(options.path);
        match &options.root_key {
            RootKeySource::Operators if !disk.exists()? => {
                return Err(OpenError::NothingToUnseal(disk.path().to_owned()));
            }
            RootKeySource::Operators => return Self::start_sealed(disk, tuning),
            RootKeySource::Keepers => {
                tuning.unfinished = Unfinished::TakenBack;
                return Self::start_sealed(disk, tuning);
            }
            RootKeySource::KeyFile(key) => return Self::open_with_key_file(disk, key, tuning),
            RootKeySource::CredentialsDirectory { .. } => {}
        }
        if disk.exists()? {
            return Self::start(disk, options.root_key.load()?, tuning);
        }
        anchor::expect_none(tuning.anchor.as_ref())?;
        let root = options.root_key.load_or_create()?;
        disk.create(&root, tuning.seal_limits)?;
        Self::start(disk, root, tuning)
    }

    /// The same store over memory, with an ephemeral root key: everything is gone when it is dropped.
    pub fn open_in_memory(max_versions: NonZeroU32) -> Result<Self, OpenError> {
        let tuning = Tuning {
            max_versions,
            ..Tuning::default()
        };
        let (disk, root) = (Disk::memory(), RootKey::generate()?);
        disk.create(&root, tuning.seal_limits)?;
        Self::start(disk, root, tuning)
    }

    /// A store that keeps nothing, under a root key that is kept elsewhere: for messages of callers alone
    /// ([`Store::seal_lite_message`]).
    pub fn open_lite(root_key: &RootKeySource) -> Result<Self, OpenError> {
        let (disk, tuning) = (Disk::memory(), Tuning::default());
        if root_key.is_awaited() {
            return Self::start_sealed(disk, tuning);
        }
        let root = root_key.load()?;
        disk.create(&root, tuning.seal_limits)?;
        Self::start(disk, root, tuning)
    }

    pub(super) fn start(disk: Disk, root: RootKey, tuning: Tuning) -> Result<Self, OpenError> {
        let root = Arc::new(root);
        let opened = unfinished::open(&disk, &root, &tuning)?;
        Self::start_opened(disk, (opened, root), tuning)
    }

    pub(super) fn start_opened(disk: Disk, (mut opened, root): Settled, tuning: Tuning) -> Result<Self, OpenError> {
        let anchor = anchor::settle(disk.path(), &tuning, &mut opened)?;
        let reseal = Reseal::of(&opened.vault, &tuning.audit);
        let (state, committed) = State::new(opened, Arc::clone(&root));
        state.note_accepted(anchor.as_ref().and_then(Anchor::accepted));
        let state = Arc::new(state);
        state.set_progress(reseal.now);
        state.meter().sized(disk.size());
        let (jobs, waiting) = mpsc::channel(tuning.queue.get());
        let writer = Writer {
            state: Arc::clone(&state),
            committed,
            disk,
            root,
            tuning,
            next: None,
            reseal,
            attempted: 0,
            anchor,
        };
        let thread = writer.start(waiting).map_err(OpenError::Thread)?;
        Ok(Self::of(jobs, state, thread))
    }
}
