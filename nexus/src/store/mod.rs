//! The database: policies, secrets, and the one thread that writes them.
//!
//! **Owns** redb (nobody else names it), the tables and the bytes of their rows, the single writer and its group
//! commit, the published [`PolicySet`](spike_policy::PolicySet) with its generation, the recovery from disk errors, and
//! the ledger that shows rows which were removed, added or rolled back.
//!
//! **Refuses** HTTP, identities and decisions: who may write what is settled before a job arrives. It never replaces a
//! file that does not open, and never serves a record that does not open.
//!
//! **Invariant**: commit, then publish, then answer. A write that was answered `Ok` is durable and in the published
//! set; one that was answered with an error was not written, except [`WriteError::OutcomeUnknown`], and from that
//! answer until the disk has been read back no policy is published at all.

mod anchor;
mod backup;
mod batch;
mod broken;
mod changes;
mod disk;
mod handle;
mod health;
mod held;
mod import;
mod jobs;
mod keys;
mod ledger;
mod meter;
mod open;
mod opening;
mod options;
mod policies;
mod rekey;
mod reseal;
mod sealed;
mod secrets;
mod slots;
mod state;
mod tables;
mod terms;
mod unfinished;
mod version;
mod writer;

pub use anchor::{AnchorError, Anchoring};
pub use backup::{Accept, BackupError, Restore, RestoreError, Restored, Taken, restore};
pub use broken::BrokenRecord;
pub use changes::{CatchUp, Delta};
pub use handle::{ReadError, SecretMetadata, SecretRead, Store, VersionMetadata};
pub use health::{Health, Unavailable};
pub use import::{ImportMode, Imported, PolicyImport, SecretImport, VersionImport};
pub use jobs::{Applied, Deleted, Mode, Put, PutOutcome, WriteError};
pub use keys::SharesError;
pub use meter::Meter;
pub use open::OpenError;
pub use options::{Options, default_max_versions};
pub use rekey::{RekeyPhase, RekeyRefused};
pub use reseal::{ReEncryption, Stage};
pub use sealed::UnsealStoreError;
pub use state::Stats;
pub use unfinished::StrayKey;
pub use version::{InvalidVersion, SecretVersion, VersionChoice};

#[cfg(test)]
mod tests;
