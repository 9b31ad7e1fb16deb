//! A backup in the place of the database of a Nexus that does not run.
use std::io;
use std::path::{Path, PathBuf};

use spike_policy::UnixMillis;
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
    /// What is accepted.
    pub accept: Accept,
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
    /// The backup is not good, or may not be put there.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl RestoreBackupError {
    /// Whether the backup itself is to blame.
    pub fn is_bad_data(&self) -> bool {
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
            Self::NoDatabase | Self::NoKey | Self::TwoKeys | Self::RootKey(_) | Self::ReadShare { .. } => false,
        }
    }
}

/// Puts a backup in the place of the database that this configuration names. Blocks.
///
/// # Errors
/// [`RestoreBackupError`]; unless it says otherwise, nothing was changed.
pub fn restore_backup(config: &Config, said: &RestoreBackup, now: UnixMillis) -> Result<Restored, RestoreBackupError> {
    let Backend::Redb { database, root_key } = &config.backend else {
        return Err(RestoreBackupError::NoDatabase);
    };
    let root = root_key_of(root_key, &said.shares)?;
    let order = Restore {
        from: said.from.clone(),
        database: database.clone(),
        anchor: config.anchor.as_ref().map(|anchor| anchor.path.clone()),
        accept: said.accept,
    };
    Ok(restore(&order, &root, now)?)
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
