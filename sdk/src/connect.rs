//! Making a client.
use std::time::Duration;

use spike_identity::SourceError;
use spike_policy::TrustRoots;

use crate::environment::InvalidVariable;
use crate::{Client, Identity, NexusUrl, Settings, Timeouts};

/// Makes a [`Client`] from explicit values. From [`Client::builder`].
#[derive(Clone, Default)]
pub struct Builder {
    settings: Settings,
    identity: Option<Identity>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Environment variables that cannot be used: all of them.
    #[error("{}", joined(.0))]
    Environment(Vec<InvalidVariable>),
    /// No SVID.
    #[error(transparent)]
    Identity(#[from] SourceError),
}

impl Builder {
    /// Where Nexus is. Default: `https://localhost:8553`.
    #[must_use]
    pub fn nexus_url(mut self, url: NexusUrl) -> Self {
        self.settings.nexus_url = url;
        self
    }

    /// Trust domains under which `/spike/nexus` is believed to be Nexus. Default: `spike.ist`.
    #[must_use]
    pub fn nexus_trust_roots(mut self, roots: TrustRoots) -> Self {
        self.settings.nexus_trust_roots = roots;
        self
    }

    /// The Workload API's address, such as `unix:///run/spire/agent.sock`. Default: SPIRE's socket.
    #[must_use]
    pub fn workload_api(mut self, endpoint: impl Into<String>) -> Self {
        self.settings.workload_api = Some(endpoint.into());
        self
    }

    /// How long to wait for the first SVID; None waits without limit. Default: 30 s.
    #[must_use]
    pub fn svid_wait(mut self, wait: Option<Duration>) -> Self {
        self.settings.svid_wait = wait;
        self
    }

    /// How long each part of a call may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// An identity that is at hand; the Workload API is not asked.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The client. Asks the Workload API unless an identity was given; connects to Nexus with the first call.
    ///
    /// # Errors
    /// [`ConnectError::Identity`] when there is no SVID in time.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let identity = match self.identity {
            Some(identity) => identity,
            None => Identity::from_workload_api(self.settings.workload_api.as_deref(), self.settings.svid_wait).await?,
        };
        Ok(Client::new(&self.settings, identity))
    }
}

impl From<Settings> for Builder {
    fn from(settings: Settings) -> Self {
        Self {
            settings,
            identity: None,
        }
    }
}

fn joined(faults: &[InvalidVariable]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
