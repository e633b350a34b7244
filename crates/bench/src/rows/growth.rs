//! The rates of redirects, reports and deliveries on a Redis that holds much, beside one that began empty.

use std::{
    cell::{Cell, OnceCell},
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    Group,
    stock::{Filled, Stock},
};
use crate::{
    bench::Bench,
    cpu,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report},
    peer::Network,
    redis::Redis,
    row::{Row, Target},
    seed::{Most, many},
    turns::{Contender, compare, median, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "growth",
    about: "redirects, reports and deliveries on a Redis that holds much, beside one that began empty",
    needs: &[install::REDIS],
    run,
};

/// How long clicks are captured at most before they are measured.
const FILLING: Duration = Duration::from_secs(60);
/// How many visitors make a round, and how many of them bring an order.
const VISITORS: u64 = 20_000;
const ORDERS: u64 = 10_000;
/// How many deliveries make one, and how many go before what is measured: a hub that starts counts for once
/// which of its pending deliveries end soon.
const DELIVERIES: u64 = 8_000;
const WARM_UP: u64 = 2_000;

fn run(bench: &Bench, stock: &OnceCell<Stock>) -> anyhow::Result<Vec<Row>> {
    let stock = Stock::of(bench, stock)?;
    let filled =
        |count, time| Filled::with(bench, |stores| stores.clicks(fastrand::u64(..), Most { count, time }));
    let few = filled(10_000, FILLING)?;
    let wanted = if bench.quick { 50_000 } else { 10_000_000 };
    let most = filled(wanted, FILLING)?;
    if most.count < wanted {
        let (got, wanted) = (many(most.count), many(wanted));
        bench.say(format_args!("{got} clicks instead of {wanted}: no more in {} s", FILLING.as_secs()));
    }
    let empty = Redis::start(bench, &[])?;
    let clicks = |of: &Filled| format!("{} clicks", many(of.count));
    let network = Network::start(bench)?;
    let over = |redis, name, held| Site::over(bench, redis, &network, name, held);
    let sites = [
        over(&empty, "empty".to_owned(), 0)?,
        over(&few.redis, clicks(&few), 0)?,
        over(&stock.clicks.redis, clicks(&stock.clicks), 0)?,
        over(&most.redis, clicks(&most), 0)?,
        over(&stock.pending.redis, format!("{} pending", many(stock.pending.count)), stock.pending.count)?,
    ];
    let visits = sites.iter().map(|site| Contender::new(&site.name, || site.visit()));
    let reports = sites.iter().map(|site| Contender::new(&site.name, || site.report()));
    let deliveries = sites.iter().map(|site| Contender::new(&site.name, || site.deliver()));
    let mut contenders: Vec<_> = visits.chain(reports).chain(deliveries).collect();
    take_turns(bench.rounds, &mut contenders)?;
    for site in &sites {
        site.hub.holds(site.held + site.ordered.get(), "")?;
    }
    let kinds = contenders.chunks(sites.len()).zip(["redirects", "reports", "deliveries"]);
    Ok(kinds.flat_map(|(contenders, what)| beside_empty(what, contenders)).collect())
}

/// A hub over a Redis that holds something.
struct Site<'a> {
    bench: &'a Bench,
    name: String,
    redis: &'a Redis,
    network: &'a Network,
    hub: Hub,
    /// How many orders the Redis held at first.
    held: u64,
    seed: u64,
    came: Cell<u64>,
    ordered: Cell<u64>,
}

impl<'a> Site<'a> {
    fn over(
        bench: &'a Bench,
        redis: &'a Redis,
        network: &'a Network,
        name: String,
        held: u64,
    ) -> anyhow::Result<Self> {
        let hub = Hub::start(bench, &Setup::of(Store::Redis(redis), "edge,api,console"))?;
        let [came, ordered] = [0, 0].map(Cell::new);
        Ok(Self { bench, name, redis, network, hub, held, seed: fastrand::u64(..), came, ordered })
    }

    /// So many in a full run.
    fn of(&self, full: u64) -> u64 {
        if self.bench.quick { full / 4 } else { full }
    }

    fn visit(&self) -> anyhow::Result<Report> {
        self.send(Load::visitors(self.hub.edge), self.of(VISITORS), &self.came)
    }

    /// Orders of the visitors who came.
    fn report(&self) -> anyhow::Result<Report> {
        let load = Load::reports(self.bench, self.hub.api);
        let report = self.send(load, self.of(ORDERS), &self.ordered)?;
        ensure!(self.ordered.get() <= self.came.get(), "more reports than clicks were captured for");
        Ok(report)
    }

    /// Some of the orders, by a hub that does nothing else.
    fn deliver(&self) -> anyhow::Result<Report> {
        let setup = Setup::of(Store::Redis(self.redis), "dispatch,console");
        let setup = Setup { network: Some(self.network.process.address), ..setup };
        let first = self.network.counts()?.taken;
        let mut hub = Hub::start(self.bench, &setup)?;
        let watch = [hub.process.id(), self.redis.process.id()];
        let mut until = |count| -> anyhow::Result<_> {
            hub.process.wait_until(|| Ok(self.network.counts()?.taken >= first + count))?;
            Ok((self.network.counts()?.taken, Instant::now(), cpu::used_by(&watch)?))
        };
        let (from, began, before) = until(self.of(WARM_UP))?;
        let (to, ended, after) = until(self.of(DELIVERIES))?;
        let requests = to - from;
        let cpu_us = cpu::us_each(&before, &after, requests);
        Ok(Report { requests, seconds: (ended - began).as_secs_f64(), cpu_us, ..Report::default() })
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
            row("", "1/s", &Report::rate, Some(Target::AtLeast(0.9))),
            row(", CPU with Redis", "us", &both, Some(Target::AtMost(1.1))),
        ]
    });
    rows.collect()
}
