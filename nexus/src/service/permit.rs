//! Who may do what on this server (`spike.md` §2.3), and the proofs of it.
mod keys;

use std::sync::Arc;

use spike_policy::decide::decide_in;
use spike_policy::{
    Access, AccessPath, DenyReason, Grounds, IdentityView, InvalidPath, Permission, Permit, PolicySet, Role,
    SecretPath, SpiffeId, Verdict, decide, reserved,
};

pub use self::keys::{BeginRekey, CancelRekey, ConfirmRekey, KeyStatus, RotateKey};
use super::{Refused, Rules};

/// Proof that one caller may do `A`. Only this module makes one.
///
/// ```compile_fail
/// use spike_nexus::service::{ListPolicies, Permitted};
/// fn forge(action: ListPolicies, grounds: spike_policy::Grounds) -> Permitted<ListPolicies> {
///     Permitted { action, grounds }
/// }
/// ```
#[derive(Debug)]
pub struct Permitted<A> {
    action: A,
    grounds: Grounds,
}

impl<A> Permitted<A> {
    /// What is allowed.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// Why it is allowed, for the audit.
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }
}

/// The proof, if what was decided is what the action needs.
fn mint<A: Action>(permit: &Permit, action: A) -> Result<Permitted<A>, Refused> {
    let access = permit.access();
    if access.permission != A::PERMISSION || access.path.as_str() != action.path() {
        return Err(Refused::Internal("a permit for another access"));
    }
    Ok(Permitted {
        action,
        grounds: permit.grounds().clone(),
    })
}

/// What an action needs: one permission on one path.
trait Action {
    const PERMISSION: Permission;
    fn path(&self) -> &str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident needs $permission:ident on $path:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(());

        impl Action for $name {
            const PERMISSION: Permission = Permission::$permission;
            fn path(&self) -> &str {
                $path
            }
        }
    )*};
}

actions! {
    /// To list the paths of all secrets.
    ListSecrets needs List on reserved::SECRET;
    /// To read one policy.
    ReadPolicies needs Read on reserved::ACL;
    /// To put, apply and delete policies.
    WritePolicies needs Write on reserved::ACL;
    /// To list policies.
    ListPolicies needs List on reserved::ACL;
    /// To have texts sealed and opened.
    UseCipher needs Execute on reserved::CIPHER;
}

/// To learn whether this server has the root key that a proof was sealed under: SPIKE Bootstrap only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyRootKey(());

/// To take a backup of the whole store: SPIKE Pilot only. No policy gives everything at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeBackup(());

/// To have the shares of the root key: the recovery role only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoverShares(());

/// To hand in shares of the root key: the restoring role only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreKey(());

/// To bring in what another Nexus had, with versions and times as it had them: SPIKE Pilot only, because no policy
/// speaks of other people's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import(());

/// To follow the policy feed: a role, or read *and* list on `spike/system/acl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchPolicies {
    who: SpiffeId,
}

impl WatchPolicies {
    /// Who follows.
    pub fn who(&self) -> &SpiffeId {
        &self.who
    }
}

/// To ask about any access: read *and* list on `spike/system/acl`, for the answer tells what policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckAccess(());

/// To read one secret and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSecret(SecretPath);

/// To put, delete and undelete one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSecret(SecretPath);

impl Action for ReadSecret {
    const PERMISSION: Permission = Permission::Read;
    fn path(&self) -> &str {
        self.0.as_str()
    }
}

impl Action for WriteSecret {
    const PERMISSION: Permission = Permission::Write;
    fn path(&self) -> &str {
        self.0.as_str()
    }
}

impl ReadSecret {
    /// Which secret.
    pub fn path(&self) -> &SecretPath {
        &self.0
    }
}

impl WriteSecret {
    /// Which secret.
    pub fn path(&self) -> &SecretPath {
        &self.0
    }
}

/// Which paths a list shows.
#[derive(Debug)]
pub enum ListScope {
    /// All of them.
    All(Permitted<ListSecrets>),
    /// Those on which a policy gives the caller `list`.
    Some(Box<Lister>),
}

