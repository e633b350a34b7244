//! How long an answer takes at half of what the hub can do, counted from when its request was due.

use super::{Group, orders::Orders};
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report},
    peer,
    redis::Redis,
    row::{Row, Target},
    turns::{Contender, compare, median, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "latency",
    about: "redirects and reports on Redis at half of the hub's capacity, open loop",
    needs: &[install::REDIS],
    run: |bench, _| run(bench),
};

fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let redis = Redis::start(bench, &[])?;
    let hub = Hub::start(bench, &Setup::of(Store::Redis(&redis), "edge,api,console"))?;
    let http = peer::start(bench, &["http"])?;
    let visit = |load: Load<'_>| load.send(bench);
    let visitors = [Load::visitors(hub.edge), Load::visitors(http.address)];
    let mut rows = at_half(bench, "redirect", visit, "bare hyper", visitors, Some(Target::OursAtMost(2.0)))?;

    let grpc = peer::start(bench, &["grpc"])?;
    let orders = Orders::of(bench, &hub)?;
    let reports = [Load::reports(bench, hub.api), Load::reports(bench, grpc.address)];
    rows.extend(at_half(bench, "report", |load| orders.round(load), "bare tonic", reports, None)?);
    orders.are_kept()?;
    Ok(rows)
}

/// The latencies of the hub and of a peer at half of the hub's capacity, and beside them how late the machine alone makes
/// an answer, in milliseconds.
fn at_half<'a>(
    bench: &Bench,
    name: &str,
    our_round: impl Fn(Load<'a>) -> anyhow::Result<Report>,
    against: &str,
    [ours, theirs]: [Load<'a>; 2],
    p99: Option<Target>,
) -> anyhow::Result<Vec<Row>> {
    let rate = our_round(ours.clone())?.rate() / 2.0;
    let [ours, theirs] = [ours, theirs].map(|load| Load { rate: Some(rate), ..load });
    let mut contenders = [
        Contender::new("hub", || our_round(ours.clone())),
        Contender::new(against, || theirs.send(bench)),
        Contender::new("bare clock", || peer::clock(bench)),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [ours, theirs, clock] = &contenders;
    let row = |percentile: &str, figure: fn(&Report) -> f64, target| {
        let name = format!("{name} {percentile}");
        let row = compare(&name, "ms", &ours.figures(figure), against, &theirs.figures(figure));
        Row { target, ..row }
    };
    let stalls = |percentile: &str, figure: fn(&Report) -> f64| {
        let name = format!("{name}, stalls of the machine {percentile}");
        Row::alone(&name, "ms", median(&clock.figures(figure)))
    };
    Ok(vec![
        Row::alone(&format!("{name}, the load"), "requests/s", rate),
        row("p50", |round| round.p50_us / 1e3, None),
        row("p99", |round| round.p99_us / 1e3, p99),
        row("p99.9", |round| round.p999_us / 1e3, None),
        stalls("p99", |round| round.p99_us / 1e3),
        stalls("p99.9", |round| round.p999_us / 1e3),
    ])
}
