//! Putting a backup in the place of a database.
//!
//! 1. The place is taken: a running store is refused, and cannot start meanwhile.
//! 2. A new database is made beside the old one, and shown to be whole: every row opens, the ledger fits, the
//!    archive's code fits.
//! 3. Its numbers are moved beyond everything that the old database, the anchor or the backup have counted.
//! 4. The old database gets a second name, and the new one its name.
//! 5. The anchor is written.
//!
//! A crash before the end of 4 leaves the old database as it was (and perhaps a temporary file); after it, the new one.
use std::fmt;
use std::io;
use std::path::PathBuf;

use spike_policy::{Generation, UnixMillis};
use spike_runtime::logging::LIFECYCLE;
use spike_wire::Timestamp;
use spike_wire::backup::{Header, InvalidArchive};
use uuid::Uuid;

use super::place::{Known, Place};
use super::rebuild::{Archive, Rebuilt, rebuild};
use crate::store::anchor::{self, Anchor, AnchorError, Files, Found};
use crate::store::open::{OpenError, Opened, refusal};
use crate::vault::{RootKey, SealLimits};

/// What to put where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The archive.
    pub from: PathBuf,
    /// The place of the database.
    pub database: PathBuf,
    /// Its anchor, if it has one.
    pub anchor: Option<PathBuf>,
    /// What is accepted.
    pub accept: Accept,
}

/// What a restore may do only when it was told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// To go back behind what the anchor or the database there have seen.
    pub rollback: bool,
    /// To replace a database by that of another store.
    pub other_store: bool,
    /// To restore although some records do not open.
    pub damaged: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Which store.
    pub store: Uuid,
    /// When the backup was taken.
    pub taken_at: UnixMillis,
    /// How many rows it has.
    pub rows: u64,
    /// How many records do not open.
    pub damaged: usize,
    /// The generation in the backup.
    pub from: Generation,
    /// The generation now.
    pub generation: Generation,
    /// Where the database is that was there before.
    pub kept: Option<PathBuf>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = Timestamp::from(self.taken_at);
        write!(
            f,
            "restored the store {} as it was at {taken}: {} rows, generation {}, now {}",
            self.store, self.rows, self.from.0, self.generation.0
        )?;
        if self.damaged != 0 {
            write!(f, "\n{} records in it do not open and will not be served", self.damaged)?;
        }
        match &self.kept {
            Some(kept) => write!(f, "\nthe database that was there is now `{}`", kept.display()),
            None => f.write_str("\nthere was no database before"),
        }
    }
}

