//! The JSON of the Nexus API and of SPIKE's Keepers, both directions: what a server reads and writes, what a client
//! writes and reads.
//!
//! **Owns** route paths and actions, error codes, every request and response with SPIKE's exact names (the typo
//! `spiffiedPattern` included), the policy feed's lines, and the reading of JSON as leniently as Go reads it.
//!
//! **Refuses** input and output, and every opinion about who may call: it turns bytes into values and back.
//!
//! **Invariant**: what [`go_json::encode`] writes, an official SPIKE client reads; what an official client writes,
//! [`go_json::decode`] reads as SPIKE would, and both refuse the same bodies.

pub mod access;
pub mod backup;
pub mod bootstrap;
pub mod cipher;
pub mod error;
pub mod feed;
pub mod go_json;
pub mod import;
pub mod keeper;
pub mod operator;
pub mod policies;
pub mod routes;
pub mod secrets;
pub mod sensitive;
pub mod timestamp;

pub use error::{Answer, ErrorBody, ErrorCode};
pub use sensitive::SecretText;
pub use timestamp::{InvalidTime, Timestamp};
