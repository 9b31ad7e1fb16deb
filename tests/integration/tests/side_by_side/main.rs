//! The official Nexus and ours, side by side: the same requests, commands and SDK calls in the same order to both, under
//! one real SPIRE. Every difference stands in `tests/interop/differences.tsv` with its reason; one that does not stand
//! there fails the test, and so does one that no longer occurs.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod compare;
mod differences;
mod field;
mod normal;
mod probe;
mod sdk;
mod send;
mod transcript;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use spike_integration::official::{self, OfficialStore};
use spike_integration::workspace;

use crate::compare::Pasts;
use crate::differences::Differences;
use crate::field::Field;
use crate::sdk::Workload;
use crate::transcript::Shell;

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_the_answer_of_the_memory_backend() -> Result<()> {
    let field = Field::start(OfficialStore::Memory).await?;
    let mut differences = Differences::read("probe/memory")?;
    let requests = probe::open(&field, (&mut Pasts::default(), &mut differences)).await?;
    differences.settle(requests, 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_the_answer_of_the_sqlite_backend_with_keepers_and_bootstrap() -> Result<()> {
    let mut field = Field::start(OfficialStore::Sqlite).await?;
    let (mut pasts, mut differences) = (Pasts::default(), Differences::read("probe/sqlite")?);
    let mut requests = probe::open(&field, (&mut pasts, &mut differences)).await?;
    field.lose_the_root_key()?;
    requests += probe::sealed(&field, (&mut pasts, &mut differences)).await?;
    field.lose_the_root_key()?;
    requests += probe::deceived(&field, (&mut pasts, &mut differences)).await?;
    differences.settle(requests, 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_commands_say_the_same_with_the_memory_backend_and_so_do_ours() -> Result<()> {
    let field = Field::start(OfficialStore::Memory).await?;
    let official = official::on_path("spike-official-spike", &field.directory)?;
    let (baseline, another) = (field.another("baseline")?, field.another("another")?);
    let shells = (
        Shell::new(&field, "cli-official", &official, field.official.address())?,
        Shell::new(&field, "cli-ours", &official, field.ours.address())?,
        Shell::new(&field, "our-cli", &workspace::built("spike")?, another.address())?,
    );
    let lines = [transcript::everyday(), transcript::recover()].concat();
    let mut servers = Differences::read("cli/memory")?;
    let commands = transcript::compare(&lines, (&shells.0, &shells.1), &mut servers)?;
    // Our command line against our server, beside the official one against the same kind of server.
    let baseline = Shell::new(&field, "cli-baseline", &official, baseline.address())?;
    let mut programs = Differences::read("our-cli/memory")?;
    let ours = transcript::compare(&lines, (&baseline, &shells.2), &mut programs)?;
    both(servers.settle(commands, 60), programs.settle(ours, 60))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_commands_say_the_same_with_the_sqlite_backend_and_bring_the_key_back() -> Result<()> {
    let mut field = Field::start(OfficialStore::Sqlite).await?;
    let official = official::on_path("spike-official-spike", &field.directory)?;
    let addresses = (field.official.address(), field.ours.address());
    let mut servers = Differences::read("cli/sqlite")?;
    let mut programs = Differences::read("our-cli/sqlite")?;
    let lines = [transcript::everyday(), transcript::recover()].concat();
    let shells = (
        Shell::new(&field, "cli-official", &official, addresses.0)?,
        Shell::new(&field, "cli-ours", &official, addresses.1)?,
        Shell::new(&field, "our-cli", &workspace::built("spike")?, addresses.1)?,
    );
    let mut commands = transcript::compare(&lines, (&shells.0, &shells.1), &mut servers)?;
    let mut ours = transcript::compare(&transcript::recover(), (&shells.1, &shells.2), &mut programs)?;
    let shards = shells.0.shards()?;
    field.lose_the_root_key()?;
    commands += transcript::compare(&transcript::restore(&shards), (&shells.0, &shells.1), &mut servers)?;
    // The same with our command line for our server; the official pair is the one to compare with.
    field.lose_the_root_key()?;
    ours += transcript::compare(&transcript::restore(&shards), (&shells.0, &shells.2), &mut programs)?;
    both(servers.settle(commands, 60), programs.settle(ours, 20))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_go_sdk_sees_the_same_under_spire_and_under_the_development_agent() -> Result<()> {
    let mut field = Field::start(OfficialStore::Sqlite).await?;
    let (agent, developed) = field.develop()?;
    let spire = field.spire.socket();
    let workload = |at: (&Path, SocketAddr)| Workload::new(&field.directory, &field.spire, at);
    let official = workload((&spire, field.official.address()))?;
    let ours = [
        ("sdk/spire", workload((&spire, field.ours.address()))?),
        ("sdk/development", workload((&agent, developed))?),
    ];
    let [proof, shards] = ["/v1/cipher/encrypt", "/v1/operator/recover"];
    let proof = field.ask("pilot", proof, r#"{"plaintext":"cHJvb2Y="}"#).await?;
    let shards = field.ask("recover", shards, "{}").await?;
    let shard = |id: &str| shards["shards"][id].to_string();
    let shards = [shard("1"), shard("2"), shard("3")];
    let text = |name: &str| proof[name].as_str().unwrap_or_default().to_owned();
    let (nonce, sealed) = (text("nonce"), text("ciphertext"));
    let calls = [
        sdk::open((&nonce, &sealed)),
        sdk::sealed([&shards[0], &shards[1], &shards[2]]),
    ];

    let mut lists = Vec::new();
    for (run, _) in &ours {
        lists.push(Differences::read(run)?);
    }
    let mut seen = Vec::new();
    for (phase, calls) in calls.iter().enumerate() {
        if phase == 1 {
            field.lose_the_root_key()?;
        }
        let control = sdk::control(calls, &official)?;
        for ((_, workload), list) in ours.iter().zip(&mut lists) {
            sdk::compare(calls, (&control, workload), list)?;
        }
        seen.extend(control);
    }
    for sentinel in sdk::SENTINELS {
        ensure!(
            seen.iter().any(|outcome| outcome == sentinel),
            "nobody saw `{sentinel}`"
        );
    }
    let mut ends = lists.into_iter().map(|list| list.settle(seen.len(), 100));
    both(ends.next().unwrap_or(Ok(())), ends.next().unwrap_or(Ok(())))
}

/// Both faults, if there are two.
fn both(one: Result<()>, other: Result<()>) -> Result<()> {
    match (one, other) {
        (Err(one), Err(other)) => Err(anyhow::anyhow!("{one:#}\n{other:#}")),
        (one, other) => one.and(other),
    }
}

/// Standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}
