//! Backups: taking one while the store serves, and putting one in the place of a database.
//!
//! **Owns** what an archive holds of a store ([`take`]), the checks that an archive must pass ([`rebuild`]), and the
//! steps in which it takes the place of a database ([`mod@restore`]).
//!
//! **Refuses** to carry a plaintext: rows travel sealed, as they lie in the database, and no root key travels at all.
//! It refuses an archive of which one bit is not as it was written.
//!
//! **Invariant**: at every moment of a restore there is a whole database under the name: the old one, or the new one.

mod place;
mod rebuild;
mod restore;
mod take;

pub use restore::{Accept, Restore, RestoreError, Restored, restore};
pub use take::{BackupError, Taken};
