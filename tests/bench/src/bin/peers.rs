//! `make bench-peers`: one secret read from the official Nexus and from ours, in turns in one run under real SPIRE.
//!
//! What counts is the CPU that the *server* uses for a call: client and servers share the processors, so calls a second
//! say less than they could. Needs `spire-server`, `spire-agent` and `spike-official-{nexus,keeper,bootstrap}` on
//! `PATH`, and root (each program runs as a user of its own).
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use spike_bench::peers::{Connections, People, Round, Server, ours};
use spike_integration::official::{Keepers, OfficialNexus, OfficialStore, PILOT, USERS, WEB, bootstrap};
use spike_integration::{Program, Spire};

const ROUNDS: usize = 3;
const LENGTH: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _shown = writeln!(std::io::stderr(), "peers: {error:#}");
            ExitCode::from(70)
        }
    }
}

/// One line of the table.
struct Row {
    name: &'static str,
    policies: usize,
    server: Server,
    kept: Round,
    fresh: Round,
}

/// What has to run while it is measured.
#[derive(Default)]
struct Running {
    official: Vec<OfficialNexus>,
    ours: Vec<Program>,
}

const MEMORY: &str = "official, memory";
const SQLITE: &str = "official, SQLite";
const OURS: &str = "ours, redb";

async fn run() -> Result<()> {
    let directory = tempfile::Builder::new().prefix("peers-").tempdir()?;
    let directory = directory.path();
    let mut spire = Spire::start(directory)?;
    progress("registering workloads");
    spire.register_all(USERS)?;
    let people = People::of(&spire, WEB, PILOT)?;
    let keepers = Keepers::start(&spire.socket(), directory, 3)?;
    let mut running = Running::default();
    let mut rows = Vec::new();
    let mut is_bootstrapped = false;
    for (store, name, policies) in [
        (OfficialStore::Memory, MEMORY, 10),
        (OfficialStore::Sqlite, SQLITE, 10),
        (OfficialStore::Sqlite, SQLITE, 1_000),
    ] {
        progress(&format!("starting {name}, {policies} policies"));
        let home = place(directory, policies)?;
        let with = (store == OfficialStore::Sqlite).then_some(&keepers);
        let mut nexus = OfficialNexus::start(&spire, &home, store, with)?;
        if with.is_some() {
            if !is_bootstrapped {
                bootstrap(&spire, directory, &keepers, nexus.address())?;
                is_bootstrapped = true;
            }
            nexus.wait_until_open()?;
        }
        let server = Server {
            address: nexus.address(),
            pid: nexus.id()?,
        };
        rows.push(row(&people, (name, policies, server)).await?);
        running.official.push(nexus);
    }
    for policies in [10, 1_000, 10_000] {
        progress(&format!("starting {OURS}, {policies} policies"));
        let (program, server) = ours(&spire, directory, &format!("ours-{policies}"))?;
        rows.push(row(&people, (OURS, policies, server)).await?);
        running.ours.push(program);
    }
    measure(&people, &mut rows).await?;
    report(&rows)
}

/// A directory of its own for each official Nexus.
fn place(directory: &Path, policies: usize) -> Result<std::path::PathBuf> {
    let home = directory.join(format!("official-{policies}"));
    std::fs::create_dir_all(&home)?;
    Ok(home)
}

async fn row(people: &People, (name, policies, server): (&'static str, usize, Server)) -> Result<Row> {
    let prepared = people.prepare(server.address, policies, name == OURS).await;
    prepared.with_context(|| format!("preparing {name} with {policies} policies"))?;
    Ok(Row {
        name,
        policies,
        server,
        kept: Round::default(),
        fresh: Round::default(),
    })
}

async fn measure(people: &People, rows: &mut [Row]) -> Result<()> {
    for number in 1..=ROUNDS {
        for row in &mut *rows {
            progress(&format!(
                "round {number} of {ROUNDS}: {}, {} policies",
                row.name, row.policies
            ));
            row.kept.add(people.read(&row.server, Connections::Kept, LENGTH).await?);
            row.fresh
                .add(people.read(&row.server, Connections::Fresh, LENGTH).await?);
        }
    }
    Ok(())
}

fn report(rows: &[Row]) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "One secret read over mTLS, 2 calls in flight, {ROUNDS} rounds of {LENGTH:?} in turns; every answer checked.\n"
    )?;
    writeln!(
        out,
        "| Nexus | policies | us CPU a call | calls/s | us CPU a call, new connection each | calls/s |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|")?;
    for row in rows {
        let (kept, fresh) = (&row.kept, &row.fresh);
        writeln!(
            out,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            row.name,
            row.policies,
            kept.each(),
            kept.rate(),
            fresh.each(),
            fresh.rate()
        )?;
    }
    let find = |name, policies| {
        let mut found = rows.iter().filter(|row| row.name == name && row.policies == policies);
        found.next().context("a row")
    };
    let (memory, small, large) = (find(MEMORY, 10)?, find(SQLITE, 10)?, find(SQLITE, 1_000)?);
    let (few, many, most) = (find(OURS, 10)?, find(OURS, 1_000)?, find(OURS, 10_000)?);
    writeln!(out, "\n| ratio | measured | bar |\n|---|---:|---:|")?;
    for (what, ratio, wanted) in [
        (
            "CPU a call, ours / memory backend",
            few.kept.each() / memory.kept.each(),
            "<= 0.4",
        ),
        (
            "CPU a call, ours / SQLite, 10 policies",
            few.kept.each() / small.kept.each(),
            "<= 0.05",
        ),
        (
            "CPU a call, ours / SQLite, 1,000 policies",
            many.kept.each() / large.kept.each(),
            "<= 0.01",
        ),
        (
            "calls/s, ours / memory backend",
            few.kept.rate() / memory.kept.rate(),
            ">= 1.4",
        ),
        (
            "CPU a call with a new connection, ours / memory backend",
            few.fresh.each() / memory.fresh.each(),
            "<= 0.6",
        ),
        (
            "CPU a call, ours with 10,000 policies / with 10",
            most.kept.each() / few.kept.each(),
            "0.9 to 1.1",
        ),
    ] {
        writeln!(out, "| {what} | {ratio:.3} | {wanted} |")?;
    }
    Ok(())
}

/// Tells that something is going on. Nobody may be reading.
fn progress(text: &str) {
    drop(writeln!(std::io::stderr(), "peers: {text}"));
}
