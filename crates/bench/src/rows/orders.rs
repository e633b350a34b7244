//! Orders of visitors who came through the edge: each is of a click of its own, which the store has.

use std::cell::Cell;

use anyhow::ensure;

use crate::{
    bench::Bench,
    hub::Hub,
    load::{Load, Report},
};

/// Clicks that are captured before they are reported.
pub(super) struct Orders<'a> {
    bench: &'a Bench,
    hub: &'a Hub,
    seed: u64,
    captured: Cell<u64>,
    reported: Cell<u64>,
    /// The most that were reported in a second.
    fastest: Cell<f64>,
}

/// How many reports tell how fast they are taken.
const TRIAL: u64 = 4_000;

impl<'a> Orders<'a> {
    /// Those of a hub with an edge and an api.
    pub(super) fn of(bench: &'a Bench, hub: &'a Hub) -> anyhow::Result<Self> {
        let [captured, reported] = [0, 0].map(Cell::new);
        let (seed, fastest) = (fastrand::u64(..), Cell::new(0.0));
        let orders = Self { bench, hub, seed, captured, reported, fastest };
        orders.count(TRIAL)?;
        Ok(orders)
    }

    /// Reports so many.
    pub(super) fn count(&self, count: u64) -> anyhow::Result<Report> {
        self.capture(count)?;
        self.send(Load { count: Some(count), ..Load::reports(self.bench, self.hub.api) })
    }

    /// How many were reported.
    pub(super) fn reported(&self) -> u64 {
        self.reported.get()
    }

    /// Makes sure that the hub's store holds each of them, where none is delivered.
    pub(super) fn are_kept(&self) -> anyhow::Result<()> {
        self.hub.holds(self.reported(), "pending")
    }

    /// Reports for a round, of clicks that are captured before it.
    pub(super) fn round(&self, load: Load<'_>) -> anyhow::Result<Report> {
        let time = self.bench.warm_up + self.bench.round;
        self.capture((self.fastest.get() * time.as_secs_f64() * 2.0) as u64)?;
        self.send(load)
    }

    /// Captures more, until so many are not reported yet.
    pub(super) fn capture(&self, ahead: u64) -> anyhow::Result<()> {
        let first = self.captured.get();
        let count = (self.reported.get() + ahead).saturating_sub(first);
        if count > 0 {
            let visitors = Load::visitors(self.hub.edge);
            let clicks = Load { count: Some(count), width: (256, 1), seed: self.seed, first, ..visitors };
            self.captured.set(first + clicks.send(self.bench)?.sent);
        }
        Ok(())
    }

    fn send(&self, load: Load<'_>) -> anyhow::Result<Report> {
        let first = self.reported.get();
        let report = Load { seed: self.seed, first, ..load }.send(self.bench)?;
        self.reported.set(first + report.sent);
        self.fastest.set(self.fastest.get().max(report.rate()));
        ensure!(self.reported.get() <= self.captured.get(), "more reports than clicks were captured for");
        Ok(report)
    }
}
