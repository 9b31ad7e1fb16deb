//! Use cases of who looks after the keys: a new data key, a new root key, and how both are.
//!
//! A new root key goes by three steps, each durable before the next: the database opens with both keys; whoever keeps
//! the root key has the new one and was asked for it; the database opens with the new one alone. Where people keep it,
//! the second step is theirs: they hand the new shares in, and until then the old ones go on working.
use std::sync::Arc;

use spike_audit::{Journal, Outcome};
use spike_runtime::logging::LIFECYCLE;
use tokio::sync::{Mutex, OwnedMutexGuard};
use zeroize::Zeroizing;

use super::restore::share;
use super::{BeginRekey, CancelRekey, ConfirmRekey, KeyStatus, Permitted, Refused, RotateKey, Service};
use crate::store::{Health, RekeyPhase, Stats, Store, WriteError};
use crate::vault::{Custody, HandedOver, Keeping, RootKey, Share, Sharing};

/// A change of the root key under way in this process.
#[derive(Debug, Default)]
pub(super) struct Changing {
    /// The new key, as long as it has not got to where it belongs.
    new: Option<Arc<RootKey>>,
    /// The shares that were handed in to confirm it.
    shares: Vec<Share>,
}

/// Where the root key is kept, and what is being done about that. One thing at a time.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    custody: Arc<dyn Custody>,
    changing: Arc<Mutex<Changing>>,
}

impl Keys {
    pub(super) fn kept_by(custody: Arc<dyn Custody>) -> Self {
        Self {
            custody,
            changing: Arc::default(),
        }
    }
}

/// What became of a change of the root key.
#[derive(Debug)]
pub enum Rekeyed {
    /// The new key is in force; the old one opens nothing any more.
    Done,
    /// Both open the store. Operators get these shares of the new one, and confirm it by handing them in.
    Shares(Vec<Share>),
    /// Both open the store. The new one, to be put where the old one comes from; the next start confirms it.
    Key(Zeroizing<[u8; 32]>),
}

/// How far a confirmation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// How many shares are there.
    pub collected: u16,
    /// How many are missing.
    pub remaining: u16,
}

/// How the keys are.
#[derive(Clone, Copy, Debug)]
pub struct KeysNow {
    /// The store's UUID, nil while it waits for its root key.
    pub store: uuid::Uuid,
    /// Whether it can be used.
    pub health: Health,
    /// Who keeps the root key.
    pub keeping: Keeping,
    /// How many shares the root key has.
    pub sharing: Sharing,
    /// How many have been handed in, to open the store or to confirm a new root key.
    pub collected: usize,
    /// How far a change of the root key is.
    pub rekey: RekeyPhase,
    /// The data key, and what is sealed under it.
    pub stats: Stats,
    /// The policies' generation.
    pub generation: u64,
}

impl Service {
    /// How the keys are. Also while the store waits for its root key.
    pub async fn keys_now(&self, _permit: &Permitted<KeyStatus>) -> KeysNow {
        let collected = self.shares.lock().await.len();
        // Not waited for: a change may take a while, and this is how one looks at it.
        let confirming = self
            .keys
            .changing
            .try_lock()
            .map_or(0, |changing| changing.shares.len());
        KeysNow {
            store: self.store.id(),
            health: *self.store.health().borrow(),
            keeping: self.keys.custody.keeping(),
            sharing: self.rules.sharing,
            collected: collected.max(confirming),
            rekey: self.store.rekey_phase(),
            stats: self.store.stats(),
            generation: self.store.policies().map_or(0, |set| set.generation().0),
        }
    }

    /// Who keeps the root key.
    pub fn keeping(&self) -> Keeping {
        self.keys.custody.keeping()
    }

