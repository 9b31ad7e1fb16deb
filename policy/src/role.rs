//! Built-in identities by trust root (design D4, spike.md §2.1).
//!
//! **Owns** which SPIFFE IDs mean a Nexus, a Keeper, a Pilot and so on, and the lists of trust domains they count under.
//!
//! **Refuses** string prefixes: paths are compared segment by segment, so `/spike/nexusx` is nobody.
//!
//! **Invariant**: under empty trust roots nobody has the role.
use crate::{InvalidSpiffeId, SpiffeId, TrustDomain};

/// Trust domains under which a built-in identity counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustRoots(Vec<TrustDomain>);

/// Why a list of trust roots is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTrustRoots {
    /// An item between two commas, or at an end, is empty; the list and the item's place, from 1.
    #[error("trust roots `{list}`: item {item} is empty; write trust domains separated by single commas")]
    EmptyItem {
        /// The list as given.
        list: String,
        /// Which item.
        item: usize,
    },
    /// An item is no trust domain.
    #[error("trust roots: {0}")]
    TrustDomain(#[from] InvalidSpiffeId),
}

impl TrustRoots {
    /// SPIKE's form: names separated by commas, trimmed. An empty item is an error (SPIKE exits on it at a later
    /// request); the default `spike.ist` for an unset variable is the caller's.
    ///
    /// # Errors
    /// The first item that is empty or no trust domain.
    pub fn parse(list: &str) -> Result<Self, InvalidTrustRoots> {
        let one = |(index, item): (usize, &str)| match item.trim() {
            "" => Err(InvalidTrustRoots::EmptyItem {
                list: list.to_owned(),
                item: index + 1,
            }),
            name => Ok(name.parse::<TrustDomain>()?),
        };
        list.split(',').enumerate().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this ID's trust domain is a root.
    pub fn holds(&self, id: &SpiffeId) -> bool {
        self.0.iter().any(|td| td.as_str() == id.trust_domain())
    }

    /// The trust domains, as given.
    pub fn iter(&self) -> impl Iterator<Item = &TrustDomain> {
        self.0.iter()
    }
}

impl FromIterator<TrustDomain> for TrustRoots {
    fn from_iter<I: IntoIterator<Item = TrustDomain>>(domains: I) -> Self {
        Self(domains.into_iter().collect())
    }
}

/// What an identity is, apart from policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// SPIKE Pilot's operator: full access.
    Superuser,
    /// May recover; otherwise an ordinary workload.
    Recover,
    /// May restore; otherwise an ordinary workload.
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

impl Role {
    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superuser => "superuser",
            Self::Recover => "recover",
            Self::Restore => "restore",
            Self::LiteWorkload => "lite_workload",
            Self::Nexus => "nexus",
            Self::Keeper => "keeper",
            Self::Bootstrap => "bootstrap",
            Self::ExtAuthz => "ext_authz",
            Self::Workload => "workload",
        }
    }

    /// What it allows whatever the policies say.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Superuser => Scope::Everything,
            Self::LiteWorkload => Scope::OnlyCipher,
            Self::Recover
            | Self::Restore
            | Self::Nexus
            | Self::Keeper
            | Self::Bootstrap
            | Self::ExtAuthz
            | Self::Workload => Scope::ByPolicy,
        }
    }
}

/// What a role allows whatever the policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything.
    Everything,
    /// The cipher, and nothing that a policy gives besides.
    OnlyCipher,
    /// Nothing: policies are asked.
    ByPolicy,
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
    /// The role of an identity.
    pub fn of(&self, id: &SpiffeId) -> Role {
        let mut segments = id.segments();
        if segments.next() != Some("spike") {
            return Role::Workload;
        }
        let (role, roots) = match segments.next() {
            Some("nexus") => (Role::Nexus, &self.nexus),
            Some("ext-authz") => (Role::ExtAuthz, &self.nexus),
            Some("keeper") => (Role::Keeper, &self.keeper),
            Some("bootstrap") => (Role::Bootstrap, &self.bootstrap),
            Some("pilot") => (pilot(segments), &self.pilot),
            Some("workload") => (workload(segments), &self.lite_workload),
            _ => return Role::Workload,
        };
        if roots.holds(id) { role } else { Role::Workload }
    }
}

/// What follows `/spike/pilot`: `role/<known>` and below, or a person's or machine's name.
fn pilot<'a>(mut rest: impl Iterator<Item = &'a str>) -> Role {
    match (rest.next(), rest.next()) {
        (Some("role"), Some("superuser")) => Role::Superuser,
        (Some("role"), Some("recover")) => Role::Recover,
        (Some("role"), Some("restore")) => Role::Restore,
        (None | Some("role"), _) => Role::Workload,
        (Some(_), _) => Role::Superuser,
    }
}

/// What follows `/spike/workload`.
fn workload<'a>(mut rest: impl Iterator<Item = &'a str>) -> Role {
    match (rest.next(), rest.next()) {
        (Some("role"), Some("lite")) => Role::LiteWorkload,
        _ => Role::Workload,
    }
}

#[cfg(test)]
mod tests;
