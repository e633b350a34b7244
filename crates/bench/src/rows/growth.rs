//! The rates of the edge, of reports and of deliveries over stores that hold much, beside a store that began empty.

use std::{cell::Cell, time::Duration};

use anyhow::ensure;

use super::{
    Group,
    stock::{Filled, Stock},
};
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report},
    redis::Redis,
    row::{Row, Target},
    seed::{Most, many},
    turns::{Contender, compare, median, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "growth",
    about: "redirects and reports on a Redis that holds much, beside one that began empty",
    needs: &[install::REDIS],
    run,
};

/// How long clicks are captured at most before they are measured.
const FILLING: Duration = Duration::from_secs(45);
/// How many visitors make a round, of whom so many bring an order.
const VISITORS: u64 = 20_000;
const ORDERS: u64 = 8_000;

fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let stock = Stock::of(bench)?;
    let filled =
        |count, time| Filled::with(bench, |stores| stores.clicks(fastrand::u64(..), Most { count, time }));
    let few = filled(10_000, FILLING)?;
    let wanted = if bench.quick { 100_000 } else { 10_000_000 };
    let most = filled(wanted, FILLING)?;
    if most.count < wanted {
        let (got, wanted) = (many(most.count), many(wanted));
        bench.say(format_args!("{got} clicks instead of {wanted}: no more in {} s", FILLING.as_secs()));
    }
    let empty = Redis::start(bench, &[])?;
    let clicks = |of: &Filled| format!("{} clicks", many(of.count));
    let sites = [
        Site::over(bench, &empty, "empty".to_owned())?,
        Site::over(bench, &few.redis, clicks(&few))?,
        Site::over(bench, &stock.clicks.redis, clicks(&stock.clicks))?,
        Site::over(bench, &most.redis, clicks(&most))?,
        Site::over(bench, &stock.pending.redis, format!("{} pending", many(stock.pending.count)))?,
    ];
    let visits = sites.iter().map(|site| Contender::new(&site.name, || site.visit()));
    let reports = sites.iter().map(|site| Contender::new(&site.name, || site.report()));
    let mut contenders: Vec<_> = visits.chain(reports).collect();
    take_turns(bench, &mut contenders)?;
    let (visits, reports) = contenders.split_at(sites.len());
    let mut rows = beside_empty("redirects", visits);
    rows.extend(beside_empty("reports", reports));
    Ok(rows)
}

/// A hub over a Redis that holds something.
struct Site<'a> {
    bench: &'a Bench,
    name: String,
    redis: &'a Redis,
    hub: Hub,
    seed: u64,
    came: Cell<u64>,
    ordered: Cell<u64>,
}

impl<'a> Site<'a> {
    fn over(bench: &'a Bench, redis: &'a Redis, name: String) -> anyhow::Result<Self> {
        let hub = Hub::start(bench, &Setup::of(Store::Redis(redis), "edge,api,console"))?;
        let [came, ordered] = [0, 0].map(Cell::new);
        Ok(Self { bench, name, redis, hub, seed: fastrand::u64(..), came, ordered })
    }

    fn visit(&self) -> anyhow::Result<Report> {
        let count = if self.bench.quick { VISITORS / 4 } else { VISITORS };
        self.send(Load::visitors(self.hub.edge), count, &self.came)
    }

    /// Orders of the visitors who came.
    fn report(&self) -> anyhow::Result<Report> {
        let count = if self.bench.quick { ORDERS / 4 } else { ORDERS };
        let report = self.send(Load::reports(self.bench, self.hub.api), count, &self.ordered)?;
        ensure!(self.ordered.get() <= self.came.get(), "more reports than clicks were captured for");
        Ok(report)
    }

    fn send(&self, load: Load<'_>, count: u64, sent: &Cell<u64>) -> anyhow::Result<Report> {
        let (first, watch) = (sent.get(), vec![&self.hub.process, &self.redis.process]);
        sent.set(first + count);
        Load { count: Some(count), seed: self.seed, first, watch, ..load }.send(self.bench)
    }
}

/// Each beside the first, which is the empty one.
fn beside_empty(what: &str, contenders: &[Contender<'_, Report>]) -> Vec<Row> {
    let Some((empty, filled)) = contenders.split_first() else { return Vec::new() };
    let both = |round: &Report| round.cpu_us.iter().sum();
    let rows = filled.iter().flat_map(|site| {
        let cpu_us = median(&site.figures(|round| round.cpu_us[0]));
        let row = |name: &str, unit, figure: &dyn Fn(&Report) -> f64, target| Row {
            target,
            cpu_us: Some(cpu_us),
            ..compare(
                &format!("{what}, {}{name}", site.name),
                unit,
                &site.figures(figure),
                empty.name,
                &empty.figures(figure),
            )
        };
        [
            row("", "requests/s", &Report::rate, Some(Target::AtLeast(0.9))),
            row(", CPU with Redis", "us/request", &both, Some(Target::AtMost(1.1))),
        ]
    });
    rows.collect()
}
