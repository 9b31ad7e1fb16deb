//! `make bench`: the policy engine in process, without a network: decisions, first decisions, updates, memory.
//!
//! All times are CPU times of the deciding thread, so the largest of a thousand is the work's own and no preemption.
//! Every decision that is timed is compared with its expected verdict. `engine 10 1000` measures those sizes only.
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use spike_bench::engine::{compile, stored};
use spike_bench::times::Times;
use spike_bench::workload::{self, Mix};
use spike_bench::{cpu, sizes};
use spike_policy::{Access, Generation, Policy, PolicySet, Roles, Rule, Verdict, decide, decide_in};

/// Identities that a warm round asks for in turns.
const HOT: usize = 10;
/// Decisions of a warm round.
const WARM: usize = 200_000;
/// Identities that are asked for the first time.
const FIRST: usize = 1_000;
/// Changes of one policy.
const UPDATES: usize = 3_000;
/// Decisions by scanning.
const SCANS: usize = 200;
/// A scan compiles every pattern; more policies than this would need gigabytes.
const SCANNED: usize = 10_000;
/// Policies of as many identity patterns that no text tells apart.
const CROWDS: [usize; 2] = [1_000, 10_000];
/// Policies of one class pattern, told apart by their paths.
const SHARED: usize = 2_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _shown = writeln!(std::io::stderr(), "engine: {error:#}");
            ExitCode::from(70)
        }
    }
}

fn run() -> Result<()> {
    let mut out = std::io::stdout();
    let sizes = sizes::from_arguments()?;
    writeln!(out, "The policy engine in process, one thread.\n")?;
    writeln!(
        out,
        "| policies | parse and compile ms | MiB | decision ns | with a kept view ns | first decision us p50 / p99 / max | \
         the same, {SHARED} sharing a class | update us p50 / p99 | scan us | scan / decision |"
    )?;
    writeln!(out, "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for size in sizes {
        writeln!(out, "{}", measure(size)?)?;
        out.flush()?;
    }
    writeln!(
        out,
        "\nIdentity patterns that no literal text tells apart: every decision asks them all, or finds a kept view.\n"
    )?;
    writeln!(
        out,
        "| patterns | of one row each | parse and compile ms | first decision us p50 / p99 / max | with a kept view ns |"
    )?;
    writeln!(out, "|---:|---|---:|---:|---:|")?;
    for size in CROWDS {
        for rows in [true, false] {
            writeln!(out, "{}", crowd(size, rows)?)?;
            out.flush()?;
        }
    }
    Ok(())
}

/// One row about a crowd.
fn crowd(size: usize, rows: bool) -> Result<String> {
    let mix = if rows { Mix::Rows } else { Mix::Searches };
    let started = cpu::of_thread();
    let set = compile(size, mix)?;
    let compiled = since(started);
    let first = first_decisions(&set, size.min(200), mix)?;
    let viewed = warm(&set, size, mix, true)?;
    let word = if rows { "yes" } else { "no" };
    Ok(format!(
        "| {size} | {word} | {} | {} | {viewed:.0} |",
        compiled.as_millis(),
        spread(&first)
    ))
}

fn measure(size: usize) -> Result<String> {
    let before = cpu::resident(std::process::id())?;
    let started = cpu::of_thread();
    let set = compile(size, Mix::Mesh)?;
    let compiled = since(started);
    let resident = cpu::resident(std::process::id())?.saturating_sub(before);

    let first = first_decisions(&set, size, Mix::Mesh)?;
    let (decision, viewed) = (warm(&set, size, Mix::Mesh, false)?, warm(&set, size, Mix::Mesh, true)?);
    let update = updates(&set, size)?;
    let scan = if size <= SCANNED { Some(scan(&set, size)?) } else { None };
    drop(set);
    let shared = if size > SHARED {
        let set = compile(size, Mix::SharedClass(SHARED))?;
        Some(first_decisions(&set, SHARED, Mix::SharedClass(SHARED))?)
    } else {
        None
    };
    Ok(format!(
        "| {size} | {} | {} | **{decision:.0}** | {viewed:.0} | {} | {} | {} / {} | {} | {} |",
        compiled.as_millis(),
        resident >> 20,
        spread(&first),
        shared.map_or_else(|| "-".to_owned(), |times| spread(&times)),
        micros(update.at(0.5)),
        micros(update.at(0.99)),
        scan.map_or_else(|| "-".to_owned(), |scan| format!("{:.1}", scan / 1e3)),
        scan.map_or_else(|| "-".to_owned(), |scan| format!("{:.0}", scan / decision)),
    ))
}

