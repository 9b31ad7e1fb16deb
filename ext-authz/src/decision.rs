//! One decided Check: its id, its outcome and the policies it was decided under.
//!
//! **Owns** what an answer, its audit line and the metrics are made from. **Refuses** an outcome that is neither: an allow
//! holds the permit that `decide` minted, a denial holds its reason. **Invariant**: an id is drawn once per Check.
use spike_audit::EventId;
use spike_policy::{Access, Generation, Grounds, Permit, Policy};

use crate::reason::Reason;

/// What was decided.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Yes; the permit proves that `decide` said so.
    Allowed(Permit),
    /// No.
    Denied(Refused),
}

impl Outcome {
    /// The verdict's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allow",
            Self::Denied(_) => "deny",
        }
    }

    /// The policy that allowed it.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Allowed(permit) => match permit.grounds() {
                Grounds::Policy(policy) => Some(policy),
                Grounds::Role(_) => None,
            },
            Self::Denied(_) => None,
        }
    }

    /// Why: `policy` or `role` for an allow, the reason's word for a denial.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Allowed(permit) => match permit.grounds() {
                Grounds::Policy(_) => "policy",
                Grounds::Role(_) => "role",
            },
            Self::Denied(refused) => refused.reason.as_str(),
        }
    }
}

/// A denial: why, and the access where the request could be read that far.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What was asked.
    pub access: Option<Access>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reason, access: None }
    }
}

/// One decided Check.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its name.
    pub id: EventId,
    /// Yes or no.
    pub outcome: Outcome,
    /// The policies it was decided under; none when they were never asked.
    pub generation: Option<Generation>,
}
