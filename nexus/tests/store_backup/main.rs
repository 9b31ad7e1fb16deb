//! Backups of a store, and what a restore accepts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod damage;
mod imported;
mod load;
mod place;
mod replace;
mod versions;
