//! The feed of a real Nexus, through the SDK.
use spike_identity::Identity;
use spike_policy::TrustRoots;
use spike_sdk::{Client, Settings, Watch};
use spike_wire::feed::Line;

pub use spike_sdk::NexusUrl;

use super::{Feed, FeedError, Position, Upstream};

/// A Nexus elsewhere, reached over mutual TLS as our own identity.
#[derive(Clone, Debug)]
pub struct RemoteNexus(Client);

impl RemoteNexus {
    /// The Nexus at this address, if its SVID says that it is one under these trust roots.
    pub fn new(url: NexusUrl, trust_roots: TrustRoots, identity: Identity) -> Self {
        let settings = Settings {
            nexus_url: url,
            nexus_trust_roots: trust_roots,
            ..Settings::default()
        };
        Self(Client::new(&settings, identity))
    }
}

impl Upstream for RemoteNexus {
    type Feed = Watch;

    async fn open(&mut self, from: Option<Position>) -> Result<Watch, FeedError> {
        let from = from.map(|at| spike_sdk::Position {
            store: at.store,
            generation: at.generation,
        });
        Ok(self.0.policies().watch(from.as_ref()).await?)
    }
}

impl Feed for Watch {
    async fn next(&mut self) -> Option<Result<Line, FeedError>> {
        Watch::next(self).await.map(|line| line.map_err(Into::into))
    }
}
