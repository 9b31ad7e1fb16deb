//! Our identity as it is right now, and as it will be after the next rotation.
//!
//! **Owns** the handle that everything else holds, and the channel by which new material arrives.
//! **Refuses** to fall back: an identity that the agent withdrew is not shown again, one that has expired neither.
//! **Invariant**: every clone sees the same material; a change is visible to the next handshake that starts.

use crate::clock::{self, TimeSource};
use crate::material::Material;
use crate::workload::{self, SourceError};
use crate::{Acceptor, ClientTls, Expect, ServerOptions};
use spike_policy::SpiffeId;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Our own X.509-SVID and the trust bundles, kept fresh in the background. Cloning is cheap and shares them.
///
/// When the agent issues several SVIDs to this process, the first one ("default" in the Workload API) is ours.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
    time: TimeSource,
}

struct Shared {
    material: watch::Sender<Arc<Material>>,
    /// Ends with the last clone of the identity.
    feed: Option<AbortHandle>,
}

/// How our own identity stands, for readiness and health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Valid, with time left.
    Good,
    /// Valid, but less than a fifth of its life is left: the agent should have rotated it by now.
    Ageing,
    /// Past its end (or, with a wrong clock, before its start): every handshake is refused.
    Expired,
    /// The agent refuses us an identity: every handshake is refused and nobody is believed.
    Withdrawn,
}

/// Follows the changes of an [`Identity`].
#[derive(Debug)]
pub struct Rotations {
    changes: watch::Receiver<Arc<Material>>,
}

impl Identity {
    /// Gets our identity from the Workload API at `endpoint` (`unix:///path`, `unix:/path`, `tcp://ip:port`; `None` is
    /// [`DEFAULT_ENDPOINT`](crate::DEFAULT_ENDPOINT)) and keeps it fresh.
    ///
    /// Waits for the first SVID: for at most `wait`, or with `None` for as long as it takes, logging what it waits for.
    /// Needs a tokio runtime.
    pub async fn from_workload_api(endpoint: Option<&str>, wait: Option<Duration>) -> Result<Self, SourceError> {
        workload::connect(endpoint, wait).await
    }

    /// An identity from material at hand, for tests; [`Identity::replace`] rotates it.
    #[cfg(feature = "test-util")]
    pub fn from_material(svid: &crate::SvidMaterial, bundles: crate::Bundles) -> Self {
        Self::with_feed(watch::Sender::new(Arc::new(Material::first(svid, bundles))), None)
    }

    /// Rotates an identity by hand, for tests: as if the agent had delivered this.
    #[cfg(feature = "test-util")]
    pub fn replace(&self, svid: &crate::SvidMaterial, bundles: crate::Bundles) {
        self.shared
            .material
            .send_modify(|current| *current = Arc::new(current.next(Some(svid), bundles)));
    }

    /// Takes the identity away, for tests: as if the agent had answered with a refusal.
    #[cfg(feature = "test-util")]
    pub fn withdraw(&self, why: &str) {
        self.shared
            .material
            .send_modify(|current| *current = Arc::new(current.withdrawn(why)));
    }

    /// The same identity, with handshakes that take the time from elsewhere.
    #[must_use]
    pub fn with_time(mut self, time: TimeSource) -> Self {
        self.time = time;
        self
    }

    /// Whose identity it is. After a withdrawal: whose it was.
    pub fn spiffe_id(&self) -> SpiffeId {
        self.material().own.id.clone()
    }

    /// When our current leaf certificate ends.
    pub fn not_after(&self) -> SystemTime {
        self.material().own.not_after
    }

    /// Seconds until the current leaf expires; negative afterwards. For metrics.
    pub fn remaining_seconds(&self, now: SystemTime) -> f64 {
        match self.not_after().duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(past) => -past.duration().as_secs_f64(),
        }
    }

    /// How our identity stands at `now`.
    pub fn standing(&self, now: SystemTime) -> Standing {
        self.material().standing(now)
    }

    /// Grows with every change of SVID or bundles.
    pub fn revision(&self) -> u64 {
        self.material().revision
    }

    /// How often our SVID was replaced by another one. For metrics.
    pub fn svid_updates(&self) -> u64 {
        self.material().svid_updates
    }

    /// The trust domains that have a bundle right now.
    pub fn trust_domains(&self) -> Vec<String> {
        self.material()
            .bundles
            .trust_domains()
            .map(ToString::to_string)
            .collect()
    }

    /// Follows rotations, bundle changes and withdrawals from here on.
    pub fn rotations(&self) -> Rotations {
        Rotations {
            changes: self.shared.material.subscribe(),
        }
    }

    /// The server side of mutual TLS with this identity.
    pub fn acceptor(&self, options: ServerOptions<'_>) -> Acceptor {
        Acceptor::new(self.clone(), options)
    }

    /// The client side of mutual TLS with this identity.
    pub fn connector(&self, expect: Expect) -> ClientTls {
        ClientTls::new(self.clone(), expect)
    }

    pub(crate) fn material(&self) -> Arc<Material> {
        Arc::clone(&self.shared.material.borrow())
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.time)()
    }

    pub(crate) fn time(&self) -> TimeSource {
        Arc::clone(&self.time)
    }

    pub(crate) fn with_feed(material: watch::Sender<Arc<Material>>, feed: Option<AbortHandle>) -> Self {
        Self {
            shared: Arc::new(Shared { material, feed }),
            time: Arc::new(clock::wall_clock),
        }
    }
}

impl Rotations {
    /// Waits for the next change; `false` when the identity is no more.
    pub async fn changed(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Ageing => "ageing",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(feed) = &self.feed {
            feed.abort();
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("material", &self.material())
            .finish_non_exhaustive()
    }
}
