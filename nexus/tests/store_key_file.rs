//! Where a root key may come from, and every way in which it is refused.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use spike_nexus::store::{OpenError, Options, Store};
use spike_nexus::vault::{KeyFileError, RootKeySource};

const HEX: &str = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0102030405";

/// A private directory, and the path of a key file in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join("root.key");
    (directory, path)
}

fn write(path: &Path, contents: &[u8], mode: u32) {
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refusal(path: &Path) -> KeyFileError {
    let before = fs::symlink_metadata(path)
        .ok()
        .map(|metadata| (metadata.len(), metadata.permissions().mode()));
    let refusal = RootKeySource::KeyFile(path.to_owned()).load_or_create().unwrap_err();
    let after = fs::symlink_metadata(path)
        .ok()
        .map(|metadata| (metadata.len(), metadata.permissions().mode()));
    assert_eq!(before, after, "{refusal}: it was touched");
    refusal
}

#[test]
fn good_keys_are_read() {
    let raw = [7; 32];
    for (contents, mode) in [
        (raw.as_slice(), 0o600),
        (raw.as_slice(), 0o400),
        (HEX.as_bytes(), 0o600),
        (format!("{HEX}\n").as_bytes(), 0o400),
    ] {
        let (_directory, path) = place();
        write(&path, contents, mode);
        RootKeySource::KeyFile(path).load().unwrap();
    }
}

#[test]
fn every_bad_key_file_is_refused_with_its_own_words() {
    type Make = fn(&Path);
    let table: [(&str, Make, &str); 17] = [
        (
            "symbolic link",
            |path| symlink("/etc/hostname", path).unwrap(),
            "it is a symbolic link",
        ),
        (
            "dangling link",
            |path| symlink("nowhere", path).unwrap(),
            "it is a symbolic link",
        ),
        ("directory", |path| fs::create_dir(path).unwrap(), "it is a directory"),
        ("pipe", |path| make_pipe(path), "it is a pipe"),
        (
            "socket",
            |path| drop(UnixListener::bind(path).unwrap()),
            "it is a socket",
        ),
        (
            "group may read",
            |path| write(path, HEX.as_bytes(), 0o640),
            "its mode 0640 lets others",
        ),
        (
            "everyone may read",
            |path| write(path, HEX.as_bytes(), 0o644),
            "its mode 0644 lets others",
        ),
        (
            "group may write",
            |path| write(path, HEX.as_bytes(), 0o620),
            "its mode 0620 lets others",
        ),
        ("empty", |path| write(path, b"", 0o600), "it is empty"),
        ("31 bytes", |path| write(path, &[7; 31], 0o600), "it has 31 bytes"),
        ("33 bytes", |path| write(path, &[7; 33], 0o600), "it has 33 bytes"),
        ("63 digits", |path| write(path, &[b'7'; 63], 0o600), "it has 63 bytes"),
        (
            "two newlines",
            |path| write(path, format!("{HEX}\n\n").as_bytes(), 0o600),
            "it has 66 bytes",
        ),
        (
            "no digits",
            |path| write(path, &[b'g'; 64], 0o600),
            "not all hexadecimal",
        ),
        ("zero bytes", |path| write(path, &[0; 32], 0o600), "it is all zero"),
        ("zero digits", |path| write(path, &[b'0'; 64], 0o600), "it is all zero"),
        ("exposed directory", expose_directory, "the mode 0777 of its directory"),
    ];
    for (name, make, expected) in table {
        let (_directory, path) = place();
        make(&path);
        let text = refusal(&path).to_string();
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.contains(path.to_str().unwrap()), "{name}: {text}");
    }
}

fn make_pipe(path: &Path) {
    let directory = rustix::fs::open(
        path.parent().unwrap(),
        rustix::fs::OFlags::DIRECTORY,
        rustix::fs::Mode::empty(),
    );
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(directory.unwrap(), "root.key", rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn expose_directory(path: &Path) {
    write(path, HEX.as_bytes(), 0o600);
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn devices_are_refused() {
    assert!(matches!(
        refusal(Path::new("/dev/zero")),
        KeyFileError::NotAFile { kind: "device", .. }
    ));
}

#[test]
fn a_key_of_another_user_is_refused() {
    let (_directory, path) = place();
    write(&path, HEX.as_bytes(), 0o600);
    // Only root can give a file away; for anyone else a file of root stands in, which is allowed and unreadable.
    match std::os::unix::fs::chown(&path, Some(12_345), None) {
        Ok(()) => assert!(matches!(refusal(&path), KeyFileError::Owner { owner: 12_345, .. })),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
}

#[test]
fn a_credential_may_be_group_readable_and_is_never_created() {
    let (directory, path) = place();
    let source = RootKeySource::CredentialsDirectory {
        directory: directory.path().to_owned(),
        name: "root.key".to_owned(),
    };
    assert!(matches!(
        source.load_or_create().unwrap_err(),
        KeyFileError::Missing { .. }
    ));
    assert!(!path.exists());
    write(&path, HEX.as_bytes(), 0o440);
    source.load().unwrap();
    write(&path, HEX.as_bytes(), 0o444);
    assert!(matches!(
        source.load().unwrap_err(),
        KeyFileError::Mode { mode: 0o444, .. }
    ));
}

#[test]
fn a_key_is_created_only_together_with_its_database() {
    let (directory, key) = place();
    let database = directory.path().join("data/nexus.redb");
    let options = || Options::new(database.clone(), RootKeySource::KeyFile(key.clone()));
    drop(Store::open(options()).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode(&key), mode(&database), mode(database.parent().unwrap())),
        (0o600, 0o600, 0o700)
    );
    assert_eq!(fs::metadata(&key).unwrap().len(), 65);

    fs::rename(&key, directory.path().join("moved.key")).unwrap();
    let before = fs::read(&database).unwrap();
    match Store::open(options()).unwrap_err() {
        OpenError::RootKey(error @ KeyFileError::Missing { .. }) => {
            assert!(error.to_string().contains("the database exists"), "{error}");
        }
        other => panic!("{other}"),
    }
    assert!(
        !key.exists(),
        "a new key over an old database would look like lost data"
    );
    assert_eq!(fs::read(&database).unwrap(), before);

    fs::rename(directory.path().join("moved.key"), &key).unwrap();
    drop(Store::open(options()).unwrap());
    let left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}
