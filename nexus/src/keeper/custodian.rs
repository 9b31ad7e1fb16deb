//! The task beside the server: it asks the Keepers until the store is open, and sends them their shards from then on.
use std::time::Duration;

use spike_audit::Journal;
use spike_runtime::logging::LIFECYCLE;
use tokio::sync::watch;

use super::diary::Diary;
use super::keepers::{Answer, Contributed, Keepers};
use super::rebuild::{Rebuilt, rebuild};
use crate::store::{Health, SharesError, Store, Unavailable, UnsealStoreError};
use crate::vault::Share;

/// SPIKE's pauses between two rounds of questions: this one, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Looks after the root key of one store at its Keepers.
#[derive(Debug)]
pub(crate) struct Custodian {
    keepers: Keepers,
    store: Store,
    update_interval: Duration,
    diary: Diary,
}

/// How a round of questions ended.
enum Round {
    Opened,
    /// Ask again later.
    NotYet,
}

impl Custodian {
    pub(crate) fn new(keepers: Keepers, store: Store, update_interval: Duration) -> Self {
        Self {
            keepers,
            store,
            update_interval,
            diary: Diary::default(),
        }
    }

    /// The same, recording there how it opens the store and what it gives to whom.
    #[must_use]
    pub(crate) fn recorded_in(mut self, audit: &Journal) -> Self {
        self.diary = Diary::of(audit.clone());
        self
    }

    /// Works until the store has ended.
    pub(crate) async fn run(mut self) {
        let mut health = self.store.health();
        let mut pause = FIRST_PAUSE;
        loop {
            let state = *health.borrow_and_update();
            let rest = match state {
                Health::Sealed => match self.ask().await {
                    Round::Opened => {
                        pause = FIRST_PAUSE;
                        continue;
                    }
                    Round::NotYet => next(&mut pause),
                },
                Health::Ready if self.send().await => {
                    pause = FIRST_PAUSE;
                    self.update_interval
                }
                // A Keeper that has no shard should not wait for it for a whole interval.
                Health::Ready => next(&mut pause).min(self.update_interval),
                Health::Recovering => LONGEST_PAUSE,
                Health::Failed | Health::Closed => return,
            };
            if !changed_or_rested(&mut health, rest).await {
                return;
            }
            if *health.borrow() != state {
                // Operators have brought the key: the Keepers get it at once.
                pause = FIRST_PAUSE;
            }
        }
    }

    /// One round of questions.
    async fn ask(&mut self) -> Round {
        let shares = noted(self.keepers.collect().await);
        let sharing = self.keepers.sharing();
        if shares.len() < usize::from(sharing.threshold()) {
            tracing::warn!(
                target: LIFECYCLE,
                "sealed: {} of {} shards came from the Keepers; asking again",
                shares.len(),
                sharing.threshold()
            );
            return Round::NotYet;
        }
        // Many Keepers, some of them wrong: that may take a moment.
        let work = tokio::task::spawn_blocking(move || rebuild(&shares, sharing));
        let keys = work.await.unwrap_or_default();
        if keys.is_empty() {
            tracing::error!(
                target: LIFECYCLE,
                "sealed: the Keepers' shards do not belong together, so they give no root key; was one bootstrapped alone, \
                 or is nexus.shamir.threshold another one than before?"
            );
        }
        let alone = keys.len() == 1;
        for rebuilt in keys {
            if self.open(rebuilt, alone).await {
                return Round::Opened;
            }
        }
        Round::NotYet
    }

