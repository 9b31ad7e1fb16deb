//! Facts and rules in, an access or a refusal out.
use super::{IdentitySource, Methods, PathRules, Refusal, method, path, principal};
use crate::{Access, AccessPath, Permission, SpiffeId, TrustDomain};

/// How requests are read. Plain data; the default refuses every identity, because no trust domain is allowed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Identities of these trust domains may be allowed something. None: everything is refused.
    pub trust_domains: Vec<TrustDomain>,
    /// Where identities come from.
    pub identity: IdentitySource,
    /// Peers that may forward another identity in XFCC. Others' XFCC must name themselves.
    pub xfcc_proxies: Vec<SpiffeId>,
    /// Refuse a request whose peer's certificate was not sent along.
    pub require_peer_certificate: bool,
    /// What may stand in a path.
    pub paths: PathRules,
    /// What each method asks for.
    pub methods: Methods,
    /// What a gRPC request asks for.
    pub grpc: Permission,
    /// What a connection (L4) asks for.
    pub connection: Permission,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            trust_domains: Vec::new(),
            identity: IdentitySource::default(),
            xfcc_proxies: Vec::new(),
            require_peer_certificate: false,
            paths: PathRules::strict(),
            methods: Methods::default(),
            grpc: Permission::Execute,
            connection: Permission::Execute,
        }
    }
}

/// What a proxy says about a request, as bytes, borrowed from its message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The peer's principal as the proxy gave it; empty when there is none.
    pub principal: &'a [u8],
    /// The URI SANs of the peer's certificate, when it was sent along.
    pub certificate_uris: Option<&'a [&'a [u8]]>,
    /// The values of `x-forwarded-client-cert`, one for each header.
    pub xfcc: &'a [&'a [u8]],
    /// The method; empty for a connection.
    pub method: &'a [u8],
    /// The path with its query, cooked by the proxy; empty for a connection.
    pub path: &'a [u8],
    /// The raw `:path`, when the proxy sends raw headers.
    pub raw_path: Option<&'a [u8]>,
    /// Whether the content type is `application/grpc` (or a form of it).
    pub grpc: bool,
    /// What the operator wrote beside the route.
    pub hints: Hints<'a>,
    /// Set for a connection without HTTP (network filter).
    pub connection: Option<Connection<'a>>,
}

/// What the operator wrote beside the route (`context_extensions`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `spike.path-prefix`: a namespace in front of the path, without slashes at its ends.
    pub path_prefix: Option<&'a [u8]>,
    /// `spike.permission`: what the route asks for, whatever the method.
    pub permission: Option<&'a [u8]>,
}

/// A connection of the network filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// The listener's name, where the operator gave one. It goes before the SNI, which the client chooses.
    pub listener: Option<&'a [u8]>,
    /// The requested server name.
    pub sni: Option<&'a [u8]>,
}

/// Reads a request.
///
/// # Errors
/// The first rule that refuses it: who asks before what is asked, and how before where.
pub fn read(rules: &Rules, facts: &Facts<'_>) -> Result<Access, Refusal> {
    if facts.connection.is_none() && facts.method.is_empty() && facts.path.is_empty() && facts.raw_path.is_none() {
        return Err(Refusal::RequestMissing);
    }
    let who = principal::who(rules, facts)?;
    if let Some(connection) = facts.connection {
        let permission = method::hint(facts)?.unwrap_or(rules.connection);
        let path = connection_path(facts, connection)?;
        return Ok(Access { who, permission, path });
    }
    let path = path::access_path(rules.paths, facts)?;
    let permission = method::permission(rules, facts)?;
    Ok(Access { who, permission, path })
}

/// `tcp/<listener or SNI>`, behind the route's prefix if there is one.
fn connection_path(facts: &Facts<'_>, connection: Connection<'_>) -> Result<AccessPath, Refusal> {
    let prefix = path::prefix(facts)?;
    let given = |name: &&[u8]| !name.is_empty();
    let name = connection
        .listener
        .filter(given)
        .or(connection.sni.filter(given))
        .ok_or(Refusal::ConnectionUnnamed)?;
    let name = std::str::from_utf8(name).map_err(|_| Refusal::ConnectionNameInvalid)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if name.len() > 255 || !name.bytes().all(plain) || name.bytes().all(|b| b == b'.') {
        return Err(Refusal::ConnectionNameInvalid);
    }
    let text = if prefix.is_empty() {
        format!("tcp/{name}")
    } else {
        format!("{prefix}/tcp/{name}")
    };
    AccessPath::try_from(text).map_err(|_| Refusal::ConnectionNameInvalid)
}
