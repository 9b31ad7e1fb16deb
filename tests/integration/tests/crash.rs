//! `kill -9` under writes: what was acknowledged is there afterwards, and what was not is there whole or not at all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use spike_integration::{Mesh, MeshOptions};
use spike_sdk::Client;

const KILLS: u64 = 100;
const WRITERS: u64 = 4;

/// Puts `writer/N` secrets, counting up, until the server is gone; the last number that was acknowledged.
async fn write(client: Client, writer: u64, from: u64) -> u64 {
    let mut acknowledged = from;
    loop {
        let next = acknowledged + 1;
        let path = format!("crash/{writer}");
        let put = client.put_secret(&path, [("number", next.to_string()), ("again", next.to_string())]);
        if put.await.is_err() {
            return acknowledged;
        }
        acknowledged = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_lose_no_acknowledged_write() {
    let mut mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
    let mut acknowledged: BTreeMap<u64, u64> = (0..WRITERS).map(|writer| (writer, 0)).collect();
    let mut writes = 0;
    for kill in 0..KILLS {
        let client = mesh.client("pilot").await.unwrap();
        let tasks: Vec<_> = acknowledged
            .iter()
            .map(|(writer, from)| (*writer, *from, tokio::spawn(write(client.clone(), *writer, *from))))
            .collect();
        // A different moment each time, spread over the commits of the writers.
        tokio::time::sleep(Duration::from_micros(20_000 + kill * 977 % 23_000)).await;
        mesh.ext_authz().kill().unwrap();
        let mut ends = Vec::new();
        for (writer, from, task) in tasks {
            let end = task.await.unwrap();
            writes += end - from;
            ends.push((writer, end));
        }
        mesh.restart_ext_authz().unwrap();
        let client = mesh.client("pilot").await.unwrap();
        for (writer, end) in ends {
            let found = match client.get_secret(&format!("crash/{writer}")).await {
                Ok(secret) => {
                    assert_eq!(
                        &secret.data["number"], &secret.data["again"],
                        "kill {kill}: half a write of {writer}"
                    );
                    secret.data["number"].parse::<u64>().unwrap()
                }
                Err(spike_sdk::Error::NotFound) => 0,
                Err(error) => panic!("kill {kill}: {error}"),
            };
            // The write under way when the server died may have been committed without an answer.
            assert!(
                found == end || found == end + 1,
                "kill {kill}: writer {writer} had {end} acknowledged, found {found}"
            );
            acknowledged.insert(writer, found);
        }
    }
    assert!(
        writes > KILLS * WRITERS,
        "only {writes} writes were acknowledged: the server was killed while idle"
    );
}
