//! Policies of the Nexus in this process.
//!
//! A write is committed, then published, then acknowledged; [`spike_nexus::Policies::current`] is one atomic load. So a
//! Check that starts after the acknowledgement sees the change, or learns that nobody knows which policies hold.
use std::sync::Arc;

use spike_nexus::Policies;
use spike_policy::PolicySet;

use super::{Source, Unavailable};

/// A [`Source`] over the Nexus in this process.
#[derive(Clone, Debug)]
pub struct Embedded(Policies);

impl Embedded {
    /// The policies of this Nexus.
    pub fn new(policies: Policies) -> Self {
        Self(policies)
    }
}

impl From<spike_nexus::Unavailable> for Unavailable {
    fn from(why: spike_nexus::Unavailable) -> Self {
        match why {
            // After a disk error the outcome of the last commit is not known until the store has been read again.
            spike_nexus::Unavailable::Recovering | spike_nexus::Unavailable::Failed => Self::Unknown,
            spike_nexus::Unavailable::Sealed | spike_nexus::Unavailable::Closed => Self::NotLoaded,
        }
    }
}

impl Source for Embedded {
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.0.current().map_err(Into::into)
    }

    fn reload(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.0.reload().map_err(Into::into)
    }
}
