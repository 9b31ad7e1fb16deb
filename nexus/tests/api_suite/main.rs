//! The Nexus API, over real mutual TLS, in one process: every route, every class of failure, exact bodies.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod audited;
mod backup;
mod cipher;
mod connections;
mod dispatch;
mod events;
mod feed;
mod harness;
mod import;
mod keeper;
mod keepers;
mod keys;
mod lifecycle;
mod lite;
mod policies;
mod rekey;
mod secrets;
