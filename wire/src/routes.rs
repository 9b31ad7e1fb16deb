//! Where the API answers: exact paths, and the actions of the query parameter `action`.

/// Secrets: put (no action), `get`, `delete`, `undelete`, `list`; our `import`.
pub const SECRETS: &str = "/v1/store/secrets";
/// Metadata of a secret: `get`.
pub const SECRETS_METADATA: &str = "/v1/store/secrets/metadata";
/// Policies: put (no action), `get`, `delete`, `list`; our `apply`, `check`, `import` and `watch`.
pub const POLICY: &str = "/v1/acl/policy";
/// Encryption as a service.
pub const CIPHER_ENCRYPT: &str = "/v1/cipher/encrypt";
/// Decryption as a service.
pub const CIPHER_DECRYPT: &str = "/v1/cipher/decrypt";
/// Proof that Nexus holds the root key.
pub const BOOTSTRAP_VERIFY: &str = "/v1/bootstrap/verify";
/// Hands out the shards of the root key.
pub const OPERATOR_RECOVER: &str = "/v1/operator/recover";
/// Takes one shard of the root key.
pub const OPERATOR_RESTORE: &str = "/v1/operator/restore";
/// Gives a backup of the whole store, as a stream (extension).
pub const OPERATOR_BACKUP: &str = "/v1/operator/backup";
/// How the keys are (extension).
pub const OPERATOR_STATUS: &str = "/v1/operator/status";
/// Starts a new data key (extension).
pub const OPERATOR_ROTATE: &str = "/v1/operator/rotate";
/// Changes the root key: begin (no action), `confirm`, `cancel` (extension).
pub const OPERATOR_REKEY: &str = "/v1/operator/rekey";
/// Our extension for `curl`: `GET` with the secret's path behind this prefix.
pub const SECRET_BY_PATH: &str = "/v1/secrets/";

/// The query parameter that selects an action.
pub const ACTION: &str = "action";

/// Says, on a 500, that the write may or may not have happened: `x-spike-outcome: unknown`.
pub const OUTCOME_HEADER: &str = "x-spike-outcome";
/// The only value of [`OUTCOME_HEADER`].
pub const OUTCOME_UNKNOWN: &str = "unknown";
/// Every answer names its request, so that a person can find the audit line.
pub const REQUEST_ID_HEADER: &str = "x-spike-request-id";

/// The media type of the policy feed.
pub const NDJSON: &str = "application/x-ndjson";

/// An action: the first value of `?action=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// None given: put, or the route's only action.
    Default,
    /// `get`
    Get,
    /// `delete`
    Delete,
    /// `undelete`
    Undelete,
    /// `list`
    List,
    /// `apply`: several policies, all or none (extension).
    Apply,
    /// `watch`: the policy feed (extension).
    Watch,
    /// `check`: whether and why an access is allowed (extension).
    Check,
    /// `confirm`: the new root key has arrived (extension).
    Confirm,
    /// `cancel`: the old root key stays (extension).
    Cancel,
    /// `import`: what another Nexus had, as it had it (extension).
    Import,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::Default,
        Self::Get,
        Self::Delete,
        Self::Undelete,
        Self::List,
        Self::Apply,
        Self::Watch,
        Self::Check,
        Self::Import,
        Self::Confirm,
        Self::Cancel,
    ];

    /// The wire word; empty for the default action.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Get => "get",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::List => "list",
            Self::Apply => "apply",
            Self::Watch => "watch",
            Self::Check => "check",
            Self::Import => "import",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
        }
    }

    /// The action of this word, compared exactly; `None` for a word that no route knows.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}
