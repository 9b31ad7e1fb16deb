//! Proof that Nexus holds the root key that SPIKE Bootstrap made (`spike.md` §1.7).
use serde::{Deserialize, Serialize};

use crate::ErrorCode;
use crate::error::{answers, word};
use crate::go_json::{Base64Bytes, from_go};

/// A text sealed by the root key.
#[derive(Debug, Default, Serialize)]
pub struct VerifyRequest {
    /// 12 bytes.
    pub nonce: Base64Bytes,
    /// The sealed text with its tag.
    pub ciphertext: Base64Bytes,
}
from_go!(VerifyRequest { "nonce" => nonce, "ciphertext" => ciphertext });

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyResponse {
    /// SHA-256 of the opened text, in hex; empty only beside `err`.
    pub hash: String,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

answers!(VerifyResponse);
