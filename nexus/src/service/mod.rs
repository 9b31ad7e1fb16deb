//! What Nexus does, apart from how it is asked: each use case takes a proof and typed input, and makes one store call.
//!
//! **Owns** authorization ([`Guard`] and its [`Permitted`] proofs), the order "decide, then look", and the rules of
//! input that only a server has (strict anchoring, list filters).
//!
//! **Refuses** HTTP and JSON: no status code, header or wire type is named here; and disk: that is `store`.
//!
//! **Invariant**: no use case can be called without a [`Permitted`] for exactly that action on exactly that path, and
//! only `permit` makes one, from a [`spike_policy::Permit`].

mod access;
mod backup;
mod feed;
mod import;
mod keys;
mod permit;
mod policies;
mod refused;
mod rekey;
mod restore;
mod secrets;

use std::sync::Arc;

use spike_audit::Journal;
use spike_policy::{Generation, PolicySet, Roles, UnixMillis};
use spike_runtime::clock::SharedClock;
use tokio::sync::{Mutex, Semaphore};

pub use access::Question;
pub use backup::Pieces;
pub use feed::{Feed, FeedLine};
pub use import::TimedDocument;
pub use keys::{MOST_PLAIN, MOST_SEALED};
pub use permit::{
    BeginRekey, CancelRekey, CheckAccess, ConfirmRekey, Guard, Import, KeyStatus, ListPolicies, ListScope, ListSecrets,
    Permitted, ReadPolicies, ReadSecret, RecoverShares, RestoreKey, RotateKey, TakeBackup, UseCipher, VerifyRootKey,
    WatchPolicies, WritePolicies, WriteSecret,
};
pub use policies::PolicyFilter;
pub use refused::Refused;
pub use rekey::{Confirmed, KeysNow, Rekeyed};
pub use restore::Restored;

use crate::store::{Health, Store};
use crate::vault::{ByHand, Custody, Keeping, Share, Sharing};

/// Reads and compilations that may run off the async workers at the same time, so that expensive calls cannot take
/// every thread of the pool.
const BLOCKING_CALLS: usize = 64;

/// The rules of this server.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Which identities are built in.
    pub roles: Roles,
    /// Whether a pattern must be anchored at both ends (`policy.require_anchors`).
    pub require_anchors: bool,
    /// How many shares the root key has.
    pub sharing: Sharing,
    /// What outlives this process. Set by the Nexus itself.
    pub keeps: Keeps,
    /// Whether decrypt refuses what SPIKE's own Nexus sealed (`cipher.open_official: false`).
    pub own_messages_only: bool,
}

/// What a Nexus keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// Secrets and policies, in a database.
    #[default]
    Database,
    /// Secrets and policies until the process ends, and its root key with them: that one has no shares.
    UntilTheEnd,
    /// Nothing: only the cipher is served.
    Nothing,
}

/// The use cases over one store. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    store: Store,
    rules: Arc<Rules>,
    clock: SharedClock,
    blocking: Arc<Semaphore>,
    /// Held while a backup is taken.
    backups: Arc<Semaphore>,
    /// The shares that operators have handed in so far.
    shares: Arc<Mutex<Vec<Share>>>,
    /// Where the root key is kept.
    keys: rekey::Keys,
    /// Where it is recorded what goes on behind the calls.
    audit: Journal,
}

impl Service {
    /// The use cases of this store under these rules.
    pub fn new(store: Store, rules: Rules, clock: SharedClock) -> Self {
        Self {
            store,
            rules: Arc::new(rules),
            clock,
            blocking: Arc::new(Semaphore::new(BLOCKING_CALLS)),
            backups: Arc::new(Semaphore::new(1)),
            shares: Arc::default(),
            keys: rekey::Keys::kept_by(Arc::new(ByHand(Keeping::Nobody))),
            audit: Journal::off(),
        }
    }

    /// The same, with this one keeping the root key.
    #[must_use]
    pub fn kept_by(self, custody: Arc<dyn Custody>) -> Self {
        Self {
            keys: rekey::Keys::kept_by(custody),
            ..self
        }
    }

    /// The same, recording there what goes on behind the calls.
    #[must_use]
    pub fn recorded_in(self, audit: Journal) -> Self {
        Self { audit, ..self }
    }

    /// Whether requests can be served at all.
    pub fn is_ready(&self) -> bool {
        *self.store.health().borrow() == Health::Ready
    }

    /// Whether only the cipher, and what belongs to the root key, is served.
    pub fn is_lite(&self) -> bool {
        self.rules.keeps == Keeps::Nothing
    }

    /// Judges one request: by the policies of this moment.
    pub fn guard(&self) -> Result<Guard, Refused> {
        Ok(Guard::new(Arc::clone(&self.rules), self.store.policies()?))
    }

    /// Judges by roles alone: for what must work before there are policies.
    pub fn roles_guard(&self) -> Guard {
        Guard::new(Arc::clone(&self.rules), Arc::new(PolicySet::new(Generation(0), [])))
    }

    /// The clock that requests are judged by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.unix_millis())
    }

    /// Runs disk reads and compilations where they do not hold up other requests.
    async fn off_the_workers<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let turn = Arc::clone(&self.blocking)
            .acquire_owned()
            .await
            .map_err(|_| Refused::NotReady("closing"))?;
        let store = self.store.clone();
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&store);
            drop(turn);
            result
        });
        task.await.map_err(|_| Refused::Internal("a read did not finish"))?
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
