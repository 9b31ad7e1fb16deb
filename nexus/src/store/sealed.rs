//! A store that waits for its root key.
//!
//! Its thread takes jobs, refuses all but one, and becomes the writer when a key opens the database. A key is held
//! against the database before anything else is done with it: a wrong one changes nothing.
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::disk::Disk;
use super::handle::Store;
use super::health::{Health, Unavailable};
use super::jobs::{Control, Job, send};
use super::open::OpenError;
use super::options::Tuning;
use super::state::State;
use super::writer::{LastWords, Writer};
use crate::vault::{RootKey, Vault};

/// Why a store stays sealed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealStoreError {
    /// The database was created with another root key.
    #[error("wrong key: the database was created with another root key")]
    WrongKey,
    /// The database does not open, whatever the key.
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
                Job::Control(Control::Unseal { root, reply }) => match self.open(&root) {
                    Ok(writer) => {
                        drop(reply.send(Ok(())));
                        return writer.run(jobs);
                    }
                    Err(error) => drop(reply.send(Err(error))),
                },
                Job::Control(Control::Close { reply }) => {
                    self.state.end(Health::Closed);
                    send(reply, Ok(()));
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

    fn open(&self, root: &Arc<RootKey>) -> Result<Writer, UnsealStoreError> {
        let opened = self
            .disk
            .open(root, self.tuning.seal_limits)
            .map_err(|error| match error {
                OpenError::WrongKey(_) => UnsealStoreError::WrongKey,
                other => UnsealStoreError::Database(other.to_string()),
            })?;
        let committed = self.state.unsealed(opened, Arc::clone(root));
        Ok(Writer {
            state: Arc::clone(&self.state),
            committed,
            disk: self.disk.clone(),
            root: Arc::clone(root),
            tuning: self.tuning.clone(),
            attempted: 0,
        })
    }
}

impl Store {
    /// A store of an existing database that serves nothing until [`Store::unseal`].
    pub(super) fn start_sealed(disk: Disk, tuning: Tuning) -> Result<Self, OpenError> {
        if !disk.exists()? {
            return Err(OpenError::NothingToUnseal(disk.path().to_owned()));
        }
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
        let (reply, answer) = oneshot::channel();
        let root = Arc::new(root);
        if self
            .jobs
            .send(Job::Control(Control::Unseal { root, reply }))
            .await
            .is_err()
        {
            return Err(self.state.why_closed().into());
        }
        answer.await.unwrap_or_else(|_| Err(self.state.why_closed().into()))
    }
}
