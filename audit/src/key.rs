//! The key file of a sealed log.
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::chain::Seal;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the audit key {path} {what}")]
pub struct KeyError {
    path: PathBuf,
    what: String,
}

impl Seal {
    /// Reads a key file: 32 bytes, or 64 hexadecimal digits, that nobody but the owner may read.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let refused = |what: String| KeyError {
            path: path.to_owned(),
            what,
        };
        let unreadable = |error: io::Error| refused(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(refused(format!(
                "may be read by others (mode {:04o}); run chmod 600 on it",
                mode & 0o777
            )));
        }
        // Room for all of it at once: a growing buffer would leave parts behind.
        let mut text = Zeroizing::new(Vec::with_capacity(128));
        file.take(100).read_to_end(&mut text).map_err(unreadable)?;
        let secret =
            secret_of(&text).ok_or_else(|| refused("is neither 32 bytes nor 64 hexadecimal digits".to_owned()))?;
        Self::keyed(&secret).ok_or_else(|| refused("cannot be used".to_owned()))
    }
}

fn secret_of(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if let Ok(bytes) = <[u8; 32]>::try_from(text) {
        return Some(Zeroizing::new(bytes));
    }
    let digits = text.trim_ascii_end();
    if digits.len() != 64 {
        return None;
    }
    let mut secret = Zeroizing::new([0_u8; 32]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| pair.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(secret)
}
