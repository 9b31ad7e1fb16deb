//! A backup of the whole store, handed over as it is read.
use std::time::Duration;

use bytes::Bytes;
use spike_audit::{Journal, Outcome};
use spike_runtime::logging::LIFECYCLE;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{Keeps, Permitted, Refused, Service, TakeBackup};
use crate::store::{BackupError, Health, Store, Taken};

/// Pieces that wait to be sent. Memory holds these and no more.
const AHEAD: usize = 4;
/// How long a piece may wait to be taken. A backup keeps what is overwritten meanwhile on the disk, so nobody may
/// stretch it by reading slowly.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pieces of an archive as they are read. It ends without an end when the backup failed: the receiver's
/// [`ended`](Pieces::ended) tells.
#[derive(Debug)]
pub struct Pieces {
    pieces: mpsc::Receiver<Option<Bytes>>,
    ended: bool,
}

impl Pieces {
    /// The next piece; `None` after the last one, or when there will be no more.
    pub async fn next(&mut self) -> Option<Bytes> {
        match self.pieces.recv().await {
            Some(Some(piece)) => Some(piece),
            Some(None) => {
                self.ended = true;
                None
            }
            None => None,
        }
    }

    /// Whether the last piece was the end of the archive.
    pub fn ended(&self) -> bool {
        self.ended
    }
}

impl Service {
    /// Takes a backup of everything that is committed now. One at a time.
    pub fn backup(&self, _permit: &Permitted<TakeBackup>) -> Result<Pieces, Refused> {
        if self.rules.keeps == Keeps::UntilTheEnd {
            return Err(Refused::invalid(
                "this server keeps nothing: its root key ends with it, and no backup could be opened",
            ));
        }
        let turn = std::sync::Arc::clone(&self.backups)
            .try_acquire_owned()
            .map_err(|_| Refused::NotReady("another backup is being taken"))?;
        let (sender, pieces) = mpsc::channel(AHEAD);
        let (store, now, audit) = (self.store.clone(), self.now(), self.audit.clone());
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let give = |piece: Option<Bytes>| runtime.block_on(given(&store, &sender, piece));
            let taken = store
                .backup(now, &mut |piece| give(Some(piece.into())))
                .and_then(|taken| give(None).map(|()| taken));
            drop(turn);
            report(taken, &store, &audit);
        });
        Ok(Pieces { pieces, ended: false })
    }
}

/// Waits until there is room for a piece, but not for ever, and not while the store has other worries.
async fn given(store: &Store, to: &mpsc::Sender<Option<Bytes>>, piece: Option<Bytes>) -> Result<(), BackupError> {
    let mut health = store.health();
    let sent = tokio::select! {
        sent = tokio::time::timeout(PATIENCE, to.send(piece)) => matches!(sent, Ok(Ok(()))),
        _ = health.wait_for(|health| *health != Health::Ready) => false,
    };
    sent.then_some(()).ok_or(BackupError::Cut)
}

fn report(taken: Result<Taken, BackupError>, store: &Store, audit: &Journal) {
    let id = store.id();
    match taken {
        Ok(Taken { header, rows, bytes }) => {
            let generation = header.generation;
            tracing::info!(target: LIFECYCLE, rows, bytes, generation, "a backup was taken");
            let subject = format!("store {id}, generation {generation}: {rows} rows, {bytes} bytes");
            audit.happened("backup_taken", &subject, Outcome::Ok);
        }
        Err(error) => {
            tracing::warn!(target: LIFECYCLE, %error, "a backup was begun and not finished");
            let (subject, why) = (format!("store {id}"), error.to_string());
            let outcome = match error {
                BackupError::Cut => Outcome::CutOff(&why),
                BackupError::Unavailable(_) => Outcome::Failed(&why),
            };
            audit.happened("backup_taken", &subject, outcome);
        }
    }
}
