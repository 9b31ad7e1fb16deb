//! Break-the-glass: handing out and taking back the shards of the root key (`spike.md` §1.7).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ErrorCode;
use crate::error::refused_with_code;
use crate::error::word;
use crate::go_json::{Shard, from_go};
use crate::secrets::VersionKey;

/// Asks for the shards. No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecoverRequest {}
from_go!(RecoverRequest {});

/// Gives one shard back.
#[derive(Debug, Default, Serialize)]
pub struct RestoreRequest {
    /// The shard's number, from 1.
    pub id: i64,
    /// The shard; must be given and not all zero.
    pub shard: Option<Shard>,
}
from_go!(RestoreRequest { "id" => id, "shard" => shard });

/// The answer of recover.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoverResponse {
    /// All shards by number; `null` only beside `err`.
    pub shards: Option<BTreeMap<VersionKey, Shard>>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// The answer of restore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestoreResponse {
    /// How many shards are there.
    pub collected: i64,
    /// How many are missing.
    pub remaining: i64,
    /// Whether the root key is rebuilt.
    pub restored: bool,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

refused_with_code!(RecoverResponse, RestoreResponse);
