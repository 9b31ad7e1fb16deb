//! What is kept where, and where the root key comes from.
use std::path::{Path, PathBuf};
use std::time::Duration;

use spike_policy::TrustRoots;
use spike_runtime::config::Section;

use crate::keeper::{KeeperUrl, Peers, Settings};
use crate::vault::RootKeySource;

/// What is kept where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In a file.
    Redb {
        /// The database.
        database: PathBuf,
        /// The key that everything in it is sealed under.
        root_key: RootKeySource,
    },
    /// Nowhere: only the cipher is served, under a key that is kept elsewhere.
    Lite {
        /// The key that the cipher's key follows from.
        root_key: RootKeySource,
    },
    /// In memory, under a key that is gone with the process.
    Memory,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Redb,
    Sqlite,
    Lite,
    Memory,
}

pub(super) const BACKENDS: &[(&str, Word)] = &[
    ("redb", Word::Redb),
    ("sqlite", Word::Sqlite),
    ("lite", Word::Lite),
    ("memory", Word::Memory),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyWord {
    File,
    Operator,
    Keepers,
}

const KEYS: &[(&str, KeyWord)] = &[
    ("file", KeyWord::File),
    ("operator", KeyWord::Operator),
    ("keepers", KeyWord::Keepers),
];

/// Where SPIKE refuses to put data, too: these belong to the system.
const SYSTEM_DIRECTORIES: [&str; 11] = [
    "/etc", "/sys", "/proc", "/dev", "/bin", "/sbin", "/usr", "/lib", "/lib64", "/boot", "/root",
];

impl Word {
    pub(super) fn warnings(self) -> Vec<&'static str> {
        match self {
            Self::Redb => Vec::new(),
            Self::Sqlite => vec!["backend `sqlite` means redb here; databases of SPIKE itself are not read"],
            Self::Lite => vec!["backend `lite` keeps nothing: only the cipher is served, and there are no policies"],
            Self::Memory => vec!["backend `memory` keeps nothing: all secrets and policies are gone when this ends"],
        }
    }
}

impl Backend {
    /// Reads the section `store`. `keepers` says whether any are named.
    pub(super) fn read(store: &Section<'_>, word: Word, home: Option<&Path>, keepers: bool) -> Self {
        let named = store.key("dir").env("SPIKE_NEXUS_DATA_DIR").path();
        let named = named
            .must("a directory of its own, not one of the system's", |path| {
                !is_system(path)
            })
            .optional();
        let sources = Sources::read(store, keepers);
        if word == Word::Memory {
            return Self::Memory;
        }
        let directory = named.or_else(|| home.map(|home| home.join(".spike")));
        let Some(data) = directory.map(|directory| directory.join("data")) else {
            store.refuse("dir", "missing, and there is no home directory to put it in");
            return Self::Memory;
        };
        match sources.choose(store, &data, keepers) {
            None => Self::Memory,
            Some(root_key) if word == Word::Lite => Self::Lite { root_key },
            Some(root_key) => Self::Redb {
                database: data.join("nexus.redb"),
                root_key,
            },
        }
    }

    /// Where the root key comes from, if it comes from anywhere.
    pub fn root_key(&self) -> Option<&RootKeySource> {
        match self {
            Self::Redb { root_key, .. } | Self::Lite { root_key } => Some(root_key),
            Self::Memory => None,
        }
    }
}

/// What is said about the root key.
struct Sources {
    word: KeyWord,
    key_file: Option<PathBuf>,
    credential: Option<String>,
    credentials: Option<PathBuf>,
}

impl Sources {
    /// Keepers bring the key when they are named and nothing else is.
    fn read(store: &Section<'_>, keepers: bool) -> Self {
        let key_file = store.key("key_file").path().optional();
        let credential = store.key("credential").string().optional();
        let alone = keepers && key_file.is_none() && credential.is_none();
        Self {
            key_file,
            credential,
            credentials: store
                .key("credentials_directory")
                .env("CREDENTIALS_DIRECTORY")
                .path()
                .optional(),
            word: store
                .key("key")
                .one_of(KEYS)
                .or(if alone { KeyWord::Keepers } else { KeyWord::File }),
        }
    }

    /// The one source. `None` after a fault.
    fn choose(self, store: &Section<'_>, data: &Path, keepers: bool) -> Option<RootKeySource> {
        let file = self.key_file.is_some() || self.credential.is_some();
        if self.word != KeyWord::File && file {
            store.refuse(
                "key",
                "the root key has one source: `operator`, `keepers`, `key_file` or `credential`",
            );
        }
        match self.word {
            KeyWord::Operator => Some(RootKeySource::Operators),
            KeyWord::Keepers if keepers => Some(RootKeySource::Keepers),
            KeyWord::Keepers => {
                store.refuse("key", "`keepers` needs keepers.peers (SPIKE_NEXUS_KEEPER_PEERS)");
                None
            }
            KeyWord::File => self.file(store, data),
        }
    }

    fn file(self, store: &Section<'_>, data: &Path) -> Option<RootKeySource> {
        match (self.key_file, self.credential, self.credentials) {
            (None, Some(name), Some(directory)) => Some(RootKeySource::CredentialsDirectory { directory, name }),
            (None, Some(_), None) => {
                store.refuse("credential", "needs $CREDENTIALS_DIRECTORY, which systemd sets");
                None
            }
            (Some(_), Some(_), _) => {
                store.refuse(
                    "credential",
                    "the root key has one source: give `key_file` or `credential`",
                );
                None
            }
            (key_file, None, _) => Some(RootKeySource::KeyFile(
                key_file.unwrap_or_else(|| data.join("root.key")),
            )),
        }
    }
}

/// Reads the section `keepers`; `None` when none are named.
pub(super) fn keepers(section: &Section<'_>, trust_roots: TrustRoots) -> Option<Settings> {
    let (short, long) = (Duration::from_millis(100), Duration::from_secs(24 * 3600));
    let peers = section.key("peers").env("SPIKE_NEXUS_KEEPER_PEERS");
    let peers = peers
        .list("https://host:port of a Keeper", str::parse::<KeeperUrl>)
        .must("each Keeper once, 1 to 1000 of them", |urls| {
            Peers::new(urls.clone()).is_ok()
        })
        .optional();
    let update_interval = section
        .key("update_interval")
        .env("SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL")
        .duration()
        .between(short..=long)
        .or(Settings::UPDATE_INTERVAL);
    let timeout = section
        .key("timeout")
        .duration()
        .between(short..=Duration::from_secs(600))
        .or(Settings::TIMEOUT);
    Some(Settings {
        peers: Peers::new(peers?).ok()?,
        trust_roots,
        update_interval,
        timeout,
    })
}

fn is_system(path: &Path) -> bool {
    path == Path::new("/") || SYSTEM_DIRECTORIES.iter().any(|system| path.starts_with(system))
}
