//! Versions that were brought in without values, because nobody could read them any more.
use std::collections::BTreeMap;
use std::fs;

use spike_nexus::store::{ImportMode, Imported, SecretImport, SecretVersion, Store, VersionImport};
use spike_policy::UnixMillis;

use super::place::{NOW, Place, backup, contents, put_secret, wait};

const PATH: &str = "moved/in";

/// Version 1 is readable, 2 is deleted and has no values.
async fn import(store: &Store) -> Imported {
    let version = |deleted, value: Option<&str>| VersionImport {
        created_at: Some(UnixMillis(5)),
        deleted,
        value: value.map(|text| [("k".to_owned(), text.to_owned())].into_iter().collect()),
    };
    let number = |number: u32| SecretVersion::try_from(number).unwrap();
    let import = SecretImport {
        path: PATH.parse().unwrap(),
        created_at: None,
        updated_at: None,
        max_versions: None,
        versions: BTreeMap::from([
            (number(1), version(None, Some("one"))),
            (number(2), version(Some(Some(UnixMillis(7))), None)),
        ]),
        mode: ImportMode::Add,
    };
    store.import_secret(import, NOW).await.unwrap()
}

#[test]
fn a_version_without_values_is_no_damage() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert_eq!(wait(import(&store)), Imported::Created);
    let before = contents(&store);
    fs::write(place.file("b"), backup(&store)).unwrap();
    wait(store.rotate()).unwrap();
    wait(store.close()).unwrap();
    drop(store);

    let store = place.open().unwrap();
    assert!(store.broken().is_empty(), "{:?}", store.broken());
    assert_eq!(contents(&store), before);
    assert_eq!(wait(import(&store)), Imported::Identical);
    wait(put_secret(&store, PATH, "three"));
    let current = store.secret_metadata(&PATH.parse().unwrap(), 0.into()).unwrap().current;
    assert_eq!(current.map(SecretVersion::get), Some(3));

    let other = place.elsewhere();
    other.restore(&place.file("b")).unwrap();
    assert_eq!(contents(&other.open().unwrap()), before);
}
