//! The Check service as Envoy meets it: over its sockets, through a real gRPC client and through raw HTTP/2.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod freshness;
mod harness;
mod hostile;
mod lifecycle;
mod mtls;
mod remote;
mod verdicts;
