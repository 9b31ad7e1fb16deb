//! Break-the-glass: handing out and taking back the shards of the root key (`spike.md` §1.7). And our extensions for
//! who looks after the keys.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ErrorCode;
use crate::error::{answers, word};
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

/// Asks for a backup. No fields; the answer is an archive (see [`crate::backup`]), not JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupRequest {}
from_go!(BackupRequest {});

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
    /// What is wrong with the shard (extension): also on a success that needed no shard any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

answers!(RecoverResponse, RestoreResponse);

/// Asks how the keys are (extension). No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatusRequest {}
from_go!(StatusRequest {});

/// The answer of status (extension). Counts only, and no key material.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusResponse {
    /// The store's UUID; empty while it waits for its root key.
    pub store: String,
    /// `ready`, `sealed` (waiting for the root key), `recovering`, `failed` or `closed`.
    pub state: String,
    /// Who keeps the root key: `file`, `credential`, `operator`, `keepers` or `memory`.
    pub key_source: String,
    /// How many shares the root key has.
    pub shares: u16,
    /// How many of them give it back.
    pub threshold: u16,
    /// How many shares have been handed in, of those that are needed to open the store or to confirm a new root key.
    pub collected: u16,
    /// How far a change of the root key is: `none` or `pending`.
    pub rekey: String,
    /// The term of the data key that seals; 0 while the store waits for its root key.
    pub term: u32,
    /// How many records it has sealed.
    pub seals: u64,
    /// How many terms before it still open records.
    pub old_terms: u64,
    /// What becomes of the records under those: `done`, `counting`, `sealing`, `waiting_for_rekey` or `stuck`.
    pub re_encryption: String,
    /// How many records are known to be under those.
    pub waiting: u64,
    /// The policies' generation.
    pub generation: u64,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// Asks for a new data key (extension). No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RotateRequest {}
from_go!(RotateRequest {});

/// The answer of rotate (extension).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RotateResponse {
    /// The term of the new data key; every record is sealed again under it from now on.
    pub term: u32,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to correct.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// Asks for a new root key, or for an end of the change that was asked for (extension). No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RekeyRequest {}
from_go!(RekeyRequest {});

/// The answer of rekey (extension).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RekeyResponse {
    /// `done`: the new root key is in force, the old one opens nothing any more. `pending`: both open the store, until
    /// the new one is confirmed. `canceled`: the old one alone is in force.
    pub phase: String,
    /// The shards of the new root key, by number, where operators keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<BTreeMap<VersionKey, Shard>>,
    /// The new root key itself, where people put it into systemd's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Shard>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to correct.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// Hands in one shard of the new root key, which shows that it has arrived (extension).
pub type ConfirmRequest = RestoreRequest;

/// The answer of a confirmation (extension).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfirmResponse {
    /// How many shards are there.
    pub collected: i64,
    /// How many are missing.
    pub remaining: i64,
    /// Whether the new root key is in force; the old one opens nothing any more then.
    pub confirmed: bool,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to correct.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

answers!(StatusResponse, RotateResponse, RekeyResponse, ConfirmResponse);