/// Why nothing was restored. Except for [`RestoreError::Anchor`] the database that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is not a whole archive as it was written.
    #[error("backup `{path}`: {why}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        why: InvalidArchive,
    },
    /// It was taken by a newer version of this program.
    #[error("backup `{path}`: its database has schema {found}, newer than this version reads: use a newer one")]
    NewerSchema {
        /// The archive.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// The root key is another one.
    #[error("backup `{0}`: wrong key: it was taken under another root key; give the one that was in force then")]
    WrongKey(PathBuf),
    /// A running store has the database.
    #[error("database `{0}`: another process has it open; stop it first")]
    InUse(PathBuf),
    /// Another store's database is there.
    #[error(
        "backup of the store {theirs}, but the database there is of the store {ours}; --accept-other-store replaces it"
    )]
    OtherStore {
        /// The backup's store.
        theirs: Uuid,
        /// The one that is there.
        ours: Uuid,
    },
    /// What was acknowledged since would be gone.
    #[error(
        "the backup ends at transaction {backup}, and transaction {seen} is known: changes made since would be undone, \
         deleted policies among them; --accept-rollback does it"
    )]
    Older {
        /// The last transaction in the backup.
        backup: u64,
        /// The newest that the anchor or the database there has.
        seen: u64,
    },
    /// Nothing in the anchor can be verified.
    #[error("anchor `{0}`: it does not verify, so nobody can tell what the backup undoes; --accept-rollback goes on")]
    AnchorDamaged(PathBuf),
    /// Some of its records were damaged when it was taken.
    #[error(
        "{count} records in the backup do not open, and did not when it was taken ({}); --accept-damaged restores the \
         rest", named.join("; ")
    )]
    DamagedRecords {
        /// How many.
        count: usize,
        /// Some of them.
        named: Vec<String>,
    },
    /// The new database could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database is restored, but its anchor could not be written. It is when a store opens it.
    #[error("the database is restored, but its anchor is not written: {0}")]
    Anchor(#[source] AnchorError),
    /// The operating system refused.
    #[error("`{path}`: could not {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Puts a backup in the place of a database. Blocks. No store may have the database open.
///
/// # Errors
/// [`RestoreError`]
pub fn restore(order: &Restore, root: &RootKey, now: UnixMillis) -> Result<Restored, RestoreError> {
    let limits = SealLimits::default();
    let (mut archive, header) = Archive::open(&order.from)?;
    let place = Place::claim(&order.database)?;
    let mut rebuilt = rebuild((&mut archive, &header), root, &order.database, limits)?;
    let known = place.look(root, limits);
    let anchored = match &order.anchor {
        Some(path) => anchor::look((&Files, path), &rebuilt.opened.vault).map_err(OpenError::from)?,
        None => Found::Nothing,
    };
    judge(order, (&header, &rebuilt), known, &anchored)?;
    let from = rebuilt.opened.manifest.generation;
    move_on(&mut rebuilt, order, known, &anchored)?;
    let Rebuilt {
        opened,
        draft,
        file,
        rows,
        damaged,
    } = rebuilt;
    let (generation, store) = (opened.manifest.generation, *opened.vault.store());
    let Opened {
        db, vault, manifest, ..
    } = opened;
    db.close().map_err(|error| refusal(&order.database, error))?;
    // The other store's mark goes beside the old one's, so that a crash leaves neither database without its own.
    let beforehand = order
        .anchor
        .as_ref()
        .filter(|_| matches!(anchored, Found::OfAnother(_)));
    if let Some(path) = beforehand {
        drop(Anchor::place((&Files, path), &vault, &manifest).map_err(OpenError::from)?);
    }
    let kept = place.take(draft, &file, now)?;
    let restored = Restored {
        store,
        taken_at: UnixMillis(header.taken_at),
        rows,
        damaged: damaged.count,
        from,
        generation,
        kept,
    };
    report(&restored);
    if let Some(path) = &order.anchor {
        Anchor::place((&Files, path), &vault, &manifest).map_err(RestoreError::Anchor)?;
    }
    Ok(restored)
}

/// What may be done only when it was told so.
fn judge(
    order: &Restore,
    (header, rebuilt): (&Header, &Rebuilt),
    known: Option<Known>,
    anchored: &Found,
) -> Result<(), RestoreError> {
    let Rebuilt { opened, damaged, .. } = rebuilt;
    let theirs = *opened.vault.store();
    let other = match (known, anchored) {
        (Some(known), _) if known.store != theirs => Some(known.store),
        (None, Found::OfAnother(ours)) => Some(*ours),
        (Some(_) | None, _) => None,
    };
    if let Some(ours) = other.filter(|_| !order.accept.other_store) {
        return Err(RestoreError::OtherStore { theirs, ours });
    }
    if damaged.count != 0 && !order.accept.damaged {
        return Err(RestoreError::DamagedRecords {
            count: damaged.count,
            named: damaged.named.clone(),
        });
    }
    if order.accept.rollback {
        return Ok(());
    }
    if let (Found::Damaged, Some(path)) = (anchored, &order.anchor) {
        return Err(RestoreError::AnchorDamaged(path.clone()));
    }
    let backup = header.revision;
    let seen = newest(opened, known, anchored).map_or(0, |(revision, _)| revision);
    if seen > backup || matches!(anchored, Found::Mark(mark) if mark.term > opened.vault.term()) {
        return Err(RestoreError::Older { backup, seen });
    }
    Ok(())
}

/// The newest numbers of this store that are known besides the backup's own.
fn newest(opened: &Opened, known: Option<Known>, anchored: &Found) -> Option<(u64, Generation)> {
    let ours = known.filter(|known| known.store == *opened.vault.store());
    let here = ours.and_then(|known| known.newest);
    let anchored = match anchored {
        Found::Mark(mark) => Some(mark.floor()),
        Found::Nothing | Found::OfAnother(_) | Found::Damaged => None,
    };
    match (here, anchored) {
        (Some((r1, g1)), Some((r2, g2))) => Some((r1.max(r2), g1.max(g2))),
        (one, other) => one.or(other),
    }
}

/// Moves the numbers on, and says whether there is an anchor from here on.
fn move_on(rebuilt: &mut Rebuilt, order: &Restore, known: Option<Known>, anchored: &Found) -> Result<(), RestoreError> {
    let opened = &mut rebuilt.opened;
    let floor = newest(opened, known, anchored).unwrap_or((0, Generation(0)));
    let rows = anchor::leap(opened, floor).map_err(OpenError::from)?;
    // A crash before the anchor is written must not make the database miss it: the store that opens it sees to that.
    opened.manifest.anchored = order.anchor.is_some() && !matches!(anchored, Found::Nothing);
    anchor::commit(rebuilt.draft.temporary(), opened, rows)?;
    Ok(())
}

fn report(restored: &Restored) {
    let Restored {
        store,
        from,
        generation,
        rows,
        ..
    } = restored;
    let taken = Timestamp::from(restored.taken_at);
    tracing::warn!(
        target: LIFECYCLE,
        %store, %taken, rows, from = from.0, generation = generation.0,
        "a backup was put in the place of the database"
    );
}
