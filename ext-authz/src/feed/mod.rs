//! Where policies come from: the co-located Nexus or a remote one.
//!
//! **Owns** [`Source`], the one question a Check asks. **Refuses** to hand out policies that may be older than promised:
//! it says why it cannot instead. **Invariant**: [`Source::load`] never waits, locks or touches a disk.
mod book;
pub mod embedded;
mod lease;
pub mod remote;

pub use lease::{Lease, OnStale};

use std::sync::Arc;
use std::time::Duration;

use spike_policy::PolicySet;

use crate::reason::Fault;

/// Why no policies can be had right now. Every Check is denied with this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// None have been loaded yet.
    #[error("no policies have been loaded yet")]
    NotLoaded,
    /// The feed has been silent for longer than `feed.max_age`.
    #[error("the policies are older than feed.max_age allows")]
    Stale,
    /// The outcome of the last commit is unknown.
    #[error("the outcome of the last policy change is unknown")]
    Unknown,
}

impl From<Unavailable> for Fault {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::NotLoaded => Self::PoliciesNotLoaded,
            Unavailable::Stale => Self::PoliciesStale,
            Unavailable::Unknown => Self::PoliciesUnknown,
        }
    }
}

/// The policies in force.
pub trait Source: Send + Sync + 'static {
    /// The policies that hold now: one atomic load.
    ///
    /// # Errors
    /// They are not known, or too old; the Check must be denied.
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable>;

    /// Reads the policies again from where they are stored (`cache.ttl: 0s`). May block and take long; a source that
    /// has no store of its own gives what it has.
    ///
    /// # Errors
    /// As [`Source::load`].
    fn reload(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.load()
    }

    /// As [`Source::load`], for those who only look: nothing is counted.
    ///
    /// # Errors
    /// As [`Source::load`].
    fn look(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.load()
    }

    /// How long ago the policies were last known to be the current ones. Zero for a source that always knows.
    fn age(&self) -> Duration {
        Duration::ZERO
    }
}
