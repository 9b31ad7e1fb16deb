//! Who keeps the root key while no Nexus runs, and how a new one gets there.
//!
//! **Owns** the order in which a keeper of the root key takes a new one, and the promise that goes with it: until
//! [`Custody::hand_over`] has answered [`HandedOver::Kept`], the old key is what the next start finds, or both are.
//!
//! **Refuses** to touch the database: that a key fits, and when the old one stops fitting, is the store's business.
//!
//! **Invariant**: no step leaves the place where the key is kept with neither key.
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use super::key::RootKey;
use super::key_file::KeyFileError;
use super::next_key::NextKey;

/// Who keeps the root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keeping {
    /// A key file, which we may replace.
    File,
    /// systemd, which hands it to us; only people can replace it.
    Credential,
    /// Operators, who hold shares of it.
    Operators,
    /// SPIKE Keepers, which hold shares of it.
    Keepers,
    /// Nobody: it is gone with this process.
    Nobody,
}

impl Keeping {
    /// The word in configuration, answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Credential => "credential",
            Self::Operators => "operator",
            Self::Keepers => "keepers",
            Self::Nobody => "memory",
        }
    }
}

/// How far a new root key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedOver {
    /// It is durable and was read back: the next start finds it, so the old one may be given up.
    Kept,
    /// Only people can take it. The old key stays until they have shown that they have the new one.
    ByHand,
}

/// Why a new root key did not get to where it is kept.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// What was kept is not what was given.
    #[error("root key: what was read back is not what was written")]
    ReadBack,
    /// SPIKE Keepers; the text names them and what they said.
    #[error("keepers: {0}")]
    Keepers(String),
    /// The work was cut off.
    #[error("root key: handing it over did not finish")]
    CutOff,
}

/// The result of a custody's work, which may take a network or a disk.
pub type Handing<'a, T> = Pin<Box<dyn Future<Output = Result<T, CustodyError>> + Send + 'a>>;

/// A place or a circle of people that keeps the root key.
///
/// A change of the key goes: the database opens with both keys; [`Custody::hand_over`]; the database opens with the
/// new one alone. After a failure it goes back: [`Custody::take_back`]; the database opens with the old one alone.
pub trait Custody: fmt::Debug + Send + Sync {
    /// Who keeps it.
    fn keeping(&self) -> Keeping;

    /// Makes `new` what the next start finds, durably, and reads it back. May be asked again for the same key after
    /// it failed or was cut off: it does what is missing.
    fn hand_over(&self, new: Arc<RootKey>) -> Handing<'_, HandedOver>;

    /// Makes `old` what the next start finds, whatever [`Custody::hand_over`] began. `Ok` only when that is certain.
    fn take_back(&self, old: Arc<RootKey>) -> Handing<'_, ()>;
}

/// People keep it: operators with shares, or whoever fills systemd's credential store.
#[derive(Clone, Copy, Debug)]
pub struct ByHand(
    /// Which people.
    pub Keeping,
);

impl Custody for ByHand {
    fn keeping(&self) -> Keeping {
        self.0
    }

    fn hand_over(&self, _new: Arc<RootKey>) -> Handing<'_, HandedOver> {
        Box::pin(async { Ok(HandedOver::ByHand) })
    }

    fn take_back(&self, _old: Arc<RootKey>) -> Handing<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// A key file keeps it.
#[derive(Clone, Debug)]
pub struct InFile(
    /// The key file.
    pub PathBuf,
);

impl InFile {
    async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, CustodyError> + Send + 'static,
    ) -> Result<T, CustodyError> {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(CustodyError::CutOff))
    }
}

impl Custody for InFile {
    fn keeping(&self) -> Keeping {
        Keeping::File
    }

    fn hand_over(&self, new: Arc<RootKey>) -> Handing<'_, HandedOver> {
        let next = NextKey::of(&self.0);
        Box::pin(Self::blocking(move || {
            next.replace(&new)?;
            Ok(HandedOver::Kept)
        }))
    }

    fn take_back(&self, old: Arc<RootKey>) -> Handing<'_, ()> {
        let next = NextKey::of(&self.0);
        Box::pin(Self::blocking(move || next.give_up(&old)))
    }
}
