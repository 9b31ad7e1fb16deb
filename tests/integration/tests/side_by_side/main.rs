//! The official Nexus and ours, side by side: the same requests, commands and SDK calls in the same order to both, under
//! one real SPIRE; commands and SDK calls to ours also with the development agent in SPIRE's place. Every difference stands in `tests/interop/differences.tsv` with its reason; one that does not stand
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

use anyhow::{Result, ensure};
use spike_integration::official::{self, OfficialStore};
use spike_integration::workspace;

use crate::compare::Pasts;
use crate::differences::Differences;
use crate::field::Field;
use crate::sdk::{Surface, Workload};
use crate::transcript::{Run, Shell};

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
    let mut field = Field::start(OfficialStore::Memory).await?;
    let (agent, developed) = field.develop()?;
    let spire = field.spire.socket();
    let official = official::on_path("spike-official-spike", &field.directory)?;
    let own = workspace::built("spike")?;
    let lines = [transcript::everyday(), transcript::recover()].concat();

    let control = Shell::new(&field, "cli-official", &official, (&spire, field.official.address()))?;
    let control = transcript::control(&lines, &control)?;
    let mut ends = Vec::new();
    for (name, at) in [
        ("cli/memory/spire", (&*spire, field.ours.address())),
        ("cli/memory/development", (&*agent, developed)),
    ] {
        let mut run = Run::new(name, Shell::new(&field, name, &official, at)?)?;
        run.compare(&lines, &control)?;
        ends.push(run.settle(60));
    }
    // Our command line against our server, beside the official one against the same kind of server.
    let baseline = field.another(&spire, "baseline")?;
    let baseline = Shell::new(&field, "cli-baseline", &official, (&spire, baseline.address()))?;
    let control = transcript::control(&lines, &baseline)?;
    for (name, server, agent) in [
        ("our-cli/memory/spire", "another", &spire),
        ("our-cli/memory/development", "another-in-development", &agent),
    ] {
        let server = field.another(agent, server)?;
        let mut run = Run::new(name, Shell::new(&field, name, &own, (agent, server.address()))?)?;
        run.compare(&lines, &control)?;
        ends.push(run.settle(60));
    }
    all(ends)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_commands_say_the_same_with_the_sqlite_backend_and_bring_the_key_back() -> Result<()> {
    let mut field = Field::start(OfficialStore::Sqlite).await?;
    let (agent, developed) = field.develop()?;
    let spire = field.spire.socket();
    let official = official::on_path("spike-official-spike", &field.directory)?;
    let own = workspace::built("spike")?;
    let shell = |name, program, at| Shell::new(&field, name, program, at);
    let control = shell("cli-official", &official, (&spire, field.official.address()))?;
    let (here, there) = ((&*spire, field.ours.address()), (&*agent, developed));
    let mut servers = Vec::new();
    for (name, at) in [("cli/sqlite/spire", here), ("cli/sqlite/development", there)] {
        servers.push(Run::new(name, shell(name, &official, at)?)?);
    }
    let mut programs = Vec::new();
    for (name, at) in [("our-cli/sqlite/spire", here), ("our-cli/sqlite/development", there)] {
        programs.push(Run::new(name, shell(name, &own, at)?)?);
    }

    let lines = [transcript::everyday(), transcript::recover()].concat();
    let said = transcript::control(&lines, &control)?;
    servers.iter_mut().try_for_each(|run| run.compare(&lines, &said))?;
    let lines = transcript::recover();
    let said = servers[0].control(&lines)?;
    programs.iter_mut().try_for_each(|run| run.compare(&lines, &said))?;
    let lines = transcript::restore(&control.shards()?);
    // First the official command line for our servers, then ours; the official pair is the one to compare with.
    for runs in [&mut servers, &mut programs] {
        field.lose_the_root_key()?;
        let said = transcript::control(&lines, &control)?;
        runs.iter_mut().try_for_each(|run| run.compare(&lines, &said))?;
    }
    let servers = servers.into_iter().map(|run| run.settle(60));
    all(servers.chain(programs.into_iter().map(|run| run.settle(20))))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_go_sdk_sees_the_same_under_spire_and_under_the_development_agent() -> Result<()> {
    let mut field = Field::start(OfficialStore::Sqlite).await?;
    let (agent, developed) = field.develop()?;
    let spire = field.spire.socket();
    let keepers = [
        field.keepers(&spire, "keepers-spire")?,
        field.keepers(&agent, "keepers-development")?,
    ];
    let control = Workload::new(&field.directory, (&spire, field.official.address()), &keepers[0])?;
    let mut runs = Vec::new();
    for (name, at, keepers) in [
        ("sdk/spire", (&*spire, field.ours.address()), &keepers[0]),
        ("sdk/development", (&*agent, developed), &keepers[1]),
    ] {
        runs.push(sdk::Run::new(name, Workload::new(&field.directory, at, keepers)?)?);
    }
    let [proof, shards] = ["/v1/cipher/encrypt", "/v1/operator/recover"];
    let proof = field.ask("pilot", proof, r#"{"plaintext":"cHJvb2Y="}"#).await?;
    let shards = field.ask("recover", shards, "{}").await?;
    let shards = ["1", "2", "3"].map(|id| shards["shards"][id].to_string());
    let proof = ["nonce", "ciphertext"].map(|name| proof[name].as_str().unwrap_or_default().to_owned());

    control.lead(&sdk::open(&proof, &shards), &mut runs)?;
    field.lose_the_root_key()?;
    control.lead(&sdk::sealed(&shards), &mut runs)?;
    // A Nexus that has nothing but the shards that the SDK has contributed.
    let fed = [
        field.fed(&spire, ("fed", &keepers[0]))?,
        field.fed(&agent, ("fed-in-development", &keepers[1]))?,
    ];
    for (run, nexus) in runs.iter_mut().zip(&fed) {
        run.point_to(nexus.address());
    }
    control.lead(&sdk::proved(&proof), &mut runs)?;

    let surface = Surface::read()?;
    let ends = runs
        .into_iter()
        .map(|run| [run.ensure_all_of(&surface), run.settle(240)]);
    all(ends.flatten())
}

/// All faults, if there are several.
fn all(ends: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let faults: Vec<String> = ends
        .into_iter()
        .filter_map(Result::err)
        .map(|fault| format!("{fault:#}"))
        .collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
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
