//! The table of routes.
use http::Method;
use spike_wire::routes::{self, Action};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Route {
    PutSecret,
    GetSecret,
    DeleteSecret,
    UndeleteSecret,
    ListSecrets,
    SecretMetadata,
    ImportSecret,
    ReadSecret,
    PutPolicy,
    GetPolicy,
    DeletePolicy,
    ListPolicies,
    ApplyPolicies,
    WatchPolicies,
    CheckAccess,
    ImportPolicies,
    Encrypt,
    Decrypt,
    VerifyRootKey,
    Recover,
    Restore,
    Backup,
    KeyStatus,
    RotateKey,
    Rekey,
    ConfirmRekey,
    CancelRekey,
}

impl Route {
    /// The route of a decoded path, compared exactly, and the value of `action`.
    pub(super) fn find(method: &Method, path: &str, action: &str) -> Option<Self> {
        if method == Method::GET {
            let secret = path.strip_prefix(routes::SECRET_BY_PATH)?;
            return (!secret.is_empty()).then_some(Self::ReadSecret);
        }
        if method != Method::POST {
            return None;
        }
        let action = Action::from_word(action)?;
        match path {
            routes::SECRETS => Self::of_secrets(action),
            routes::SECRETS_METADATA => (action == Action::Get).then_some(Self::SecretMetadata),
            routes::POLICY => Self::of_policies(action),
            routes::CIPHER_ENCRYPT => Self::without_action(action, Self::Encrypt),
            routes::CIPHER_DECRYPT => Self::without_action(action, Self::Decrypt),
            routes::BOOTSTRAP_VERIFY => Self::without_action(action, Self::VerifyRootKey),
            routes::OPERATOR_RECOVER => Self::without_action(action, Self::Recover),
            routes::OPERATOR_RESTORE => Self::without_action(action, Self::Restore),
            routes::OPERATOR_BACKUP => Self::without_action(action, Self::Backup),
            routes::OPERATOR_STATUS => Self::without_action(action, Self::KeyStatus),
            routes::OPERATOR_ROTATE => Self::without_action(action, Self::RotateKey),
            routes::OPERATOR_REKEY => Self::of_rekey(action),
            _ => None,
        }
    }

    fn without_action(action: Action, route: Self) -> Option<Self> {
        (action == Action::Default).then_some(route)
    }

    fn of_secrets(action: Action) -> Option<Self> {
        match action {
            Action::Default => Some(Self::PutSecret),
            Action::Get => Some(Self::GetSecret),
            Action::Delete => Some(Self::DeleteSecret),
            Action::Undelete => Some(Self::UndeleteSecret),
            Action::List => Some(Self::ListSecrets),
            Action::Import => Some(Self::ImportSecret),
            Action::Apply | Action::Watch | Action::Check | Action::Confirm | Action::Cancel => None,
        }
    }

    fn of_rekey(action: Action) -> Option<Self> {
        match action {
            Action::Default => Some(Self::Rekey),
            Action::Confirm => Some(Self::ConfirmRekey),
            Action::Cancel => Some(Self::CancelRekey),
            Action::Get
            | Action::Delete
            | Action::Undelete
            | Action::List
            | Action::Apply
            | Action::Watch
            | Action::Check
            | Action::Import => None,
        }
    }

    fn of_policies(action: Action) -> Option<Self> {
        match action {
            Action::Default => Some(Self::PutPolicy),
            Action::Get => Some(Self::GetPolicy),
            Action::Delete => Some(Self::DeletePolicy),
            Action::List => Some(Self::ListPolicies),
            Action::Apply => Some(Self::ApplyPolicies),
            Action::Watch => Some(Self::WatchPolicies),
            Action::Check => Some(Self::CheckAccess),
            Action::Import => Some(Self::ImportPolicies),
            Action::Undelete | Action::Confirm | Action::Cancel => None,
        }
    }

    /// Whether a Nexus that keeps nothing has this route, too (`spike.md` §7.2).
    pub(super) fn is_lite(self) -> bool {
        match self {
            Self::Encrypt | Self::Decrypt | Self::VerifyRootKey | Self::Recover | Self::Restore | Self::KeyStatus => {
                true
            }
            Self::PutSecret
            | Self::GetSecret
            | Self::DeleteSecret
            | Self::UndeleteSecret
            | Self::ListSecrets
            | Self::SecretMetadata
            | Self::ReadSecret
            | Self::PutPolicy
            | Self::GetPolicy
            | Self::DeletePolicy
            | Self::ListPolicies
            | Self::ApplyPolicies
            | Self::WatchPolicies
            | Self::CheckAccess
            | Self::Backup
            | Self::RotateKey
            | Self::Rekey
            | Self::ConfirmRekey
            | Self::CancelRekey
            | Self::ImportSecret
            | Self::ImportPolicies => false,
        }
    }

    /// The low-cardinality word for audit and metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PutSecret => "secret.put",
            Self::GetSecret => "secret.get",
            Self::DeleteSecret => "secret.delete",
            Self::UndeleteSecret => "secret.undelete",
            Self::ListSecrets => "secret.list",
            Self::SecretMetadata => "secret.metadata",
            Self::ReadSecret => "secret.read",
            Self::ImportSecret => "secret.import",
            Self::PutPolicy => "policy.put",
            Self::GetPolicy => "policy.get",
            Self::DeletePolicy => "policy.delete",
            Self::ListPolicies => "policy.list",
            Self::ApplyPolicies => "policy.apply",
            Self::WatchPolicies => "policy.watch",
            Self::ImportPolicies => "policy.import",
            Self::Encrypt => "cipher.encrypt",
            Self::Decrypt => "cipher.decrypt",
            Self::VerifyRootKey => "bootstrap.verify",
            Self::Recover => "operator.recover",
            Self::Restore => "operator.restore",
            Self::Backup => "operator.backup",
            Self::KeyStatus => "operator.status",
            Self::RotateKey => "operator.rotate",
            Self::Rekey => "operator.rekey",
            Self::ConfirmRekey => "operator.rekey_confirm",
            Self::CancelRekey => "operator.rekey_cancel",
            Self::CheckAccess => "policy.check",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_an_exact_path_and_an_exact_action() {
        let post = |path, action| Route::find(&Method::POST, path, action);
        assert_eq!(post("/v1/store/secrets", ""), Some(Route::PutSecret));
        assert_eq!(post("/v1/store/secrets/metadata", "get"), Some(Route::SecretMetadata));
        assert_eq!(post("/v1/acl/policy", "watch"), Some(Route::WatchPolicies));
        assert_eq!(post("/v1/acl/policy", "check"), Some(Route::CheckAccess));
        for (path, action) in [
            ("/v1/store/secrets/", ""),
            ("/v1/store/secrets", "apply"),
            ("/v1/store/secrets", "GET"),
            ("/v1/store/secrets/metadata", ""),
            ("/v1/acl/policy", "undelete"),
            ("/v1/store/secrets", "check"),
            ("/v1/cipher/encrypt", "get"),
            ("/v1/cipher", ""),
            ("/v1/secrets/a", ""),
            ("", ""),
        ] {
            assert_eq!(post(path, action), None, "{path}?action={action}");
        }
        assert_eq!(
            Route::find(&Method::GET, "/v1/secrets/a", "list"),
            Some(Route::ReadSecret)
        );
        assert_eq!(Route::find(&Method::GET, "/v1/secrets/", ""), None);
        assert_eq!(Route::find(&Method::GET, "/v1/store/secrets", "get"), None);
        assert_eq!(Route::find(&Method::PUT, "/v1/store/secrets", ""), None);
    }
}
