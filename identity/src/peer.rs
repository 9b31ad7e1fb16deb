//! The proof that a handshake ended well, and for how long it holds.
//!
//! **Owns** [`Peer`]: an ID together with the chain that vouches for it.
//! **Refuses** to be made anywhere else, and to come back: once it has lapsed, only a new handshake helps.
//! **Invariant**: [`Peer::is_current`] is true only while its certificates are within their life *and* lead to a root
//! that is in the bundle of its trust domain at this moment.

use crate::refusal::Refusal;
use crate::source::Identity;
use crate::verify::{Shown, Verified};
use spike_policy::SpiffeId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Somebody who proved an identity in a handshake. Cloning is cheap and shares the state.
#[derive(Clone)]
pub struct Peer(Arc<State>);

struct State {
    verified: Verified,
    shown: Shown,
    identity: Identity,
    /// The bundle revision under which the chain was last found good.
    seen: AtomicU64,
    lapsed: AtomicBool,
}

/// Why a peer is no longer to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapse {
    /// Its certificate, or one above it, has ended.
    #[error("its certificate has expired since the handshake")]
    Expired,
    /// The bundle changed, and its chain no longer leads to a root.
    #[error("it is no longer trusted since the bundle changed: {0}")]
    Distrusted(#[from] Refusal),
    /// It had lapsed before.
    #[error("it had lapsed earlier; a new handshake is needed")]
    Earlier,
}

/// Wall clocks jump, timers do not: a sleeping check looks at the clock at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl Peer {
    pub(crate) fn new(verified: Verified, shown: Shown, identity: Identity, bundle_revision: u64) -> Self {
        Self(Arc::new(State {
            verified,
            shown,
            identity,
            seen: AtomicU64::new(bundle_revision),
            lapsed: AtomicBool::new(false),
        }))
    }

    /// Who it is.
    pub fn id(&self) -> &SpiffeId {
        &self.0.verified.id
    }

    /// When the first of the certificates that vouch for it ends.
    pub fn not_after(&self) -> SystemTime {
        self.0.verified.not_after
    }

    /// Whether it is still to be believed at `now`. Cheap while the bundles stay as they are: ask before every request.
    pub fn is_current(&self, now: SystemTime) -> bool {
        self.check(now).is_ok()
    }

    /// Like [`Peer::is_current`], with the reason. The chain is verified again when a bundle has changed.
    pub fn check(&self, now: SystemTime) -> Result<(), Lapse> {
        let state = &*self.0;
        if state.lapsed.load(Ordering::Acquire) {
            return Err(Lapse::Earlier);
        }
        let checked = state.check(now);
        if checked.is_err() {
            state.lapsed.store(true, Ordering::Release);
        }
        checked
    }

    /// Waits until it has lapsed, and says why: select on it to close a connection that nobody uses.
    pub async fn lapsed(&self) -> Lapse {
        let mut changes = self.0.identity.rotations();
        loop {
            let now = self.0.identity.now();
            if let Err(lapse) = self.check(now) {
                return lapse;
            }
            let left = self.not_after().duration_since(now).unwrap_or_default();
            // One step past the end, since the end itself still counts as valid.
            let sleep = left.saturating_add(Duration::from_millis(1)).min(LONGEST_SLEEP);
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                // Always alive: this peer holds the identity.
                _alive = changes.changed() => {}
            }
        }
    }
}

impl State {
    fn check(&self, now: SystemTime) -> Result<(), Lapse> {
        if now > self.verified.not_after {
            return Err(Lapse::Expired);
        }
        let material = self.identity.material();
        if material.bundle_revision == self.seen.load(Ordering::Acquire) {
            return Ok(());
        }
        self.shown.verify(&material.bundles, now)?;
        self.seen.store(material.bundle_revision, Ordering::Release);
        Ok(())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", self.id())
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}
