//! What a development agent is told to do.
//!
//! **Owns** [`Config`] and its reading. **Refuses** an entry that nobody could ever get, and lives that cannot be
//! kept. **Invariant**: every entry belongs to a trust domain that the agent has an authority for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use spike_policy::spiffe_id::SpiffeIdRule;
use spike_policy::{SpiffeId, TrustDomain};
use spike_runtime::config::Section;
use spike_runtime::{SharedClock, SystemClock};

/// What a development agent is told to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the sockets are; created when missing.
    pub directory: PathBuf,
    /// A socket for everybody, who is then told apart by [`Selector`]s. Relative to `directory`.
    pub socket: Option<PathBuf>,
    /// The agent's own trust domain.
    pub trust_domain: TrustDomain,
    /// More trust domains, each with an authority of its own, all trusting each other.
    pub federated: Vec<TrustDomain>,
    /// How long an X.509-SVID lives; it is renewed after half of that. At least 2 s.
    pub svid_ttl: Duration,
    /// How long a JWT-SVID lives.
    pub jwt_ttl: Duration,
    /// How long an authority lives.
    pub ca_ttl: Duration,
    /// Where authorities are kept over restarts; in memory only when `None`.
    pub authority: Option<PathBuf>,
    /// Who gets which identity.
    pub entries: Vec<Entry>,
    /// The time.
    pub clock: SharedClock,
}

/// An identity and who gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The identity.
    pub spiffe_id: SpiffeId,
    /// A socket that gives this identity to whoever may open it. Relative to the agent's directory.
    pub socket: Option<PathBuf>,
    /// What a caller of the common socket must be: all of it. Nobody when empty.
    pub selectors: Vec<Selector>,
    /// DNS names beside the identity, for clients that verify a host name (curl). SPIFFE clients do not look at them.
    pub dns: Vec<String>,
    /// The hint that a Workload API client may choose by.
    pub hint: String,
}

/// A property of a calling process, in SPIRE's notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `unix:uid:1000`
    Uid(u32),
    /// `unix:gid:1000`
    Gid(u32),
    /// `unix:path:/usr/bin/app`: the program that the process runs.
    Path(PathBuf),
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a selector")]
pub struct InvalidSelector;

impl Config {
    /// The defaults for tests: no entries, an hour of life, everything in memory.
    pub fn new(directory: impl Into<PathBuf>, trust_domain: TrustDomain) -> Self {
        Self {
            directory: directory.into(),
            socket: None,
            trust_domain,
            federated: Vec::new(),
            svid_ttl: Duration::from_secs(3600),
            jwt_ttl: Duration::from_secs(300),
            ca_ttl: Duration::from_secs(24 * 3600),
            authority: None,
            entries: Vec::new(),
            clock: SystemClock::shared(),
        }
    }

    /// With one more identity, behind a socket of its own.
    #[must_use]
    pub fn with_socket(mut self, spiffe_id: SpiffeId, socket: impl Into<PathBuf>) -> Self {
        self.entries.push(Entry::behind_socket(spiffe_id, socket));
        self
    }

    /// Reads the keys of a configuration; `None` only after a fault.
    pub fn read(section: &Section<'_>) -> Option<Self> {
        let domain_rule = "a trust domain name, such as example.org";
        let trust_domain = section
            .key("trust_domain")
            .parsed(domain_rule, trust_domain_name)
            .required();
        let federated = section
            .key("federated")
            .list(domain_rule, trust_domain_name)
            .or(Vec::new());
        let directory = section.key("directory").path().required();
        let socket = section.key("socket").path().optional();
        let authority = section.key("authority").path().optional();
        let year = Duration::from_secs(365 * 24 * 3600);
        let life = |key, least, default| {
            section
                .key(key)
                .duration()
                .between(Duration::from_secs(least)..=year)
                .or(default)
        };
        let svid_ttl = life("svid_ttl", 2, Duration::from_secs(3600));
        let jwt_ttl = life("jwt_ttl", 1, Duration::from_secs(300));
        let ca_ttl = life("ca_ttl", 12, Duration::from_secs(24 * 3600));
        if svid_ttl > ca_ttl / 6 {
            section.refuse(
                "svid_ttl",
                "an SVID must live at most a sixth of what its authority (`ca_ttl`) lives",
            );
        }
        let domains: Vec<TrustDomain> = trust_domain.iter().chain(&federated).cloned().collect();
        if domains
            .iter()
            .enumerate()
            .any(|(index, domain)| domains.iter().skip(index + 1).any(|other| other == domain))
        {
            section.refuse("federated", "a trust domain is named twice");
        }
        let entries = section.sections("entries");
        let entries = entries
            .iter()
            .filter_map(|entry| Entry::read(entry, &domains, socket.as_deref()))
            .collect();
        let (trust_domain, directory) = (trust_domain?, directory?);
        let clock = SystemClock::shared();
        Some(Self {
            directory,
            socket,
            trust_domain,
            federated,
            svid_ttl,
            jwt_ttl,
            ca_ttl,
            authority,
            entries,
            clock,
        })
    }

