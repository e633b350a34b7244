//! The CPU time that a process has used.

use std::{fs, time::Duration};

use anyhow::Context;

/// What a process, its threads and its children have used so far, to the nanosecond.
pub(crate) fn used(process: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).context("a watched process has ended")? {
        let task = task?.path();
        // A thread that has just ended has left no account.
        let Ok(account) = fs::read_to_string(task.join("schedstat")) else { continue };
        let on_cpu = account.split(' ').next().unwrap_or_default();
        nanos += on_cpu.parse::<u64>().context("the kernel keeps no account of threads")?;
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            nanos += u64::try_from(used(child.parse()?)?.as_nanos())?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
