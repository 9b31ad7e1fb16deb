//! Codes over what lies outside the database: archives and the anchor.
//!
//! Their keys hang from a key term, not from the root key: whoever changes the root key leaves them valid, and whoever
//! has the keyring of a database can tell what was made by the same store.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key::{KeyTerm, Purpose};
use super::seal::Vault;

/// What a code is over. Each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coded {
    /// An archive.
    Backup,
    /// The anchor of the store.
    Anchor,
}

/// A code in the making: HMAC-SHA256.
#[derive(Clone)]
pub struct Code(Hmac<Sha256>);

impl Vault {
    /// Begins a code under this term. `None` when the keyring does not hold it.
    pub fn code(&self, term: KeyTerm, over: Coded) -> Option<Code> {
        let purpose = match over {
            Coded::Backup => Purpose::Backups,
            Coded::Anchor => Purpose::Anchor,
        };
        self.keyring.derived(term, purpose).map(|key| Code::with(&key))
    }
}

impl Code {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn with(key: &Zeroizing<[u8; 32]>) -> Self {
        Self(Hmac::new_from_slice(key.as_slice()).expect("HMAC takes every key"))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The code.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// Whether this is the code, in constant time.
    pub fn is(self, code: &[u8; 32]) -> bool {
        self.finish().ct_eq(code).into()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use uuid::Uuid;

    use super::*;
    use crate::vault::{RootKey, SealLimits};

    fn vault(store: Uuid) -> Vault {
        Vault::create(&RootKey::take(&mut [7; 32]), store, SealLimits::default())
            .unwrap()
            .0
    }

    #[test]
    fn a_code_depends_on_purpose_term_bytes_and_store() {
        let vault = vault(Uuid::nil());
        let code = |vault: &Vault, over, bytes: &[u8]| {
            let mut code = vault.code(vault.term(), over).unwrap();
            code.update(bytes);
            code.finish()
        };
        let first = code(&vault, Coded::Backup, b"ab");
        let mut pieces = vault.code(vault.term(), Coded::Backup).unwrap();
        pieces.update(b"a");
        pieces.update(b"b");
        assert!(pieces.is(&first));
        let (rotated, _) = vault.rotated().unwrap();
        let others = [
            code(&vault, Coded::Anchor, b"ab"),
            code(&vault, Coded::Backup, b"abc"),
            code(&rotated, Coded::Backup, b"ab"),
        ];
        assert!(others.iter().all(|other| *other != first));
        // The term before is still there.
        let mut old = rotated.code(vault.term(), Coded::Backup).unwrap();
        old.update(b"ab");
        assert!(old.is(&first));
        assert!(vault.code(rotated.term(), Coded::Backup).is_none());
    }
}
