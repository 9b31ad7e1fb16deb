//! What the writer and the readers of one store share.
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use redb::{Database, ReadTransaction};
use spike_policy::{Generation, PolicySet};
use tokio::sync::watch;
use uuid::Uuid;

use super::broken::BrokenRecord;
use super::changes::{ChangeLog, Delta};
use super::health::{Health, Unavailable};
use super::keys::Keys;
use super::ledger::Manifest;
use super::meter::Meter;
use super::open::Opened;
use super::policies::BrokenPolicies;
use super::reseal::ReEncryption;
use super::secrets::BrokenSecrets;
use super::tables;
use crate::vault::{RootKey, Vault};

/// The published side of a store. Only the writer publishes.
pub(super) struct State {
    store: OnceLock<Uuid>,
    db: RwLock<Option<Database>>,
    vault: ArcSwap<Vault>,
    published: ArcSwap<Published>,
    broken: ArcSwap<Broken>,
    log: Mutex<ChangeLog>,
    changes: watch::Sender<Generation>,
    health: watch::Sender<Health>,
    suspect: AtomicBool,
    meter: Arc<Meter>,
    /// The generation that a rolled back database was gone on from.
    accepted: OnceLock<Generation>,
    /// Of the last change, in nanoseconds.
    publication: AtomicU64,
    progress: watch::Sender<ReEncryption>,
    keys: Keys,
}

/// What a check gets with one atomic load.
enum Published {
    Policies(Arc<PolicySet>),
    /// Whatever the last set says may be out of date: nothing is better than a stale allow.
    Nothing(Unavailable),
}

/// Records that are not served.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    pub(super) policies: BrokenPolicies,
    pub(super) secrets: BrokenSecrets,
    pub(super) ledger: Vec<BrokenRecord>,
}

impl Broken {
    pub(super) fn records(&self) -> impl Iterator<Item = &BrokenRecord> {
        self.policies
            .values()
            .map(|(_, record)| record)
            .chain(self.secrets.values())
            .chain(&self.ledger)
    }
}

/// Figures of a store, for metrics and for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed since the store was opened. Writes that waited together share one.
    pub commits: u64,
    /// How long the last change of the policies took from its commit until every reader sees it.
    pub last_publication: Duration,
    /// The key term that seals.
    pub term: u32,
    /// Records sealed under that term.
    pub seals: u64,
    /// Terms before that one that still open records.
    pub old_terms: usize,
    /// How far the records under those are on their way to the current term.
    pub re_encryption: ReEncryption,
    /// Policies served.
    pub policies: usize,
    /// Records not served.
    pub broken: usize,
}

/// What only the writer needs to know about the last commit.
pub(super) struct Committed {
    pub(super) manifest: Manifest,
    pub(super) set: Arc<PolicySet>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(opened: Opened, root: Arc<RootKey>) -> (Self, Committed) {
        let set = opened.set;
        let state = Self {
            store: OnceLock::from(*opened.vault.store()),
            db: RwLock::new(Some(opened.db)),
            vault: ArcSwap::from_pointee(opened.vault),
            published: ArcSwap::from_pointee(Published::Policies(Arc::clone(&set))),
            broken: ArcSwap::from_pointee(opened.broken),
            log: Mutex::new(ChangeLog::from(set.generation())),
            changes: watch::Sender::new(set.generation()),
            health: watch::Sender::new(Health::Ready),
            suspect: AtomicBool::new(false),
            meter: Meter::new(),
            accepted: OnceLock::new(),
            publication: AtomicU64::new(0),
            progress: watch::Sender::default(),
            keys: Keys::with(root),
        };
        state.report_broken();
        (
            state,
            Committed {
                manifest: opened.manifest,
                set,
            },
        )
    }

    /// Without a key: nothing is served, and the vault that stands in belongs to no store.
    pub(super) fn sealed(stand_in: Vault) -> Self {
        Self {
            store: OnceLock::new(),
            db: RwLock::new(None),
            vault: ArcSwap::from_pointee(stand_in),
            published: ArcSwap::from_pointee(Published::Nothing(Unavailable::Sealed)),
            broken: ArcSwap::from_pointee(Broken::default()),
            log: Mutex::new(ChangeLog::from(Generation(0))),
            changes: watch::Sender::new(Generation(0)),
            health: watch::Sender::new(Health::Sealed),
            suspect: AtomicBool::new(false),
            meter: Meter::new(),
            accepted: OnceLock::new(),
            publication: AtomicU64::new(0),
            progress: watch::Sender::default(),
            keys: Keys::default(),
        }
    }

    /// The first opening of a sealed store.
    pub(super) fn unsealed(&self, opened: Opened, root: Arc<RootKey>) -> Committed {
        self.keys.set(root);
        self.store.get_or_init(|| *opened.vault.store());
        self.recovered(opened)
    }

    /// Nil while the store is sealed.
    pub(super) fn store(&self) -> Uuid {
        self.store.get().copied().unwrap_or_default()
    }

    pub(super) fn policies(&self) -> Result<Arc<PolicySet>, Unavailable> {
        match &**self.published.load() {
            Published::Policies(set) => Ok(Arc::clone(set)),
            Published::Nothing(why) => Err(*why),
        }
    }

