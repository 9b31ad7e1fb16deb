//! `make bench`: one Check from bytes to bytes, in process: decoding, decision, answer, metrics and audit, no network.
//!
//! Times are CPU times of the deciding thread. `check 10 1000` measures those sizes only. Without a socket in between
//! the cost of our own code shows, and two runs under `valgrind --tool=callgrind` can be compared to the instruction.
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use spike_audit::{Journal, Program, Settings, Target};
use spike_bench::load::verdict;
use spike_bench::workload::{self, Mix, questions};
use spike_bench::{cpu, engine, sizes};
use spike_ext_authz::Reading;
use spike_ext_authz::check::{Authorizer, Call, Rulebook};
use spike_ext_authz::encode::Disclosure;
use spike_ext_authz::feed::{Source, Unavailable};
use spike_ext_authz::metrics::Metrics;
use spike_ext_authz::snapshot::{Lookups, Views};
use spike_policy::request::Rules;
use spike_policy::{PolicySet, Roles};
use spike_runtime::SystemClock;
use spike_runtime::metrics::Registry;

/// Different questions, as in the measurement over gRPC.
const QUESTIONS: usize = 20_000;
/// Checks of a round.
const CHECKS: usize = 100_000;
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _shown = writeln!(std::io::stderr(), "check: {error:#}");
            ExitCode::from(70)
        }
    }
}

struct Fixed(Arc<PolicySet>);

impl Source for Fixed {
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable> {
        Ok(Arc::clone(&self.0))
    }
}

fn run() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "One Check in process, from bytes to bytes, audit to a file.\n")?;
    writeln!(out, "| policies | us | us without the view cache |\n|---:|---:|---:|")?;
    for size in sizes::from_arguments()? {
        let set = Arc::new(engine::compile(size, Mix::Mesh)?);
        let [with, without] = [Duration::from_secs(1), Duration::ZERO].map(|ttl| measure(&set, size, ttl));
        writeln!(out, "| {size} | {:.2} | {:.2} |", with?, without?)?;
        out.flush()?;
    }
    Ok(())
}

fn measure(set: &Arc<PolicySet>, size: usize, ttl: Duration) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let registry = Registry::new("bench", "0");
    let metrics = Metrics::register(&registry);
    let target = Target::File(directory.path().join("decisions.log"));
    let program = Program {
        name: "bench",
        version: "0",
    };
    let (audit, writer) = Journal::open(&Settings::to(target), program, SystemClock::shared(), &registry)?;
    let rules = Rules {
        trust_domains: vec!["example.org".parse()?],
        ..Rules::default()
    };
    let authorizer = Authorizer {
        source: Arc::new(Fixed(Arc::clone(set))),
        views: Views::new(ttl, 100_000, Lookups::default()),
        rulebook: Rulebook {
            reading: Reading { rules, listener: None },
            roles: Roles::default(),
            disclosure: Disclosure::default(),
            reload: false,
        },
        audit,
        metrics,
        clock: SystemClock::shared(),
    };
    let questions = questions(size, QUESTIONS);
    let mut best = f64::MAX;
    for round in 0..=ROUNDS {
        let each = turn(&authorizer, &questions)?;
        // The first round warms up.
        best = if round == 0 { best } else { best.min(each) };
    }
    drop(authorizer);
    if let Some(writer) = writer {
        writer.finish();
    }
    Ok(best)
}

/// CPU microseconds of one Check.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn turn(authorizer: &Authorizer, questions: &[workload::Question]) -> Result<f64> {
    let clock = Arc::clone(&authorizer.clock);
    let started = cpu::of_thread();
    for question in questions.iter().cycle().take(CHECKS) {
        let call = Call {
            listener: "uds",
            caller: None,
            arrived: clock.monotonic(),
            patience: None,
        };
        let answer = authorizer.check(call, Ok(question.message())).into_frame();
        ensure!((verdict(&answer)? == 0) == question.allowed, "a wrong verdict");
    }
    Ok(cpu::of_thread().saturating_sub(started).as_secs_f64() * 1e6 / CHECKS as f64)
}
