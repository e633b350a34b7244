//! A bare clock: what the machine itself takes from a server that does nothing but look at the time.

use std::{
    io::Write,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Args;

use crate::{
    bench::Bench,
    load::Report,
    process::{LOAD, SERVERS, pinned},
};

/// How long it looks.
#[derive(Debug, Args)]
pub(super) struct Clock {
    /// Before it is measured, in milliseconds.
    #[arg(long)]
    warm_up: u64,
    /// While it is measured, in milliseconds.
    #[arg(long)]
    measured: u64,
}

/// One round: how late a server that is never busy would answer. Both cores look at the time, as both are at work under
/// load; the servers' one is measured.
pub(crate) fn round(bench: &Bench) -> anyhow::Result<Report> {
    let (servers, load) = (start(bench, SERVERS)?, start(bench, LOAD)?);
    let [report, _] = [servers, load].map(report);
    report
}

fn start(bench: &Bench, core: u8) -> anyhow::Result<Child> {
    let mut clock = pinned(core, &bench.me);
    clock.args(["peer", "clock", "--warm-up", &bench.warm_up.as_millis().to_string()]);
    clock.args(["--measured", &bench.round.as_millis().to_string()]);
    clock.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    clock.spawn().context("taskset does not start")
}

fn report(clock: Child) -> anyhow::Result<Report> {
    let said = clock.wait_with_output()?;
    ensure!(said.status.success(), "the clock failed: {}", String::from_utf8_lossy(&said.stderr).trim());
    serde_json::from_slice(&said.stdout).context("the clock says what is not understood")
}

/// Looks at the clock, and says in one line of JSON what came of it.
pub(super) fn run(Clock { warm_up, measured }: &Clock) -> anyhow::Result<()> {
    gaps(Duration::from_millis(*warm_up));
    let measured = Duration::from_millis(*measured);
    let gaps = gaps(measured);
    let late = |share: f64| late(&gaps, measured, share).as_secs_f64() * 1e6;
    let report = Report {
        seconds: measured.as_secs_f64(),
        p50_us: late(0.5),
        p99_us: late(0.99),
        p999_us: late(0.999),
        ..Report::default()
    };
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?)
}

/// What is longer than this between two looks is none of the looking itself.
const GAP: Duration = Duration::from_micros(1);

/// The times in which there was no look, the longest first.
fn gaps(time: Duration) -> Vec<Duration> {
    let (mut gaps, began) = (Vec::new(), Instant::now());
    let mut last = began;
    while last - began < time {
        let now = Instant::now();
        if now - last > GAP {
            gaps.push(now - last);
        }
        last = now;
    }
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    gaps
}

/// How late this share of requests is at most, which come at any moment: one that comes in a gap waits for the rest of
/// it. Of a gap, what exceeds the lateness is the time in which those come that are later.
fn late(gaps: &[Duration], time: Duration, share: f64) -> Duration {
    let later = time.mul_f64(1.0 - share);
    let mut sum = Duration::ZERO;
    for ((&gap, longer), next) in gaps.iter().zip(1..).zip(gaps.iter().skip(1).chain([&Duration::ZERO])) {
        sum += gap;
        let lateness = sum.saturating_sub(later) / longer;
        if lateness > *next {
            return lateness;
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_comes_in_a_gap_waits_for_the_rest_of_it() {
        let millis = |millis: &[u64]| millis.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        let late =
            |gaps: &[u64], share| late(&millis(gaps), Duration::from_secs(1), share).as_secs_f64() * 1e3;
        for (gaps, share, want) in [
            (&[][..], 0.999, 0.0),
            // In 10 of 1000 ms one waits at all, in 1 ms of them for more than 9.
            (&[10], 0.99, 0.0),
            (&[10], 0.999, 9.0),
            (&[8, 6], 0.99, 2.0),
            (&[8, 6, 1], 0.999, 7.0),
            (&[500, 500], 0.5, 250.0),
        ] {
            assert!((late(gaps, share) - want).abs() < 1e-3, "{gaps:?}: {} at {share}", late(gaps, share));
        }
    }
}
