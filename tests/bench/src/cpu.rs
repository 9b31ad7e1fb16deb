//! The CPU time of a process, from the kernel's scheduler statistics (nanoseconds, all threads).
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time that the live threads of process `pid` have used since they started.
///
/// # Errors
/// When the process is gone or the kernel keeps no scheduler statistics.
pub fn used(pid: u32) -> Result<Duration> {
    let mut total = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).context("the process's threads")? {
        let path = thread?.path().join("schedstat");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let on_cpu = text.split_whitespace().next().context("a number in schedstat")?;
        total += on_cpu.parse::<u64>().context("a number in schedstat")?;
    }
    Ok(Duration::from_nanos(total))
}

/// Resident memory of process `pid`, in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process's status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS")?;
    Ok(kib * 1024)
}
