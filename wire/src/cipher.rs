//! Encryption as a service, JSON mode (`spike.md` §1.5). Stream mode carries raw bytes and needs no types.
use serde::{Deserialize, Serialize};

use crate::ErrorCode;
use crate::error::{answers, word};
use crate::go_json::{Base64Bytes, from_go};

/// The media type that selects stream mode: exactly this text, no parameters.
pub const STREAM: &str = "application/octet-stream";
/// The format byte of a sealed message.
pub const VERSION: u8 = 1;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;

/// Seals a text.
#[derive(Debug, Default, Serialize)]
pub struct EncryptRequest {
    /// What to seal.
    pub plaintext: Base64Bytes,
    /// Accepted and ignored.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub algorithm: String,
}
from_go!(EncryptRequest { "plaintext" => plaintext, "algorithm" => algorithm });

/// Opens a sealed text.
#[derive(Debug, Default, Serialize)]
pub struct DecryptRequest {
    /// Must be [`VERSION`].
    pub version: u8,
    /// Must be [`NONCE_BYTES`] long.
    pub nonce: Base64Bytes,
    /// The sealed text with its tag.
    pub ciphertext: Base64Bytes,
    /// Accepted and ignored.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub algorithm: String,
}
from_go!(DecryptRequest {
    "version" => version,
    "nonce" => nonce,
    "ciphertext" => ciphertext,
    "algorithm" => algorithm,
});

/// The answer of encrypt.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EncryptResponse {
    /// [`VERSION`]; 0 only beside `err`.
    pub version: u8,
    /// The nonce; `null` only beside `err`.
    pub nonce: Option<Base64Bytes>,
    /// The sealed text with its tag; `null` only beside `err`.
    pub ciphertext: Option<Base64Bytes>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

/// The answer of decrypt.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DecryptResponse {
    /// The opened text; `null` only beside `err`.
    pub plaintext: Option<Base64Bytes>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
}

answers!(EncryptResponse, DecryptResponse);
