//! A backup in the place of the database of a Nexus that does not run.
use std::io;
use std::path::{Path, PathBuf};

use spike_audit::{Journal, Outcome, Program};
use spike_policy::UnixMillis;
use spike_runtime::metrics::Registry;
use spike_runtime::{Exit, SystemClock};
use zeroize::Zeroizing;

use crate::config::{Backend, Config};
use crate::store::{Accept, Restore, RestoreError, Restored, restore};
use crate::vault::{CombineError, KeyFileError, RootKey, RootKeySource, Share};

/// What an operator says about a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreBackup {
    /// The archive.
    pub from: PathBuf,
    /// Files with recovery shards, where the configuration names no key.
    pub shares: Vec<PathBuf>,
    /// Goes back behind what the anchor or the database there have seen.
    pub accept_rollback: bool,
    /// Replaces the database of another store.
    pub accept_other_store: bool,
    /// Restores although some records do not open.
    pub accept_damaged: bool,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreBackupError {
    /// The backend keeps nothing.
    #[error("this configuration keeps nothing on disk: there is no database to restore")]
    NoDatabase,
    /// The key is not on this machine.
    #[error(
        "the root key is not on this machine: give enough recovery shards with --share FILE (`spike operator recover` \
         writes them)"
    )]
    NoKey,
    /// The configuration names a key, and shares were given, too.
    #[error("the configuration names a root key: give no --share")]
    TwoKeys,
    /// There is no key where the configuration says.
    #[error(transparent)]
    RootKey(#[from] KeyFileError),
    /// A file of a share cannot be read.
    #[error("recovery shard `{path}`: {source}")]
    ReadShare {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no share.
    #[error("recovery shard `{0}`: it is not a line such as spike:1:<64 hexadecimal digits>")]
    NotAShare(PathBuf),
    /// The shares give no key.
    #[error("the recovery shards give no root key: {0}")]
    Combine(#[from] CombineError),
    /// It could not be recorded, so it was not done.
    #[error("{0}")]
    Audit(#[from] spike_audit::OpenError),
    /// The backup is not good, or may not be put there.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl RestoreBackupError {
    /// How a program ends because of it.
    pub fn exit(&self) -> Exit {
        if self.is_bad_data() {
            Exit::BadData
        } else {
            Exit::Unavailable
        }
    }

    /// Whether the backup itself is to blame.
    fn is_bad_data(&self) -> bool {
        match self {
            Self::Restore(error) => match error {
                RestoreError::Archive { .. }
                | RestoreError::NewerSchema { .. }
                | RestoreError::WrongKey(_)
                | RestoreError::DamagedRecords { .. } => true,
                RestoreError::InUse(_)
                | RestoreError::OtherStore { .. }
                | RestoreError::Older { .. }
                | RestoreError::AnchorDamaged(_)
                | RestoreError::Open(_)
                | RestoreError::Anchor(_)
                | RestoreError::Io { .. } => false,
            },
            Self::NotAShare(_) | Self::Combine(_) => true,
            Self::NoDatabase
            | Self::NoKey
            | Self::TwoKeys
            | Self::RootKey(_)
            | Self::ReadShare { .. }
            | Self::Audit(_) => false,
        }
    }
}

/// Puts a backup in the place of the database that this configuration names, and records it. Blocks.
///
/// # Errors
/// [`RestoreBackupError`]; unless it says otherwise, nothing was changed.
pub fn restore_backup(
    config: Option<&Config>,
    said: &RestoreBackup,
    (audit, program): (&spike_audit::Settings, Program),
) -> Result<Restored, RestoreBackupError> {
    let backend = config.map(|config| (&config.backend, &config.anchor));
    let Some((Backend::Redb { database, root_key }, anchor)) = backend else {
        return Err(RestoreBackupError::NoDatabase);
    };
    let root = root_key_of(root_key, &said.shares)?;
    let order = Restore {
        from: said.from.clone(),
        database: database.clone(),
        anchor: anchor.as_ref().map(|anchor| anchor.path.clone()),
        accept: Accept {
            rollback: said.accept_rollback,
            other_store: said.accept_other_store,
            damaged: said.accept_damaged,
        },
    };
    let clock = SystemClock::shared();
    let now = UnixMillis(clock.unix_millis());
    // Opened first: what cannot be recorded is not done.
    let registry = Registry::new(program.name, program.version);
    let (journal, writer) = Journal::open(audit, program, clock, &registry)?;
    let restored = restore(&order, &root, now);
    record(&journal, &restored, &said.from);
    if let Some(writer) = writer {
        writer.finish();
    }
    Ok(restored?)
}

fn record(journal: &Journal, restored: &Result<Restored, RestoreError>, from: &Path) {
    match restored {
        Ok(restored) => journal.happened("backup_restored", &restored.to_string(), Outcome::Ok),
        Err(error) => {
            let why = error.to_string();
            let outcome = match error {
                // The backup is in its place by then.
                RestoreError::Anchor(_) => Outcome::Failed(&why),
                RestoreError::Archive { .. }
                | RestoreError::NewerSchema { .. }
                | RestoreError::WrongKey(_)
                | RestoreError::DamagedRecords { .. }
                | RestoreError::InUse(_)
                | RestoreError::OtherStore { .. }
                | RestoreError::Older { .. }
                | RestoreError::AnchorDamaged(_)
                | RestoreError::Open(_)
                | RestoreError::Io { .. } => Outcome::Refused(&why),
            };
            journal.happened("backup_restored", &from.display().to_string(), outcome);
        }
    }
}

fn root_key_of(source: &RootKeySource, shares: &[PathBuf]) -> Result<RootKey, RestoreBackupError> {
    match (source.is_awaited(), shares) {
        (false, []) => Ok(source.load()?),
        (false, _) => Err(RestoreBackupError::TwoKeys),
        (true, []) => Err(RestoreBackupError::NoKey),
        (true, shares) => {
            let shares: Vec<Share> = shares.iter().map(|path| share(path)).collect::<Result<_, _>>()?;
            Ok(RootKey::combine(&shares)?)
        }
    }
}

/// The text that `spike operator recover` writes: `spike:<number>:<64 hexadecimal digits>`.
fn share(path: &Path) -> Result<Share, RestoreBackupError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|source| RestoreBackupError::ReadShare {
        path: path.to_owned(),
        source,
    })?;
    parse_share(&text).ok_or_else(|| RestoreBackupError::NotAShare(path.to_owned()))
}

fn parse_share(text: &str) -> Option<Share> {
    let (number, digits) = text.trim().strip_prefix("spike:")?.split_once(':')?;
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut value = Zeroizing::new([0; 32]);
    if pairs.len() != value.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for ([high, low], to) in pairs.iter().zip(value.iter_mut()) {
        *to = digit(*high)? << 4 | digit(*low)?;
    }
    Some(Share {
        id: number.parse().ok()?,
        value,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_share_reads_back_from_the_text_that_recover_writes() {
        let text = format!("spike:2:{}\n", "0aF0".repeat(16));
        let share = parse_share(&text).unwrap();
        assert_eq!(
            (share.id, share.value.first(), share.value.last()),
            (2, Some(&0x0a), Some(&0xf0))
        );
        for wrong in ["", "spike:2:", "spike:2:0a", "spike::00", "nexus:1:00", &text[..60]] {
            assert!(parse_share(wrong).is_none(), "{wrong}");
        }
        assert!(parse_share(&text.replace('F', "g")).is_none());
        assert!(parse_share(&text.replace(":2:", ":70000:")).is_none());
    }
}
