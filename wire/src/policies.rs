//! Policies: put, get, delete, list (`spike.md` §1.6), and our apply.
use serde::{Deserialize, Serialize};
use spike_policy::{Permissions, Policy, PolicyDocument};

use crate::error::{answers, or_default, word};
use crate::go_json::from_go;
use crate::{ErrorCode, Timestamp};

/// A policy as its author wrote it: the body of put, and an element of apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutRequest {
    /// Unique name.
    pub name: String,
    /// Who.
    pub spiffeid_pattern: String,
    /// What.
    pub path_pattern: String,
    /// How: words.
    #[serde(deserialize_with = "or_default")]
    pub permissions: Vec<String>,
}
from_go!(PutRequest {
    "name" => name,
    "spiffeidPattern" => spiffeid_pattern,
    "pathPattern" => path_pattern,
    "permissions" => permissions,
});

/// Finds one policy: the body of get and delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LookupRequest {
    /// Name or id (official clients send the name here).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The name, for clients that call it so. Looked at only when `id` is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}
from_go!(LookupRequest { "id" => id, "name" => name });

impl LookupRequest {
    /// Looks for this name or id.
    pub fn of(name_or_id: impl Into<String>) -> Self {
        Self {
            id: name_or_id.into(),
            name: String::new(),
        }
    }

    /// What is looked for.
    pub fn name_or_id(&self) -> &str {
        if self.id.is_empty() { &self.name } else { &self.id }
    }
}

/// Lists policies, all or those whose stored pattern text equals one filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRequest {
    /// Exact text of the SPIFFE ID pattern; empty for no filter.
    pub spiffeid_pattern: String,
    /// Exact text of the path pattern; empty for no filter.
    pub path_pattern: String,
}
from_go!(ListRequest { "spiffeidPattern" => spiffeid_pattern, "pathPattern" => path_pattern });

/// Puts several policies in one transaction, all or none (extension).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplyRequest {
    /// The policies.
    pub policies: Vec<PutRequest>,
}
from_go!(ApplyRequest { "policies" => policies });

/// The answer of put and delete: `{}`, or `err` (and `detail`).
pub type EmptyResponse = crate::ErrorBody;

/// The answer of get. SPIKE's spelling `spiffiedPattern` is kept: its clients read that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetResponse {
    /// The policy's UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who.
    #[serde(rename = "spiffiedPattern")]
    pub spiffeid_pattern: String,
    /// What.
    pub path_pattern: String,
    /// How; `null` only beside `err`.
    pub permissions: Option<Vec<String>>,
    /// First put.
    pub created_at: Timestamp,
    /// Last put.
    pub updated_at: Timestamp,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// The answer of list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListResponse {
    /// The policies, by name; `null` only beside `err`.
    #[serde(default)]
    pub policies: Option<Vec<ListItem>>,
    /// Why it failed.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// One line of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListItem {
    /// The policy's UUID.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The answer of apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApplyResponse {
    /// What became of each policy, in the order of the request; `null` only beside `err`.
    pub applied: Option<Vec<Applied>>,
    /// The generation that holds them all.
    pub generation: u64,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to do about it, one text per fault.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// What became of one applied policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub id: String,
    /// What happened.
    pub outcome: Outcome,
}

/// What an apply did to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was there and is different now.
    Updated,
    /// It was there, the same.
    Unchanged,
}

impl Outcome {
    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

impl From<PutRequest> for PolicyDocument {
    fn from(put: PutRequest) -> Self {
        Self {
            name: put.name,
            spiffeid_pattern: put.spiffeid_pattern,
            path_pattern: put.path_pattern,
            permissions: put.permissions,
        }
    }
}

impl From<&PolicyDocument> for PutRequest {
    fn from(document: &PolicyDocument) -> Self {
        Self {
            name: document.name.clone(),
            spiffeid_pattern: document.spiffeid_pattern.clone(),
            path_pattern: document.path_pattern.clone(),
            permissions: document.permissions.clone(),
        }
    }
}

impl From<&Policy> for GetResponse {
    fn from(policy: &Policy) -> Self {
        Self {
            id: policy.id.to_string(),
            name: policy.rule.name.to_string(),
            spiffeid_pattern: policy.rule.spiffe_id.to_string(),
            path_pattern: policy.rule.path.to_string(),
            permissions: Some(words(policy.rule.permissions)),
            created_at: policy.created_at.into(),
            updated_at: policy.updated_at.into(),
            err: None,
        }
    }
}

impl From<&Policy> for ListItem {
    fn from(policy: &Policy) -> Self {
        Self {
            id: policy.id.to_string(),
            name: policy.rule.name.to_string(),
        }
    }
}

/// Permissions as the wire writes them.
pub(crate) fn words(permissions: Permissions) -> Vec<String> {
    permissions
        .iter()
        .map(|permission| permission.as_str().to_owned())
        .collect()
}

answers!(GetResponse, ListResponse, ApplyResponse);
