//! Death at a named point of a conversion's path.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Error, ensure};
use postback_tests::POINTS;
use rustix::process::{Signal, getpid, kill_process};

use crate::house::House;

/// The variable that names the point at which a hub dies, and the pass: `bytes-out:17`.
const DIE_AT: &str = "FAULTS_DIE_AT";
/// The latest pass of a point at which a hub dies.
const LATEST: u32 = 40;
/// How long a hub may take to come to its point, its start included.
const PATIENCE: Duration = Duration::from_secs(6);

/// The points of a trial, and how often the hub died at each.
#[derive(Default)]
pub(crate) struct Deaths {
    points: Vec<&'static str>,
    /// Those that have their turn before any has it again.
    next: Vec<&'static str>,
    /// How often the hub died at each.
    pub(crate) count: BTreeMap<&'static str, u64>,
}

impl Deaths {
    /// None yet.
    pub(crate) fn at(points: &[&'static str]) -> Self {
        let count = points.iter().map(|point| (*point, 0)).collect();
        Self { points: points.to_vec(), next: Vec::new(), count }
    }

    fn draw(&mut self, random: &mut fastrand::Rng) -> anyhow::Result<&'static str> {
        if self.next.is_empty() {
            self.next.clone_from(&self.points);
            random.shuffle(&mut self.next);
        }
        self.next.pop().context("this fault has no points")
    }
}

/// The point of this name.
pub(crate) fn point(name: &str) -> Result<&'static str, String> {
    let known = POINTS.into_iter().find(|point| *point == name);
    known.ok_or_else(|| format!("no such point; want one of {}", POINTS.join(", ")))
}

/// Starts the hub anew so that it dies at a random pass of the next point; one that does not come to it is killed, and
/// does not count.
pub(crate) async fn die(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let point = house.deaths.draw(random)?;
    let pass = random.u32(1..=LATEST);
    let hub = house.victim();
    hub.kill().await?;
    hub.spawn_with(&[(DIE_AT, format!("{point}:{pass}"))])?;
    let died = hub.is_dead_within(PATIENCE).await?;
    if !died {
        hub.kill().await?;
    }
    hub.start().await?;
    *house.deaths.count.entry(point).or_default() += u64::from(died);
    Ok(u64::from(died))
}

/// Has this process, which is to be a hub, die where its environment says.
pub(crate) fn prepare() -> anyhow::Result<()> {
    let Ok(order) = std::env::var(DIE_AT) else { return Ok(()) };
    let (name, pass) = order.split_once(':').with_context(|| format!("{DIE_AT} is `point:pass`"))?;
    let point = point(name).map_err(Error::msg)?;
    let left = AtomicU32::new(pass.parse()?);
    ensure!(left.load(Ordering::Relaxed) > 0, "{DIE_AT} counts passes from 1");
    let pass = move || {
        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
            end();
        }
    };
    fail::cfg_callback(point, pass).map_err(Error::msg)
}

/// Ends this process by SIGKILL; nothing is done after the point.
fn end() {
    let killed = kill_process(getpid(), Signal::KILL);
    tracing::error!(?killed, "this process outlives SIGKILL");
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_its_turn_before_any_has_it_again() {
        let mut deaths = Deaths::at(&POINTS);
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..3 {
            let mut drawn: Vec<_> = POINTS.iter().map(|_| deaths.draw(&mut random).unwrap()).collect();
            drawn.sort_unstable();
            let mut all = POINTS;
            all.sort_unstable();
            assert_eq!(drawn, all);
        }
        assert!(Deaths::default().draw(&mut random).is_err());
    }

    #[test]
    fn a_point_that_is_unknown_is_refused_with_those_that_are_known() {
        assert_eq!(point("bytes-out"), Ok("bytes-out"));
        let refusal = point("bytes").unwrap_err();
        assert!(refusal.contains("bytes-out") && refusal.contains("mark-started"), "{refusal}");
    }
}
