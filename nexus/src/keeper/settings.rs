//! What an operator can say about Keepers.
use std::time::Duration;

use spike_policy::TrustRoots;

use super::peers::Peers;

/// Which Keepers there are, and how they are dealt with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Keepers, by the share that each holds (`keepers.peers`, `SPIKE_NEXUS_KEEPER_PEERS`).
    pub peers: Peers,
    /// Under which trust roots a server counts as a Keeper (`trust_roots.keeper`, `SPIKE_TRUST_ROOT_KEEPER`).
    pub trust_roots: TrustRoots,
    /// How often each is sent its shard again (`keepers.update_interval`, `SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL`).
    pub update_interval: Duration,
    /// How long one call may take, connection included (`keepers.timeout`).
    pub timeout: Duration,
}

impl Settings {
    /// SPIKE's interval.
    pub const UPDATE_INTERVAL: Duration = Duration::from_secs(300);
    /// How long a call may take unless it is said otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
}
