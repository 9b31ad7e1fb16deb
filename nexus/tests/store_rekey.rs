//! Key files that lie beside a database when it is opened: what a crash in a change of the root key can leave is settled,
//! and everything else is refused with its own words, without a change.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use spike_nexus::store::{OpenError, Options, RekeyPhase, Store};
use spike_nexus::vault::{RootKey, RootKeySource};
use spike_policy::UnixMillis;

const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [8; 32];
const OTHER: [u8; 32] = [9; 32];

/// Which keys the database opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    None,
    Old,
    Both,
    New,
}

/// Which key a file holds; `None`: there is no such file.
type File = Option<[u8; 32]>;

#[derive(Clone, Copy, Debug)]
enum Expected {
    /// It opens, and from then on with this key alone, which is the key file.
    Settled([u8; 32]),
    /// It is refused with these words, and nothing is changed.
    Refused(&'static str),
}

use Expected::{Refused, Settled};

#[test]
fn every_pair_of_key_files_beside_every_database_is_settled_or_refused() {
    let unneeded = Refused("it belongs to no change of the root key of this database");
    let misplaced = Refused("does not fit the database, but `");
    let alone = Refused("no such file, but `");
    let neither = Refused("wrong keys: the database was created with another root key");
    let wrong = Refused("wrong key: it was created with another root key");
    let missing = Refused("no such file; the database exists");
    let homeless = Refused("its database is not");
    let (old, new, other) = (Some(OLD), Some(NEW), Some(OTHER));
    let table: [(Database, File, File, Expected); 32] = [
        // What a crash can leave, in the order of a change.
        (Database::Old, old, None, Settled(OLD)),
        (Database::Both, old, None, Settled(OLD)),
        (Database::Both, old, new, Settled(NEW)),
        (Database::Both, new, None, Settled(NEW)),
        (Database::New, new, None, Settled(NEW)),
        // Somebody's doing.
        (Database::Old, old, old, unneeded),
        (Database::Old, old, new, unneeded),
        (Database::Old, old, other, unneeded),
        (Database::Old, other, old, misplaced),
        (Database::Old, other, None, wrong),
        (Database::Old, other, new, neither),
        (Database::Old, None, None, missing),
        (Database::Old, None, old, alone),
        (Database::Old, None, other, missing),
        (Database::Both, old, old, unneeded),
        (Database::Both, old, other, unneeded),
        (Database::Both, new, old, unneeded),
        (Database::Both, new, new, unneeded),
        (Database::Both, new, other, unneeded),
        (Database::Both, other, None, wrong),
        (Database::Both, other, old, misplaced),
        (Database::Both, other, new, misplaced),
        (Database::Both, None, None, missing),
        (Database::Both, None, new, alone),
        (Database::Both, None, old, alone),
        (Database::New, old, None, wrong),
        (Database::New, old, new, misplaced),
        (Database::New, new, old, unneeded),
        (Database::New, None, new, alone),
        (Database::None, None, new, homeless),
        (Database::None, old, new, homeless),
        (Database::None, old, old, homeless),
    ];
    for (database, key, next, expected) in table {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
        make(directory, database);
        write(&directory.join("root.key"), key);
        write(&directory.join("root.key.next"), next);
        let context = format!("{database:?} {key:?} {next:?}");
        let before = contents(directory);
        match (Store::open(options(directory)), expected) {
            (Ok(store), Settled(in_force)) => {
                assert_eq!(store.rekey_phase(), RekeyPhase::None, "{context}");
                drop(store);
                assert!(!directory.join("root.key.next").exists(), "{context}");
                opens_alone(directory, in_force, &context);
            }
            (Err(error), Refused(words)) => {
                assert!(error.to_string().contains(words), "{context}: {error}");
                assert!(contents(directory) == before, "{context}: it was touched");
            }
            (Ok(_), Refused(words)) => panic!("{context}: it opens instead of saying `{words}`"),
            (Err(error), Settled(_)) => panic!("{context}: {error}"),
        }
    }
}

#[test]
fn a_next_key_is_judged_like_a_key_file() {
    let table: [(&str, u32, &[u8], &str); 3] = [
        ("others may read it", 0o644, &NEW, "its mode 0644 lets others"),
        ("empty", 0o600, b"", "it is empty"),
        ("31 bytes", 0o600, &[8; 31], "it has 31 bytes"),
    ];
    for (name, mode, text, words) in table {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
        make(directory, Database::Both);
        write(&directory.join("root.key"), Some(OLD));
        let next = directory.join("root.key.next");
        fs::write(&next, text).unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(mode)).unwrap();
        let before = contents(directory);
        let error = Store::open(options(directory)).unwrap_err();
        assert!(error.to_string().contains(words), "{name}: {error}");
        assert!(contents(directory) == before, "{name}: it was touched");
    }
}

fn options(directory: &Path) -> Options {
    Options::new(
        directory.join("nexus.redb"),
        RootKeySource::KeyFile(directory.join("root.key")),
    )
}

/// A database that opens with these keys, and a secret in it. The key files are gone afterwards.
fn make(directory: &Path, database: Database) {
    if database == Database::None {
        return;
    }
    let key = directory.join("root.key");
    write(&key, Some(OLD));
    let store = Store::open(options(directory)).unwrap();
    let value = [("k".to_owned(), "v".to_owned())].into_iter().collect();
    wait(store.put_secret("a".parse().unwrap(), value, UnixMillis(1))).unwrap();
    let new = || Arc::new(RootKey::take(&mut NEW.clone()));
    if database != Database::Old {
        wait(store.begin_rekey(new())).unwrap();
    }
    if database == Database::New {
        wait(store.finish_rekey(new())).unwrap();
    }
    drop(store);
    fs::remove_file(key).unwrap();
}

/// The database opens with the key file that is there, which is this one; and with neither of the others.
fn opens_alone(directory: &Path, in_force: [u8; 32], context: &str) {
    for key in [OLD, NEW, OTHER] {
        if key != in_force {
            let kept = fs::read(directory.join("root.key")).unwrap();
            write(&directory.join("root.key"), Some(key));
            let refused = Store::open(options(directory)).unwrap_err();
            assert!(matches!(refused, OpenError::WrongKey(_)), "{context}: {refused}");
            fs::write(directory.join("root.key"), kept).unwrap();
        }
    }
    let store = Store::open(options(directory)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let read = store.get_secret(&"a".parse().unwrap(), 0.into()).unwrap();
    assert_eq!(read.value.expose_secret().next(), Some(("k", "v")), "{context}");
    assert_eq!(*store.root_key().unwrap().copy(), in_force, "{context}");
}

fn write(path: &Path, key: File) {
    if let Some(key) = key {
        fs::write(path, key).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(path).unwrap())
        })
        .collect()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
