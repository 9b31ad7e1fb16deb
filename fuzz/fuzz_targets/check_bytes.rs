//! Whatever Envoy, or who pretends to be Envoy, sends as a `CheckRequest`: an access or a refusal, never a panic.
//!
//! Input: one byte chooses how identities are read, the rest is the message.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spike_policy::request::{IdentitySource, Rules};

#[path = "../../ext-authz/src/decode/mod.rs"]
mod decode;
#[path = "../../ext-authz/src/reason.rs"]
#[expect(dead_code, reason = "the source of a room, of which this needs a part")]
mod reason;

use decode::Reading;

/// Strict and lenient, with and without a forwarded identity.
static READINGS: LazyLock<Vec<Reading>> = LazyLock::new(|| {
    let sources = [IdentitySource::Principal, IdentitySource::Xfcc];
    let readings = sources.into_iter().flat_map(|identity| {
        [false, true].map(|require_peer_certificate| Reading {
            rules: Rules {
                trust_domains: vec!["example.org".parse().unwrap()],
                identity,
                xfcc_proxies: vec!["spiffe://example.org/proxy".parse().unwrap()],
                require_peer_certificate,
                ..Rules::default()
            },
            listener: require_peer_certificate.then(|| "postgres".to_owned()),
        })
    });
    readings.collect()
});

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else { return };
    let reading = &READINGS[usize::from(*choice) % READINGS.len()];
    let Ok(message) = decode::message(bytes) else { return };
    assert_eq!(decode::message(bytes).as_ref(), Ok(&message));
    match decode::access(reading, &message) {
        Ok(access) => {
            assert_eq!(access.who.trust_domain(), "example.org");
            assert!(access.path.as_str().bytes().all(|b| b.is_ascii_graphic()));
        }
        Err(reason) => assert!(!reason.as_str().is_empty()),
    }
});
