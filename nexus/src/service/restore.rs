//! Taking the root key back, share by share.
use spike_audit::Outcome;
use spike_runtime::logging::LIFECYCLE;
use zeroize::Zeroizing;

use super::{Permitted, Refused, RestoreKey, Service};
use crate::store::UnsealStoreError;
use crate::vault::{RootKey, Share};

/// Who opened it, for the audit.
const BY_OPERATORS: &str = "store, with operators' shards";

/// How far a restoration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// How many shares are there.
    pub collected: u16,
    /// How many are missing.
    pub remaining: u16,
    /// Whether the store is open.
    pub restored: bool,
    /// Whether the share was handed in for nothing: the store was open, under a root key that it is no share of.
    pub foreign: bool,
}

impl Service {
    /// Takes one share. The last one that is needed rebuilds the key, which is held against the database before it is
    /// used; where there is no database, the shares must prove that they belong together. A key that does not fit is
    /// refused, and the shares are forgotten: one of them is wrong, nobody knows which.
    pub async fn restore(
        &self,
        _permit: &Permitted<RestoreKey>,
        (id, value): (i64, Option<&[u8; 32]>),
    ) -> Result<Restored, Refused> {
        let share = share(id, value)?;
        let needed = self.rules.sharing.threshold();
        // Held to the end: two last shares at a time must not open the store twice.
        let mut shares = self.shares.lock().await;
        if self.is_ready() {
            shares.clear();
            // SPIKE's answer, whatever the share. But a share that fits to nothing should not be kept as a good one.
            let root = self.store.root_key()?;
            return Ok(Restored {
                collected: needed,
                remaining: 0,
                restored: true,
                foreign: !root.made(&[share], self.rules.sharing),
            });
        }
        if shares.iter().all(|other| other.id != share.id) {
            shares.push(share);
        }
        let collected = u16::try_from(shares.len()).unwrap_or(u16::MAX);
        if collected < needed {
            return Ok(Restored {
                collected,
                remaining: needed - collected,
                restored: false,
                foreign: false,
            });
        }
        let given = std::mem::take(&mut *shares);
        let key = RootKey::combine(&given).map_err(|fault| Refused::invalid(fault.to_string()))?;
        let unsealed = if key.made(&given, self.rules.sharing) {
            self.store.unseal_or_create(key).await
        } else {
            self.store.unseal(key).await
        };
        if let Err(error) = &unsealed {
            self.audit
                .happened("unsealed", BY_OPERATORS, Outcome::Refused(&error.to_string()));
        }
        unsealed.map_err(refused)?;
        self.audit.happened("unsealed", BY_OPERATORS, Outcome::Ok);
        tracing::info!(target: LIFECYCLE, "operators have restored the root key");
        Ok(Restored {
            collected: needed,
            remaining: 0,
            restored: true,
            foreign: false,
        })
    }
}

/// A share that can be one.
pub(super) fn share(id: i64, value: Option<&[u8; 32]>) -> Result<Share, Refused> {
    let id = u16::try_from(id).map_err(|_| Refused::invalid("the share's number must be from 1 to 1000"))?;
    let value = value.filter(|value| value.iter().any(|byte| *byte != 0));
    let value = value.ok_or_else(|| Refused::invalid("the share is missing or all zero"))?;
    let share = Share {
        id,
        value: Zeroizing::new(*value),
    };
    // Alone it gives some key, unless it can be no share at all.
    match RootKey::combine(std::slice::from_ref(&share)) {
        Ok(_) => Ok(share),
        Err(fault) => Err(Refused::invalid(fault.to_string())),
    }
}

fn refused(error: UnsealStoreError) -> Refused {
    match error {
        UnsealStoreError::WrongKey => {
            tracing::error!(target: LIFECYCLE, "the shares give a root key that does not fit the database; they are forgotten");
            Refused::invalid("the shares give a root key that does not fit the database: hand in all of them again")
        }
        UnsealStoreError::NoDatabase => {
            tracing::error!(target: LIFECYCLE, "the shares do not belong together; they are forgotten");
            Refused::invalid("the shares do not belong together: hand in all of them again")
        }
        UnsealStoreError::Database(why) => {
            tracing::error!(target: LIFECYCLE, why, "the database does not open; the shares are forgotten");
            Refused::Internal("the database does not open")
        }
        UnsealStoreError::Unavailable(unavailable) => unavailable.into(),
    }
}