/// Decides path by path what a caller may see in a list.
#[derive(Debug)]
pub struct Lister {
    who: SpiffeId,
    view: IdentityView,
    rules: Arc<Rules>,
    reason: DenyReason,
}

impl Lister {
    /// Whether a policy gives the caller `list` on this path.
    pub fn shows(&self, path: &SecretPath) -> bool {
        if reserved::PATHS.contains(&path.as_str()) {
            return false;
        }
        let access = Access {
            who: self.who.clone(),
            permission: Permission::List,
            path: AccessPath::from(path),
        };
        matches!(decide_in(&self.view, &self.rules.roles, access), Verdict::Allow(_))
    }

    /// Why the caller may not see all paths.
    pub fn reason(&self) -> DenyReason {
        self.reason
    }
}

/// Judges the accesses of one request, by one policy set.
#[derive(Debug)]
pub struct Guard {
    rules: Arc<Rules>,
    policies: Arc<PolicySet>,
}

impl Guard {
    pub(super) fn new(rules: Arc<Rules>, policies: Arc<PolicySet>) -> Self {
        Self { rules, policies }
    }

    /// May this caller read the secret at this path? An invalid path is [`Refused::Invalid`] only for those who are
    /// allowed on paths like it, so that its answer tells a stranger nothing.
    pub fn read_secret(&self, who: &SpiffeId, path: &str) -> Result<Permitted<ReadSecret>, Refused> {
        let (permit, path) = self.secret(who, Permission::Read, path)?;
        mint(&permit, ReadSecret(path))
    }

    /// May this caller change the secret at this path?
    pub fn write_secret(&self, who: &SpiffeId, path: &str) -> Result<Permitted<WriteSecret>, Refused> {
        let (permit, path) = self.secret(who, Permission::Write, path)?;
        mint(&permit, WriteSecret(path))
    }

    /// Which secret paths may this caller list?
    pub fn list_secrets(&self, who: &SpiffeId) -> Result<ListScope, Refused> {
        let reason = match self.ask(who, Permission::List, AccessPath::secret()) {
            Ok(permit) => return mint(&permit, ListSecrets(())).map(ListScope::All),
            Err(DenyReason::LiteWorkload) => return Err(Refused::Denied(DenyReason::LiteWorkload)),
            Err(reason) => reason,
        };
        let view = self.policies.view(who);
        Ok(ListScope::Some(Box::new(Lister {
            who: who.clone(),
            view,
            rules: Arc::clone(&self.rules),
            reason,
        })))
    }

    /// May this caller read a policy?
    pub fn read_policies(&self, who: &SpiffeId) -> Result<Permitted<ReadPolicies>, Refused> {
        self.system(who, ReadPolicies(()), AccessPath::acl())
    }

    /// May this caller put and delete policies?
    pub fn write_policies(&self, who: &SpiffeId) -> Result<Permitted<WritePolicies>, Refused> {
        self.system(who, WritePolicies(()), AccessPath::acl())
    }

    /// May this caller list policies?
    pub fn list_policies(&self, who: &SpiffeId) -> Result<Permitted<ListPolicies>, Refused> {
        self.system(who, ListPolicies(()), AccessPath::acl())
    }

    /// May this caller have texts sealed and opened?
    pub fn use_cipher(&self, who: &SpiffeId) -> Result<Permitted<UseCipher>, Refused> {
        self.system(who, UseCipher(()), AccessPath::cipher())
    }

    /// May this caller have its proof of the root key verified?
    pub fn verify_root_key(&self, who: &SpiffeId) -> Result<Permitted<VerifyRootKey>, Refused> {
        self.role(who, Role::Bootstrap, VerifyRootKey(()))
    }

    /// May this caller take a backup of the whole store?
    pub fn take_backup(&self, who: &SpiffeId) -> Result<Permitted<TakeBackup>, Refused> {
        self.role(who, Role::Superuser, TakeBackup(()))
    }

