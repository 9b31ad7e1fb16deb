//! Backups while writers write: each is a moment of the history.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::place::{Place, backup, put_policy, put_secret, secret};

const BACKUPS: u64 = 20;
const LINKS: u64 = 5;
const WRITERS: u64 = 4;

/// What a chain of writes has issued and had acknowledged, counted in single writes.
#[derive(Default)]
struct Chain {
    issued: AtomicU64,
    acknowledged: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_is_a_prefix_of_the_acknowledged_history() {
    let place = Place::new();
    let store = place.open().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let chains: Vec<Arc<Chain>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let mut writers = Vec::new();
    for (writer, chain) in chains.iter().enumerate() {
        let (store, chain, stop) = (store.clone(), Arc::clone(chain), Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            for number in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                chain.issued.store(number + 1, Ordering::SeqCst);
                let text = format!("{}", number / LINKS + 1);
                // One link of the chain after the other: a policy first, then secrets.
                match number % LINKS {
                    0 => put_policy(&store, &format!("chain {writer}"), &format!("^round/{text}$")).await,
                    link => put_secret(&store, &format!("chain/{writer}/{link}"), &text).await,
                }
                chain.acknowledged.store(number + 1, Ordering::SeqCst);
            }
        }));
    }
    let mut seen_writes = 0;
    for round in 0..BACKUPS {
        // Not before every chain has moved on since the last one.
        let least = (round + 1) * LINKS;
        while chains
            .iter()
            .any(|chain| chain.acknowledged.load(Ordering::SeqCst) < least)
        {
            tokio::task::yield_now().await;
        }
        let before: Vec<u64> = chains.iter().map(|c| c.acknowledged.load(Ordering::SeqCst)).collect();
        let taking = store.clone();
        let bytes = tokio::task::spawn_blocking(move || backup(&taking)).await.unwrap();
        let after: Vec<u64> = chains.iter().map(|c| c.issued.load(Ordering::SeqCst)).collect();
        let other = place.elsewhere();
        std::fs::write(other.file("b"), bytes).unwrap();
        other.restore(&other.file("b")).unwrap();
        let restored = other.open().unwrap();
        assert!(restored.broken().is_empty());
        for (writer, (before, after)) in before.iter().zip(&after).enumerate() {
            let found = writes_of(&restored, writer);
            assert!(
                before <= &found && &found <= after,
                "backup {round}: chain {writer} had {before} acknowledged and {after} issued, found {found}"
            );
            seen_writes += found;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(
        seen_writes > BACKUPS * WRITERS * LINKS,
        "only {seen_writes} writes were seen"
    );
}

/// How many writes of a chain are there. No later link may be newer than an earlier one, and none far older.
fn writes_of(store: &spike_nexus::store::Store, writer: usize) -> u64 {
    let policy = store.policy(&format!("chain {writer}")).unwrap();
    let policy = policy.map_or(0, |policy| {
        let path = policy.rule.path.as_str();
        path["^round/".len()..path.len() - 1].parse().unwrap()
    });
    let secrets = (1..LINKS).map(|link| secret(store, &format!("chain/{writer}/{link}")));
    let rounds: Vec<u64> = std::iter::once(policy)
        .chain(secrets.map(|text| text.map_or(0, |text| text.parse().unwrap())))
        .collect();
    assert!(rounds.windows(2).all(|pair| pair[0] >= pair[1]), "a hole: {rounds:?}");
    let (first, last) = (rounds[0], *rounds.last().unwrap());
    assert!(first - last <= 1, "no moment of the history: {rounds:?}");
    rounds.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_thousand_secrets_come_back() {
    let place = Place::new();
    let store = place.open().unwrap();
    let writers: Vec<_> = (0..100)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (writer..5_000).step_by(100) {
                    put_secret(&store, &format!("many/{number}"), &format!("value {number}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let bytes = backup(&store);
    let other = place.elsewhere();
    std::fs::write(other.file("b"), bytes).unwrap();
    let restored = other.restore(&other.file("b")).unwrap();
    assert!(restored.rows > 10_000, "{restored}");
    let store = other.open().unwrap();
    for number in 0..5_000 {
        assert_eq!(
            secret(&store, &format!("many/{number}")),
            Some(format!("value {number}"))
        );
    }
}
