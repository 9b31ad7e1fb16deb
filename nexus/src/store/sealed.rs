//! A store that waits for its root key.
//!
//! Its thread takes jobs, refuses all but one, and becomes the writer when a key opens the database. A key is held
//! against the database before anything else is done with it: a wrong one changes nothing. Where there is no database
//! yet, one is made only under a key that whoever brings it vouches for.
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::anchor::{self, Anchor};
use super::disk::Disk;
use super::handle::Store;
use super::health::{Health, Unavailable};
use super::jobs::{Control, Job};
use super::open::OpenError;
use super::options::Tuning;
use super::reseal::Reseal;
use super::state::State;
use super::unfinished;
use super::writer::{LastWords, Writer};
use crate::vault::{RootKey, Vault};

/// Why a store stays sealed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealStoreError {
    /// The database was created with another root key.
    #[error("wrong key: the database was created with another root key")]
    WrongKey,
    /// There is no database yet, and nothing vouches for this key.
    #[error("there is no database yet, and nothing shows that this is its key")]
    NoDatabase,
    /// The database does not open, whatever the key; or it cannot be made.
    #[error("{0}")]
    Database(String),
    /// The store has ended.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

pub(super) struct Sealed {
    pub(super) state: Arc<State>,
    pub(super) disk: Disk,
    pub(super) tuning: Tuning,
}

impl Sealed {
    pub(super) fn start(self, jobs: mpsc::Receiver<Job>) -> std::io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let last_words = LastWords(Arc::clone(&self.state));
            self.run(jobs);
            drop(last_words);
        })
    }

    fn run(self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Control(Control::Unseal { root, create, reply }) => match self.open(&root, create) {
                    Ok(writer) => {
                        drop(reply.send(Ok(())));
                        return writer.run(jobs);
                    }
                    Err(error) => drop(reply.send(Err(error))),
                },
                Job::Control(Control::Close { reply }) => {
                    self.state.end(Health::Closed);
                    let _nobody_waits = reply.send(Ok(()));
                    break;
                }
                other => other.refuse(Unavailable::Sealed),
            }
        }
        self.state.end(Health::Closed);
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            job.refuse(Unavailable::Closed);
        }
    }

    fn open(&self, root: &Arc<RootKey>, create: bool) -> Result<Writer, UnsealStoreError> {
        let refused = |error| match error {
            OpenError::WrongKey(_) => UnsealStoreError::WrongKey,
            other => UnsealStoreError::Database(other.to_string()),
        };
        // Looked at now: a backup may have been put there since the start.
        if !self.disk.exists().map_err(refused)? {
            if !create {
                return Err(UnsealStoreError::NoDatabase);
            }
            anchor::expect_none(self.tuning.anchor.as_ref()).map_err(|error| refused(error.into()))?;
            self.disk.create(root, self.tuning.seal_limits).map_err(refused)?;
            tracing::info!("created a database under the root key that was brought");
        }
        let mut opened = unfinished::open(&self.disk, root, &self.tuning).map_err(refused)?;
        let anchor = anchor::settle(self.disk.path(), &self.tuning, &mut opened).map_err(refused)?;
        self.state.note_accepted(anchor.as_ref().and_then(Anchor::accepted));
        let reseal = Reseal::of(&opened.vault, &self.tuning.audit);
        self.state.set_progress(reseal.now);
        self.state.meter().sized(self.disk.size());
        let committed = self.state.unsealed(opened, Arc::clone(root));
        Ok(Writer {
            state: Arc::clone(&self.state),
            committed,
            disk: self.disk.clone(),
            root: Arc::clone(root),
            tuning: self.tuning.clone(),
            next: None,
            reseal,
            attempted: 0,
            anchor,
        })
    }
}

impl Store {
    /// A store that serves nothing until [`Store::unseal`].
    pub(super) fn start_sealed(disk: Disk, tuning: Tuning) -> Result<Self, OpenError> {
        let (stand_in, _) = Vault::create(&RootKey::generate()?, Uuid::nil(), tuning.seal_limits)?;
        let state = Arc::new(State::sealed(stand_in));
        let (jobs, waiting) = mpsc::channel(tuning.queue.get());
        let sealed = Sealed {
            state: Arc::clone(&state),
            disk,
            tuning,
        };
        let thread = sealed.start(waiting).map_err(OpenError::Thread)?;
        Ok(Self::of(jobs, state, thread))
    }

    /// Opens a sealed store with its root key. Without effect when it is open already.
    pub async fn unseal(&self, root: RootKey) -> Result<(), UnsealStoreError> {
        self.bring(root, false).await
    }

    /// The same, and makes the database under this key when there is none: for a key that is known to be right.
    pub async fn unseal_or_create(&self, root: RootKey) -> Result<(), UnsealStoreError> {
        self.bring(root, true).await
    }

    async fn bring(&self, root: RootKey, create: bool) -> Result<(), UnsealStoreError> {
        let (reply, answer) = oneshot::channel();
        let root = Arc::new(root);
        let job = Control::Unseal { root, create, reply };
        if self.jobs.send(Job::Control(job)).await.is_err() {
            return Err(self.state.why_closed().into());
        }
        answer.await.unwrap_or_else(|_| Err(self.state.why_closed().into()))
    }
}
