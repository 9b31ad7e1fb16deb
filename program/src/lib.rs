//! What every server program of ours does before and after its own work.
//!
//! **Owns** the life of a server: its command line ([`Args`]), the settings that every server has ([`Settings`]), the
//! preparation of its process ([`Process`]), the wait for an identity, the opening of its audit, the ready line, the
//! drain, and what is said at the end ([`Failure`]).
//!
//! **Refuses** to know what the server serves: no policy, secret, store or protocol is named here, and no room that
//! serves. What only one server is told or can fail at comes in as a type of its own.
//!
//! **Invariant**: a server's own parts are made only by a process that is prepared, under an identity that was received
//! ([`Identified`]); and it serves only with an audit that is open ([`Audited`]).
//!
//! A `main.rs` says in [`main`] how its settings are read and what it does with a [`Process`] that is ready.

mod args;
mod failure;
mod identity;
mod life;
mod process;
mod server;
mod settings;
mod voice;

pub use args::{Args, CommandLine, Flags};
pub use failure::{Failure, Fatal};
pub use life::main;
pub use process::Process;
pub use server::{AuditError, Audited, Ground, Identified};
pub use settings::{Configuration, Settings};
pub use spike_audit::Program;
pub use voice::say;
