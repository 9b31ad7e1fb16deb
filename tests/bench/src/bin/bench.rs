//! `make bench`: throughput, latency and CPU of our Check against the always-allow floor, in turns, as ratios.
//!
//! `bench 10 1000` measures those sizes only. The table goes to standard output, progress to standard error.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use spike_bench::load::{Outcome, Shape, push};
use spike_bench::workload::{Question, policy, questions};
use spike_bench::{cpu, sizes};
use spike_integration::{Mesh, MeshOptions, Program, workspace};

const QUESTIONS: usize = 20_000;
const ROUNDS: usize = 3;
const LENGTH: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(2);
/// Documents in one all-or-nothing request: it must stay below Nexus's body limit.
const BATCH: usize = 2_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _shown = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::from(70)
        }
    }
}

/// A server under test.
struct Server {
    socket: PathBuf,
    pid: u32,
    verify: bool,
}

/// The sums of a server's rounds.
#[derive(Default)]
struct Sum {
    rate: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
}

async fn run() -> Result<()> {
    let sizes = sizes::from_arguments()?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "Check over a Unix socket, 2 connections x 32 in flight, {ROUNDS} rounds of {LENGTH:?} in turns; "
    )?;
    writeln!(
        out,
        "every answer of ours compared with its expected verdict. Ratios are ours / floor.\n"
    )?;
    writeln!(
        out,
        "| policies | floor /s | ours /s | ratio | floor us CPU | ours us CPU | ratio | p99 ratio | RSS MiB |"
    )?;
    writeln!(out, "|---:|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for size in sizes {
        let row = measure(size).await.with_context(|| format!("with {size} policies"))?;
        writeln!(out, "{row}")?;
        out.flush()?;
    }
    Ok(())
}

/// One row: both servers in turns with `size` policies.
async fn measure(size: usize) -> Result<String> {
    progress(&format!("{size} policies: starting"));
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await?;
    let client = mesh.client("pilot").await?;
    let documents: Vec<_> = (0..size).map(policy).collect();
    for batch in documents.chunks(BATCH) {
        client.policies().apply(batch).await?;
    }
    let socket = mesh.directory().join("floor.sock");
    let mut command = Command::new(workspace::built("floor")?);
    command.arg(&socket);
    let mut program = Program::start("floor", command, mesh.directory())?;
    program.wait_for("its socket", || socket.exists().then_some(()))?;
    let floor = Server {
        socket,
        pid: program.id(),
        verify: false,
    };
    let ours = Server {
        socket: mesh.check_socket(),
        pid: mesh.ext_authz_pid(),
        verify: true,
    };
    let questions = Arc::new(questions(size, QUESTIONS));
    let (mut sum_floor, mut sum_ours) = (Sum::default(), Sum::default());
    for server in [&floor, &ours] {
        round(server, &questions, WARM_UP).await?;
    }
    for number in 1..=ROUNDS {
        progress(&format!("{size} policies: round {number} of {ROUNDS}"));
        sum_floor.add(&round(&floor, &questions, LENGTH).await?);
        sum_ours.add(&round(&ours, &questions, LENGTH).await?);
    }
    let resident = cpu::resident(ours.pid)? >> 20;
    Ok(row(size, &sum_floor, &sum_ours, resident))
}

/// Tells that something is going on. Nobody may be reading.
fn progress(text: &str) {
    drop(writeln!(std::io::stderr(), "bench: {text}"));
}

/// One round: what was seen, and the CPU microseconds of one answer.
async fn round(server: &Server, questions: &Arc<Vec<Question>>, length: Duration) -> Result<(Outcome, f64)> {
    let shape = Shape {
        connections: 2,
        in_flight: 32,
        length,
        verify: server.verify,
    };
    let before = cpu::used(server.pid)?;
    let outcome = push(&server.socket, questions, shape).await.context("a void round")?;
    ensure!(outcome.answers > 0, "no answer in {length:?}");
    let used = cpu::used(server.pid)?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "a count of a few million")]
    let each = used.as_secs_f64() * 1e6 / outcome.answers as f64;
    Ok((outcome, each))
}

impl Sum {
    fn add(&mut self, (outcome, cpu): &(Outcome, f64)) {
        self.rate += outcome.rate();
        self.cpu += cpu;
        self.p50 += f64::from(outcome.latency(0.5));
        self.p99 += f64::from(outcome.latency(0.99));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of rounds")]
fn row(size: usize, floor: &Sum, ours: &Sum, resident: u64) -> String {
    let rounds = ROUNDS as f64;
    format!(
        "| {size} | {:.0} | {:.0} | **{:.2}** | {:.1} | {:.1} | **{:.2}** | {:.2} | {resident} |",
        floor.rate / rounds,
        ours.rate / rounds,
        ours.rate / floor.rate,
        floor.cpu / rounds,
        ours.cpu / rounds,
        ours.cpu / floor.cpu,
        ours.p99 / floor.p99,
    )
}
