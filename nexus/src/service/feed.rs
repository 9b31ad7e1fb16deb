//! Following the policies: a snapshot or what changed since, then every change as it is published.
use std::sync::Arc;
use std::time::Duration;

use spike_policy::{Generation, PolicySet, SpiffeId};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use super::{Permitted, Refused, Service, WatchPolicies};
use crate::store::{CatchUp, Delta};

/// How often a follower hears from a server where nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// One thing that a follower is told.
#[derive(Clone, Debug)]
pub enum FeedLine {
    /// Everything.
    Snapshot {
        /// Of which store.
        store: Uuid,
        /// The policies.
        policies: Arc<PolicySet>,
    },
    /// One change.
    Delta(Arc<Delta>),
    /// Nothing changed.
    Heartbeat(Generation),
}

/// What one follower still has to be told.
#[derive(Debug)]
pub struct Feed {
    service: Service,
    who: SpiffeId,
    changes: watch::Receiver<Generation>,
    heartbeat: Interval,
    told: Option<Generation>,
}

impl Service {
    /// Begins to follow. `have` is the store and generation that the follower has already; of another store, or with
    /// nothing, it is told everything.
    pub fn follow(&self, permit: &Permitted<WatchPolicies>, have: Option<(Uuid, Generation)>) -> Feed {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Feed {
            service: self.clone(),
            who: permit.action().who().clone(),
            changes: self.store.changes(),
            heartbeat,
            told: have
                .filter(|(store, _)| *store == self.store.id())
                .map(|(_, generation)| generation),
        }
    }
}

impl Feed {
    /// Waits for the next lines. `None` when the follower has lost its right, or the server cannot vouch for its
    /// policies any more: then the feed ends, and the follower must ask anew.
    pub async fn next(&mut self) -> Option<Vec<FeedLine>> {
        if self.told.is_some() {
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                _ = self.heartbeat.tick() => {}
            }
        }
        self.lines().ok()
    }

    fn lines(&mut self) -> Result<Vec<FeedLine>, Refused> {
        // The right is judged by the policies of now, which may be the ones that take it away.
        self.service.guard()?.watch_policies(&self.who)?;
        self.changes.mark_unchanged();
        let lines = match self.told {
            None => vec![self.snapshot(self.service.store.policies()?)],
            Some(told) => match self.service.store.catch_up(told)? {
                CatchUp::Deltas(deltas) if deltas.is_empty() => vec![FeedLine::Heartbeat(told)],
                CatchUp::Deltas(deltas) => deltas.into_iter().map(FeedLine::Delta).collect(),
                CatchUp::Snapshot(policies) => vec![self.snapshot(policies)],
            },
        };
        self.told = lines.last().map(FeedLine::generation).or(self.told);
        Ok(lines)
    }

    fn snapshot(&self, policies: Arc<PolicySet>) -> FeedLine {
        FeedLine::Snapshot {
            store: self.service.store.id(),
            policies,
        }
    }
}

impl FeedLine {
    /// The generation that the follower has after this line.
    pub fn generation(&self) -> Generation {
        match self {
            Self::Snapshot { policies, .. } => policies.generation(),
            Self::Delta(delta) => delta.generation,
            Self::Heartbeat(generation) => *generation,
        }
    }
}
