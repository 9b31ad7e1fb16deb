//! Secrets: put, get, delete, undelete, list and metadata (`spike.md` §1.4).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{answers, or_default, word};
use crate::go_json::from_go;
use crate::{ErrorCode, SecretText, Timestamp};

/// Key names and their values. Keys come out sorted, as Go writes maps.
pub type Values = BTreeMap<String, SecretText>;

/// Writes a new version.
#[derive(Debug, Default, Serialize)]
pub struct PutRequest {
    /// The secret's path.
    pub path: String,
    /// The whole content of the new version; nothing of an older one is kept.
    pub values: Values,
}
from_go!(PutRequest { "path" => path, "values" => values });

/// Reads one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GetRequest {
    /// The secret's path.
    pub path: String,
    /// Which version; 0 is the current one.
    pub version: i64,
}
from_go!(GetRequest { "path" => path, "version" => version });

/// Reads the metadata of a secret; refused like a read of that version.
pub type MetadataRequest = GetRequest;

/// Soft-deletes versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeleteRequest {
    /// The secret's path.
    pub path: String,
    /// Which versions; empty, or a 0 inside, means the current one.
    pub versions: Vec<i64>,
}
from_go!(DeleteRequest { "path" => path, "versions" => versions });

/// Restores soft-deleted versions.
pub type UndeleteRequest = DeleteRequest;

/// Lists every path that the caller may see. No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListRequest {}
from_go!(ListRequest {});

/// The answer of put, delete and undelete: `{}`, or `err`.
pub type EmptyResponse = crate::ErrorBody;

/// The answer of get.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GetResponse {
    /// The content; `null` only beside `err`.
    #[serde(default)]
    pub data: Option<Values>,
    /// Why it failed.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// The answer of list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListResponse {
    /// The paths, sorted bytewise; `null` only beside `err`.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
    /// Why it failed.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// The answer of metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataResponse {
    /// Every version that is kept, by number; omitted when there is none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<VersionKey, VersionInfo>,
    /// The secret as a whole.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: SecretInfo,
    /// Why it failed.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// A version number as a JSON key. Go sorts map keys as text, so `"10"` comes before `"2"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionKey(String);

impl VersionKey {
    /// The number; `None` if another server wrote something else.
    pub fn number(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl From<i64> for VersionKey {
    fn from(version: i64) -> Self {
        Self(version.to_string())
    }
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionInfo {
    /// When it was put.
    pub created_time: Timestamp,
    /// Its number.
    pub version: i64,
    /// When it was deleted; `null` if it is not.
    pub deleted_time: Option<Timestamp>,
}

/// A secret as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretInfo {
    /// The version that a get without a version reads; 0 when all are deleted.
    pub current_version: i64,
    /// The lowest version that is kept and not deleted; 0 when all are deleted.
    pub oldest_version: i64,
    /// When the path was first put.
    pub created_time: Timestamp,
    /// When the current version last changed.
    pub updated_time: Timestamp,
    /// How many versions are kept.
    pub max_versions: i64,
}

answers!(GetResponse, ListResponse, MetadataResponse);
