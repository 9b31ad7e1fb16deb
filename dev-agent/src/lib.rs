//! A stand-in for a SPIRE agent and server, for development and tests. **NOT FOR PRODUCTION.**
//!
//! It gives identities to whoever can open its sockets, keeps its signing keys in this process, and attests nothing
//! beyond what the kernel says of a local caller. In production a real SPIRE agent takes its place, and nothing else
//! changes: both serve the SPIFFE Workload API and Envoy's SDS on one Unix socket.
//!
//! **Owns** the development authorities, the Workload API and SDS. **Refuses** callers without an entry, and requests
//! without the Workload API's security header. **Invariant**: what it issues satisfies the X509-SVID and JWT-SVID
//! specifications, so that a client which accepts it will accept SPIRE's.

mod agent;
mod authority;
mod caller;
mod config;
mod domain;
mod fetch;
mod jwt;
mod keep;
mod roster;
mod sds;
mod text;
mod workload;

pub use agent::{DevAgent, IdentitySocket, Running, StartError};
pub use authority::IssueError;
pub use config::{Config, Entry, InvalidSelector, Selector};
pub use domain::Old;
pub use fetch::{FetchError, Fetched, fetch};
pub use keep::KeepError;
