//! The client against a server that answers as it is told, and against a real Nexus.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod calls;
mod feed;
mod harness;
mod moving;
mod nexus;
