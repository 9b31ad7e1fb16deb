//! The database as a file: what is in it, what is refused, and that refusing changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use spike_nexus::store::{Mode, OpenError, Options, Store, VersionChoice};
use spike_nexus::vault::{RootKeySource, SecretValue};
use spike_policy::{Generation, Permissions, Rule, SecretPath, UnixMillis};

struct Place {
    _directory: tempfile::TempDir,
    database: PathBuf,
    key: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (database, key) = (directory.path().join("nexus.redb"), directory.path().join("root.key"));
        Self {
            _directory: directory,
            database,
            key,
        }
    }

    fn open(&self) -> Result<Store, OpenError> {
        self.open_with(&self.key)
    }

    fn open_with(&self, key: &Path) -> Result<Store, OpenError> {
        Store::open(Options::new(
            self.database.clone(),
            RootKeySource::KeyFile(key.to_owned()),
        ))
    }

    /// Refuses to open, and leaves every byte of the file as it was.
    fn refusal(&self) -> OpenError {
        let before = fs::read(&self.database).unwrap();
        let refusal = self.open().unwrap_err();
        assert_eq!(
            fs::read(&self.database).unwrap(),
            before,
            "{refusal}: the file was changed"
        );
        refusal
    }

    fn other_key(&self) -> PathBuf {
        let path = self.key.with_file_name("other.key");
        write_key(&path, &[8; 32]);
        path
    }
}

