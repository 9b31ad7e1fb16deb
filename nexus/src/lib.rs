//! Nexus: keeps versioned secrets and the policies, encrypted, and serves SPIKE's API over mutual TLS.
//!
//! **Owns** the API ([`http`](self)), the use cases behind it ([`service`]), the database ([`store`]), the keys
//! ([`vault`]) and the way to the Keepers that hold them ([`keeper`]), composed in [`Nexus`].
//!
//! **Refuses** to run under an identity that official clients would not take for a Nexus, and to decide anything by
//! itself: every yes comes from `spike-policy`.
//!
//! **Invariant**: a change is committed, then published to [`Policies`], then acknowledged; whoever reads the policies
//! after the acknowledgement sees it, or learns that they are unavailable.

pub mod app;
pub mod args;
pub mod config;
mod figures;
mod http;
pub mod keeper;
pub mod restore_backup;
pub mod service;
pub mod store;
pub mod vault;

pub use spike_audit::Journal;

pub use app::{Context, Nexus, OpenError, Policies, RunError};
pub use args::NexusArgs;
pub use config::Config;
pub use http::Limits;
pub use restore_backup::{RestoreBackup, RestoreBackupError, restore_backup};
pub use store::Unavailable;