    /// A path of the configuration, relative to the agent's directory.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}

impl Entry {
    /// An identity for whoever may open this socket.
    pub fn behind_socket(spiffe_id: SpiffeId, socket: impl Into<PathBuf>) -> Self {
        Self {
            spiffe_id,
            socket: Some(socket.into()),
            selectors: Vec::new(),
            dns: Vec::new(),
            hint: String::new(),
        }
    }

    /// An identity for the callers of the common socket that have all these properties.
    pub fn selected(spiffe_id: SpiffeId, selectors: Vec<Selector>) -> Self {
        Self {
            spiffe_id,
            socket: None,
            selectors,
            dns: Vec::new(),
            hint: String::new(),
        }
    }

    fn read(section: &Section<'_>, domains: &[TrustDomain], common: Option<&Path>) -> Option<Self> {
        let own = domains.first().map(ToString::to_string).unwrap_or_default();
        let rule = "a SPIFFE ID of one of the agent's trust domains, or its path, such as /workload/web";
        let known = domains.to_vec();
        let parse = move |text: &str| {
            let full = if text.starts_with('/') {
                format!("spiffe://{own}{text}")
            } else {
                text.to_owned()
            };
            let id = full.parse::<SpiffeId>().map_err(|error| error.rule.to_string())?;
            let mine = known.is_empty() || known.iter().any(|domain| domain.as_str() == id.trust_domain());
            if !mine {
                return Err("of a trust domain that the agent has no authority for".to_owned());
            }
            if id.path().is_empty() {
                Err("a trust domain, not a workload".to_owned())
            } else {
                Ok(id)
            }
        };
        let spiffe_id = section.key("spiffe_id").parsed(rule, parse).required();
        let socket = section.key("socket").path().optional();
        let rule = "unix:uid:NUMBER, unix:gid:NUMBER or unix:path:/PROGRAM";
        let selectors = section.key("selectors").list(rule, Selector::from_str).or(Vec::new());
        let dns = section
            .key("dns")
            .list("a DNS name, such as localhost", dns_name)
            .or(Vec::new());
        let hint = section.key("hint").string().optional().unwrap_or_default();
        match &socket {
            None if selectors.is_empty() => {
                section.refuse("", "nobody could get this identity: give a `socket` or `selectors`");
            }
            None if common.is_none() => {
                section.refuse(
                    "selectors",
                    "selectors need the common `socket` of the agent, and it has none",
                );
            }
            Some(own) if common == Some(own) => section.refuse("socket", "this is the common socket of the agent"),
            None | Some(_) => {}
        }
        Some(Self {
            spiffe_id: spiffe_id?,
            socket,
            selectors,
            dns,
            hint,
        })
    }
}

/// Reads a host name of letters, digits and hyphens (RFC 1123).
fn dns_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(text.to_owned())
    } else {
        Err("not a host name".to_owned())
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let rest = text.strip_prefix("unix:").ok_or(InvalidSelector)?;
        let (kind, value) = rest.split_once(':').ok_or(InvalidSelector)?;
        let number = || value.parse::<u32>().map_err(|_| InvalidSelector);
        match kind {
            "uid" => number().map(Self::Uid),
            "gid" => number().map(Self::Gid),
            "path" if value.starts_with('/') => Ok(Self::Path(PathBuf::from(value))),
            _ => Err(InvalidSelector),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "unix:uid:{uid}"),
            Self::Gid(gid) => write!(f, "unix:gid:{gid}"),
            Self::Path(path) => write!(f, "unix:path:{}", path.display()),
        }
    }
}

/// The rule alone: the configuration shows the value itself.
fn trust_domain_name(text: &str) -> Result<TrustDomain, SpiffeIdRule> {
    text.parse::<TrustDomain>().map_err(|error| error.rule)
}

#[cfg(test)]
mod tests;
