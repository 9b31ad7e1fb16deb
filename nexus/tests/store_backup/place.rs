//! A directory with a database, its key and its anchor.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use spike_nexus::store::{
    Accept, Anchoring, BackupError, Mode, OpenError, Options, Restore, RestoreError, Restored, Store, VersionChoice,
    restore,
};
use spike_nexus::vault::{RootKey, RootKeySource, SecretValue};
use spike_policy::{Permissions, Rule, SecretPath, UnixMillis};

pub(crate) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Another machine with the same root key and nothing else.
    pub(crate) fn elsewhere(&self) -> Self {
        let other = Self::new();
        fs::copy(self.file("root.key"), other.file("root.key")).unwrap();
        other
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> Result<Store, OpenError> {
        let key = RootKeySource::KeyFile(self.file("root.key"));
        let mut options = Options::new(self.file("nexus.redb"), key);
        options.anchor = Some(Anchoring {
            path: self.file("anchor"),
            accept_rollback: false,
        });
        Store::open(options)
    }

    pub(crate) fn key(&self) -> RootKey {
        RootKeySource::KeyFile(self.file("root.key")).load().unwrap()
    }

    pub(crate) fn order(&self, from: &Path) -> Restore {
        Restore {
            from: from.to_owned(),
            database: self.file("nexus.redb"),
            anchor: Some(self.file("anchor")),
            accept: Accept::default(),
        }
    }

    pub(crate) fn restore(&self, from: &Path) -> Result<Restored, RestoreError> {
        restore(&self.order(from), &self.key(), NOW)
    }

    pub(crate) fn restore_accepting(&self, from: &Path, accept: Accept) -> Result<Restored, RestoreError> {
        let order = Restore {
            accept,
            ..self.order(from)
        };
        restore(&order, &self.key(), NOW)
    }

    /// Every file with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect()
    }
}

pub(crate) fn rollback() -> Accept {
    Accept {
        rollback: true,
        ..Accept::default()
    }
}

pub(crate) fn backup(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    let taken = store
        .backup(NOW, &mut |piece| {
            bytes.extend_from_slice(&piece);
            Ok::<(), BackupError>(())
        })
        .unwrap();
    assert_eq!(usize::try_from(taken.bytes).unwrap(), bytes.len());
    bytes
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn rule(name: &str, path: &str) -> Rule {
    Rule {
        name: name.parse().unwrap(),
        spiffe_id: "^spiffe://example\\.org/workload$".parse().unwrap(),
        path: path.parse().unwrap(),
        permissions: Permissions::parse(["read"]).unwrap(),
    }
}

pub(crate) async fn put_policy(store: &Store, name: &str, path: &str) {
    store.put_policy(rule(name, path), Mode::Upsert, NOW).await.unwrap();
}

pub(crate) async fn put_secret(store: &Store, path: &str, text: &str) {
    let value: SecretValue = [("password".to_owned(), text.to_owned())].into_iter().collect();
    store.put_secret(path.parse().unwrap(), value, NOW).await.unwrap();
}

pub(crate) fn secret(store: &Store, path: &str) -> Option<String> {
    let path: SecretPath = path.parse().unwrap();
    let read = store.get_secret(&path, VersionChoice::Current).ok()?;
    read.value.expose_secret().next().map(|(_, value)| value.to_owned())
}

/// Everything a store serves: policies by name, secrets by path.
pub(crate) fn contents(store: &Store) -> BTreeMap<String, String> {
    assert!(store.broken().is_empty(), "{:?}", store.broken());
    let policies = store.policies().unwrap();
    let policies = policies
        .iter()
        .map(|policy| (format!("policy {}", policy.rule.name), policy.rule.path.to_string()));
    let paths = store.list_secret_paths().unwrap();
    let secrets = paths
        .iter()
        .map(|path| (path.to_string(), secret(store, path.as_str()).unwrap_or_default()));
    policies.chain(secrets).collect()
}
