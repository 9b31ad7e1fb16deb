//! A proxied request read into an access: canonical or refused.
use crate::{Access, Permission, SpiffeId};

/// What a proxy says about a request, as bytes, borrowed from its message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The peer's principal as the proxy gave it; empty when there is none.
    pub principal: &'a [u8],
    /// The method; empty for a connection (L4).
    pub method: &'a [u8],
    /// The path with its query, cooked by the proxy; empty for a connection.
    pub path: &'a [u8],
    /// The raw path, when the proxy sends raw headers.
    pub raw_path: Option<&'a [u8]>,
}
/// Why a request is refused before any policy is asked. Words for metrics and audit by `as_str`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No principal.
    PrincipalMissing,
}
impl Refusal {
    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrincipalMissing => "principal_missing",
        }
    }
}
/// placeholder
pub fn read(_facts: &Facts<'_>) -> Result<Access, Refusal> {
    let _ = (Permission::Read, "spiffe://a/b".parse::<SpiffeId>());
    Err(Refusal::PrincipalMissing)
}