fn write_key(path: &Path, contents: &[u8]) {
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn rule(name: &str, identity: &str, path: &str) -> Rule {
    Rule {
        name: name.parse().unwrap(),
        spiffe_id: identity.parse().unwrap(),
        path: path.parse().unwrap(),
        permissions: Permissions::parse(["read", "execute"]).unwrap(),
    }
}

fn put(store: &Store, name: &str) {
    let rule = rule(name, "^spiffe://example\\.org/workload$", "^tenants/acme/db/creds$");
    wait(store.put_policy(rule, Mode::Upsert, UnixMillis(1_700_000_000_000))).unwrap();
}

fn secret(key: &str, text: &str) -> SecretValue {
    [(key.to_owned(), text.to_owned())].into_iter().collect()
}

fn path(text: &str) -> SecretPath {
    text.parse().unwrap()
}

#[test]
fn no_pattern_permission_or_value_is_in_the_file() {
    let canaries = [
        "canary-identity-5f1c",
        "canary-path-77aa",
        "canary-key-0d2e",
        "canary-value-c41b",
    ];
    let [identity, namespace, key, value] = canaries;
    let place = Place::new();
    let store = place.open().unwrap();
    for round in 0..20 {
        let rule = rule(
            &format!("visible-name-{round}"),
            &format!("^spiffe://{identity}/{round}$"),
            &format!("^{namespace}/{round}$"),
        );
        wait(store.put_policy(rule, Mode::Upsert, UnixMillis(1))).unwrap();
        wait(store.put_secret(
            path(&format!("visible/path/{round}")),
            secret(key, value),
            UnixMillis(1),
        ))
        .unwrap();
    }
    wait(store.delete_policy("visible-name-3")).unwrap();
    wait(store.delete_versions(path("visible/path/3"), Vec::new(), UnixMillis(2))).unwrap();
    wait(store.close()).unwrap();
    drop(store);
    let bytes = fs::read(&place.database).unwrap();
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    for canary in canaries {
        assert!(!text.contains(canary), "{canary}");
    }
    for permission in ["execute", "\"read\"", "read,"] {
        assert!(!text.contains(permission), "{permission}");
    }
    // The search finds what is there.
    assert!(text.contains("visible-name-7") && text.contains("visible/path/7"));
    let key = fs::read_to_string(&place.key).unwrap();
    assert!(!text.contains(key.trim()));
}

#[test]
fn a_wrong_key_is_called_that_and_changes_nothing() {
    let place = Place::new();
    put(&place.open().unwrap(), "p");
    let before = fs::read(&place.database).unwrap();
    let refusal = place.open_with(&place.other_key()).unwrap_err();
    assert!(matches!(refusal, OpenError::WrongKey(_)), "{refusal}");
    assert!(refusal.to_string().contains("wrong key"), "{refusal}");
    assert_eq!(fs::read(&place.database).unwrap(), before);
    assert_eq!(place.open().unwrap().policies().unwrap().len(), 1);
}

#[test]
fn a_wrong_key_changes_nothing_even_when_the_database_needs_recovery() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, "p");
    // A copy of the open file is what a crash leaves.
    let crashed = Place::new();
    fs::copy(&place.database, &crashed.database).unwrap();
    fs::copy(&place.key, &crashed.key).unwrap();
    drop(store);
    let before = fs::read(&crashed.database).unwrap();
    let refusal = crashed.open_with(&crashed.other_key()).unwrap_err();
    assert!(matches!(refusal, OpenError::WrongKey(_)), "{refusal}");
    assert_eq!(fs::read(&crashed.database).unwrap(), before);
    assert_eq!(crashed.open().unwrap().policies().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_not_touched() {
    let contents: [(&str, Vec<u8>, &str); 5] = [
        ("nothing", Vec::new(), "it is empty"),
        ("a short text", b"hello".to_vec(), "not a database file"),
        ("a long text", b"# notes\n".repeat(10_000), "not a database file"),
        ("zeros", vec![0; 1 << 20], "not a database file"),
        ("only the magic number", b"redb\x1A\x0A\xA9\x0D\x0A".to_vec(), "damaged"),
    ];
    for (name, bytes, expected) in contents {
        let place = Place::new();
        write_key(&place.key, &[7; 32]);
        fs::write(&place.database, bytes).unwrap();
        let text = place.refusal().to_string();
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn a_directory_or_a_link_in_the_place_of_the_file_is_refused() {
    let place = Place::new();
    write_key(&place.key, &[7; 32]);
    fs::create_dir(&place.database).unwrap();
    assert!(matches!(
        place.open().unwrap_err(),
        OpenError::NotOurs {
            what: "a directory",
            ..
        }
    ));
    fs::remove_dir(&place.database).unwrap();
    symlink("/tmp/elsewhere.redb", &place.database).unwrap();
    assert!(matches!(place.open().unwrap_err(), OpenError::Symlink(_)));
    assert!(!Path::new("/tmp/elsewhere.redb").exists());
}

#[test]
fn a_truncated_database_is_refused_and_not_touched() {
    let place = Place::new();
    put(&place.open().unwrap(), "p");
    let whole = fs::read(&place.database).unwrap();
    for length in [10, 100, 4095, 4096, 5000, whole.len() / 2] {
        fs::write(&place.database, whole.get(..length).unwrap()).unwrap();
        let text = place.refusal().to_string();
        assert!(
            text.contains("damaged") || text.contains("could not read"),
            "{length}: {text}"
        );
    }
}

#[test]
fn a_second_store_on_the_same_file_is_refused_until_the_first_is_gone() {
    let place = Place::new();
    let first = place.open().unwrap();
    put(&first, "p");
    let refusal = place.open().unwrap_err();
    assert!(matches!(refusal, OpenError::AlreadyOpen(_)), "{refusal}");
    assert!(refusal.to_string().contains("another process has it open"), "{refusal}");
    put(&first, "q");
    drop(first);
    assert_eq!(place.open().unwrap().policies().unwrap().len(), 2);
}

#[test]
fn another_stores_file_is_refused_under_our_key() {
    let (ours, theirs) = (Place::new(), Place::new());
    drop(ours.open().unwrap());
    drop(theirs.open().unwrap());
    fs::copy(&theirs.database, &ours.database).unwrap();
    assert!(matches!(ours.refusal(), OpenError::WrongKey(_)));
}

/// Written by the first version of the format (see `fixtures/store-v1/README.md`). It must open for ever.
#[test]
fn the_golden_database_of_format_1_stays_readable() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1");
    let place = Place::new();
    fs::copy(fixtures.join("nexus.redb"), &place.database).unwrap();
    write_key(&place.key, &fs::read(fixtures.join("root.key")).unwrap());
    let store = place.open().unwrap();
    assert!(store.broken().is_empty(), "{:?}", store.broken());
    assert_eq!(
        store.id().to_string(),
        fs::read_to_string(fixtures.join("store-id")).unwrap().trim()
    );
    let policies = store.policies().unwrap();
    assert_eq!((policies.generation(), policies.len()), (Generation(5), 2));
    assert_eq!(store.stats().term, 2);
    let policy = store.policy("database readers").unwrap().unwrap();
    assert_eq!(policy.rule.spiffe_id.as_str(), "^spiffe://example\\.org/workload/.*$");
    assert_eq!(policy.rule.path.as_str(), "^tenants/acme/db/.*$");
    assert_eq!(policy.rule.permissions, Permissions::parse(["read", "list"]).unwrap());
    assert_eq!(
        (policy.created_at, policy.updated_at),
        (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_009_000))
    );
    let operators = store.policy("operators").unwrap().unwrap();
    assert_eq!(
        operators.rule.permissions,
        Permissions::parse(["super", "write", "execute"]).unwrap()
    );

    assert_eq!(
        store.list_secret_paths().unwrap(),
        [path("empty"), path("tenants/acme/db/creds")]
    );
    let read = |version: i64| store.get_secret(&path("tenants/acme/db/creds"), version.into());
    assert_eq!(read(0).unwrap().value, secret("password", "s3cr3t-2"));
    assert_eq!(read(2).unwrap().version.get(), 2);
    assert!(read(3).is_err(), "deleted");
    let metadata = store
        .secret_metadata(&path("tenants/acme/db/creds"), VersionChoice::Current)
        .unwrap();
    assert_eq!(metadata.max_versions.get(), 2);
    assert_eq!(metadata.versions.len(), 2);
    assert_eq!(
        store.get_secret(&path("empty"), VersionChoice::Current).unwrap().value,
        SecretValue::default()
    );
    // And it can be written on.
    wait(store.undelete_versions(path("tenants/acme/db/creds"), Vec::new(), UnixMillis(1_800_000_000_000))).unwrap();
    assert_eq!(read(0).unwrap().value, secret("password", "s3cr3t-3"));
    put(&store, "new");
    assert_eq!(store.policies().unwrap().generation(), Generation(6));
}