    /// A read transaction and the vault that opens everything it sees.
    pub(super) fn begin_read(&self) -> Result<Result<(ReadTransaction, Arc<Vault>), redb::Error>, Unavailable> {
        let db = self.db();
        let db = db.as_ref().ok_or_else(|| self.why_closed())?;
        // A rotation publishes its vault before it commits, and the end of a re-encryption after it has committed. So
        // a vault that was published when the transaction began, and still is, opens everything that it sees.
        loop {
            let before = self.vault();
            let txn = match tables::begin_read(db) {
                Ok(txn) => txn,
                Err(error) => return Ok(Err(error)),
            };
            if Arc::ptr_eq(&before, &*self.vault.load()) {
                return Ok(Ok((txn, before)));
            }
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn vault(&self) -> Arc<Vault> {
        self.vault.load_full()
    }

    pub(super) fn set_vault(&self, vault: Arc<Vault>) {
        self.vault.store(vault);
    }

    pub(super) fn set_progress(&self, progress: ReEncryption) {
        self.progress.send_if_modified(|shown| {
            let changed = *shown != progress;
            *shown = progress;
            changed
        });
    }

    pub(super) fn progress(&self) -> watch::Receiver<ReEncryption> {
        self.progress.subscribe()
    }

    pub(super) fn broken(&self) -> Arc<Broken> {
        self.broken.load_full()
    }

    pub(super) fn set_broken(&self, broken: Broken) {
        self.broken.store(Arc::new(broken));
    }

    pub(super) fn changes(&self) -> watch::Receiver<Generation> {
        self.changes.subscribe()
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(super) fn log(&self) -> MutexGuard<'_, ChangeLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn db(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.db.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn db_mut(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.db.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order that freshness hangs on: deltas, then the set, then the news. Answers come after all three.
    pub(super) fn publish(&self, set: Arc<PolicySet>, deltas: Vec<Delta>) {
        let generation = set.generation();
        {
            let mut log = self.log();
            for delta in deltas {
                log.push(delta);
            }
        }
        self.published.store(Arc::new(Published::Policies(set)));
        self.changes.send_replace(generation);
    }

    /// Notes that the database may not be the newest copy, and that this was accepted.
    pub(super) fn note_accepted(&self, from: Option<Generation>) {
        if let Some(from) = from {
            self.accepted.get_or_init(|| from);
        }
    }

    pub(super) fn accepted(&self) -> Option<Generation> {
        self.accepted.get().copied()
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(super) fn note_publication(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.publication.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let vault = self.vault();
        Stats {
            commits: self.meter.commits().count(),
            last_publication: Duration::from_nanos(self.publication.load(Ordering::Relaxed)),
            term: vault.term().get(),
            seals: vault.seals(),
            old_terms: vault.old_terms().len(),
            re_encryption: *self.progress.borrow(),
            policies: self.policies().map_or(0, |set| set.len()),
            broken: self.broken().records().count(),
        }
    }

    /// Notes a disk error that a reader met. The writer reopens the store.
    pub(super) fn suspect(&self, error: &redb::Error) {
        tracing::error!(%error, "a read failed; the store will be reopened");
        self.suspect.store(true, Ordering::Release);
    }

    pub(super) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::AcqRel)
    }

    /// Nobody knows what is on disk: no policy is served until it has been read back.
    pub(super) fn doubt(&self) {
        self.withdraw(Unavailable::Recovering);
        self.health.send_replace(Health::Recovering);
    }

    /// Gives up the handle, which is dead after an I/O error. Its locks go with it.
    pub(super) fn begin_recovery(&self) {
        self.health.send_replace(Health::Recovering);
        let dead = self.db_mut().take();
        drop(dead);
    }

    /// Serves what is on disk now.
    pub(super) fn recovered(&self, opened: Opened) -> Committed {
        let set = opened.set;
        // Seals of transactions that failed have used their nonces all the same.
        let before = self.vault();
        if before.term() == opened.vault.term() {
            opened.vault.count_from(before.seals());
        }
        self.set_vault(Arc::new(opened.vault));
        self.set_broken(opened.broken);
        self.report_broken();
        *self.db_mut() = Some(opened.db);
        self.take_suspicion();
        *self.log() = ChangeLog::from(set.generation());
        self.publish(Arc::clone(&set), Vec::new());
        self.health.send_replace(Health::Ready);
        Committed {
            manifest: opened.manifest,
            set,
        }
    }

    /// The end: closed on request, or failed for good. Gives the handle back to be closed.
    pub(super) fn end(&self, health: Health) -> Option<Database> {
        self.withdraw(health.unavailable().unwrap_or(Unavailable::Closed));
        let db = self.db_mut().take();
        self.health.send_replace(health);
        db
    }

    /// Why there is no handle.
    pub(super) fn why_closed(&self) -> Unavailable {
        self.health.borrow().unavailable().unwrap_or(Unavailable::Recovering)
    }

    fn withdraw(&self, why: Unavailable) {
        self.published.store(Arc::new(Published::Nothing(why)));
        // Followers look again and find out.
        self.changes.send_modify(|_| ());
    }

    fn report_broken(&self) {
        self.meter.refused_all(self.broken().records());
        for record in self.broken().records() {
            tracing::error!(record = %record.record, reason = %record.reason, "a stored record is not served");
        }
    }
}
