//! New data keys and new root keys under load, and `kill -9` in the middle of them: nothing fails, nothing that was
//! acknowledged is lost, and after each start there is one root key that fits.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spike_integration::{Mesh, MeshOptions};
use spike_sdk::{Client, Error, Rekeyed};

const KILLS: u64 = 50;
const SECRETS: u64 = 300;
const WRITERS: u64 = 2;
const READERS: u64 = 2;

/// Where the kill falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// Some time after a new data key was asked for.
    Rotation,
    /// While records are sealed again.
    ReEncryption,
    /// Some time after a new root key was asked for.
    Rekey,
    /// When the new root key waits beside the old one.
    NextKeyThere,
    /// When the new root key has taken the old one's place.
    KeyReplaced,
}

const MOMENTS: [Moment; 5] = [
    Moment::Rotation,
    Moment::ReEncryption,
    Moment::Rekey,
    Moment::NextKeyThere,
    Moment::KeyReplaced,
];

/// What the load saw, and whether the server has been killed by now.
#[derive(Default)]
struct Load {
    killed: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Load {
    /// An error is the kill's, or a failure of this test.
    fn ended_by(&self, what: &str, error: &Error) {
        assert!(
            self.killed.load(Ordering::SeqCst),
            "{what} failed while the server ran: {error}"
        );
    }
}

async fn read(client: Client, load: Arc<Load>, mut number: u64) {
    loop {
        number = (number + 7) % SECRETS;
        match client.get_secret(&format!("kept/{number}")).await {
            Ok(secret) => assert_eq!(secret.data["v"], *number.to_string()),
            Err(error) => return load.ended_by("a read", &error),
        }
        load.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a secret up; the last number that was acknowledged.
async fn write(client: Client, load: Arc<Load>, writer: u64, from: u64) -> u64 {
    let mut acknowledged = from;
    loop {
        let next = acknowledged + 1;
        let path = format!("written/{writer}");
        let put = client.put_secret(&path, [("n", next.to_string())]);
        if let Err(error) = put.await {
            load.ended_by("a write", &error);
            return acknowledged;
        }
        load.writes.fetch_add(1, Ordering::Relaxed);
        acknowledged = next;
    }
}

/// A mesh with secrets, and its pilot.
async fn filled() -> (Mesh, Client) {
    let mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let client = mesh.client("pilot").await.unwrap();
    let writers = (0..8).map(|writer| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (writer..SECRETS).step_by(8) {
                let path = format!("kept/{number}");
                let put = client.put_secret(&path, [("v", number.to_string())]);
                put.await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    (mesh, client)
}

async fn every_secret_is_there(client: &Client, context: &str) {
    for number in 0..SECRETS {
        let secret = client.get_secret(&format!("kept/{number}")).await;
        let secret = secret.unwrap_or_else(|error| panic!("{context}: kept/{number}: {error}"));
        assert_eq!(secret.data["v"], *number.to_string(), "{context}");
    }
}

fn key_of(mesh: &Mesh) -> PathBuf {
    mesh.directory().join("data/root.key")
}

fn next_of(mesh: &Mesh) -> PathBuf {
    mesh.directory().join("data/root.key.next")
}

/// Looks until something is so, or the time is up.
fn watch(mut seen: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if seen() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// Starts what the kill falls into, and comes back when it is time.
async fn until(moment: Moment, client: Client, (key, next): (PathBuf, PathBuf), spread: Duration) {
    let before = std::fs::read(&key).unwrap();
    let is_rotation = moment == Moment::Rotation || moment == Moment::ReEncryption;
    let asked = tokio::spawn(async move {
        if is_rotation {
            drop(client.operator().rotate().await);
        } else {
            drop(client.operator().rekey().await);
        }
    });
    match moment {
        Moment::Rotation | Moment::Rekey => tokio::time::sleep(spread).await,
        Moment::ReEncryption => {
            asked.await.unwrap();
            tokio::time::sleep(spread).await;
        }
        Moment::NextKeyThere => {
            let seen = move || next.exists() || std::fs::read(&key).is_ok_and(|key| key != before);
            assert!(tokio::task::spawn_blocking(|| watch(seen)).await.unwrap());
        }
        Moment::KeyReplaced => {
            let seen = move || std::fs::read(&key).is_ok_and(|key| key != before);
            assert!(tokio::task::spawn_blocking(|| watch(seen)).await.unwrap());
        }
    }
}

/// A server does not start with this key, and says why. Afterwards the right one is back.
fn is_refused(mesh: &mut Mesh, old: &[u8], context: &str) {
    mesh.ext_authz().stop().unwrap();
    let key = key_of(mesh);
    let current = std::fs::read(&key).unwrap();
    std::fs::write(&key, old).unwrap();
    let refused = mesh
        .restart_ext_authz()
        .err()
        .unwrap_or_else(|| panic!("{context}: the old key opens the database"));
    let said = format!("{refused:#}");
    assert!(said.contains("wrong key"), "{context}: {said}");
    std::fs::write(&key, current).unwrap();
    mesh.restart_ext_authz().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_kills_in_rotations_and_changes_of_the_root_key_lose_nothing() {
    let (mut mesh, _) = filled().await;
    let mut acknowledged: BTreeMap<u64, u64> = (0..WRITERS).map(|writer| (writer, 0)).collect();
    let mut changed: BTreeMap<Moment, u64> = BTreeMap::new();
    let (mut reads, mut written, mut interrupted) = (0, 0, 0);
    for kill in 0..KILLS {
        let moment = MOMENTS[usize::try_from(kill).unwrap() % MOMENTS.len()];
        let context = format!("kill {kill} ({moment:?})");
        let (key, next) = (key_of(&mesh), next_of(&mesh));
        let before = std::fs::read(&key).unwrap();
        let client = mesh.client("pilot").await.unwrap();
        let load = Arc::new(Load::default());
        let readers: Vec<_> = (0..READERS)
            .map(|reader| tokio::spawn(read(client.clone(), Arc::clone(&load), reader)))
            .collect();
        let under_way: Vec<_> = acknowledged
            .iter()
            .map(|(writer, from)| {
                (
                    *writer,
                    tokio::spawn(write(client.clone(), Arc::clone(&load), *writer, *from)),
                )
            })
            .collect();
        let spread = Duration::from_micros(500 + kill * 2_339 % 40_000);
        until(moment, client, (key.clone(), next.clone()), spread).await;
        load.killed.store(true, Ordering::SeqCst);
        mesh.ext_authz().kill().unwrap();
        interrupted += u64::from(next.exists());
        for reader in readers {
            reader.await.unwrap();
        }
        let mut ends = Vec::new();
        for (writer, task) in under_way {
            ends.push((writer, task.await.unwrap()));
        }
        reads += load.reads.load(Ordering::Relaxed);
        written += load.writes.load(Ordering::Relaxed);

        mesh.restart_ext_authz()
            .unwrap_or_else(|error| panic!("{context}: {error:#}"));
        assert!(!next.exists(), "{context}: two keys after the start");
        let client = mesh.client("pilot").await.unwrap();
        every_secret_is_there(&client, &context).await;
        for (writer, end) in ends {
            let found = match client.get_secret(&format!("written/{writer}")).await {
                Ok(secret) => secret.data["n"].parse::<u64>().unwrap(),
                Err(Error::NotFound) => 0,
                Err(error) => panic!("{context}: {error}"),
            };
            // The write under way when the server died may have been committed without an answer.
            let whole = found == end || found == end + 1;
            assert!(
                whole,
                "{context}: writer {writer} had {end} acknowledged, found {found}"
            );
            acknowledged.insert(writer, found);
        }
        assert_eq!(client.operator().status().await.unwrap().rekey, "none", "{context}");
        if std::fs::read(&key).unwrap() != before {
            *changed.entry(moment).or_default() += 1;
            is_refused(&mut mesh, &before, &context);
        }
    }
    assert!(
        reads > KILLS && written > KILLS,
        "{reads} reads, {written} writes: there was no load"
    );
    assert_eq!(changed.get(&Moment::KeyReplaced), Some(&(KILLS / 5)), "{changed:?}");
    assert!(!changed.contains_key(&Moment::Rotation), "{changed:?}");
    assert!(interrupted > 0, "no kill found the new key waiting");
    settled(&mesh).await;
}

/// In the end every record is under the newest data key, and the others are gone.
async fn settled(mesh: &Mesh) {
    let client = mesh.client("pilot").await.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let status = client.operator().status().await.unwrap();
        if status.re_encryption == "done" && status.old_terms == 0 {
            return every_secret_is_there(&client, "in the end").await;
        }
        assert!(Instant::now() < end, "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_no_read_and_no_write_fails_while_the_keys_change() {
    let (mut mesh, client) = filled().await;
    let key = key_of(&mesh);
    let first = std::fs::read(&key).unwrap();
    let load = Arc::new(Load::default());
    let readers: Vec<_> = (0..READERS)
        .map(|reader| tokio::spawn(read(client.clone(), Arc::clone(&load), reader)))
        .collect();
    let under_way: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(client.clone(), Arc::clone(&load), writer, 0)))
        .collect();
    let operator = mesh.client("pilot").await.unwrap();
    for round in 0..10 {
        let term = operator.operator().rotate().await.unwrap();
        assert_eq!(term, round + 2);
        assert!(matches!(operator.operator().rekey().await.unwrap(), Rekeyed::Done));
    }
    settled(&mesh).await;
    load.killed.store(true, Ordering::SeqCst);
    let (reads, written) = (load.reads.load(Ordering::Relaxed), load.writes.load(Ordering::Relaxed));
    mesh.ext_authz().stop().unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    let mut ends = Vec::new();
    for writer in under_way {
        ends.push(writer.await.unwrap());
    }
    assert!(
        reads > 100 && written > 20,
        "{reads} reads, {written} writes: there was no load"
    );
    mesh.restart_ext_authz().unwrap();
    let client = mesh.client("pilot").await.unwrap();
    every_secret_is_there(&client, "after the restart").await;
    for (writer, end) in ends.into_iter().enumerate() {
        let secret = client.get_secret(&format!("written/{writer}")).await.unwrap();
        let found: u64 = secret.data["n"].parse().unwrap();
        assert!(found == end || found == end + 1, "{found} {end}");
    }
    assert!(is_private(&key));
    is_refused(&mut mesh, &first, "the first key");
}

fn is_private(path: &Path) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()).trailing_zeros() >= 6
}
