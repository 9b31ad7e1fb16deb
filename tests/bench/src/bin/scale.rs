//! `make bench`: what 100,000 policies cost besides decisions: memory, cold start, updates, and memory under identities
//! and paths that are never seen twice.
//!
//! `scale 1000` measures another number of policies. The program under test is `spike-ext-authz` with its Nexus in the
//! same process and its store on disk, every commit with its fsync.
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use spike_bench::load::sweep;
use spike_bench::times::Times;
use spike_bench::workload::{Mix, policy, stranger};
use spike_bench::{cpu, engine, sizes};
use spike_integration::{Mesh, MeshOptions};
use spike_nexus::store::{Mode, Options, Store};
use spike_nexus::vault::RootKeySource;
use spike_policy::{PolicyDocument, Rule, UnixMillis};

/// Documents in one all-or-nothing request: it must stay below Nexus's body limit.
const BATCH: usize = 2_000;
/// Single puts, each with its commit.
const PUTS: usize = 1_000;
/// Starts of the whole program.
const STARTS: usize = 5;
/// Checks of identities and paths that are never seen twice, and after how many of them memory is looked at.
const STRANGERS: [u64; 4] = [100_000, 250_000, 500_000, 1_000_000];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _shown = writeln!(std::io::stderr(), "scale: {error:#}");
            ExitCode::from(70)
        }
    }
}

async fn run() -> Result<()> {
    let sizes = sizes::from_arguments_or(&[100_000])?;
    for size in sizes {
        say(&format!("\n{size} policies; MB are 1,000,000 bytes, resident.\n"))?;
        say("| what | |\n|---|---:|")?;
        compiled(size)?;
        store(size).await?;
        program(size).await?;
    }
    Ok(())
}

/// The engine alone.
fn compiled(size: usize) -> Result<()> {
    let before = cpu::resident(std::process::id())?;
    let started = Instant::now();
    let set = engine::compile(size, Mix::Mesh)?;
    row("compiled from documents", &seconds(started.elapsed()))?;
    let resident = cpu::resident(std::process::id())?.saturating_sub(before);
    row("the engine's share of memory", &megabytes(resident))?;
    drop(set);
    Ok(())
}

/// The store in process.
async fn store(size: usize) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store").join("nexus.redb");
    {
        let store = open(&path)?;
        for batch in documents(size).chunks(BATCH) {
            let rules = batch.iter().map(rule).collect::<Result<Vec<_>>>()?;
            store.apply_policies(rules, UnixMillis(1)).await?;
        }
        let (mut puts, mut publications) = (Times::default(), Times::default());
        for at in 0..PUTS {
            let rule = rule(&changed(at, size))?;
            let started = Instant::now();
            store.put_policy(rule, Mode::Upsert, UnixMillis(2)).await?;
            puts.add(started.elapsed());
            publications.add(store.stats().last_publication);
        }
        row("one put in the store, fsync included", &spread(&puts))?;
        row("of that from commit to published", &spread(&publications))?;
        store.close().await?;
    }
    let (mut restores, mut worked) = (Times::default(), Times::default());
    for _ in 0..STARTS {
        let (started, before) = (Instant::now(), cpu::of_process(std::process::id())?);
        let store = open(&path)?;
        restores.add(started.elapsed());
        worked.add(cpu::of_process(std::process::id())?.saturating_sub(before));
        ensure!(store.policies()?.len() == size, "every policy is there again");
        store.close().await?;
    }
    row("restored from the store, in process", &few(&restores))?;
    row("CPU time of that, all threads", &few(&worked))?;
    let file = std::fs::metadata(&path)?.len();
    row("the store's file", &megabytes(file))
}

fn open(path: &Path) -> Result<Store> {
    let key = RootKeySource::KeyFile(path.with_extension("key"));
    let mut options = Options::new(path.to_owned(), key);
    options.max_versions = NonZeroU32::MIN;
    Ok(Store::open(options)?)
}

/// The whole program.
async fn program(size: usize) -> Result<()> {
    // Views live as long as they can here: what bounds them is the size of the cache.
    let options = MeshOptions::without_envoy().with_settings("cache: {ttl: 1h}\n");
    let mut mesh = Mesh::start(options).await?;
    row(
        "the program without policies",
        &megabytes(cpu::resident(mesh.ext_authz_pid())?),
    )?;
    {
        let client = mesh.client("pilot").await?;
        for batch in documents(size).chunks(BATCH) {
            client.policies().apply(batch).await?;
        }
        row(
            "after they were applied",
            &megabytes(cpu::resident(mesh.ext_authz_pid())?),
        )?;
        let mut puts = Times::default();
        for at in 0..PUTS {
            let document = changed(at, size);
            let started = Instant::now();
            client.policies().put(&document).await?;
            puts.add(started.elapsed());
        }
        row("one put through the API, fsync included", &spread(&puts))?;
        for batch in documents(size).chunks(BATCH) {
            client.policies().apply(batch).await?;
        }
    }
    let (mut stopped, mut killed) = (Times::default(), Times::default());
    for start in 0..2 * STARTS {
        let clean = start % 2 == 0;
        if clean {
            mesh.ext_authz().stop()?;
        } else {
            mesh.ext_authz().kill()?;
        }
        let started = Instant::now();
        mesh.restart_ext_authz()?;
        let times = if clean { &mut stopped } else { &mut killed };
        times.add(started.elapsed());
    }
    row("cold start to ready, after a stop", &few(&stopped))?;
    row("cold start to ready, after a kill", &few(&killed))?;
    let resident = cpu::resident(mesh.ext_authz_pid())?;
    row(
        "**the program with them, after a start**",
        &format!("**{}**", megabytes(resident)),
    )?;
    strangers(&mesh, size).await
}

/// Checks of identities and paths that are never seen twice.
async fn strangers(mesh: &Mesh, size: usize) -> Result<()> {
    let mut asked = 0;
    for until in STRANGERS {
        sweep(&mesh.check_socket(), asked..until, move |at| stranger(size, at)).await?;
        asked = until;
        let resident = cpu::resident(mesh.ext_authz_pid())?;
        row(&format!("after {until} Checks of strangers"), &megabytes(resident))?;
    }
    Ok(())
}

fn documents(size: usize) -> Vec<PolicyDocument> {
    (0..size).map(policy).collect()
}

/// A policy with another path than before.
fn changed(at: usize, size: usize) -> PolicyDocument {
    let which = at.wrapping_mul(7_919) % size;
    PolicyDocument {
        path_pattern: format!(r"^services/s{which}/v{at}/[a-z]+$"),
        ..policy(which)
    }
}

fn rule(document: &PolicyDocument) -> Result<Rule> {
    Rule::try_from(document).map_err(|faults| anyhow!("{}: {faults:?}", document.name))
}

fn row(what: &str, value: &str) -> Result<()> {
    say(&format!("| {what} | {value} |"))
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    out.flush().context("standard output")
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn few(times: &Times) -> String {
    let [median, most] = [0.5, 1.0].map(|share| times.at(share).as_secs_f64());
    format!("{median:.2} s, max {most:.2}")
}

fn spread(times: &Times) -> String {
    let [median, high, most] = [0.5, 0.99, 1.0].map(|share| times.at(share).as_secs_f64() * 1e3);
    format!("{median:.3} ms, p99 {high:.3}, max {most:.3}")
}
