//! Bodies of the Nexus API. First the bytes as each request, then what Go's reader and `serde_json` must agree about.
#![no_main]
use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use spike_wire::go_json::{FromGo, decode, encode};
use spike_wire::{access, bootstrap, cipher, feed, operator, policies, secrets};

fuzz_target!(|body: &[u8]| {
    reread::<policies::PutRequest>(body);
    reread::<policies::LookupRequest>(body);
    reread::<policies::ListRequest>(body);
    reread::<policies::ApplyRequest>(body);
    read::<secrets::PutRequest>(body);
    read::<secrets::GetRequest>(body);
    read::<secrets::DeleteRequest>(body);
    read::<cipher::EncryptRequest>(body);
    read::<cipher::DecryptRequest>(body);
    read::<operator::RestoreRequest>(body);
    read::<bootstrap::VerifyRequest>(body);
    read::<access::AccessRequest>(body);
    read::<feed::WatchRequest>(body);
    let accepted = decode::<secrets::ListRequest>(body).is_ok();
    // A request without fields takes every object. Numbers out of range are the one thing that only `serde_json` refuses
    // in ASCII text; strings beyond it are read leniently here.
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        assert_eq!(accepted, value.is_object() || value.is_null());
    }
});

fn read<T: FromGo + Default>(body: &[u8]) -> Option<T> {
    decode(body).ok()
}

/// What was read can be written, is JSON for everyone, and reads back to the same.
fn reread<T: FromGo + Default + serde::Serialize + PartialEq + Debug>(body: &[u8]) {
    let Some(value) = read::<T>(body) else { return };
    let text = encode(&value).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&text).unwrap(),
        serde_json::to_value(&value).unwrap()
    );
    assert_eq!(decode::<T>(&text).as_ref(), Ok(&value));
}
