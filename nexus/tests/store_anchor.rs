//! The anchor: an older copy of the whole database is noticed, by whatever way it comes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use spike_nexus::store::{AnchorError, Anchoring, Mode, OpenError, Options, Store};
use spike_nexus::vault::{RootKeySource, SecretValue};
use spike_policy::{Permissions, Rule, UnixMillis};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn database(&self) -> Vec<u8> {
        fs::read(self.file("nexus.redb")).unwrap()
    }

    fn put_back(&self, bytes: &[u8]) {
        fs::write(self.file("nexus.redb"), bytes).unwrap();
    }

    fn anchor(&self) -> Vec<u8> {
        fs::read(self.file("anchor")).unwrap()
    }

    fn options(&self) -> Options {
        let mut options = Options::new(self.file("nexus.redb"), RootKeySource::KeyFile(self.file("root.key")));
        options.anchor = Some(Anchoring {
            path: self.file("anchor"),
            accept_rollback: false,
        });
        options
    }

    fn open(&self) -> Result<Store, OpenError> {
        Store::open(self.options())
    }

    fn accept(&self) -> Result<Store, OpenError> {
        let mut options = self.options();
        options.anchor.as_mut().unwrap().accept_rollback = true;
        Store::open(options)
    }

    fn without_anchor(&self) -> Store {
        let mut options = self.options();
        options.anchor = None;
        Store::open(options).unwrap()
    }

    /// Refuses to open, and leaves every byte as it was.
    fn refusal(&self) -> AnchorError {
        let before = (self.database(), fs::read(self.file("anchor")).ok());
        let refusal = match self.open().unwrap_err() {
            OpenError::Anchor(refusal) => refusal,
            other => panic!("{other}"),
        };
        assert!(refusal.to_string().contains("--accept-rollback"), "{refusal}");
        let after = (self.database(), fs::read(self.file("anchor")).ok());
        assert!(before == after, "{refusal}: something was changed");
        refusal
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn put_policy(store: &Store, name: &str) {
    let rule = Rule {
        name: name.parse().unwrap(),
        spiffe_id: "^spiffe://example\\.org/workload$".parse().unwrap(),
        path: "^a/b$".parse().unwrap(),
        permissions: Permissions::parse(["read"]).unwrap(),
    };
    wait(store.put_policy(rule, Mode::Upsert, UnixMillis(1))).unwrap();
}

fn put_secret(store: &Store, path: &str) {
    let value: SecretValue = [("password".to_owned(), "old".to_owned())].into_iter().collect();
    wait(store.put_secret(path.parse().unwrap(), value, UnixMillis(1))).unwrap();
}

/// A closed store with the policy `kept`, its bytes, and then the policy `gone` deleted from it.
fn deleted_policy() -> (Place, Vec<u8>) {
    let place = Place::new();
    let store = place.open().unwrap();
    put_policy(&store, "kept");
    put_policy(&store, "gone");
    wait(store.close()).unwrap();
    drop(store);
    let older = place.database();
    let store = place.open().unwrap();
    wait(store.delete_policy("gone")).unwrap();
    wait(store.close()).unwrap();
    (place, older)
}

#[test]
fn an_older_copy_of_the_whole_file_is_refused_until_it_is_accepted() {
    let (place, older) = deleted_policy();
    let newest = place.database();
    place.put_back(&older);
    let refusal = place.refusal();
    assert!(matches!(refusal, AnchorError::RolledBack { .. }), "{refusal}");
    // The newest copy is what it wants.
    place.put_back(&newest);
    let generation = place.open().unwrap().policies().unwrap().generation();
    place.put_back(&older);
    let store = place.accept().unwrap();
    assert!(store.policy("gone").unwrap().is_some());
    assert!(
        store.policies().unwrap().generation().0 > generation.0 + 1_000_000,
        "the generation jumps beyond everything that was seen"
    );
    drop(store);
    // Accepted once, it is the newest, and the other one is the older copy.
    place.open().unwrap();
    place.put_back(&newest);
    assert!(matches!(place.refusal(), AnchorError::RolledBack { .. }));
}

#[test]
fn an_accepted_rollback_is_told_to_log_and_audit() {
    let (place, older) = deleted_policy();
    // Two puts.
    let store_generation = spike_policy::Generation(2);
    place.put_back(&older);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        })
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let store = place.accept().unwrap();
        // What the Nexus above it writes into its audit.
        assert_eq!(store.accepted_rollback(), Some(store_generation));
    });
    assert_eq!(place.open().unwrap().accepted_rollback(), None);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let said = |target: &str, what: &str| text.lines().any(|line| line.contains(target) && line.contains(what));
    assert!(said(" lifecycle:", "--accept-rollback was given"), "{text}");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_single_commit_back_is_noticed_also_when_only_secrets_changed() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut copies = vec![place.database()];
    for number in 0..12 {
        if number % 3 == 0 {
            put_policy(&store, &format!("p{number}"));
        } else {
            put_secret(&store, "s");
        }
        copies.push(place.database());
    }
    wait(store.close()).unwrap();
    drop(store);
    let newest = copies.pop().unwrap();
    let mut refused = 0;
    for copy in &copies {
        place.put_back(copy);
        assert!(matches!(place.refusal(), AnchorError::RolledBack { .. }));
        refused += 1;
    }
    assert_eq!(refused, 12);
    // What a kill leaves at the end is the newest state, and opens.
    place.put_back(&newest);
    place.open().unwrap();
}

