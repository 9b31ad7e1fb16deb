//! Keys and sealing: everything that turns plaintext into stored bytes and back.
//!
//! **Owns** the root key, where it comes from ([`key_file`]) and how a new one gets there ([`custody`]), the keyring of
//! data keys by term ([`keyring`]), the record format and its one AEAD call ([`seal`]), the messages that callers have
//! sealed ([`cipher`]), the shares of the root key ([`shamir`]), and the type that carries secret values
//! ([`SecretValue`]).
//!
//! **Refuses** to know tables, transactions or policies; to let a caller choose, see or repeat a nonce; and to print
//! a key or a value.
//!
//! **Invariant**: a record opens only with the key term, store, table, row key, version, clear columns and revision
//! that it was sealed for, and every seal draws a fresh 96-bit nonce from the operating system.
//!
//! ```text
//! root key (key file, credential)                                32 bytes, never stored by us in a database
//!   |- HKDF "spike-nexus/v1/key-check"  -> 16 bytes beside the keyring: "wrong key" is not "corrupt"
//!   |- HKDF "spike-nexus/v1/lite-messages" -> AES-256-GCM key of callers' messages where nothing is kept ([`lite`])
//!   '- HKDF "spike-nexus/v1/keyring"    -> key-encryption key, seals the keyring record
//!        '- term keys 1..n (random)     -> HKDF "spike-nexus/v1/records"  -> AES-256-GCM key of the records
//!                                       -> HKDF "spike-nexus/v1/messages" -> AES-256-GCM key of callers' messages
//!                                       -> HKDF "spike-nexus/v1/backups"  -> HMAC key of archives ([`mac`])
//!                                       -> HKDF "spike-nexus/v1/anchor"   -> HMAC key of the anchor ([`mac`])
//! ```

pub mod cipher;
pub mod custody;
pub mod key;
pub mod key_file;
pub mod keyring;
pub mod lite;
pub mod mac;
pub mod next_key;
pub(crate) mod private_file;
pub mod random;
pub mod seal;
pub mod secret_value;
pub mod shamir;

pub use cipher::{Allowance, Invocation, MESSAGE_NONCE, Message};
pub use custody::{ByHand, Custody, CustodyError, HandedOver, Handing, InFile, Keeping};
pub use key::{KeyTerm, RootKey};
pub use key_file::{KeyFileError, RootKeySource};
pub use keyring::{KeyringRecord, Keyrings, UnlockError};
pub use lite::LiteCipher;
pub use mac::{Code, Coded};
pub use next_key::NextKey;
pub use random::{RandomError, random_bytes};
pub use seal::{RowId, SealError, SealLimits, Sealed, UnsealError, Vault};
pub use secret_value::{InvalidSecretValue, SecretValue};
pub use shamir::{CombineError, InvalidSharing, NotAScalar, Share, Sharing};

#[cfg(test)]
mod tests;
