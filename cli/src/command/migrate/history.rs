//! Reading one secret of the source with all that the official API tells about it.
//!
//! Metadata names the versions, and each that is not deleted is read by its number. An official Nexus on SQLite puts
//! its versions into one entry without a number (`spike.md` §4.7): there the numbers are found out by reading, and the
//! times as [`super::times`] says. Nobody can read the data of a deleted version, and nothing at all of a secret whose
//! versions are all deleted.
use std::collections::BTreeMap;

use spike_sdk::{Error, SecretData, Secrets};
use spike_wire::Timestamp;
use spike_wire::import::VersionImport;
use spike_wire::secrets::{MetadataResponse, VersionInfo};

use super::times::{self, Times};
use super::twice;

/// How often a secret is read that changes meanwhile.
const ATTEMPTS: usize = 3;

/// All that can be read of a secret.
#[derive(Default)]
pub(super) struct History {
    pub(super) created_time: Option<Timestamp>,
    pub(super) updated_time: Option<Timestamp>,
    pub(super) max_versions: i64,
    pub(super) versions: Vec<VersionImport>,
    /// Whether the source did not say when each version was put.
    pub(super) times_unknown: bool,
}

/// Why it could not be read.
pub(super) enum Unread {
    /// It was changed each time between the first and the last call.
    Changing,
    /// A call failed.
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl History {
    /// Reads a secret as it is at one moment.
    pub(super) async fn read(secrets: Secrets<'_>, path: &str) -> Result<Self, Unread> {
        for _ in 0..ATTEMPTS {
            let before = match metadata(secrets, path).await {
                // The path is listed, but its metadata is hidden as long as every version is deleted.
                Err(Error::NotFound) => return Ok(Self::default()),
                answer => answer?,
            };
            let Some((versions, times_unknown)) = versions(secrets, path, &before).await? else {
                continue;
            };
            let after = match metadata(secrets, path).await {
                Err(Error::NotFound) => continue,
                answer => answer?,
            };
            if is_same(&before, &after) {
                return Ok(Self {
                    created_time: known(before.metadata.created_time),
                    updated_time: known(before.metadata.updated_time),
                    max_versions: before.metadata.max_versions.clamp(0, u32::MAX.into()),
                    versions,
                    times_unknown,
                });
            }
        }
        Err(Unread::Changing)
    }
}

async fn metadata(secrets: Secrets<'_>, path: &str) -> Result<MetadataResponse, Error> {
    twice(|| async { secrets.metadata(path, 0).await }).await
}

fn is_same(before: &MetadataResponse, after: &MetadataResponse) -> bool {
    before.metadata == after.metadata && (numbered(before).is_none() || before.versions == after.versions)
}

/// The versions by number; `None` if the source does not number them.
fn numbered(metadata: &MetadataResponse) -> Option<BTreeMap<i64, &VersionInfo>> {
    let numbered = metadata.versions.iter().map(|(key, info)| {
        let number = key.number().filter(|number| *number > 0 && *number == info.version)?;
        Some((number, info))
    });
    numbered
        .collect::<Option<BTreeMap<_, _>>>()
        .filter(|versions| !versions.is_empty())
}

/// The versions and whether their times are unknown; `None` if one that should be there is not.
async fn versions(
    secrets: Secrets<'_>,
    path: &str,
    metadata: &MetadataResponse,
) -> Result<Option<(Vec<VersionImport>, bool)>, Unread> {
    let Some(numbered) = numbered(metadata) else {
        return Ok(Some(unnumbered(secrets, path, metadata).await?));
    };
    let mut versions = Vec::with_capacity(numbered.len());
    for (number, info) in numbered {
        let deleted_time = info.deleted_time.filter(|time| !time.is_zero());
        let data = match deleted_time {
            Some(_) => None,
            None => match data(secrets, path, number).await? {
                None => return Ok(None),
                data => data,
            },
        };
        versions.push(VersionImport {
            version: number,
            created_time: known(info.created_time),
            deleted_time,
            values: data.map(Into::into),
        });
    }
    Ok(Some((versions, false)))
}

/// Every version up to the current one, found out by reading. Such a source removes no version: one that cannot be
/// read is deleted. Deleted ones above the current one show in the times alone.
async fn unnumbered(
    secrets: Secrets<'_>,
    path: &str,
    metadata: &MetadataResponse,
) -> Result<(Vec<VersionImport>, bool), Unread> {
    let mut versions = Vec::new();
    for number in 1..=metadata.metadata.current_version {
        versions.push(VersionImport {
            version: number,
            values: data(secrets, path, number).await?.map(Into::into),
            ..VersionImport::default()
        });
    }
    let live: Vec<bool> = versions.iter().map(|version| version.values.is_some()).collect();
    let Some(Times(times)) = times::find_out(secrets, path, metadata, &live).await? else {
        return Ok((versions, true));
    };
    for ((created_time, deleted_time), number) in times.into_iter().zip(1_i64..) {
        let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
        match versions.get_mut(at) {
            Some(version) => {
                version.created_time = known(created_time);
                version.deleted_time = deleted_time;
            }
            None => versions.push(VersionImport {
                version: number,
                created_time: known(created_time),
                deleted_time,
                values: None,
            }),
        }
    }
    Ok((versions, false))
}

async fn data(secrets: Secrets<'_>, path: &str, number: i64) -> Result<Option<SecretData>, Unread> {
    let Ok(number) = u32::try_from(number) else {
        return Ok(None);
    };
    match twice(|| async { secrets.get_version(path, number).await }).await {
        Ok(secret) => Ok(Some(secret.data)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Go's zero time, and one before our calendar begins, tell nothing.
fn known(time: Timestamp) -> Option<Timestamp> {
    Some(time).filter(|time| !time.is_zero() && time.unix_millis().is_some())
}
