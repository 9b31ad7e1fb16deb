use super::*;
use crate::store::{ReadError, WriteError};

fn on_both(contract: impl Fn(&Store)) {
    contract(&Store::open_in_memory(versions(3)).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    disk.create(&root(), tuning().seal_limits).unwrap();
    let tuning = Tuning {
        max_versions: versions(3),
        ..tuning()
    };
    contract(&Store::start(disk, root(), tuning).unwrap());
}

fn put(store: &Store, password: &str) -> u32 {
    wait(store.put_secret(path("a/b"), value(password), at(1)))
        .unwrap()
        .get()
}

fn read(store: &Store, version: i64) -> Result<String, ReadError> {
    let read = store.get_secret(&path("a/b"), version.into())?;
    Ok(read.value.expose_secret().map(|(_, value)| value.to_owned()).collect())
}

fn numbers(store: &Store) -> (u32, u32, Vec<u32>) {
    let metadata = store.secret_metadata(&path("a/b"), VersionChoice::Current).unwrap();
    let number = |version: Option<crate::store::SecretVersion>| version.map_or(0, crate::store::SecretVersion::get);
    let all = metadata.versions.iter().map(|version| version.version.get()).collect();
    (number(metadata.current), number(metadata.oldest), all)
}

#[test]
fn puts_are_numbered_and_old_versions_are_really_pruned() {
    on_both(|store| {
        assert_eq!(
            ["one", "two", "three", "four", "five"].map(|password| put(store, password)),
            [1, 2, 3, 4, 5]
        );
        assert_eq!(numbers(store), (5, 3, vec![3, 4, 5]));
        assert_eq!(read(store, 0).unwrap(), "five");
        assert_eq!(read(store, 3).unwrap(), "three");
        for gone in [1, 2, 6, -1, i64::MAX] {
            assert_eq!(read(store, gone).unwrap_err(), ReadError::NotFound, "version {gone}");
        }
    });
}

#[test]
fn a_put_after_deletions_takes_the_next_number_and_overwrites_nothing() {
    on_both(|store| {
        put(store, "one");
        put(store, "two");
        wait(store.delete_versions(path("a/b"), vec![2.into()], at(5))).unwrap();
        assert_eq!(read(store, 0).unwrap(), "one");
        assert_eq!(put(store, "three"), 3);
        wait(store.undelete_versions(path("a/b"), vec![2.into()], at(6))).unwrap();
        assert_eq!(
            (read(store, 2).unwrap(), read(store, 0).unwrap()),
            ("two".to_owned(), "three".to_owned())
        );
    });
}

#[test]
fn a_plain_undelete_takes_back_a_plain_delete() {
    let plain: [Vec<VersionChoice>; 2] = [Vec::new(), vec![VersionChoice::Current]];
    on_both(|store| {
        put(store, "one");
        put(store, "two");
        for choice in &plain {
            wait(store.delete_versions(path("a/b"), choice.clone(), at(5))).unwrap();
            assert_eq!(read(store, 0).unwrap(), "one");
            wait(store.undelete_versions(path("a/b"), choice.clone(), at(6))).unwrap();
            assert_eq!(read(store, 0).unwrap(), "two");
            assert_eq!(
                wait(store.undelete_versions(path("a/b"), choice.clone(), at(7))),
                Err(WriteError::NotFound)
            );
        }
    });
}

#[test]
fn when_everything_is_deleted_nothing_is_readable_until_the_newest_is_restored() {
    on_both(|store| {
        put(store, "one");
        put(store, "two");
        wait(store.delete_versions(path("a/b"), vec![1.into(), 2.into(), 9.into(), (-4).into()], at(5))).unwrap();
        assert_eq!(read(store, 0).unwrap_err(), ReadError::NotFound);
        assert_eq!(
            store.secret_metadata(&path("a/b"), 0.into()).unwrap_err(),
            ReadError::NotFound
        );
        assert_eq!(
            store.list_secret_paths().unwrap(),
            [path("a/b")],
            "a path is listed for ever"
        );
        wait(store.delete_versions(path("a/b"), Vec::new(), at(6))).unwrap();
        wait(store.undelete_versions(path("a/b"), Vec::new(), at(7))).unwrap();
        assert_eq!(
            (read(store, 0).unwrap(), numbers(store)),
            ("two".to_owned(), (2, 2, vec![1, 2]))
        );
        assert_eq!(put(store, "three"), 3);
        assert_eq!(numbers(store), (3, 2, vec![1, 2, 3]));
    });
}

#[test]
fn unknown_paths_are_not_found() {
    on_both(|store| {
        assert_eq!(read(store, 0).unwrap_err(), ReadError::NotFound);
        assert_eq!(
            wait(store.delete_versions(path("a/b"), Vec::new(), at(1))),
            Err(WriteError::NotFound)
        );
        assert_eq!(
            wait(store.undelete_versions(path("a/b"), Vec::new(), at(1))),
            Err(WriteError::NotFound)
        );
        assert!(store.list_secret_paths().unwrap().is_empty());
    });
}

#[test]
fn paths_that_share_a_beginning_do_not_share_versions() {
    on_both(|store| {
        for (number, text) in ["a", "a/", "a//b", "a/b", "ab"].into_iter().enumerate() {
            wait(store.put_secret(path(text), value(&number.to_string()), at(1))).unwrap();
        }
        for (number, text) in ["a", "a/", "a//b", "a/b", "ab"].into_iter().enumerate() {
            assert_eq!(password(store, text), Some(number.to_string()), "{text}");
        }
        let listed: Vec<_> = store
            .list_secret_paths()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(listed, ["a", "a/", "a//b", "a/b", "ab"]);
    });
}

#[test]
fn odd_values_come_back_as_they_went_in() {
    let long = "x".repeat(200_000);
    let values = [
        ("", ""),
        ("k", ""),
        ("empty\0zero", "\u{80}\0\0"),
        ("long", long.as_str()),
    ];
    on_both(|store| {
        let value = || {
            values
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        wait(store.put_secret(path("a/b"), value(), at(1))).unwrap();
        assert_eq!(store.get_secret(&path("a/b"), 0.into()).unwrap().value, value());
        wait(store.put_secret(path("a/b"), SecretValue::default(), at(1))).unwrap();
        assert!(store.get_secret(&path("a/b"), 0.into()).unwrap().value.is_empty());
    });
}

#[test]
fn concurrent_puts_never_lose_a_version() {
    let store = Store::open_in_memory(versions(1000)).unwrap();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        std::thread::spawn(move || {
            (0..20)
                .map(|round| (put(&store, &format!("{writer}-{round}")), format!("{writer}-{round}")))
                .collect()
        })
    });
    let writers: Vec<std::thread::JoinHandle<Vec<(u32, String)>>> = writers.collect();
    let mut acknowledged: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    acknowledged.sort();
    assert_eq!(
        acknowledged.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        (1..=160).collect::<Vec<_>>()
    );
    for (number, password) in acknowledged {
        assert_eq!(read(&store, number.into()).unwrap(), password);
    }
}

#[test]
fn the_limit_of_versions_is_the_one_of_the_first_put() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::File(directory.path().join("nexus.redb"));
    disk.create(&root(), tuning().seal_limits).unwrap();
    for (limit, password) in [(2, "one"), (9, "two"), (9, "three")] {
        let tuning = Tuning {
            max_versions: versions(limit),
            ..tuning()
        };
        put(&Store::start(disk.clone(), root(), tuning).unwrap(), password);
    }
    let store = open(&disk).unwrap();
    assert_eq!(numbers(&store), (3, 2, vec![2, 3]));
    assert_eq!(
        store
            .secret_metadata(&path("a/b"), 0.into())
            .unwrap()
            .max_versions
            .get(),
        2
    );
}
