//! Who we are and who is calling: X.509-SVIDs from the Workload API, and mutual TLS made of them.
//!
//! **Owns** the live [`Identity`] (our SVID, its key and every trust bundle, as the agent last delivered them), the
//! TLS settings of both directions, the strict reading of a peer's certificate, and [`Peer`], the proof that a
//! handshake ended well.
//!
//! **Refuses** to know HTTP routes, policies or configuration: who may do what is the business of `spike-policy`, where
//! the agent's socket is comes from the caller. It reads the wall clock only for a handshake and for the wait until a
//! peer lapses: every other question about time takes a `now`.
//!
//! **Invariant**: a [`Peer`] exists only when a certificate chain ended, at that moment, in the bundle of the trust
//! domain that its one SPIFFE ID names, and its holder proved to have the key. No TLS session is ever resumed, so no
//! peer is older than its connection.

mod accept;
#[cfg(feature = "test-util")]
pub mod authority;
mod bundle;
mod clock;
mod connect;
mod handshake;
mod https;
mod leaf;
mod material;
mod peer;
mod refusal;
mod source;
mod stream;
mod verify;
mod workload;

pub use accept::{Accept, AcceptError, Acceptor, DEFAULT_HANDSHAKE_TIMEOUT, ServerOptions};
pub use bundle::{Bundles, InvalidBundle};
pub use clock::TimeSource;
pub use connect::{ClientTls, ConnectError, DEFAULT_CONNECT_TIMEOUT, Expect};
pub use https::{HttpsConnector, HttpsStream};
pub use material::{InvalidMaterial, SvidMaterial};
pub use peer::{Lapse, Peer};
pub use refusal::{Refusal, WeakKey};
pub use source::{Identity, Rotations, Standing};
pub use stream::PeerStream;
pub use workload::{DEFAULT_ENDPOINT, NoIdentity, SourceError, check_endpoint};
