//! The audit: one JSON line per event, in a chain of hashes.
//!
//! **Owns** the text of a line ([`Line`]) and the id it shares with an answer ([`EventId`]), the chain ([`chain`]), the
//! bounded queue ([`Journal`]) and the one thread that writes ([`Writer`]), files and their rotation, and finding out
//! afterwards whether somebody changed them ([`verify`]).
//!
//! **Refuses** to let a request wait for a disk: formatting is all that happens on the caller's thread, hashing and
//! writing happen on the writer's. Refuses to know what a line is about: rooms say that, with words and escaped texts.
//!
//! **Invariant**: every line that is written carries the hash of the line before it, also over rotations and restarts;
//! what could not be written is counted, and the log itself says how many lines that were.

pub mod chain;
mod file;
mod id;
mod journal;
pub mod json;
mod key;
mod line;
mod queue;
mod settings;
mod sink;
mod tail;
pub mod verify;
mod writer;

pub use chain::{Head, Seal};
pub use file::Rotate;
pub use id::EventId;
pub use journal::{Journal, Place, Unavailable};
pub use key::KeyError;
pub use line::{Line, Outcome};
pub use queue::{Lost, Program};
pub use settings::{Settings, Target, WhenFull};
pub use sink::Memory;
pub use writer::{OpenError, Writer};