    /// May this caller have the shares of the root key?
    pub fn recover_shares(&self, who: &SpiffeId) -> Result<Permitted<RecoverShares>, Refused> {
        self.role(who, Role::Recover, RecoverShares(()))
    }

    /// May this caller hand in shares of the root key?
    pub fn restore_key(&self, who: &SpiffeId) -> Result<Permitted<RestoreKey>, Refused> {
        self.role(who, Role::Restore, RestoreKey(()))
    }

    /// May this caller bring in what another Nexus had?
    pub fn import(&self, who: &SpiffeId) -> Result<Permitted<Import>, Refused> {
        self.role(who, Role::Superuser, Import(()))
    }

    /// May this caller follow the policy feed?
    pub fn watch_policies(&self, who: &SpiffeId) -> Result<Permitted<WatchPolicies>, Refused> {
        let action = WatchPolicies { who: who.clone() };
        let role = self.rules.roles.of(who);
        if role == Role::ExtAuthz {
            return Ok(Permitted {
                action,
                grounds: Grounds::Role(role),
            });
        }
        self.list_policies(who)?;
        let grounds = self.read_policies(who)?.grounds;
        Ok(Permitted { action, grounds })
    }

    /// May this caller ask whether others have access?
    pub fn check_access(&self, who: &SpiffeId) -> Result<Permitted<CheckAccess>, Refused> {
        self.list_policies(who)?;
        let grounds = self.read_policies(who)?.grounds;
        Ok(Permitted {
            action: CheckAccess(()),
            grounds,
        })
    }

    /// What belongs to one role alone, whatever policies say.
    fn role<A>(&self, who: &SpiffeId, role: Role, action: A) -> Result<Permitted<A>, Refused> {
        self.one_of(who, &[role], action)
    }

    /// What belongs to these roles alone.
    fn one_of<A>(&self, who: &SpiffeId, roles: &[Role], action: A) -> Result<Permitted<A>, Refused> {
        let role = self.rules.roles.of(who);
        if !roles.contains(&role) {
            return Err(Refused::Denied(DenyReason::IdentityUnmatched));
        }
        Ok(Permitted {
            action,
            grounds: Grounds::Role(role),
        })
    }

    fn system<A: Action>(&self, who: &SpiffeId, action: A, path: AccessPath) -> Result<Permitted<A>, Refused> {
        let permit = self.ask(who, A::PERMISSION, path).map_err(Refused::Denied)?;
        mint(&permit, action)
    }

    fn secret(&self, who: &SpiffeId, how: Permission, path: &str) -> Result<(Permit, SecretPath), Refused> {
        // A policy on a reserved path is about the store itself, never about a secret that happens to lie there.
        if reserved::PATHS.contains(&path) && self.rules.roles.of(who) != Role::Superuser {
            return Err(Refused::Denied(DenyReason::ReservedGuard));
        }
        let permit = self.ask(who, how, subject(path)?).map_err(Refused::Denied)?;
        Ok((
            permit,
            path.parse()
                .map_err(|fault: InvalidPath| Refused::invalid(fault.to_string()))?,
        ))
    }

    fn ask(&self, who: &SpiffeId, permission: Permission, path: AccessPath) -> Result<Permit, DenyReason> {
        match decide(
            &self.policies,
            &self.rules.roles,
            Access {
                who: who.clone(),
                permission,
                path,
            },
        ) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => Err(denial.reason),
        }
    }
}

/// The path to decide about. For a text that can be no path at all, a stand-in of the same look: it can only decide
/// between "denied" and "invalid", because [`mint`] refuses a permit for another path than the secret's.
fn subject(path: &str) -> Result<AccessPath, Refused> {
    if let Ok(path) = path.parse() {
        return Ok(path);
    }
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let look: String = path.chars().take(SecretPath::MAX_BYTES).map(plain).collect();
    let look = if look.is_empty() { "_".to_owned() } else { look };
    look.parse().map_err(|_| Refused::Denied(DenyReason::PathUnmatched))
}
