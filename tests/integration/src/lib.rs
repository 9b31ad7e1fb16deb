//! The harness of the journeys: it starts the real parts and speaks to them as their users do.
//!
//! **Owns** starting and stopping programs (the development agent, `spike-ext-authz`, `spike-nexus`, Envoy), an
//! upstream that records what reaches it byte for byte, and clients that hold an SVID.
//!
//! **Refuses** stand-ins: nothing here plays the part of Envoy, Nexus or a store.
//!
//! **Invariant**: whatever was started is stopped when its value is dropped, and a wait that runs out names what it
//! waited for and where the logs are.

pub mod check;
pub mod cli;
pub mod client;
pub mod envoy;
pub mod mesh;
pub mod official;
pub mod program;
mod servers;
pub mod spire;
pub mod upstream;
pub mod workspace;

pub use check::{Checker, Decision};
pub use cli::Spike;
pub use client::{Answer, Caller};
pub use envoy::Envoy;
pub use mesh::{Mesh, MeshOptions};
pub use program::Program;
pub use spire::Spire;
pub use upstream::Upstream;
