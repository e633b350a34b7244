//! The CPU time that a process has used, and what the rest of the machine has.

use std::{fs, path::Path, thread::available_parallelism, time::Duration, time::Instant};

use anyhow::Context;

/// What a process, its threads and its children have used so far, to the nanosecond.
fn used(process: u32) -> anyhow::Result<Duration> {
    used_by_tasks(Path::new(&format!("/proc/{process}/task")))
}

fn used_by_tasks(tasks: &Path) -> anyhow::Result<Duration> {
    let mut nanos = None;
    for task in fs::read_dir(tasks).context("a watched process has ended")? {
        let task = task?.path();
        // A thread that has just ended has left no account.
        let Ok(account) = fs::read_to_string(task.join("schedstat")) else { continue };
        let on_cpu = account.split(' ').next().unwrap_or_default();
        let on_cpu = on_cpu.parse::<u64>().context("the kernel keeps no account of threads")?;
        *nanos.get_or_insert(0) += on_cpu;
        for child in children(&task) {
            *nanos.get_or_insert(0) += u64::try_from(used(child.parse()?)?.as_nanos())?;
        }
    }
    Ok(Duration::from_nanos(nanos.context("a watched process has no account")?))
}

/// The processes that a task has started.
fn children(task: &Path) -> Vec<String> {
    let children = fs::read_to_string(task.join("children")).unwrap_or_default();
    children.split_whitespace().map(str::to_owned).collect()
}

/// Whether the kernel shows that a process has started another.
pub(crate) fn has_children(process: u32) -> bool {
    !children(Path::new(&format!("/proc/{process}/task/{process}"))).is_empty()
}

/// What each of these has used so far.
pub(crate) fn used_by(processes: &[u32]) -> anyhow::Result<Vec<Duration>> {
    processes.iter().copied().map(used).collect()
}

/// What each has used between two looks, in microseconds for each of so many requests.
pub(crate) fn us_each(before: &[Duration], after: &[Duration], requests: u64) -> Vec<f64> {
    let spent = after.iter().zip(before).map(|(after, before)| after.saturating_sub(*before));
    spent.map(|spent| spent.as_secs_f64() * 1e6 / requests as f64).collect()
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// What other programs use while the benchmark runs.
pub(crate) struct Others {
    began: Instant,
    before: f64,
}

impl Others {
    pub(crate) fn from_now_on() -> anyhow::Result<Self> {
        Ok(Self { began: Instant::now(), before: of_others()? })
    }

    /// Their share of the machine since then, once all that the benchmark started has ended.
    pub(crate) fn share(&self) -> anyhow::Result<f64> {
        let seconds = (of_others()? - self.before) / TICKS;
        Ok((seconds / self.began.elapsed().as_secs_f64() / available_parallelism()?.get() as f64).max(0.0))
    }
}

/// The kernel's ticks in a second, as every Linux shows them.
const TICKS: f64 = 100.0;

/// The ticks that were used on all cores, but for this process and those that it has waited for.
fn of_others() -> anyhow::Result<f64> {
    let all = fs::read_to_string("/proc/stat")?;
    let all = all.lines().next().context("an empty /proc/stat")?;
    let all: Vec<f64> = all.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    let own = fs::read_to_string("/proc/self/stat")?;
    let own = own.rsplit(") ").next().context("an empty /proc/self/stat")?;
    let own: Vec<f64> = own.split(' ').skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    // Idle and waiting for a disk are the fourth and the fifth; those of guests are within the first.
    let busy: f64 =
        all.iter().take(8).enumerate().filter(|(at, _)| *at != 3 && *at != 4).map(|(_, it)| it).sum();
    Ok(busy - own.iter().sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_whose_tasks_none_has_an_account_is_an_error_and_no_zero() {
        let tasks = tempfile::tempdir().unwrap();
        fs::create_dir(tasks.path().join("1")).unwrap();
        assert!(used_by_tasks(tasks.path()).is_err());
        fs::create_dir(tasks.path().join("2")).unwrap();
        fs::write(tasks.path().join("2/schedstat"), "7 1 1\n").unwrap();
        assert_eq!(used_by_tasks(tasks.path()).unwrap(), Duration::from_nanos(7));
    }
}
