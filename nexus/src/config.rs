//! What an operator can say about a Nexus.
mod anchor;
mod backend;

use std::net::{Ipv6Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use spike_policy::{Roles, TrustRoots};
use spike_runtime::config::Section;

use self::backend::{BACKENDS, Word};
use crate::http::Limits;
use crate::keeper;
use crate::service::Rules;
use crate::store::Anchoring;
use crate::vault::{RootKeySource, Sharing};

pub use self::backend::Backend;

/// The settings of a Nexus. It holds no secret, only where the root key is.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the API listens (`listen`, `SPIKE_NEXUS_TLS_PORT`); port 0 picks a free one.
    pub listen: SocketAddr,
    /// What is kept where.
    pub backend: Backend,
    /// The Keepers that hold the root key, when they are where it comes from.
    pub keepers: Option<keeper::Settings>,
    /// Versions kept of each secret (`store.max_secret_versions`, `SPIKE_NEXUS_MAX_SECRET_VERSIONS`).
    pub max_secret_versions: NonZeroU32,
    /// Writes that may wait (`store.queue`).
    pub queue: NonZeroUsize,
    /// Where rollbacks of the database are noticed (`store.anchor`); nowhere when `None`.
    pub anchor: Option<Anchoring>,
    /// Built-in identities and the strictness of policies.
    pub rules: Rules,
    /// What one client may take up.
    pub limits: Limits,
    /// How long requests under way may take when the server stops.
    pub drain: Duration,
    /// What is legal but should be known: logged when the Nexus opens.
    pub warnings: Vec<&'static str>,
}

/// SPIKE's default trust root.
const TRUST_ROOT: &str = "spike.ist";

impl Config {
    /// The port of official clients.
    pub const PORT: u16 = 8553;

    /// Reads the section of a Nexus. `home` is the user's home directory, below which data is kept by default.
    /// Faults are recorded in the section's layers, all of them.
    pub fn read(section: &Section<'_>, home: Option<&Path>) -> Self {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, Self::PORT));
        let store = section.section("store");
        let word = store
            .key("backend")
            .env("SPIKE_NEXUS_BACKEND_STORE")
            .one_of(BACKENDS)
            .or(Word::Redb);
        let rules = rules(section);
        let mut warnings = word.warnings();
        let keepers = backend::keepers(&section.section("keepers"), rules.roles.keeper.clone());
        let backend = Backend::read(&store, word, home, keepers.is_some());
        let keepers = used_keepers(section, keepers, (&backend, rules.sharing), &mut warnings);
        let anchor = anchor::read(&store, &backend);
        Self {
            listen: section
                .key("listen")
                .env("SPIKE_NEXUS_TLS_PORT")
                .socket_addr()
                .or(everywhere),
            backend,
            keepers,
            max_secret_versions: versions(&store),
            queue: queue(&store),
            anchor,
            rules,
            limits: limits(&section.section("limits")),
            drain: DRAIN,
            warnings,
        }
    }

    /// Whether to go on with a database that may have been rolled back. Said on the command line, for one start.
    #[must_use]
    pub fn accepting_rollback(mut self, accept: bool) -> Self {
        if let Some(anchor) = &mut self.anchor {
            anchor.accept_rollback = accept;
        }
        self
    }

    /// A Nexus in memory on a free port of this host, for tests and embedding.
    pub fn in_memory(roles: Roles) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            backend: Backend::Memory,
            keepers: None,
            max_secret_versions: DEFAULT_VERSIONS,
            queue: DEFAULT_QUEUE,
            anchor: None,
            rules: Rules {
                roles,
                ..Rules::default()
            },
            limits: Limits::default(),
            drain: DRAIN,
            warnings: Vec::new(),
        }
    }
}

fn rules(section: &Section<'_>) -> Rules {
    let open_official = section.section("cipher").key("open_official").bool().or(true);
    Rules {
        roles: roles(&section.section("trust_roots")),
        require_anchors: section.section("policy").key("require_anchors").bool().or(false),
        sharing: sharing(&section.section("shamir")),
        own_messages_only: !open_official,
        ..Rules::default()
    }
}

