//! The reserved namespace (ADR-0033): paths that guard the store itself.
/// Managing policies.
pub const ACL: &str = "spike/system/acl";
/// Listing secrets.
pub const SECRET: &str = "spike/system/secret";
/// Using the cipher.
pub const CIPHER: &str = "spike/system/cipher/exec";
