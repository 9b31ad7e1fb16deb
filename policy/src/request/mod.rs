//! A proxied request read into an access: canonical, or refused by a rule with a name.
//!
//! **Owns** what of a request counts (the peer's principal, the method, the path before its query, the route's hints)
//! and the closed set of reasons for refusing one before any policy is asked (design §4, D14, D15).
//!
//! **Refuses** rather than normalises: the proxy forwards the request as it came, so a cleaned path would not be the one
//! that the upstream sees. Client headers never count, except XFCC where the operator named its source.
//!
//! **Invariant**: [`read`] never panics, and the [`crate::Access`] it gives is the only reading of the request.
mod access;
mod method;
mod path;
mod principal;
mod refusal;
mod xfcc;

pub use access::{Connection, Facts, Hints, Rules, read};
pub use method::{InvalidMethod, Methods};
pub use path::{PathRule, PathRules};
pub use principal::IdentitySource;
pub use refusal::Refusal;
