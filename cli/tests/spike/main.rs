//! The real `spike` binary: what it reads, prints and exits with.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod cipher;
mod explain;
mod files;
mod golden;
mod help;
mod keys;
mod migrate;
mod moves;
mod policies;
mod run;
mod secrets;
mod usage;
mod world;
