//! What belongs to who looks after the keys: roles alone, whatever policies say.
use spike_policy::{Role, SpiffeId};

use super::{Guard, Permitted};
use crate::service::Refused;
use crate::vault::Keeping;

/// To see how the keys are: SPIKE Pilot, and the roles of its operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus(());

/// To have a new data key: SPIKE Pilot only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotateKey(());

/// To have a new root key. Where that gives key material away, the recovery role only; else SPIKE Pilot as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRekey(());

/// To hand in shares of a new root key: the roles that have shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmRekey(());

/// To keep the old root key: SPIKE Pilot and the recovery role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelRekey(());

impl Guard {
    /// May this caller see how the keys are?
    pub fn key_status(&self, who: &SpiffeId) -> Result<Permitted<KeyStatus>, Refused> {
        self.one_of(who, &[Role::Superuser, Role::Recover, Role::Restore], KeyStatus(()))
    }

    /// May this caller have a new data key?
    pub fn rotate_key(&self, who: &SpiffeId) -> Result<Permitted<RotateKey>, Refused> {
        self.role(who, Role::Superuser, RotateKey(()))
    }

    /// May this caller have a new root key, where this is who keeps it?
    pub fn begin_rekey(&self, who: &SpiffeId, keeping: Keeping) -> Result<Permitted<BeginRekey>, Refused> {
        let roles: &[Role] = match keeping {
            Keeping::Operators | Keeping::Credential => &[Role::Recover],
            Keeping::File | Keeping::Keepers | Keeping::Nobody => &[Role::Superuser, Role::Recover],
        };
        self.one_of(who, roles, BeginRekey(()))
    }

    /// May this caller hand in shares of a new root key?
    pub fn confirm_rekey(&self, who: &SpiffeId) -> Result<Permitted<ConfirmRekey>, Refused> {
        self.one_of(who, &[Role::Recover, Role::Restore], ConfirmRekey(()))
    }

    /// May this caller have the old root key stay?
    pub fn cancel_rekey(&self, who: &SpiffeId) -> Result<Permitted<CancelRekey>, Refused> {
        self.one_of(who, &[Role::Superuser, Role::Recover], CancelRekey(()))
    }
}
