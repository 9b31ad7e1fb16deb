//! Calls about secrets.
use spike_wire::import::{Outcome, SecretImport, SecretImportResponse};
use spike_wire::routes::{Action, SECRETS, SECRETS_METADATA};
use spike_wire::secrets::{
    DeleteRequest, GetRequest, GetResponse, ListRequest, ListResponse, MetadataResponse, PutRequest,
};

use crate::transport::{Call, Transport, read};
use crate::{Error, Secret, SecretData};

/// Everything about secrets. From [`Client::secrets`](crate::Client::secrets).
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    transport: &'a Transport,
}

/// Which versions of a secret a delete or undelete means; 0 inside means the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions(Vec<u32>);

impl Versions {
    /// The current version; for an undelete, the one that was deleted last.
    pub const CURRENT: Self = Self(Vec::new());

    /// The numbers; empty for the current version.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

impl From<&[u32]> for Versions {
    fn from(numbers: &[u32]) -> Self {
        Self(numbers.to_vec())
    }
}

impl FromIterator<u32> for Versions {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl<'a> Secrets<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// The current version of a secret.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such path, or every version is deleted; see [`Error`].
    pub async fn get(&self, path: &str) -> Result<Secret, Error> {
        self.get_version(path, 0).await
    }

    /// One version of a secret; 0 is the current one.
    ///
    /// # Errors
    /// As [`Secrets::get`], and when this version is not there or deleted.
    pub async fn get_version(&self, path: &str, version: u32) -> Result<Secret, Error> {
        let call = Call::read(SECRETS, Action::Get, &lookup(path, version))?;
        let answer: GetResponse = self.transport.ask(call).await?;
        Ok(Secret {
            data: answer.data.unwrap_or_default().into(),
        })
    }

    /// Writes a new version with exactly these keys.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put(&self, path: &str, data: SecretData) -> Result<(), Error> {
        let request = PutRequest {
            path: path.to_owned(),
            values: data.into(),
        };
        self.transport
            .tell(Call::write(SECRETS, Action::Default, &request)?)
            .await
    }

    /// Soft-deletes versions. Unknown ones are skipped.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such path; see [`Error`].
    pub async fn delete(&self, path: &str, versions: &Versions) -> Result<(), Error> {
        self.transport
            .tell(Call::write(SECRETS, Action::Delete, &selection(path, versions))?)
            .await
    }

    /// Restores soft-deleted versions.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such path, or nothing to restore; see [`Error`].
    pub async fn undelete(&self, path: &str, versions: &Versions) -> Result<(), Error> {
        self.transport
            .tell(Call::write(SECRETS, Action::Undelete, &selection(path, versions))?)
            .await
    }

    /// The paths that this identity may list, sorted bytewise.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self) -> Result<Vec<String>, Error> {
        let call = Call::read(SECRETS, Action::List, &ListRequest::default())?;
        match self.transport.call(call).await {
            Err(Error::NotFound) => Ok(Vec::new()),
            body => Ok(read::<ListResponse>(&body?)?.keys.unwrap_or_default()),
        }
    }

    /// The versions and times of a secret; 0 asks about the current version.
    ///
    /// # Errors
    /// As [`Secrets::get_version`].
    pub async fn metadata(&self, path: &str, version: u32) -> Result<MetadataResponse, Error> {
        let call = Call::read(SECRETS_METADATA, Action::Get, &lookup(path, version))?;
        self.transport.ask(call).await
    }

    /// Brings in a secret with all its versions as another Nexus had it, or leaves everything as it is. Can be repeated.
    /// For SPIKE Pilot only, and not known to an official Nexus, which would take it for a bad request.
    ///
    /// # Errors
    /// See [`Error`]; a path that holds something else is none, but an [`Outcome`].
    pub async fn import(&self, secret: &SecretImport) -> Result<Outcome, Error> {
        let call = Call::write(SECRETS, Action::Import, secret)?;
        let answer: SecretImportResponse = self.transport.ask(call).await?;
        answer.outcome.ok_or_else(|| Error::Unreadable {
            reason: "an import without an outcome".to_owned(),
        })
    }
}

fn lookup(path: &str, version: u32) -> GetRequest {
    GetRequest {
        path: path.to_owned(),
        version: i64::from(version),
    }
}

fn selection(path: &str, versions: &Versions) -> DeleteRequest {
    DeleteRequest {
        path: path.to_owned(),
        versions: versions.0.iter().copied().map(i64::from).collect(),
    }
}
