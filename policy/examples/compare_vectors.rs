//! Reads Go's answers from standard input and compares the dialect with them; fails on any difference.
//!
//! ```text
//! cd tests/interop/govectors && go run . -n 1000000 -seed 7 | cargo run -p spike-policy --example compare_vectors
//! ```
use std::io::{self, Write};
use std::process::ExitCode;

#[path = "../tests/vectors/compare.rs"]
mod compare;

use compare::Tally;

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let tally = match Tally::of(io::stdin().lock()) {
        Ok(tally) => tally,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for pattern in &tally.too_large {
        writeln!(
            out,
            "too large for us: {}",
            pattern.chars().take(100).collect::<String>()
        )?;
    }
    for difference in tally.differences.iter().take(100) {
        writeln!(out, "{difference}")?;
    }
    writeln!(
        out,
        "{} expressions ({} accepted), {} pairs ({} match, {} with a shape), {} refused as too large, {} differences",
        tally.patterns,
        tally.accepted,
        tally.pairs,
        tally.matched,
        tally.shaped,
        tally.too_large.len(),
        tally.differences.len()
    )?;
    let good = tally.pairs > 0 && tally.differences.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
