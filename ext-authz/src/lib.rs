//! Envoy's external authorization by SPIFFE identity and path, decided by SPIKE policies.
//!
//! A Check goes `serve -> check -> decode -> policy::decide -> encode -> audit`; each room is entered once and values
//! move forward.
//!
//! **Owns** the wire of `envoy.service.auth.v3.Authorization`, where policies come from ([`feed`]), and the record of
//! every decision.
//!
//! **Refuses** to decide: `spike-policy` does. It refuses to fail as well: Envoy takes a gRPC error for a broken
//! authorizer and may let the request through, so every error, panic, overload and garbage is an answer that says no.
//!
//! **Invariant**: an allow leaves this crate only with a [`spike_policy::Permit`] in hand.

mod audit;
pub mod check;
pub mod config;
pub mod decision;
mod decode;
pub mod encode;
pub mod feed;
pub mod metrics;
pub mod reason;
pub mod serve;
pub mod snapshot;

pub use decode::Reading;
