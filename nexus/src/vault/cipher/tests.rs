#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use uuid::Uuid;

use super::*;
use crate::vault::{LiteCipher, SealLimits};

fn vault() -> Vault {
    let root = RootKey::take(&mut [7; 32]);
    Vault::create(&root, Uuid::from_bytes([9; 16]), SealLimits::default())
        .unwrap()
        .0
}

fn seal_one(vault: &Vault, text: &[u8]) -> Message {
    let allowance = Allowance::default();
    allowance.add(vault.term(), 1);
    vault.seal_message(allowance.take(vault.term()).unwrap(), text).unwrap()
}

#[test]
fn a_message_opens_under_the_store_that_sealed_it_and_after_rotations() {
    let vault = vault();
    let old = seal_one(&vault, b"attack at dawn");
    assert_eq!(old.sealed.len(), 14 + 16);
    let (rotated, _) = vault.rotated().unwrap();
    let new = seal_one(&rotated, b"");
    for (message, text) in [(&old, &b"attack at dawn"[..]), (&new, b"")] {
        assert_eq!(**rotated.open_message(&message.nonce, &message.sealed).unwrap(), *text);
    }
    assert!(vault.open_message(&new.nonce, &new.sealed).is_none());
    let mut other = [old.nonce.to_vec(), old.sealed.clone()].concat();
    for at in 0..other.len() {
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 1;
        }
        let (nonce, sealed) = other.split_first_chunk().unwrap();
        assert!(rotated.open_message(nonce, sealed).is_none(), "byte {at}");
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 1;
        }
    }
    for short in 0..16 {
        assert!(
            rotated
                .open_message(&old.nonce, old.sealed.get(..short).unwrap())
                .is_none()
        );
    }
}

#[test]
fn a_message_never_opens_as_a_record_nor_as_a_proof() {
    let vault = vault();
    let message = seal_one(&vault, &[0x80; 64]);
    let root = RootKey::take(&mut [7; 32]);
    assert!(root.open_as_spike(&message.nonce, &message.sealed).is_none());
    let cipher = Aes256Gcm::new(<&Key<Aes256Gcm>>::from(root.expose_secret()));
    let proof = seal(&cipher, b"proof", vault.random).unwrap();
    assert_eq!(**root.open_as_spike(&proof.nonce, &proof.sealed).unwrap(), *b"proof");
    assert!(vault.open_message(&proof.nonce, &proof.sealed).is_none());
}

/// Made by Go's `crypto/cipher` as SPIKE's own Nexus does it: AES-256-GCM under the root key, no additional data.
#[test]
fn a_message_of_spikes_own_nexus_opens_under_the_root_key() {
    let root = RootKey::take(&mut std::array::from_fn(|at| u8::try_from(at + 1).unwrap()));
    let nonce: [u8; MESSAGE_NONCE] = std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap());
    let sealed = [
        0xca, 0xb4, 0x5c, 0x0a, 0x98, 0xd1, 0x7a, 0x66, 0x06, 0x2e, 0xf1, 0x3b, 0xb8, 0xce, 0x65, 0xa3, 0x24, 0xf7,
        0xdf, 0x6e, 0x36, 0x48, 0x2e, 0xe1, 0x5f, 0x2e, 0xa6, 0xb2, 0x36, 0x93, 0x4c, 0xe9, 0xd2, 0x55, 0x19, 0xa1,
        0x59, 0xdf, 0x64, 0x4b, 0x04, 0x2d, 0x94,
    ];
    let text = root.open_as_spike(&nonce, &sealed).unwrap();
    assert_eq!(text.as_slice(), b"sealed by SPIKE's own Nexus");
    let other = RootKey::take(&mut [7; 32]);
    assert!(other.open_as_spike(&nonce, &sealed).is_none());
    assert!(LiteCipher::of(&root).open(&nonce, &sealed).is_none());
}

#[test]
fn a_lite_message_opens_wherever_the_root_key_is_and_under_nothing_else() {
    let root = || RootKey::take(&mut [7; 32]);
    let message = LiteCipher::of(&root()).seal(b"attack at dawn").unwrap();
    let opened = LiteCipher::of(&root()).open(&message.nonce, &message.sealed).unwrap();
    assert_eq!(opened.as_slice(), b"attack at dawn");
    assert!(root().open_as_spike(&message.nonce, &message.sealed).is_none());
    assert!(vault().open_message(&message.nonce, &message.sealed).is_none());
    let other = LiteCipher::of(&RootKey::take(&mut [8; 32]));
    assert!(other.open(&message.nonce, &message.sealed).is_none());
}

#[test]
fn an_allowance_is_used_up_and_belongs_to_one_term() {
    let next = KeyTerm::FIRST.next().unwrap();
    let allowance = Allowance::default();
    assert!(allowance.take(KeyTerm::FIRST).is_none());
    allowance.add(KeyTerm::FIRST, 1);
    allowance.add(KeyTerm::FIRST, 1);
    assert!(allowance.take(next).is_none());
    for left in [true, true, false] {
        assert_eq!(allowance.take(KeyTerm::FIRST).is_some(), left);
    }
    allowance.add(next, 1);
    assert!(allowance.take(KeyTerm::FIRST).is_none());
    assert!(allowance.take(next).is_some());
}
