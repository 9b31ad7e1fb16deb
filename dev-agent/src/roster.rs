//! Who holds which identity now.
//!
//! **Owns** the entries, their SVIDs and the authorities; the only place that changes them. **Refuses** to hand out a
//! private key except inside a [`Holder`]. **Invariant**: whoever follows the roster sees whole [`Snapshot`]s, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spike_policy::{SpiffeId, TrustDomain};
use spike_runtime::SharedClock;
use tokio::sync::watch;

use crate::authority::{IssueError, X509Svid};
use crate::caller::{Caller, Door};
use crate::config::{Config, Entry};
use crate::domain::{Aged, Bundle, Domain, Old};
use crate::keep::{Keep, KeepError};

/// Everything that clients can be told, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) bundles: BTreeMap<TrustDomain, Bundle>,
    holders: Vec<Holder>,
}

/// An entry with its SVID.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) entry: Entry,
    pub(crate) svid: Arc<X509Svid>,
}

impl Snapshot {
    /// The identities of a caller, in the order of the configuration; the first is the default one.
    pub(crate) fn of(&self, door: &Door, caller: &Caller) -> Vec<&Holder> {
        self.holders
            .iter()
            .filter(|holder| door.gives(&holder.entry, caller))
            .collect()
    }

    /// The bundle of a trust domain by name.
    pub(crate) fn bundle(&self, trust_domain: &str) -> Option<&Bundle> {
        self.bundles
            .iter()
            .find(|(known, _)| known.as_str() == trust_domain)
            .map(|(_, bundle)| bundle)
    }

    pub(crate) fn holders(&self) -> &[Holder] {
        &self.holders
    }
}

#[derive(Debug)]
pub(crate) struct Roster {
    clock: SharedClock,
    svid_ttl: Duration,
    jwt_ttl: Duration,
    state: Mutex<State>,
    published: watch::Sender<Arc<Snapshot>>,
}

#[derive(Debug)]
struct State {
    domains: Vec<Domain>,
    holders: Vec<Holder>,
    paused: bool,
}

impl Roster {
    pub(crate) fn open(config: &Config) -> Result<Self, KeepError> {
        let now = config.clock.now();
        let keep = config.authority.clone().map(Keep);
        let names = [&config.trust_domain].into_iter().chain(&config.federated);
        let domains = names.map(|name| Domain::open(name.clone(), config.ca_ttl, keep.clone(), now));
        let state = State {
            domains: domains.collect::<Result<_, _>>()?,
            holders: Vec::new(),
            paused: false,
        };
        let roster = Self {
            clock: Arc::clone(&config.clock),
            svid_ttl: config.svid_ttl,
            jwt_ttl: config.jwt_ttl,
            state: Mutex::new(state),
            published: watch::Sender::new(Arc::default()),
        };
        config.entries.iter().try_for_each(|entry| roster.add(entry.clone()))?;
        Ok(roster)
    }

    /// The snapshots, the newest at once.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.published.subscribe()
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    pub(crate) fn add(&self, entry: Entry) -> Result<(), IssueError> {
        let mut state = self.lock();
        let svid = Arc::new(self.sign(&state, &entry)?);
        state.holders.push(Holder { entry, svid });
        self.publish(&state);
        Ok(())
    }

    /// Takes an identity away from everyone; says whether anybody had it.
    pub(crate) fn remove(&self, id: &SpiffeId) -> bool {
        let mut state = self.lock();
        let before = state.holders.len();
        state.holders.retain(|holder| holder.entry.spiffe_id != *id);
        self.publish(&state);
        state.holders.len() < before
    }

    /// New SVIDs for everyone.
    pub(crate) fn rotate(&self) -> Result<(), IssueError> {
        let mut state = self.lock();
        self.renew(&mut state, |_| true)?;
        self.publish(&state);
        Ok(())
    }

    pub(crate) fn prepare(&self) -> Result<(), IssueError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.domains.iter_mut().try_for_each(|domain| domain.prepare(now))?;
        self.publish(&state);
        Ok(())
    }

    pub(crate) fn activate(&self, old: Old) -> Result<(), KeepError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state
            .domains
            .iter_mut()
            .try_for_each(|domain| domain.activate(old, now))?;
        self.renew(&mut state, |_| true)?;
        self.publish(&state);
        Ok(())
    }

    pub(crate) fn drop_old(&self) {
        let mut state = self.lock();
        let dropped = state
            .domains
            .iter_mut()
            .map(Domain::drop_old)
            .filter(|dropped| *dropped)
            .count();
        if dropped > 0 {
            self.publish(&state);
        }
    }

    /// Stops (or resumes) what time demands, so that SVIDs expire.
    pub(crate) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
    }

    /// Does what time demands, and says when to come again.
    pub(crate) fn tick(&self) -> Result<Duration, KeepError> {
        /// Even when nothing is due: the wall clock may have jumped.
        const LONGEST: Duration = Duration::from_secs(1);
        let now = self.clock.now();
        let mut state = self.lock();
        if state.paused {
            return Ok(LONGEST);
        }
        let mut changed = false;
        let mut signers = Vec::new();
        for domain in &mut state.domains {
            let aged = domain.age(now)?;
            changed |= aged != Aged::Nothing;
            if aged == Aged::Signer {
                signers.push(domain.name().clone());
            }
        }
        let due = |holder: &Holder| {
            let signer_changed = signers
                .iter()
                .any(|name| name.as_str() == holder.entry.spiffe_id.trust_domain());
            signer_changed || holder.svid.rotate_at <= now
        };
        changed |= self.renew(&mut state, due)?;
        if changed {
            self.publish(&state);
        }
        let dates = state.holders.iter().map(|holder| holder.svid.rotate_at);
        let next = dates.chain(state.domains.iter().map(Domain::due)).min();
        let wait = next
            .and_then(|next| next.duration_since(now).ok())
            .unwrap_or(Duration::ZERO);
        Ok(wait.clamp(Duration::from_millis(10), LONGEST))
    }

    pub(crate) fn sign_jwt(&self, id: &SpiffeId, audience: &[String]) -> Result<String, IssueError> {
        let state = self.lock();
        domain(&state, id)?
            .jwt()
            .sign(id, audience, (self.clock.now(), self.jwt_ttl))
    }

    fn sign(&self, state: &State, entry: &Entry) -> Result<X509Svid, IssueError> {
        domain(state, &entry.spiffe_id)?.sign(entry, self.clock.now(), self.svid_ttl)
    }

    fn renew(&self, state: &mut State, due: impl Fn(&Holder) -> bool) -> Result<bool, IssueError> {
        let mut holders = state.holders.clone();
        let mut renewed = false;
        for holder in holders.iter_mut().filter(|holder| due(holder)) {
            holder.svid = Arc::new(self.sign(state, &holder.entry)?);
            renewed = true;
        }
        state.holders = holders;
        Ok(renewed)
    }

    fn publish(&self, state: &State) {
        let bundles = state
            .domains
            .iter()
            .map(|domain| (domain.name().clone(), domain.bundle()))
            .collect();
        self.published.send_replace(Arc::new(Snapshot {
            bundles,
            holders: state.holders.clone(),
        }));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn domain<'s>(state: &'s State, id: &SpiffeId) -> Result<&'s Domain, IssueError> {
    let own = |domain: &&Domain| domain.name().as_str() == id.trust_domain();
    state.domains.iter().find(own).ok_or(IssueError::NoAuthority)
}
