//! The policy feed: one JSON object per line (extension `?action=watch`).
//!
//! A client reads a snapshot first, then deltas; between them a heartbeat every second. When the caller loses its
//! right to watch, or its certificate expires, the stream ends.
use serde::{Deserialize, Serialize};
use spike_policy::{Fault, Generation, Policy, PolicyDocument, PolicyId, Rule, UnixMillis};

use crate::go_json::from_go;
use crate::policies::words;

/// Asks for the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WatchRequest {
    /// The generation the client has, if any. A server may answer with a snapshot all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The store that `generation` is of, as its snapshot said. Without it, or with another one, the answer is a
    /// snapshot: generations of different stores do not compare.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub store: String,
}
from_go!(WatchRequest { "generation" => generation, "store" => store });

/// One line of the feed: an object with one field that says which it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// Everything, as of one generation. Replaces what the client has.
    Snapshot(Snapshot),
    /// What changed between the client's generation and a later one.
    Delta(Delta),
    /// Nothing changed; the server is alive and this is its generation.
    Heartbeat(Heartbeat),
}

impl Line {
    /// The generation that the client has after this line.
    pub fn generation(&self) -> Generation {
        Generation(match self {
            Self::Snapshot(snapshot) => snapshot.generation,
            Self::Delta(delta) => delta.generation,
            Self::Heartbeat(heartbeat) => heartbeat.generation,
        })
    }
}

/// Everything, as of one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The store's UUID: generations of different stores do not compare.
    pub store: String,
    /// Which generation.
    pub generation: u64,
    /// All policies, by name.
    pub policies: Vec<FeedPolicy>,
}

/// A change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The generation after it.
    pub generation: u64,
    /// Policies that are new or different.
    #[serde(default)]
    pub put: Vec<FeedPolicy>,
    /// Names of policies that are gone.
    #[serde(default)]
    pub removed: Vec<String>,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The server's generation.
    pub generation: u64,
}

/// A stored policy on the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedPolicy {
    /// UUID.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Who.
    pub spiffeid_pattern: String,
    /// What.
    pub path_pattern: String,
    /// How.
    pub permissions: Vec<String>,
    /// First put, milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Last put, milliseconds since the Unix epoch.
    pub updated_at: u64,
}

impl From<&Policy> for FeedPolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            id: policy.id.to_string(),
            name: policy.rule.name.to_string(),
            spiffeid_pattern: policy.rule.spiffe_id.to_string(),
            path_pattern: policy.rule.path.to_string(),
            permissions: words(policy.rule.permissions),
            created_at: policy.created_at.0,
            updated_at: policy.updated_at.0,
        }
    }
}

impl TryFrom<FeedPolicy> for Policy {
    type Error = Vec<Fault>;

    fn try_from(line: FeedPolicy) -> Result<Self, Vec<Fault>> {
        let id = line
            .id
            .parse::<PolicyId>()
            .map_err(|error| vec![Fault::of("id", error)])?;
        let document = PolicyDocument {
            name: line.name,
            spiffeid_pattern: line.spiffeid_pattern,
            path_pattern: line.path_pattern,
            permissions: line.permissions,
        };
        Ok(Self {
            id,
            rule: Rule::try_from(&document)?,
            created_at: UnixMillis(line.created_at),
            updated_at: UnixMillis(line.updated_at),
        })
    }
}
