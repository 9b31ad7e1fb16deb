//! The Rust client of SPIKE Nexus: three lines from a workload's SPIFFE identity to a secret.
//!
//! ```no_run
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! let client = spike_sdk::Client::connect().await?;
//! let secret = client.get_secret("tenants/acme/db/creds").await?;
//! let password = &secret.data["password"];
//! # let _ = password; Ok(()) }
//! ```
//!
//! **Owns** one pooled HTTPS client over the workload's own SVID, the calls of the Nexus API as typed functions, the
//! mapping of every answer to one [`Error`], and the policy feed as a stream.
//!
//! **Refuses** to decide anything, to log a secret, and to repeat a call that may have changed something.
//!
//! **Invariant**: bytes go only to a server whose verified SVID is a SPIKE Nexus under the configured trust roots; a
//! call that ends in an error other than [`Error::OutcomeUnknown`] changed nothing.
//!
//! # Memory
//!
//! [`SecretData`] and the request and response buffers that this crate owns are overwritten when they are dropped.
//! Not covered: copies that hyper and rustls hold while bytes are in flight, strings that the caller makes, and
//! pages that the operating system swaps out.

mod backup;
mod bootstrap;
mod cipher;
mod client;
mod connect;
mod environment;
mod error;
mod operator;
mod policies;
mod secret;
mod secrets;
mod settings;
mod transport;
mod watch;

pub use backup::Backup;
pub use bootstrap::Bootstrap;
pub use cipher::{Cipher, Ciphertext};
pub use client::Client;
pub use connect::{Builder, ConnectError};
pub use environment::InvalidVariable;
pub use error::Error;
pub use operator::{Operator, Rekeyed};
pub use policies::{Filter, Policies, Position};
pub use secret::{Secret, SecretData};
pub use secrets::{Secrets, Versions};
pub use settings::{InvalidUrl, NexusUrl, Settings, Timeouts};
pub use watch::Watch;

pub use spike_identity::{Identity, SourceError};
pub use spike_policy::{Generation, Permission, PolicyDocument, TrustRoots};
