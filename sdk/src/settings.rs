//! What a client must know before it can call Nexus.
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use spike_policy::TrustRoots;

/// Everything that [`Client::connect`](crate::Client::connect) reads from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The Workload API's address, such as `unix:///run/spire/agent.sock`. None: SPIRE's default socket.
    pub workload_api: Option<String>,
    /// How long to wait for the first SVID. None: without limit.
    pub svid_wait: Option<Duration>,
    /// Where Nexus is.
    pub nexus_url: NexusUrl,
    /// Trust domains under which `/spike/nexus` is believed to be Nexus.
    pub nexus_trust_roots: TrustRoots,
    /// How long each part of a call may take.
    pub timeouts: Timeouts,
}

impl Settings {
    /// SPIKE's default trust root.
    pub(crate) const NEXUS_TRUST_ROOTS: &'static str = "spike.ist";
}

/// How long each part of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Getting a connection: name, TCP and TLS.
    pub connect: Duration,
    /// From having a connection to the first byte of the answer; also the longest silence of a policy feed.
    pub response_header: Duration,
    /// The whole call. A policy feed has no such end.
    pub total: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// The figures of the official SDK.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(40),
            response_header: Duration::from_secs(10),
            total: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

impl Default for Settings {
    /// What an empty environment gives.
    fn default() -> Self {
        Self {
            workload_api: None,
            svid_wait: Some(Duration::from_secs(30)),
            nexus_url: NexusUrl::default(),
            // Parses; if it ever did not, nobody would be believed to be Nexus.
            nexus_trust_roots: TrustRoots::parse(Self::NEXUS_TRUST_ROOTS).unwrap_or_default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// The base address of a Nexus: `https`, a host, and optionally a port and a path. Ends without a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NexusUrl(String);

/// Why a text is no address of a Nexus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a Nexus: `{url}`: {rule}")]
pub struct InvalidUrl {
    url: String,
    rule: &'static str,
}

impl NexusUrl {
    /// SPIKE's default.
    pub const DEFAULT: &'static str = "https://localhost:8553";

    /// The address, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for NexusUrl {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for NexusUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let refused = |rule| InvalidUrl {
            url: text.to_owned(),
            rule,
        };
        let uri = text
            .parse::<Uri>()
            .map_err(|_| refused("it must be a URL such as https://localhost:8553"))?;
        if uri.scheme_str() != Some("https") {
            return Err(refused("it must start with https://"));
        }
        let authority = uri.authority().ok_or_else(|| refused("it must name a host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("it must not hold a user name"));
        }
        if authority.host().is_empty() {
            return Err(refused("it must name a host"));
        }
        if authority.as_str().len() > authority.host().len() && authority.port().is_none() {
            return Err(refused("its port must be a number from 0 to 65535"));
        }
        if uri.query().is_some() {
            return Err(refused("it must not hold a query"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for NexusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_trailing_slash_and_a_base_path_are_fine() {
        for (text, kept) in [
            ("https://localhost:8553", "https://localhost:8553"),
            ("https://localhost:8553/", "https://localhost:8553"),
            ("https://nexus.example.org", "https://nexus.example.org"),
            ("https://[::1]:8553", "https://[::1]:8553"),
            ("https://gateway/spike/", "https://gateway/spike"),
        ] {
            assert_eq!(text.parse::<NexusUrl>().unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_no_https_address_of_a_host_is_refused_with_the_rule() {
        for (text, rule) in [
            ("http://localhost:8553", "https://"),
            ("localhost:8553", "https://"),
            ("", "URL"),
            ("https://", "URL"),
            ("https://user@host", "user name"),
            ("https://host:99999", "port"),
            ("https://host?x=1", "query"),
            ("https://ho st", "URL"),
        ] {
            let fault = text.parse::<NexusUrl>().unwrap_err().to_string();
            assert!(fault.contains(rule), "{text}: {fault}");
        }
    }
}
