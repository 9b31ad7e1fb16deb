//! Records, keyrings, messages and sealed values as a thief of the disk could write them: nothing opens but what was
//! sealed, in its place, and nothing panics.
//!
//! Input: two bytes choose what to change, the rest is the plaintext and the bytes to open.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

#[path = "../../nexus/src/vault/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the source of a room, of which this needs a part"
)]
mod vault;

use vault::{RootKey, RowId, SealLimits, SecretValue, Vault};

const STORE: Uuid = Uuid::from_u128(7);

static VAULT: LazyLock<(Vault, Vec<u8>)> = LazyLock::new(|| {
    let (vault, record) = Vault::create(&root(), STORE, SealLimits::default()).unwrap();
    (vault, record.as_bytes().to_vec())
});

fn root() -> RootKey {
    RootKey::take(&mut [9; 32])
}

fn row(key: &[u8]) -> RowId<'_> {
    RowId {
        table: "policies",
        key,
        version: 1,
        clear: b"clear",
        revision: 3,
    }
}

fuzz_target!(|data: &[u8]| {
    let (vault, keyring) = &*VAULT;
    // As they come.
    assert!(vault.open(&row(b"k"), data).is_err());
    assert!(Vault::unlock(&root(), STORE, data, SealLimits::default()).is_err());
    let _ = SecretValue::decode(data);
    if let Some((nonce, sealed)) = data.split_first_chunk() {
        assert!(vault.open_message(nonce, sealed).is_none());
        assert!(root().open_as_spike(nonce, sealed).is_none());
    }
    // With the beginning of a real record, so that the reader goes further.
    let [at, change, rest @ ..] = data else { return };
    let sealed = vault.seal(&row(b"k"), rest).unwrap();
    let record = sealed.as_bytes();
    assert_eq!(vault.open(&row(b"k"), record).unwrap().as_slice(), rest);
    assert!(vault.open(&row(b"l"), record).is_err());
    assert!(vault.open(&row(b"k"), &changed(record, *at, *change)).is_err());
    let again = Vault::unlock(&root(), STORE, keyring, SealLimits::default()).unwrap();
    assert_eq!(again.open(&row(b"k"), record).unwrap().as_slice(), rest);
    let bad = changed(keyring, *at, *change);
    assert!(Vault::unlock(&root(), STORE, &bad, SealLimits::default()).is_err());
});

/// Another record: one byte changed, or cut there, or with a byte more.
fn changed(record: &[u8], at: u8, change: u8) -> Vec<u8> {
    let mut bytes = record.to_vec();
    let place = usize::from(at) * record.len() / 256;
    match change {
        0 => bytes.truncate(place),
        255 => bytes.insert(place, 0),
        mask => bytes[place] ^= mask,
    }
    bytes
}
