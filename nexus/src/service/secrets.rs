//! Use cases over secrets.
//!
//! One secret is read where its request is served: a few pages, most of them in memory, which takes less than handing
//! the work to another thread would. The list, which reads every row, is not.
use spike_policy::SecretPath;

use super::{ListScope, Permitted, ReadSecret, Refused, Service, WriteSecret};
use crate::store::{SecretMetadata, SecretRead, SecretVersion, VersionChoice};
use crate::vault::SecretValue;

impl Service {
    /// One version of a secret.
    pub fn get_secret(&self, permit: &Permitted<ReadSecret>, version: VersionChoice) -> Result<SecretRead, Refused> {
        Ok(self.store.get_secret(permit.action().path(), version)?)
    }

    /// A secret's metadata, if the chosen version is there.
    pub fn secret_metadata(
        &self,
        permit: &Permitted<ReadSecret>,
        version: VersionChoice,
    ) -> Result<SecretMetadata, Refused> {
        Ok(self.store.secret_metadata(permit.action().path(), version)?)
    }

    /// A new version with these values and no others.
    pub async fn put_secret(
        &self,
        permit: &Permitted<WriteSecret>,
        value: SecretValue,
    ) -> Result<SecretVersion, Refused> {
        Ok(self
            .store
            .put_secret(permit.action().path().clone(), value, self.now())
            .await?)
    }

    /// Soft-deletes versions; none given is the current one.
    pub async fn delete_versions(
        &self,
        permit: &Permitted<WriteSecret>,
        versions: Vec<VersionChoice>,
    ) -> Result<(), Refused> {
        Ok(self
            .store
            .delete_versions(permit.action().path().clone(), versions, self.now())
            .await?)
    }

    /// Restores soft-deleted versions.
    pub async fn undelete_versions(
        &self,
        permit: &Permitted<WriteSecret>,
        versions: Vec<VersionChoice>,
    ) -> Result<(), Refused> {
        Ok(self
            .store
            .undelete_versions(permit.action().path().clone(), versions, self.now())
            .await?)
    }

    /// The paths that the caller may see, in byte order. Seeing none for want of a policy is a denial.
    pub async fn list_secrets(&self, scope: ListScope) -> Result<Vec<SecretPath>, Refused> {
        self.off_the_workers(move |store| {
            let mut paths = store.list_secret_paths()?;
            let ListScope::Some(lister) = scope else {
                return Ok(paths);
            };
            paths.retain(|path| lister.shows(path));
            if paths.is_empty() {
                Err(Refused::Denied(lister.reason()))
            } else {
                Ok(paths)
            }
        })
        .await
    }
}
