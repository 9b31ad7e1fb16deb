//! `check.listen`: at least one way in, and none by accident.
use std::net::SocketAddr;
use std::path::PathBuf;

use spike_policy::IdPattern;
use spike_policy::request::IdentitySource;
use spike_runtime::config::Section;
use spike_runtime::socket::GROUP_MODE;

/// Where Envoy reaches us. Each is optional, not all of them.
#[derive(Clone, Debug)]
pub struct Listen {
    /// A Unix socket.
    pub uds: Option<Uds>,
    /// Plain TCP.
    pub tcp: Option<SocketAddr>,
    /// TCP with mutual TLS.
    pub mtls: Option<Mtls>,
}

/// `check.listen.uds`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uds {
    /// The socket file.
    pub path: PathBuf,
    /// Its mode, such as `0660`.
    pub mode: u32,
    /// Its group's id; ours when absent.
    pub group: Option<u32>,
    /// User ids that may connect; anybody who can open the file when empty.
    pub allow_uids: Vec<u32>,
}

/// `check.listen.mtls`
#[derive(Clone, Debug)]
pub struct Mtls {
    /// Where to listen.
    pub address: SocketAddr,
    /// Patterns of the SPIFFE IDs that may ask, each anchored at both ends.
    pub allow: Vec<IdPattern>,
}

impl Listen {
    pub(super) fn read(check: &Section<'_>, identity: IdentitySource) -> Self {
        let section = check.section("listen");
        let listen = Self {
            uds: section.optional_section("uds").and_then(|uds| Uds::read(&uds)),
            tcp: section
                .optional_section("tcp")
                .and_then(|tcp| tcp_address(&tcp, identity)),
            mtls: section.optional_section("mtls").and_then(|mtls| Mtls::read(&mtls)),
        };
        let given = |name: &str| section.optional_section(name).is_some();
        if !given("uds") && !given("tcp") && !given("mtls") {
            section.refuse("", "nothing would be served: give `uds`, `tcp` or `mtls`");
        }
        listen
    }
}

impl Uds {
    fn read(section: &Section<'_>) -> Option<Self> {
        let allowed = section
            .key("allow_uids")
            .list("a user id", |text| text.parse::<u32>().map_err(|_| "not a number"));
        let mode = section
            .key("mode")
            .parsed("an octal mode such as \"0660\"", str::parse::<Mode>);
        let uds = Self {
            mode: mode.or(Mode(GROUP_MODE)).0,
            group: section
                .key("group")
                .u64(0..=u64::from(u32::MAX))
                .optional()
                .and_then(|id| u32::try_from(id).ok()),
            allow_uids: allowed.or(Vec::new()),
            path: section.key("path").path().required()?,
        };
        Some(uds)
    }
}

/// Permission bits, in octal.
#[derive(Clone, Copy, Debug)]
struct Mode(u32);

impl std::str::FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 => Ok(Self(mode)),
            Ok(_) => Err("more than permission bits"),
            Err(_) => Err("not octal"),
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

fn tcp_address(section: &Section<'_>, identity: IdentitySource) -> Option<SocketAddr> {
    let remote = section.key("allow_remote").bool().or(false);
    let rule = "a loopback address, because whoever reaches the port may ask; use `mtls`, or set `allow_remote: true`";
    let address = section.key("address").socket_addr();
    let address = address
        .must(rule, move |address| remote || address.ip().to_canonical().is_loopback())
        .required();
    if identity == IdentitySource::Xfcc {
        section.refuse(
            "",
            "`check.identity.from: xfcc` believes the caller, so the caller must be known: not over tcp",
        );
    }
    address
}

impl Mtls {
    fn read(section: &Section<'_>) -> Option<Self> {
        let allow = section
            .key("allow")
            .list("a SPIFFE ID pattern", str::parse::<IdPattern>);
        let allow = allow.must("at least one pattern", |patterns| !patterns.is_empty());
        let anchored = "anchored at both ends (`^...$`), because they decide who may ask";
        let allow = allow
            .must(anchored, |patterns| patterns.iter().all(IdPattern::is_anchored))
            .required();
        let address = section.key("address").socket_addr().required();
        Some(Self {
            address: address?,
            allow: allow?,
        })
    }
}