/// CPU time of this thread since then: what others do on the machine does not count.
fn since(started: Duration) -> Duration {
    cpu::of_thread().saturating_sub(started)
}

fn spread(times: &Times) -> String {
    let [median, high, most] = [0.5, 0.99, 1.0].map(|share| micros(times.at(share)));
    format!("{median} / {high} / {most}")
}

fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Nanoseconds of a decision for identities that were decided before; or for such whose views are at hand.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn warm(set: &PolicySet, size: usize, mix: Mix, viewed: bool) -> Result<f64> {
    let asked: Vec<_> = (0..HOT)
        .map(|at| {
            let (access, allowed) = workload::access(scattered(at, size), mix, at)?;
            Ok((set.view(&access.who), access, allowed))
        })
        .collect::<Result<Vec<_>>>()?;
    let roles = Roles::default();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let batch: Vec<Access> = (0..WARM)
            .filter_map(|at| asked.get(at % HOT))
            .map(|(_, access, _)| access.clone())
            .collect();
        let mut wrong = 0_usize;
        let started = cpu::of_thread();
        for ((view, _, allowed), access) in asked.iter().cycle().zip(batch) {
            let verdict = if viewed {
                decide_in(black_box(view), &roles, access)
            } else {
                decide(black_box(set), &roles, access)
            };
            wrong += usize::from(matches!(verdict, Verdict::Allow(_)) != *allowed);
        }
        let each = since(started).as_nanos() as f64 / WARM as f64;
        ensure!(wrong == 0, "{wrong} of {WARM} warm decisions are wrong");
        best = best.min(each);
    }
    Ok(best)
}

/// The `at`-th of different numbers below `size`, all over it.
fn scattered(at: usize, size: usize) -> usize {
    at.wrapping_mul(7_919) % size
}

/// Times of first decisions: nothing of the identity is at hand.
fn first_decisions(set: &PolicySet, size: usize, mix: Mix) -> Result<Times> {
    let roles = Roles::default();
    let count = FIRST.min(size);
    let mut times = Times::default();
    for at in 0..count {
        let (access, allowed) = workload::access(scattered(at, size), mix, at)?;
        let started = cpu::of_thread();
        let verdict = decide(set, &roles, access);
        times.add(since(started));
        ensure!(
            matches!(verdict, Verdict::Allow(_)) == allowed,
            "first decision {at} is wrong"
        );
    }
    Ok(times)
}

/// Times from one changed policy at hand to the next set, the old one freed.
fn updates(set: &PolicySet, size: usize) -> Result<Times> {
    let mut set = set.clone();
    let mut times = Times::default();
    for at in 0..UPDATES {
        let changed = scattered(at, size);
        let former = stored(changed, Mix::Mesh)?;
        let rule = Rule {
            path: format!(r"^services/s{changed}/v{at}/[a-z]+$").parse()?,
            ..former.rule.clone()
        };
        let policy = Arc::new(Policy { rule, ..*former });
        let started = cpu::of_thread();
        set = set.with(Generation(2 + at as u64), &[policy], &[]);
        times.add(since(started));
    }
    ensure!(set.len() == size, "updates keep the number of policies");
    Ok(times)
}

/// Nanoseconds of a decision that asks every policy.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn scan(set: &PolicySet, size: usize) -> Result<f64> {
    let policies: Vec<&Arc<Policy>> = set.iter().collect();
    let decide = |access: &Access| {
        policies.iter().any(|policy| {
            let rule = &policy.rule;
            rule.permissions.satisfies(access.permission)
                && rule.spiffe_id.is_match(access.who.as_str())
                && rule.path.is_match(access.path.as_str())
        })
    };
    let (compiled, _) = workload::access(0, Mix::Mesh, 1)?;
    black_box(decide(&compiled));
    let asked = (0..SCANS)
        .map(|at| workload::access(scattered(at, size), Mix::Mesh, at))
        .collect::<Result<Vec<_>>>()?;
    let started = cpu::of_thread();
    for (access, allowed) in &asked {
        ensure!(decide(black_box(access)) == *allowed, "a scan is wrong");
    }
    Ok(since(started).as_nanos() as f64 / SCANS as f64)
}
