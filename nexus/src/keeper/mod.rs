//! SPIKE's Keepers: programs that hold the root key for Nexus, one shard each, in memory only (`spike.md` §7.5, §7.7).
//!
//! **Owns** the way to each Keeper over mutual TLS ([`Keepers`]), the rebuilding of the root key from what they answer
//! (`rebuild`), the task that asks them until the store opens and then sends them their shards again and again
//! (`custodian`), and the handing over of a new root key ([`Custody`](crate::vault::Custody)).
//!
//! **Refuses** a server that is not `spiffe://<root>/spike/keeper` or below, and to decide which key is right: shards
//! must prove that they belong together, and the store holds the key against its database before it uses it.
//!
//! **Invariant**: position `i` of the configured list holds share `i`, and no Keeper is ever given a shard of a key that
//! is not the open store's own, or the one that a rekey is about to make its own.

mod call;
mod custodian;
mod custody;
mod diary;
mod keepers;
mod peers;
pub(crate) mod rebuild;
mod settings;

pub use call::KeeperError;
pub(crate) use custodian::Custodian;
pub use keepers::{Answer, Contributed, Keepers, Turn};
pub use peers::{InvalidPeers, KeeperUrl, Peers};
pub use settings::Settings;

#[cfg(test)]
mod tests;
