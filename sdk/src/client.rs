//! The client: one identity, one Nexus, one pool of connections.
use std::fmt;
use std::sync::Arc;

use spike_wire::secrets::MetadataResponse;

use crate::transport::Transport;
use crate::{
    Bootstrap, Builder, Cipher, ConnectError, Error, Identity, NexusUrl, Operator, Policies, Secret, Secrets, Settings,
    Versions,
};

/// A client of one Nexus. Cheap to clone; clones share the connections.
///
/// Connections are kept and used again (the official SDK opens one per call), but not beyond the SVID they were
/// opened with: after a rotation, new calls open new ones.
///
/// A read whose connection cannot be established is tried three times within a second. Nothing else is repeated.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    identity: Identity,
    nexus_url: NexusUrl,
}

impl Client {
    /// The client that the environment describes: `SPIFFE_ENDPOINT_SOCKET`, `SPIKE_NEXUS_API_URL`,
    /// `SPIKE_TRUST_ROOT_NEXUS`, `SPIKE_SPIFFE_SOURCE_TIMEOUT` and the timeouts `SPIKE_HTTP_CLIENT_*`. Waits for the
    /// first SVID; connects to Nexus with the first call.
    ///
    /// # Errors
    /// Variables that cannot be used; no SVID in time.
    pub async fn connect() -> Result<Self, ConnectError> {
        Builder::from(Settings::from_environment().map_err(ConnectError::Environment)?)
            .connect()
            .await
    }

    /// A client with explicit values; the environment is not read.
    pub fn builder() -> Builder {
        Builder::from(Settings::default())
    }

    /// A client of an identity that is at hand.
    pub fn new(settings: &Settings, identity: Identity) -> Self {
        let transport = Arc::new(Transport::new(settings, identity.clone()));
        Self {
            transport,
            identity,
            nexus_url: settings.nexus_url.clone(),
        }
    }

    /// As whom this client calls.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Which Nexus this client calls.
    pub fn nexus_url(&self) -> &NexusUrl {
        &self.nexus_url
    }

    /// Everything about secrets.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets::new(&self.transport)
    }

    /// Everything about policies.
    pub fn policies(&self) -> Policies<'_> {
        Policies::new(&self.transport)
    }

    /// Encryption as a service.
    pub fn cipher(&self) -> Cipher<'_> {
        Cipher::new(&self.transport)
    }

    /// The proof that Nexus holds a root key.
    pub fn bootstrap(&self) -> Bootstrap<'_> {
        Bootstrap::new(&self.transport)
    }

    /// What operators do with the root key.
    pub fn operator(&self) -> Operator<'_> {
        Operator::new(&self.transport)
    }

    /// The current version of a secret.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such path, or every version is deleted; see [`Error`].
    pub async fn get_secret(&self, path: &str) -> Result<Secret, Error> {
        self.secrets().get(path).await
    }

    /// One version of a secret; 0 is the current one.
    ///
    /// # Errors
    /// As [`Client::get_secret`].
    pub async fn get_secret_version(&self, path: &str, version: u32) -> Result<Secret, Error> {
        self.secrets().get_version(path, version).await
    }

    /// Writes a new version of a secret with exactly these keys.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::OutcomeUnknown`] when it may or may not have been written.
    pub async fn put_secret<K, V>(&self, path: &str, data: impl IntoIterator<Item = (K, V)>) -> Result<(), Error>
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.secrets().put(path, data.into_iter().collect()).await
    }

    /// Soft-deletes the current version of a secret.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_secret(&self, path: &str) -> Result<(), Error> {
        self.secrets().delete(path, &Versions::CURRENT).await
    }

    /// Brings back what [`Client::delete_secret`] deleted last.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing was deleted; see [`Error`].
    pub async fn undelete_secret(&self, path: &str) -> Result<(), Error> {
        self.secrets().undelete(path, &Versions::CURRENT).await
    }

    /// The paths that this identity may list, sorted.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_secrets(&self) -> Result<Vec<String>, Error> {
        self.secrets().list().await
    }

    /// The versions and times of a secret.
    ///
    /// # Errors
    /// As [`Client::get_secret`].
    pub async fn secret_metadata(&self, path: &str) -> Result<MetadataResponse, Error> {
        self.secrets().metadata(path, 0).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("nexus_url", &self.nexus_url)
            .finish_non_exhaustive()
    }
}
