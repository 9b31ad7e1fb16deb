//! The 15 routes, each with a request that has every field.

/// A route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    /// A request that decodes; what it asks for need not exist.
    pub(crate) body: &'static str,
}

const fn route(name: &'static str, target: &'static str, body: &'static str) -> Route {
    Route { name, target, body }
}

pub(crate) const SECRETS: &str = "/v1/store/secrets";
pub(crate) const GET: &str = "/v1/store/secrets?action=get";
pub(crate) const DELETE: &str = "/v1/store/secrets?action=delete";
pub(crate) const UNDELETE: &str = "/v1/store/secrets?action=undelete";
pub(crate) const LIST: &str = "/v1/store/secrets?action=list";
pub(crate) const METADATA: &str = "/v1/store/secrets/metadata?action=get";
pub(crate) const POLICY: &str = "/v1/acl/policy";
pub(crate) const POLICY_GET: &str = "/v1/acl/policy?action=get";
pub(crate) const POLICY_DELETE: &str = "/v1/acl/policy?action=delete";
pub(crate) const POLICY_LIST: &str = "/v1/acl/policy?action=list";
pub(crate) const ENCRYPT: &str = "/v1/cipher/encrypt";
pub(crate) const DECRYPT: &str = "/v1/cipher/decrypt";
pub(crate) const VERIFY: &str = "/v1/bootstrap/verify";
pub(crate) const RECOVER: &str = "/v1/operator/recover";
pub(crate) const RESTORE: &str = "/v1/operator/restore";

/// All of them.
pub(crate) const ROUTES: [Route; 15] = [
    route("secret-put", SECRETS, r#"{"path":"generic/a","values":{"k":"v"}}"#),
    route("secret-get", GET, r#"{"path":"generic/none","version":0}"#),
    route("secret-delete", DELETE, r#"{"path":"generic/none","versions":[1]}"#),
    route("secret-undelete", UNDELETE, r#"{"path":"generic/none","versions":[1]}"#),
    route("secret-list", LIST, "{}"),
    route("secret-metadata", METADATA, r#"{"path":"generic/none","version":0}"#),
    route(
        "policy-put",
        POLICY,
        r#"{"name":"generic","spiffeidPattern":"^spiffe://example\\.org/nobody$","pathPattern":"^generic/none$","permissions":["read"]}"#,
    ),
    route("policy-get", POLICY_GET, r#"{"id":"none"}"#),
    route("policy-delete", POLICY_DELETE, r#"{"id":"none"}"#),
    route(
        "policy-list",
        POLICY_LIST,
        r#"{"spiffeidPattern":"","pathPattern":"^none$"}"#,
    ),
    route("encrypt", ENCRYPT, r#"{"plaintext":"aGk=","algorithm":""}"#),
    route(
        "decrypt",
        DECRYPT,
        r#"{"version":1,"nonce":"AAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA","algorithm":""}"#,
    ),
    route(
        "verify",
        VERIFY,
        r#"{"nonce":"AAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
    ),
    route("recover", RECOVER, "{}"),
    // No share: one that could be one would be taken.
    route("restore", RESTORE, r#"{"id":0,"shard":[1]}"#),
];