/// The Keepers, if the root key comes from them; each must hold one share of it.
fn used_keepers(
    section: &Section<'_>,
    keepers: Option<keeper::Settings>,
    (backend, sharing): (&Backend, Sharing),
    warnings: &mut Vec<&'static str>,
) -> Option<keeper::Settings> {
    let keepers = keepers?;
    if backend.root_key() != Some(&RootKeySource::Keepers) {
        warnings.push("keepers are named but not asked: the root key comes from elsewhere");
        return None;
    }
    let (count, shares) = (keepers.peers.count(), usize::from(sharing.shares()));
    if count != shares {
        section.section("keepers").refuse(
            "peers",
            format!(
                "{count} Keepers, but nexus.shamir.shares (SPIKE_NEXUS_SHAMIR_SHARES) is {shares}: each Keeper holds one \
                 share"
            ),
        );
    }
    Some(keepers)
}

/// Reads trust roots: each key a list of trust domains separated by commas, also from `SPIKE_TRUST_ROOT_*`.
pub fn roles(section: &Section<'_>) -> Roles {
    let roots = |name: &str, variable: &'static str| {
        let parse = |text: &str| TrustRoots::parse(text).map(|_| text.to_owned());
        let list = section
            .key(name)
            .env(variable)
            .parsed("trust domains separated by commas", parse);
        TrustRoots::parse(&list.or(TRUST_ROOT.to_owned())).unwrap_or_default()
    };
    Roles {
        pilot: roots("pilot", "SPIKE_TRUST_ROOT_PILOT"),
        lite_workload: roots("lite_workload", "SPIKE_TRUST_ROOT_LITE_WORKLOAD"),
        nexus: roots("nexus", "SPIKE_TRUST_ROOT_NEXUS"),
        keeper: roots("keeper", "SPIKE_TRUST_ROOT_KEEPER"),
        bootstrap: roots("bootstrap", "SPIKE_TRUST_ROOT_BOOTSTRAP"),
    }
}

/// How many shares the root key has, and how many give it back.
fn sharing(section: &Section<'_>) -> Sharing {
    let most = u64::from(Sharing::MOST);
    let shares = section
        .key("shares")
        .env("SPIKE_NEXUS_SHAMIR_SHARES")
        .u64(1..=most)
        .or(3);
    let threshold = section
        .key("threshold")
        .env("SPIKE_NEXUS_SHAMIR_THRESHOLD")
        .u64(1..=most)
        .or(2);
    Sharing::new(shares, threshold).unwrap_or_else(|fault| {
        section.refuse("threshold", fault.to_string());
        Sharing::default()
    })
}

const DRAIN: Duration = Duration::from_secs(8);
const DEFAULT_VERSIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const DEFAULT_QUEUE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

fn versions(store: &Section<'_>) -> NonZeroU32 {
    let key = store
        .key("max_secret_versions")
        .env("SPIKE_NEXUS_MAX_SECRET_VERSIONS")
        .u64(1..=10_000);
    let given = key.or(u64::from(DEFAULT_VERSIONS.get()));
    u32::try_from(given)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(DEFAULT_VERSIONS)
}

fn queue(store: &Section<'_>) -> NonZeroUsize {
    let given = store.key("queue").u64(1..=65_536).or(1024);
    usize::try_from(given)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(DEFAULT_QUEUE)
}

fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    let count = |name: &str, most: u64, default: usize| {
        let given = section
            .key(name)
            .u64(1..=most)
            .or(u64::try_from(default).unwrap_or(most));
        usize::try_from(given).unwrap_or(default)
    };
    let (short, long) = (Duration::from_millis(10), Duration::from_secs(600));
    let time = |name: &str, default: Duration| section.key(name).duration().between(short..=long).or(default);
    let header = section
        .key("header")
        .env("SPIKE_HTTP_SERVER_READ_HEADER_TIMEOUT")
        .duration();
    let bytes = section.key("body_bytes").size().between(1 << 10..=64 << 20).or(1 << 20);
    Limits {
        connections: count("connections", 1_000_000, default.connections),
        connections_per_peer: count("connections_per_peer", 1_000_000, default.connections_per_peer),
        handshake: time("handshake", default.handshake),
        header: header.between(short..=long).or(default.header),
        body: time("body", default.body),
        body_bytes: usize::try_from(bytes).unwrap_or(default.body_bytes),
        idle: time("idle", default.idle),
    }
}

#[cfg(test)]
mod tests;
