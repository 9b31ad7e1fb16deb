//! What an operator can say about Checks.
//!
//! **Owns** the keys `check`, `cache`, `feed`, `audit` and `trust_roots`. **Refuses** to stop at the first fault, and a
//! file in which nothing would be served, nobody could be allowed, or a port would be open by accident.
//! **Invariant**: settings that were read without a fault can be run as they are.
mod listen;
mod rules;

use std::time::Duration;

use spike_policy::TrustRoots;
use spike_runtime::config::Section;

use crate::check::Rulebook;
use crate::encode::Disclosure;
use crate::feed::OnStale;
use crate::feed::remote::NexusUrl;
use crate::serve::{Bounds, Http2, Limits};
use crate::snapshot::Bound;
pub use listen::{Listen, Mtls, Uds};

/// The settings of the Check service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Envoy reaches us.
    pub listen: Listen,
    /// How Checks are decided; its pilots are filled in by whoever knows the trust roots.
    pub rulebook: Rulebook,
    /// `check.pilot`: whether built-in operators count here.
    pub pilot: Pilot,
    /// Bounds of messages, connections and the drain.
    pub limits: Limits,
    /// Views kept at hand.
    pub cache: CacheSize,
    /// Where policies come from.
    pub feed: Feed,
    /// Where decisions are written.
    pub audit: spike_audit::Settings,
}

/// `check.pilot`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pilot {
    /// Pilot identities have full access (design D4).
    Role,
    /// Pilot identities have what policies give them.
    Policy,
}

/// `cache`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSize {
    /// `cache.ttl`; zero: nothing is kept and the store is read for every Check.
    pub ttl: Duration,
    /// `cache.max_entries`, `cache.max_bytes`
    pub bound: Bound,
}

/// `feed`
#[derive(Clone, Debug)]
pub enum Feed {
    /// The Nexus in this process.
    Embedded,
    /// A Nexus elsewhere.
    Remote(Remote),
}

/// A Nexus elsewhere.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `feed.url`, `SPIKE_NEXUS_API_URL`
    pub url: NexusUrl,
    /// `feed.max_age`
    pub max_age: Duration,
    /// `feed.on_stale`
    pub on_stale: OnStale,
    /// `trust_roots.nexus`: where a Nexus is believed to be one.
    pub nexus: TrustRoots,
    /// `trust_roots.pilot`
    pub pilot: TrustRoots,
}

/// SPIKE's default trust root.
const TRUST_ROOT: &str = "spike.ist";

impl Config {
    /// Reads the sections of the Check service from the top of a configuration.
    pub fn read(root: &Section<'_>, drain: Duration) -> Self {
        let check = root.section("check");
        let cache = CacheSize::read(&root.section("cache"));
        let feed = Feed::read(root);
        if cache.ttl.is_zero() && matches!(feed, Feed::Remote(_)) {
            let what = "0s reads the store for each Check, and a remote feed has none; give a longer time";
            root.section("cache").refuse("ttl", what);
        }
        let rulebook = Rulebook {
            reading: rules::reading(&check),
            roles: spike_policy::Roles::default(),
            disclosure: Disclosure {
                inject_identity: check.key("inject_identity_header").bool().or(false),
                explain_denials: check.key("explain_denials").bool().or(false),
            },
            reload: cache.ttl.is_zero(),
        };
        let pilots = &[("role", Pilot::Role), ("policy", Pilot::Policy)];
        Self {
            listen: Listen::read(&check, rulebook.reading.rules.identity),
            rulebook,
            pilot: check.key("pilot").one_of(pilots).or(Pilot::Role),
            limits: limits(&check, drain),
            cache,
            feed,
            audit: spike_audit::Settings::read(&root.section("audit"), spike_audit::Target::Stdout),
        }
    }
}

impl CacheSize {
    fn read(section: &Section<'_>) -> Self {
        let longest = Duration::ZERO..=Duration::from_secs(3600);
        Self {
            ttl: section
                .key("ttl")
                .duration()
                .between(longest)
                .or(Duration::from_secs(1)),
            bound: Bound {
                entries: section.key("max_entries").u64(1..=10_000_000).or(100_000),
                bytes: section
                    .key("max_bytes")
                    .size()
                    .between(1 << 20..=1 << 40)
                    .or(Bound::BYTES),
            },
        }
    }
}

impl Feed {
    fn read(root: &Section<'_>) -> Self {
        const MODES: &[(&str, bool)] = &[("embedded", false), ("remote", true)];
        let section = root.section("feed");
        if !section.key("mode").one_of(MODES).or(false) {
            return Self::Embedded;
        }
        let roots = root.section("trust_roots");
        let ages = Duration::from_millis(100)..=Duration::from_secs(3600);
        let stale = &[("deny", OnStale::Deny), ("serve", OnStale::Serve)];
        let url = section.key("url").env("SPIKE_NEXUS_API_URL");
        Self::Remote(Remote {
            url: url
                .parsed("an https URL such as https://localhost:8553", str::parse)
                .or(NexusUrl::default()),
            max_age: section
                .key("max_age")
                .duration()
                .between(ages)
                .or(Duration::from_secs(5)),
            on_stale: section.key("on_stale").one_of(stale).or(OnStale::Deny),
            nexus: trust_roots(&roots, "nexus", "SPIKE_TRUST_ROOT_NEXUS"),
            pilot: trust_roots(&roots, "pilot", "SPIKE_TRUST_ROOT_PILOT"),
        })
    }
}

fn trust_roots(section: &Section<'_>, name: &str, variable: &'static str) -> TrustRoots {
    let parse = |text: &str| TrustRoots::parse(text).map(|_| text.to_owned());
    let list = section
        .key(name)
        .env(variable)
        .parsed("trust domains separated by commas", parse);
    TrustRoots::parse(&list.or(TRUST_ROOT.to_owned())).unwrap_or_default()
}

fn limits(check: &Section<'_>, drain: Duration) -> Limits {
    let sizes = 1 << 10..=16 << 20;
    let message = check.key("max_message").size().between(sizes).or(1 << 20);
    let in_flight = check.key("max_in_flight").u64(1..=1_000_000).or(4096);
    let streams = check.key("max_concurrent_streams").u64(1..=1_000_000).or(4096);
    let times = Duration::from_millis(10)..=Duration::from_secs(600);
    Limits {
        bounds: Bounds {
            max_message: usize::try_from(message).unwrap_or(1 << 20),
            max_in_flight: i64::try_from(in_flight).unwrap_or(4096),
            read_timeout: check
                .key("read_timeout")
                .duration()
                .between(times)
                .or(Duration::from_secs(10)),
        },
        http2: Http2 {
            max_concurrent_streams: u32::try_from(streams).unwrap_or(4096),
            ..Http2::default()
        },
        drain,
    }
}

#[cfg(test)]
mod tests;