    /// Starts a new data key; gives its term. Every record is sealed again under it, while the store is served.
    pub async fn rotate_key(&self, _permit: &Permitted<RotateKey>) -> Result<u32, Refused> {
        let term = self.store.rotate().await?;
        tracing::info!(target: LIFECYCLE, %term, "a new data key was asked for");
        Ok(term.get())
    }

    /// Changes the root key, or begins to. Goes on when the caller hangs up.
    pub async fn rekey(&self, _permit: &Permitted<BeginRekey>) -> Result<Rekeyed, Refused> {
        if self.keeping() == Keeping::Nobody || self.is_lite() {
            return Err(Refused::invalid(
                "this server keeps nothing: there is no root key to change",
            ));
        }
        let changing = Arc::clone(&self.keys.changing).lock_owned().await;
        let change = Change {
            store: self.store.clone(),
            custody: Arc::clone(&self.keys.custody),
            sharing: self.rules.sharing,
            audit: self.audit.clone(),
        };
        tokio::spawn(change.run(changing))
            .await
            .map_err(|_| Refused::Internal("the change of the root key did not finish"))?
    }

    /// Takes one share of the new root key. The last one that is needed puts it in force.
    pub async fn confirm_rekey(
        &self,
        _permit: &Permitted<ConfirmRekey>,
        (id, value): (i64, Option<&[u8; 32]>),
    ) -> Result<Confirmed, Refused> {
        let share = share(id, value)?;
        let needed = self.rules.sharing.threshold();
        let mut changing = self.keys.changing.lock().await;
        if self.store.rekey_phase() == RekeyPhase::None {
            changing.shares.clear();
            return Err(Refused::invalid("the root key is not being changed"));
        }
        if changing.shares.iter().all(|other| other.id != share.id) {
            changing.shares.push(share);
        }
        let collected = u16::try_from(changing.shares.len()).unwrap_or(u16::MAX);
        if collected < needed {
            return Ok(Confirmed {
                collected,
                remaining: needed - collected,
            });
        }
        let key = RootKey::combine(&std::mem::take(&mut changing.shares));
        let key = key.map_err(|fault| Refused::invalid(fault.to_string()))?;
        self.store.finish_rekey(Arc::new(key)).await.map_err(confirm_refused)?;
        changing.new = None;
        self.record_rekey("rekey_finished", Outcome::Ok);
        tracing::info!(target: LIFECYCLE, "operators have confirmed the new root key; the old one opens nothing any more");
        Ok(Confirmed {
            collected: needed,
            remaining: 0,
        })
    }

    fn record_rekey(&self, what: &'static str, outcome: Outcome<'_>) {
        self.audit.happened(what, &kept_by(self.keeping()), outcome);
    }

    /// Takes a change of the root key back: the old one stays, the new one opens nothing any more.
    pub async fn cancel_rekey(&self, _permit: &Permitted<CancelRekey>) -> Result<(), Refused> {
        let mut changing = self.keys.changing.lock().await;
        if self.store.rekey_phase() == RekeyPhase::None {
            return Err(Refused::invalid("the root key is not being changed"));
        }
        let old = self.store.root_key()?;
        if let Err(error) = self.keys.custody.take_back(old).await {
            tracing::error!(target: LIFECYCLE, %error, "cannot take the new root key back");
            return Err(Refused::Internal(
                "the new root key is where it is kept already, so it cannot be taken back",
            ));
        }
        self.store.undo_rekey().await?;
        *changing = Changing::default();
        self.record_rekey("rekey_taken_back", Outcome::Ok);
        tracing::info!(target: LIFECYCLE, "the change of the root key was canceled; the old one stays");
        Ok(())
    }
}

/// One change of the root key.
struct Change {
    store: Store,
    custody: Arc<dyn Custody>,
    sharing: Sharing,
    /// Who asked may be gone before the end.
    audit: Journal,
}

