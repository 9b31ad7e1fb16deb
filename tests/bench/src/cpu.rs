//! CPU time: of a process from the kernel's scheduler statistics, of the calling thread from its own clock.
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread: it stands still while others have the processor, so that what is timed with it is
/// what the work costs and not how busy the machine was.
pub fn of_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

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

/// CPU time that process `pid` has used, threads that have ended included; in steps of 10 ms.
///
/// # Errors
/// When the process is gone.
pub fn of_process(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process's statistics")?;
    let (_, fields) = text.rsplit_once(')').context("a name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>().context("a number in stat")?;
    // The kernel tells programs a hundredth of a second, whatever its own clock is.
    Ok(Duration::from_millis(ticks * 10))
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
