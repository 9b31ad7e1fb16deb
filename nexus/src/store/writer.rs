//! The one thread that writes.
//!
//! Jobs that wait together share a transaction and its fsyncs. The order is always: commit, publish, answer. A commit
//! that fails is answered [`WriteError::OutcomeUnknown`], after the policies were withdrawn; then the store is
//! reopened and whatever is on disk is published.
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::anchor::{self, Anchor};
use super::batch::{Base, Batch, Plan};
use super::disk::Disk;
use super::health::{Health, Unavailable};
use super::jobs::{Answer, Control, Job, Reply, Write, WriteError, send};
use super::ledger::{Manifest, PlanError};
use super::open::{OpenError, Opened};
use super::options::Tuning;
use super::rekey::Rekey;
use super::reseal::Reseal;
use super::state::{Broken, Committed, State};
use super::tables::{self, RowWrite, WriteFailure};
use crate::vault::RootKey;

/// How many jobs may share one transaction.
const BATCH: usize = 1024;
pub(super) struct Writer {
    pub(super) state: Arc<State>,
    pub(super) committed: Committed,
    pub(super) disk: Disk,
    pub(super) root: Arc<RootKey>,
    pub(super) tuning: Tuning,
    /// The root key that is to come, if it is known.
    pub(super) next: Option<Arc<RootKey>>,
    /// The re-encryption of old records.
    pub(super) reseal: Reseal,
    /// The newest revision that was given to the disk, whatever became of it.
    pub(super) attempted: u64,
    /// Where the newest commit is noted outside the file.
    pub(super) anchor: Option<Anchor>,
}

/// The store failed for good.
struct Fatal;