    /// Tries one key. It may make a new database only when it is the only one.
    async fn open(&mut self, rebuilt: Rebuilt, alone: bool) -> bool {
        let Rebuilt { key, of, not_of } = rebuilt;
        let opened = if alone {
            self.store.unseal_or_create(key).await
        } else {
            self.store.unseal(key).await
        };
        let refused = opened.as_ref().err().map(ToString::to_string);
        self.diary
            .note("unsealed", format!("store, with the shards of {}", named(&of)), refused);
        match opened {
            Ok(()) => {
                tracing::info!(target: LIFECYCLE, keepers = ?of, "unsealed with the Keepers' shards");
                if !not_of.is_empty() {
                    tracing::warn!(target: LIFECYCLE, keepers = ?not_of, "these Keepers held shards of another key");
                }
                return true;
            }
            Err(UnsealStoreError::WrongKey) => tracing::error!(
                target: LIFECYCLE,
                keepers = ?of,
                "sealed: the root key that these Keepers' shards give does not fit the database and is not used; were \
                 the Keepers bootstrapped anew, or do they belong to another Nexus?"
            ),
            Err(UnsealStoreError::NoDatabase) => tracing::error!(
                target: LIFECYCLE,
                keepers = ?of,
                "sealed: the Keepers hold shards of several root keys, and there is no database to tell which one is \
                 right; bootstrap them anew, or bring the database"
            ),
            Err(UnsealStoreError::Database(why)) => {
                tracing::error!(target: LIFECYCLE, why, "sealed: the database does not open");
            }
            Err(UnsealStoreError::Unavailable(why)) => tracing::debug!(%why, "not unsealed"),
        }
        false
    }

    /// Sends every Keeper its shard; whether all have taken it, or none can.
    async fn send(&mut self) -> bool {
        let turn = self.keepers.turn().await;
        let shares = match turn.shares(|| self.store.shares(self.keepers.sharing())) {
            Ok(shares) => shares,
            Err(SharesError::RootKey(why)) => {
                tracing::error!(target: LIFECYCLE, %why, "the Keepers get no shards");
                return true;
            }
            Err(SharesError::Unavailable(why)) => return why == Unavailable::Closed,
        };
        let sent = turn.send(&shares).await;
        drop(turn);
        note(&sent);
        self.record(&sent);
        sent.is_complete()
    }

    /// Who holds a shard of the key in force, and who does not.
    fn record(&mut self, sent: &Contributed) {
        let (took, others): (Vec<_>, Vec<_>) = sent.answers.iter().partition(|answer| answer.said.is_ok());
        let took: Vec<u16> = took.iter().map(|answer| answer.id).collect();
        let refused = others.iter().filter_map(|answer| {
            let error = answer.said.as_ref().err()?;
            Some(format!("Keeper {}: {error}", answer.id))
        });
        let refused: Vec<String> = refused.collect();
        let refused = (!refused.is_empty()).then(|| refused.join("; "));
        self.diary.note("shards_given", named(&took), refused);
    }
}

/// `Keepers 1, 2`
fn named(ids: &[u16]) -> String {
    let ids: Vec<String> = ids.iter().map(u16::to_string).collect();
    format!("Keepers {}", ids.join(", "))
}

/// The shares among the answers; the log says what the other Keepers answered.
fn noted(answers: Vec<Answer<Share>>) -> Vec<Share> {
    let mut shares = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer.said {
            Ok(share) => shares.push(share),
            Err(error) => tracing::warn!(
                target: LIFECYCLE,
                keeper = answer.id,
                at = %answer.keeper,
                "no shard from this Keeper: {error}"
            ),
        }
    }
    shares
}

fn note(sent: &Contributed) {
    for answer in &sent.answers {
        match &answer.said {
            Ok(()) => tracing::debug!(keeper = answer.id, "sent a Keeper its shard"),
            Err(error) => tracing::warn!(
                target: LIFECYCLE,
                keeper = answer.id,
                at = %answer.keeper,
                "this Keeper did not take its shard: {error}"
            ),
        }
    }
}

/// This pause; the next one is twice as long.
fn next(pause: &mut Duration) -> Duration {
    let now = *pause;
    *pause = (now * 2).min(LONGEST_PAUSE);
    now
}

/// Waits for a change or for the time to pass; false when there will be no change any more.
async fn changed_or_rested(health: &mut watch::Receiver<Health>, rest: Duration) -> bool {
    tokio::select! {
        changed = health.changed() => changed.is_ok(),
        () = tokio::time::sleep(rest) => true,
    }
}
