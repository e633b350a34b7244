//! Deliveries from a backlog in Redis: claim, call and settlement, at a network that answers at once.
//!
//! One hub takes conversions in and rests while another delivers them. The network answers as Traffic Stars
//! does, for a quarter of the CPU time that the sandbox takes: the sandbox would slow down the bare calls.

use std::{
    cell::Cell,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{Group, beside, orders::Orders};
use crate::{
    bench::Bench,
    cpu,
    hub::{Hub, Setup, Store},
    install::{NODE, REDIS, REQUESTS},
    load::Report,
    peer::{self, BullMq, Network},
    process::{Process, SERVERS, pinned},
    redis::Redis,
    row::{Row, Target},
    turns::{Contender, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "delivery",
    about: "deliveries from a backlog in Redis: claim, call, settle; 64 calls under way",
    needs: &[REDIS, NODE[0], NODE[1], REQUESTS],
    run: |bench, _| run(bench),
};

/// How many calls are under way at once: the hub's config says the same.
const IN_FLIGHT: usize = 64;
/// How long Node goes on before it is measured, in warm-ups: it compiles only what it has run often.
const COMPILED: u32 = 4;
/// The documents' own example.
const EXAMPLE: &str = include_str!("../../peers/notify.py");

fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let network = Network::start(bench)?;
    let redis = Redis::start(bench, &[])?;
    let setup =
        |roles| Setup { network: Some(network.process.address), ..Setup::of(Store::Redis(&redis), roles) };
    let intake = Hub::start(bench, &setup("edge,api,console"))?;
    let dispatcher = || Hub::start(bench, &setup("dispatch,console"));
    let orders = Orders::of(bench, &intake)?;
    let backlog = Backlog::new(orders.reported(), bench.warm_up + bench.round);

    let its_redis = Redis::start(bench, &[])?;
    let queue = BullMq::new(bench, &its_redis)?;
    let compiled = bench.warm_up * COMPILED;
    let jobs = Backlog::new(0, compiled + bench.round);

    let mut contenders = [
        Contender::new("hub", || {
            let send = || round(bench, &network, || Ok(dispatcher()?.process), Some(&redis), bench.warm_up);
            backlog.round(|count| orders.count(count).map(drop), send)
        }),
        Contender::new("bare hyper calls", || {
            round(bench, &network, || peer::caller(bench, &network, IN_FLIGHT), None, bench.warm_up)
        }),
        Contender::new("BullMQ + undici", || {
            let send =
                || round(bench, &network, || queue.work(&network, IN_FLIGHT), Some(&its_redis), compiled);
            jobs.round(|count| queue.add(count), send)
        }),
        Contender::new("requests.get", || {
            round(bench, &network, || example(bench, &network), None, bench.warm_up)
        }),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [ours, bare, bullmq, python] = &contenders;
    once(orders.reported(), backlog.left.get(), &network, dispatcher, &intake)?;

    let mut rows = beside(ours, bare, Some(Target::AtLeast(0.4)), None);
    rows.extend(beside(ours, bullmq, Some(Target::AtLeast(5.0)), None));
    rows.extend(beside(ours, python, Some(Target::AtLeast(20.0)), None));
    Ok(rows.into_iter().map(of_deliveries).collect())
}

/// Work that waits for a sender, enough of it that a round does not see its end.
struct Backlog {
    left: Cell<u64>,
    /// What a round may take, as far as is known.
    most: Cell<u64>,
}

impl Backlog {
    fn new(left: u64, time: Duration) -> Self {
        let most = (time.as_secs_f64() * 10_000.0) as u64;
        Self { left: Cell::new(left), most: Cell::new(most) }
    }

    /// A round before which so much is added that half as much again as a round took may be sent; once more,
    /// with twice as much, where all was.
    fn round(
        &self,
        add: impl Fn(u64) -> anyhow::Result<()>,
        send: impl Fn() -> anyhow::Result<Report>,
    ) -> anyhow::Result<Report> {
        loop {
            let more = (self.most.get() * 3 / 2).saturating_sub(self.left.get());
            if more > 0 {
                add(more)?;
            }
            let waiting = self.left.get() + more;
            let round = send()?;
            ensure!(round.sent <= waiting, "of {waiting} that waited {} were sent", round.sent);
            self.left.set(waiting - round.sent);
            if self.left.get() > 0 {
                self.most.set(self.most.get().max(round.sent));
                return Ok(round);
            }
            self.most.set(self.most.get() * 2);
        }
    }
}

/// A round of a sender: counted by the network, from a warm-up after its first call on.
fn round(
    bench: &Bench,
    network: &Network,
    start: impl FnOnce() -> anyhow::Result<Process>,
    store: Option<&Redis>,
    warm_up: Duration,
) -> anyhow::Result<Report> {
    let first = network.counts()?.taken;
    let mut sender = start()?;
    sender.wait_until(|| Ok(network.counts()?.taken > first))?;
    sleep(warm_up);
    let mut watch = vec![sender.id()];
    watch.extend(store.map(|store| store.process.id()));
    watch.push(network.process.id());

    let (began, before, from) = (Instant::now(), cpu::used_by(&watch)?, network.counts()?.taken);
    sleep(bench.round);
    let (time, after, to) = (began.elapsed(), cpu::used_by(&watch)?, network.counts()?.taken);
    sender.check()?;
    sender.end()?;
    let counts = network.counts()?;
    ensure!(counts.refused == 0, "the network refused {} calls", counts.refused);

    let requests = to - from;
    let mut cpu_us = cpu::us_each(&before, &after, requests);
    let own_us = cpu_us.pop().unwrap_or_default();
    let seconds = time.as_secs_f64();
    let report =
        Report { requests, sent: counts.taken - first, seconds, cpu_us, own_us, ..Report::default() };
    bench.own.borrow_mut().push((report.own_us, report.busy()));
    Ok(report)
}

/// Makes sure that every conversion was told once, when the rest is told as well.
fn once(
    recorded: u64,
    left: u64,
    network: &Network,
    dispatcher: impl FnOnce() -> anyhow::Result<Hub>,
    auditor: &Hub,
) -> anyhow::Result<()> {
    let before = network.counts()?.taken;
    let mut last = dispatcher()?;
    last.process.wait_until(|| Ok(network.counts()?.taken >= before + left))?;
    last.process.end()?;
    let told = recorded - left + network.counts()?.taken - before;
    ensure!(told == recorded, "{recorded} conversions were told {told} times");
    auditor.holds(recorded, "delivered")
}

/// The example at work, over and over.
fn example(bench: &Bench, network: &Network) -> anyhow::Result<Process> {
    let (folder, address) = (bench.folder("requests-")?, network.process.address);
    std::fs::write(folder.join("notify.py"), EXAMPLE)?;
    let mut python = pinned(SERVERS, Path::new("/usr/bin/python3"));
    python.args(["notify.py", &format!("http://{address}")]);
    Process::spawn(python, &folder, address)
}

/// A row whose requests are deliveries.
fn of_deliveries(row: Row) -> Row {
    let unit = if row.unit == "requests/s" { "deliveries/s" } else { "us/delivery" };
    Row { unit, ..row }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_saw_the_end_of_its_backlog_is_had_once_more_with_twice_as_much() {
        let backlog = Backlog::new(500, Duration::from_millis(60));
        let (waiting, fast) = (Cell::new(500), 1_500);
        let add = |count| {
            waiting.set(waiting.get() + count);
            Ok(())
        };
        let send = || {
            let sent = fast.min(waiting.get());
            waiting.set(waiting.get() - sent);
            Ok(Report { sent, ..Report::default() })
        };
        assert_eq!(backlog.round(add, send).unwrap().sent, fast);
        assert_eq!((backlog.left.get(), backlog.most.get()), (300, fast));
        assert!(backlog.round(add, || Ok(Report { sent: 9_999, ..Report::default() })).is_err());
    }
}