#[test]
fn a_killed_store_opens_at_every_moment() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut opened = 0;
    for number in 0..20 {
        let anchor_before = place.anchor();
        put_policy(&store, &format!("p{number}"));
        // Killed after the answer, and killed between the commit and the anchor.
        for anchor in [place.anchor(), anchor_before] {
            let killed = Place::new();
            fs::copy(place.file("root.key"), killed.file("root.key")).unwrap();
            killed.put_back(&place.database());
            fs::write(killed.file("anchor"), anchor).unwrap();
            let store = killed.open().unwrap();
            assert_eq!(store.policies().unwrap().len(), number + 1);
            opened += 1;
        }
    }
    assert_eq!(opened, 40);
}

#[test]
fn a_copy_from_before_a_new_key_term_cannot_verify_the_anchor_and_is_refused_all_the_same() {
    let place = Place::new();
    let store = place.open().unwrap();
    put_policy(&store, "p");
    wait(store.close()).unwrap();
    drop(store);
    let older = place.database();
    let store = place.open().unwrap();
    for _ in 0..3 {
        wait(store.rotate()).unwrap();
        put_policy(&store, "p");
    }
    put_policy(&store, "q");
    wait(store.close()).unwrap();
    drop(store);
    place.put_back(&older);
    assert!(matches!(place.refusal(), AnchorError::RolledBack { .. }));
    place.accept().unwrap();
    place.open().unwrap();
}

#[test]
fn an_anchor_that_is_gone_is_missed_and_one_that_was_never_there_is_made() {
    let place = Place::new();
    let store = place.without_anchor();
    put_policy(&store, "p");
    drop(store);
    assert!(!place.file("anchor").exists());
    // A database from before there were anchors.
    let store = place.open().unwrap();
    assert_eq!(store.policies().unwrap().len(), 1);
    drop(store);
    assert_eq!(place.anchor().len(), 512 + 77);
    fs::remove_file(place.file("anchor")).unwrap();
    assert!(matches!(place.refusal(), AnchorError::Gone(_)));
    place.accept().unwrap();
    place.open().unwrap();
    // Switched off and on again, on purpose.
    fs::remove_file(place.file("anchor")).unwrap();
    drop(place.without_anchor());
    place.open().unwrap();
}

#[test]
fn an_anchor_of_another_database_is_told_from_a_damaged_one() {
    let (place, other) = (Place::new(), Place::new());
    drop(place.open().unwrap());
    drop(other.open().unwrap());
    let ours = place.anchor();
    fs::write(place.file("anchor"), other.anchor()).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, AnchorError::OfAnother { .. }), "{refusal}");
    for bytes in [Vec::new(), b"hello".to_vec(), vec![0; 600], vec![7; 600]] {
        fs::write(place.file("anchor"), bytes).unwrap();
        assert!(matches!(place.refusal(), AnchorError::Damaged(_)));
    }
    fs::write(place.file("anchor"), ours).unwrap();
    drop(place.open().unwrap());
    fs::write(place.file("anchor"), b"hello").unwrap();
    place.accept().unwrap();
    place.open().unwrap();
}

#[test]
fn where_an_anchor_is_no_new_database_is_made() {
    let place = Place::new();
    drop(place.open().unwrap());
    fs::remove_file(place.file("nexus.redb")).unwrap();
    let refusal = place.open().unwrap_err().to_string();
    assert!(
        refusal.contains("remove the anchor to start a new database"),
        "{refusal}"
    );
    assert!(!place.file("nexus.redb").exists());
    fs::remove_file(place.file("anchor")).unwrap();
    place.open().unwrap();
}

#[test]
fn no_altered_bit_of_the_anchor_lets_an_older_copy_in() {
    let place = Place::new();
    let store = place.open().unwrap();
    put_policy(&store, "p");
    wait(store.close()).unwrap();
    drop(store);
    let older = place.database();
    let store = place.open().unwrap();
    // Both slots are beyond the copy by now.
    for _ in 0..3 {
        put_secret(&store, "s");
    }
    wait(store.close()).unwrap();
    drop(store);
    place.put_back(&older);
    let anchor = place.anchor();
    let mut tried = 0;
    // Every bit, one slot at a time, is tried where slots are read; here, what a store makes of it.
    for at in (0..77).chain(512..512 + 77) {
        if at % 5 == 0 {
            let bit = at % 8;
            let mut altered = anchor.clone();
            altered[at] ^= 1 << bit;
            fs::write(place.file("anchor"), altered).unwrap();
            let refused = place.open();
            assert!(
                matches!(refused, Err(OpenError::Anchor(_))),
                "byte {at} bit {bit}: {:?}",
                refused.err()
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 31);
    assert!(place.database() == older, "the file was changed");
}

#[test]
fn an_anchor_that_cannot_be_written_is_an_answer() {
    let place = Place::new();
    fs::create_dir(place.file("anchor")).unwrap();
    let refusal = place.open().unwrap_err().to_string();
    assert!(refusal.contains("anchor"), "{refusal}");
}
