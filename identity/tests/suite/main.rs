//! Mutual TLS with real handshakes: what is refused and what is believed, how long that lasts, and where our own
//! identity comes from.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod credulous;
mod ends;
mod https;
mod lapse;
mod material;
mod matrix;
mod resumption;
mod rotation;
mod trust;
mod workload_api;
