//! How many policies: numbers on the command line, or the four of the project's bars.
use anyhow::{Context, Result, ensure};

const BARS: [usize; 4] = [10, 1_000, 10_000, 100_000];
const MOST: usize = 1_000_000;

/// The sizes to measure.
///
/// # Errors
/// When an argument is no number from 1 to 1,000,000.
pub fn from_arguments() -> Result<Vec<usize>> {
    from_arguments_or(&BARS)
}

/// The sizes to measure: these when there are none on the command line.
///
/// # Errors
/// When an argument is no number from 1 to 1,000,000.
pub fn from_arguments_or(others: &[usize]) -> Result<Vec<usize>> {
    let given = std::env::args().skip(1).map(|word| {
        let size: usize = word
            .replace(['_', ','], "")
            .parse()
            .with_context(|| format!("a number of policies, not `{word}`"))?;
        ensure!((1..=MOST).contains(&size), "1 to {MOST} policies, not {size}");
        Ok(size)
    });
    let sizes = given.collect::<Result<Vec<_>>>()?;
    Ok(if sizes.is_empty() { others.to_vec() } else { sizes })
}