impl Change {
    async fn run(self, mut changing: OwnedMutexGuard<Changing>) -> Result<Rekeyed, Refused> {
        let new = match (self.store.rekey_phase(), changing.new.take()) {
            // A change that a failure has left in the middle goes on where it is.
            (RekeyPhase::Pending, Some(new)) => new,
            (RekeyPhase::Pending, None) => {
                return Err(Refused::invalid(
                    "the root key is being changed: confirm or cancel that first",
                ));
            }
            (RekeyPhase::None, _) => self.begin(&mut changing).await?,
        };
        let old = self.store.root_key()?;
        changing.shares.clear();
        match self.custody.hand_over(Arc::clone(&new)).await {
            Ok(HandedOver::Kept) => {
                changing.new = Some(Arc::clone(&new));
                self.store.finish_rekey(new).await?;
                changing.new = None;
                self.record("rekey_finished", Outcome::Ok);
                tracing::info!(target: LIFECYCLE, "the root key was changed; the old one opens nothing any more");
                Ok(Rekeyed::Done)
            }
            Ok(HandedOver::ByHand) => self.by_hand(&new),
            Err(error) => {
                tracing::error!(target: LIFECYCLE, %error, "the new root key did not get to where it is kept");
                self.record("rekey_handed_over", Outcome::Failed(&error.to_string()));
                self.take_back(old, new, &mut changing).await
            }
        }
    }

    /// The database opens with a new key as well.
    async fn begin(&self, changing: &mut Changing) -> Result<Arc<RootKey>, Refused> {
        let new = RootKey::generate().map_err(|_| Refused::Internal("could not draw a root key"))?;
        let new = Arc::new(new);
        let begun = self.store.begin_rekey(Arc::clone(&new)).await;
        if begun == Err(WriteError::OutcomeUnknown) {
            // If the database opens with it after all, the next call goes on with it.
            changing.new = Some(Arc::clone(&new));
        }
        begun?;
        self.record("rekey_begun", Outcome::Ok);
        Ok(new)
    }

    fn record(&self, what: &'static str, outcome: Outcome<'_>) {
        self.audit.happened(what, &kept_by(self.custody.keeping()), outcome);
    }

    fn by_hand(&self, new: &RootKey) -> Result<Rekeyed, Refused> {
        tracing::info!(target: LIFECYCLE, "a new root key was handed out; the old one stays until it is confirmed");
        self.record("rekey_handed_over", Outcome::Ok);
        if self.custody.keeping() == Keeping::Credential {
            return Ok(Rekeyed::Key(new.copy()));
        }
        let shares = new
            .split(self.sharing)
            .map_err(|_| Refused::Internal("the new root key has no shares"))?;
        Ok(Rekeyed::Shares(shares))
    }

    async fn take_back(
        &self,
        old: Arc<RootKey>,
        new: Arc<RootKey>,
        changing: &mut Changing,
    ) -> Result<Rekeyed, Refused> {
        if let Err(error) = self.custody.take_back(old).await {
            tracing::error!(
                target: LIFECYCLE,
                %error,
                "it could not be taken back either: the store opens with both keys; ask for the change again"
            );
            self.record("rekey_taken_back", Outcome::Failed(&error.to_string()));
            changing.new = Some(new);
            return Err(Refused::Internal(
                "the change of the root key is in the middle: ask for it again",
            ));
        }
        self.store.undo_rekey().await?;
        self.record("rekey_taken_back", Outcome::Ok);
        Err(Refused::Internal(
            "the new root key could not be kept, so the old one stays",
        ))
    }
}

/// Whose root key is changed, for the audit.
fn kept_by(keeping: Keeping) -> String {
    format!("root key, kept by {}", keeping.as_str())
}

fn confirm_refused(error: WriteError) -> Refused {
    match error {
        WriteError::Rekey(_) => {
            tracing::error!(target: LIFECYCLE, "the shares give a root key that is not the new one; they are forgotten");
            Refused::invalid("the shares do not give the new root key: hand in all of them again")
        }
        other => other.into(),
    }
}
