//! Built-in identities by trust root (design D4, spike.md §2.1).
use crate::{SpiffeId, TrustDomain};

/// Trust domains under which a built-in identity counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustRoots(Vec<TrustDomain>);

/// Why a list of trust roots is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTrustRoots(String);

impl TrustRoots {
    /// SPIKE's form: names separated by commas, trimmed; an empty item is an error.
    pub fn parse(list: &str) -> Result<Self, InvalidTrustRoots> {
        list.split(',')
            .map(|item| item.trim().parse::<TrustDomain>().map_err(|e| InvalidTrustRoots(e.to_string())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
    /// Whether this ID's trust domain is a root.
    pub fn holds(&self, id: &SpiffeId) -> bool {
        self.0.iter().any(|td| td.as_str() == id.trust_domain())
    }
}

/// What an identity is, apart from policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// SPIKE Pilot's operator: full access.
    Superuser,
    /// May only recover.
    Recover,
    /// May only restore.
    Restore,
    /// May only use the cipher.
    LiteWorkload,
    /// A Nexus.
    Nexus,
    /// A Keeper.
    Keeper,
    /// SPIKE Bootstrap.
    Bootstrap,
    /// A separate ext-authz: may follow the policy feed.
    ExtAuthz,
    /// Anyone else: only what policies give.
    Workload,
}

/// Which trust roots each built-in identity counts under. Empty roots: nobody has that role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// `SPIKE_TRUST_ROOT_PILOT`
    pub pilot: TrustRoots,
    /// `SPIKE_TRUST_ROOT_LITE_WORKLOAD`
    pub lite_workload: TrustRoots,
    /// `SPIKE_TRUST_ROOT_NEXUS` (also for ext-authz)
    pub nexus: TrustRoots,
    /// `SPIKE_TRUST_ROOT_KEEPER`
    pub keeper: TrustRoots,
    /// `SPIKE_TRUST_ROOT_BOOTSTRAP`
    pub bootstrap: TrustRoots,
}

impl Roles {
    /// The role of an identity, compared segment by segment.
    pub fn of(&self, id: &SpiffeId) -> Role {
        let mut segments = id.path().split('/').skip(1);
        match (segments.next(), segments.next()) {
            (Some("spike"), Some("nexus")) if self.nexus.holds(id) => Role::Nexus,
            (Some("spike"), Some("pilot")) if self.pilot.holds(id) => Role::Superuser,
            _ => Role::Workload,
        }
    }
}
