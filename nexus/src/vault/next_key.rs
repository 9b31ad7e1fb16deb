//! The key file that waits to take the place of the key file: `root.key.next` beside `root.key`.
//!
//! It is written, synced and read back before it takes the name, so at every moment one of the two names leads to a
//! whole key. While both exist, the database opens with both keys.
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

use super::custody::CustodyError;
use super::key::RootKey;
use super::key_file::{KeyFileError, RootKeySource, write_new};
use super::private_file::{remove_durably, replace_durably};

/// The place of the next key of one key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextKey {
    key: PathBuf,
    next: PathBuf,
}

impl NextKey {
    /// Of this key file: its name and `.next`.
    pub fn of(key: &Path) -> Self {
        let mut next = key.as_os_str().to_owned();
        next.push(".next");
        Self {
            key: key.to_owned(),
            next: PathBuf::from(next),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.next
    }

    /// The next key, if there is one. Judged like a key file.
    ///
    /// # Errors
    /// [`KeyFileError`], but an absent file is none.
    pub fn load(&self) -> Result<Option<RootKey>, KeyFileError> {
        absent_is_none(RootKeySource::KeyFile(self.next.clone()).load())
    }

    /// Makes `new` the key file: under the next name first, then under its own. Does what is missing of it.
    ///
    /// # Errors
    /// [`CustodyError`]; then one of the two names may lead to it, and the key file is whole all the same.
    pub fn replace(&self, new: &RootKey) -> Result<(), CustodyError> {
        if !is(&self.key, new)? {
            self.prepare(new)?;
            self.adopt()?;
        }
        if is(&self.key, new)? {
            Ok(())
        } else {
            Err(CustodyError::ReadBack)
        }
    }

    /// Writes the next key, durably, and reads it back.
    ///
    /// # Errors
    /// [`CustodyError`]; a file of that name that holds another key is not replaced.
    pub fn prepare(&self, new: &RootKey) -> Result<(), CustodyError> {
        if self.load()?.is_none() {
            write_new(&self.next, new)?;
        }
        if is(&self.next, new)? {
            Ok(())
        } else {
            Err(CustodyError::ReadBack)
        }
    }

    /// Gives the next key the key file's name, durably.
    ///
    /// # Errors
    /// [`KeyFileError::Io`]
    pub fn adopt(&self) -> Result<(), KeyFileError> {
        replace_durably(&self.next, &self.key).map_err(|source| io(&self.next, "rename it to the key file", source))
    }

    /// Removes the next key; the key file must be `old`, or nothing is removed.
    ///
    /// # Errors
    /// [`CustodyError::ReadBack`] when the new key has taken the name already.
    pub fn give_up(&self, old: &RootKey) -> Result<(), CustodyError> {
        if !is(&self.key, old)? {
            return Err(CustodyError::ReadBack);
        }
        remove_durably(&self.next).map_err(|source| io(&self.next, "remove it", source).into())
    }
}

/// Whether there is a key file of that name with this key.
fn is(path: &Path, key: &RootKey) -> Result<bool, KeyFileError> {
    let found = absent_is_none(RootKeySource::KeyFile(path.to_owned()).load())?;
    Ok(found.is_some_and(|found| bool::from(found.expose_secret().ct_eq(key.expose_secret()))))
}

fn absent_is_none(loaded: Result<RootKey, KeyFileError>) -> Result<Option<RootKey>, KeyFileError> {
    match loaded {
        Ok(key) => Ok(Some(key)),
        Err(KeyFileError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn io(path: &Path, action: &'static str, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
