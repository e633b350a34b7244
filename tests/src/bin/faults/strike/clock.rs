//! Faults of the wall clock, under every process of the hub and under Redis at once.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tokio::time::sleep;

use crate::{
    house::House,
    shim::{CLOCKSHIFT, Variable},
};

/// How far it leaps, in seconds: past the life of every click.
const MONTH: i64 = 31 * 24 * 60 * 60;
/// How long it stays there, in milliseconds: longer than it is from one look of the hub's at its clock to the next.
const AHEAD_MS: Range<u64> = 1_500..2_500;
/// What the hub logs each time.
const LEAPT: &str = "the clock leapt ahead";

/// A clock that can be set wrong.
pub(crate) struct Clock(PathBuf);

impl Clock {
    /// A clock that is right, with the variables that put it under a process; both lie in `folder`.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<(Self, Vec<Variable>)> {
        let from = folder.join("clock");
        fs::write(&from, 0_i64.to_ne_bytes())?;
        let variables = vec![CLOCKSHIFT.build(folder)?, ("CLOCKSHIFT_FROM", from.display().to_string())];
        Ok((Self(from), variables))
    }

    /// Sets it so many seconds ahead of the machine's, in one write.
    pub(crate) fn set(&self, ahead: i64) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().write(true).open(&self.0)?;
        Ok(file.write_all(&ahead.to_ne_bytes())?)
    }
}

/// Sets it a month ahead, and right again; returns how often the hub saw that.
pub(crate) async fn leap(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let clock = house.clock.as_ref().context("this trial has no clock of its own")?;
    let seen = house.logged(LEAPT)?;
    clock.set(MONTH)?;
    sleep(Duration::from_millis(random.u64(AHEAD_MS))).await;
    clock.set(0)?;
    Ok(house.logged(LEAPT)? - seen)
}