impl Writer {
    /// Starts the thread. It ends when every sender is gone, when it is told to close, or when the store has failed.
    pub(super) fn start(self, jobs: mpsc::Receiver<Job>) -> std::io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            // A panic must not leave policies published that nobody can change any more.
            let last_words = LastWords(Arc::clone(&self.state));
            self.run(jobs);
            drop(last_words);
        })
    }

    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let ending = loop {
            let first = match self.next_job(&mut jobs) {
                Ok(Some(first)) => first,
                Ok(None) => break Unavailable::Closed,
                Err(Fatal) => break Unavailable::Failed,
            };
            match self.serve(first, &mut jobs) {
                Ok(Next::Continue) => {}
                Ok(Next::Close(reply)) => {
                    self.close();
                    let _nobody_waits = reply.send(Ok(()));
                    break Unavailable::Closed;
                }
                Err(Fatal) => break Unavailable::Failed,
            }
        };
        if ending == Unavailable::Closed {
            self.close();
        }
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            job.refuse(ending);
        }
    }

    /// The next job. While nobody waits, and now and then while somebody does, old records are sealed again.
    fn next_job(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Result<Option<Job>, Fatal> {
        if self.reseal.is_due() {
            self.re_encrypt()?;
        }
        while self.reseal.has_work() {
            match jobs.try_recv() {
                Ok(job) => return Ok(Some(job)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => self.re_encrypt()?,
            }
        }
        Ok(jobs.blocking_recv())
    }

    fn re_encrypt(&mut self) -> Result<(), Fatal> {
        match self.reseal_step() {
            Ok(()) => Ok(()),
            Err(failure) => self.answer_failure(failure, Vec::new()),
        }
    }

    /// Does the first job and all that wait behind it, up to one that needs the store for itself.
    fn serve(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Result<Next, Fatal> {
        let mut writes = Vec::new();
        let mut control = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Control(job) => control = Some(job),
            }
            if control.is_none() && writes.len() < BATCH {
                next = jobs.try_recv().ok();
            }
        }
        if self.state.take_suspicion() {
            self.recover()?;
        }
        if !writes.is_empty() {
            self.commit(writes)?;
        }
        match control {
            // The suspicion that a recovery announces was looked at above.
            None | Some(Control::Recover) => Ok(Next::Continue),
            Some(Control::Rotate { reply }) => {
                let rotated = self.rotate();
                self.answer_control(reply, rotated).map(|()| Next::Continue)
            }
            Some(Control::Rekey(step)) => {
                let (reply, done) = match step {
                    Rekey::Begin { new, reply } => (reply, self.begin_rekey(&new)),
                    Rekey::Finish { new, reply } => (reply, self.finish_rekey(&new)),
                    Rekey::Undo { reply } => (reply, self.undo_rekey()),
                };
                self.state.set_progress(self.reseal.now);
                self.answer_control(reply, done).map(|()| Next::Continue)
            }
            Some(Control::Reserve { reply }) => {
                let reserved = self.reserve();
                self.answer_control(reply, reserved).map(|()| Next::Continue)
            }
            Some(Control::Unseal { reply, .. }) => {
                drop(reply.send(Ok(())));
                Ok(Next::Continue)
            }
            Some(Control::Close { reply }) => Ok(Next::Close(reply)),
        }
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<(), Fatal> {
        if self.wants_rotation()
            && let Err(failure) = self.rotate()
        {
            self.answer_failure(failure, Vec::new())?;
        }
        let mut answers = Vec::with_capacity(writes.len());
        match self.work_out(writes, &mut answers) {
            Ok(None) => reply_all(answers, None),
            Ok(Some(plan)) => match self.write(&plan.rows, &plan.manifest) {
                Ok(()) => {
                    self.publish(plan);
                    self.reseal.committed();
                    reply_all(answers, None);
                }
                Err(failure) => self.answer_failure(failure, answers)?,
            },
            Err(failure) => self.answer_failure(failure, answers)?,
        }
        Ok(())
    }

    /// Runs the jobs on top of the last commit and seals what they staged. Nothing is written.
    fn work_out(&self, writes: Vec<Write>, answers: &mut Vec<Answer>) -> Result<Option<Plan>, Failure> {
        let (txn, vault) = match self.state.begin_read() {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => return Err(refuse_all(writes, answers, Failure::Storage(error))),
            Err(why) => return Err(refuse_all(writes, answers, Failure::Unavailable(why))),
        };
        let broken = self.state.broken();
        let mut batch = Batch::new(Base {
            txn: &txn,
            vault: &vault,
            manifest: &self.committed.manifest,
            set: &self.committed.set,
            broken_policies: &broken.policies,
            broken_secrets: &broken.secrets,
            max_versions: self.max_versions(),
            meter: self.state.meter(),
        });
        let mut writes = writes.into_iter();
        while let Some(write) = writes.next() {
            let (answer, disk) = batch.run(write);
            answers.push(answer);
            if let Err(error) = disk {
                return Err(refuse_all(writes.collect(), answers, Failure::Storage(error)));
            }
        }
        batch.plan().map_err(|error| match error {
            PlanError::Seal(error) => Failure::Refused(error.into()),
            PlanError::Storage(error) => Failure::Storage(error),
        })
    }

    pub(super) fn write(&mut self, rows: &[RowWrite], manifest: &Manifest) -> Result<(), Failure> {
        self.attempted = manifest.revision;
        let db = self.state.db();
        let db = db
            .as_ref()
            .ok_or_else(|| Failure::Unavailable(self.state.why_closed()))?;
        let began = self.tuning.clock.monotonic();
        tables::write(db, rows).map_err(|failure| match failure {
            WriteFailure::NothingWritten(error) => Failure::Storage(error),
            WriteFailure::Unknown(error) => Failure::Unknown(error),
        })?;
        let took = self.tuning.clock.monotonic().saturating_duration_since(began);
        self.state.meter().committed(took, self.disk.size());
        // Durable now, and nobody has been told: from here on an older copy of the file is an older copy.
        if let Some(anchor) = &mut self.anchor {
            anchor.note(&self.state.vault(), manifest);
        }
        Ok(())
    }

    fn publish(&mut self, plan: Plan) {
        let committed_at = self.tuning.clock.monotonic();
        self.committed.manifest = plan.manifest;
        if !plan.repaired.is_empty() {
            let mut broken = Broken::clone(&self.state.broken());
            broken.policies.retain(|id, _| !plan.repaired.contains(id));
            self.state.set_broken(broken);
        }
        if plan.deltas.is_empty() {
            return;
        }
        let set = self
            .committed
            .set
            .with(self.committed.manifest.generation, &plan.put, &plan.removed);
        self.committed.set = Arc::new(set);
        self.state.publish(Arc::clone(&self.committed.set), plan.deltas);
        self.state
            .note_publication(self.tuning.clock.monotonic().saturating_duration_since(committed_at));
    }

    fn answer_control<T: Send + 'static>(&mut self, reply: Reply<T>, done: Result<T, Failure>) -> Result<(), Fatal> {
        match done {
            Ok(value) => {
                send(reply, Ok(value));
                Ok(())
            }
            Err(failure) => self.answer_failure(failure, vec![super::jobs::answer(reply, Err(WriteError::NotFound))]),
        }
    }

    /// Withdraws what is in doubt, answers, and reopens after an error of the disk.
    fn answer_failure(&mut self, failure: Failure, answers: Vec<Answer>) -> Result<(), Fatal> {
        match failure {
            Failure::Refused(error) => {
                tracing::error!(%error, "a transaction was refused");
                reply_all(answers, Some(&error));
                Ok(())
            }
            Failure::Unavailable(why) => {
                reply_all(answers, Some(&why.into()));
                self.recover()
            }
            Failure::Storage(error) => {
                tracing::error!(%error, "a transaction failed; nothing was written; reopening the store");
                self.state.begin_recovery();
                reply_all(answers, Some(&Unavailable::Recovering.into()));
                self.recover()
            }
            Failure::Unknown(error) => {
                tracing::error!(%error, "a commit failed; its outcome is unknown; reopening the store");
                self.state.doubt();
                reply_all(answers, Some(&WriteError::OutcomeUnknown));
                self.recover()
            }
        }
    }

    /// Drops the dead handle and opens the store again, with a pause before each attempt.
    fn recover(&mut self) -> Result<(), Fatal> {
        self.state.begin_recovery();
        for pause in self.tuning.reopen_pauses.clone() {
            thread::sleep(pause);
            match self.reopen() {
                Ok(opened) => {
                    self.state.meter().sized(self.disk.size());
                    self.reseal.restart(&opened.vault);
                    self.committed = self.state.recovered(opened);
                    self.state.set_progress(self.reseal.now);
                    // What a failed commit left on the disk must not pass for a later transaction.
                    let revision = &mut self.committed.manifest.revision;
                    *revision = self.attempted.max(*revision);
                    tracing::warn!(generation = self.committed.set.generation().0, "the store was reopened");
                    return Ok(());
                }
                Err(error) => tracing::error!(%error, "could not reopen the store"),
            }
        }
        tracing::error!("the store has failed for good: stop this process");
        self.state.end(Health::Failed);
        Err(Fatal)
    }

    /// Opens the database with whichever key fits: a change of the root key may have been cut off by the disk.
    fn reopen(&mut self) -> Result<Opened, OpenError> {
        let mut opened = match (anchor::open(&self.disk, &self.root, &self.tuning), self.next.clone()) {
            (Err(OpenError::WrongKey(_)), Some(next)) => {
                let opened = anchor::open(&self.disk, &next, &self.tuning)?;
                self.take_root(next);
                opened
            }
            (opened, _) => opened?,
        };
        let known = self.next.take();
        self.next = known.filter(|next| opened.hold_next(next));
        Ok(opened)
    }

    fn close(&self) {
        if let Some(Err(error)) = self.state.end(Health::Closed).map(redb::Database::close) {
            tracing::error!(%error, "closing the database failed; the next start will recover it");
        }
    }

    fn max_versions(&self) -> NonZeroU32 {
        self.tuning.max_versions
    }
}

enum Next {
    Continue,
    Close(oneshot::Sender<Result<(), Unavailable>>),
}

/// Why a transaction did not commit.
pub(super) enum Failure {
    /// Not the disk's fault; nothing was written.
    Refused(WriteError),
    /// There is no open database.
    Unavailable(Unavailable),
    /// The disk failed before the commit; nothing was written.
    Storage(redb::Error),
    /// The disk failed during the commit.
    Unknown(redb::Error),
}

fn reply_all(answers: Vec<Answer>, failed: Option<&WriteError>) {
    for answer in answers {
        answer(failed);
    }
}

/// Gives jobs that were not run an answer, and passes the failure on.
fn refuse_all(writes: Vec<Write>, answers: &mut Vec<Answer>, failure: Failure) -> Failure {
    answers.extend(
        writes
            .into_iter()
            .map(|write| -> Answer { Box::new(move |_| write.refuse(Unavailable::Recovering)) }),
    );
    failure
}

/// Marks the store failed when its writer panics.
pub(super) struct LastWords(pub(super) Arc<State>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(Health::Failed);
        }
    }
}
