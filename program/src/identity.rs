//! Where a server's identity comes from.
//!
//! **Owns** the section `identity`, the wait, and the two metrics of our own SVID. **Refuses** to use the identity.
//! **Invariant**: whoever asks to stop does not have to wait until there is an identity.
use std::sync::Arc;
use std::time::Duration;

use spike_identity::{DEFAULT_ENDPOINT, Identity, SourceError, check_endpoint};
use spike_runtime::config::Section;
use spike_runtime::logging::LIFECYCLE;
use spike_runtime::metrics::Registry;
use spike_runtime::shutdown::Cause;
use spike_runtime::{SharedClock, names};

/// A Workload API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// `identity.socket`
    socket: String,
    /// `identity.wait`; as long as it takes when `None`.
    wait: Option<Duration>,
}

impl Source {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let endpoint = |text: &str| check_endpoint(text).map(|()| text.to_owned());
        let socket = section
            .key("socket")
            .env("SPIFFE_ENDPOINT_SOCKET")
            .parsed("a Workload API such as unix:///path/to/api.sock", endpoint);
        Self {
            socket: socket.or(DEFAULT_ENDPOINT.to_owned()),
            wait: section.key("wait").duration().optional(),
        }
    }

    /// The first identity that this process gets; `None` when it was asked to stop before that.
    pub(crate) async fn first(
        &self,
        version: &'static str,
        signal: impl Future<Output = Cause>,
    ) -> Result<Option<Identity>, SourceError> {
        tracing::info!(target: LIFECYCLE, version, socket = self.socket, "waiting for an identity");
        tokio::select! {
            identity = Identity::from_workload_api(Some(&self.socket), self.wait) => identity.map(Some),
            cause = signal => {
                tracing::info!(target: LIFECYCLE, %cause, "stopped before there was an identity");
                Ok(None)
            }
        }
    }
}

/// Shows how long our own SVID lives, and how often it was replaced.
pub(crate) fn show(identity: &Identity, clock: &SharedClock, registry: &Registry) {
    let (own, clock) = (identity.clone(), Arc::clone(clock));
    let help = "Seconds until our own SVID expires; negative afterwards";
    registry.computed(names::SVID_REMAINING_SECONDS, help, move || {
        own.remaining_seconds(clock.now())
    });
    let own = identity.clone();
    let help = "New SVIDs received after the first";
    registry.counted(names::SVID_UPDATES, help, move || own.svid_updates());
}

#[cfg(test)]
mod tests;
