//! How long an answer takes at half of what the hub can do, by an open loop: counted from when a request was due.

use std::net::SocketAddr;

use super::Group;
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report},
    peer,
    redis::Redis,
    row::{Row, Target},
    turns::{Contender, compare, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "latency",
    about: "redirects and reports on Redis at half of the hub's capacity, open loop",
    needs: &[install::REDIS],
    run,
};

fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let redis = Redis::start(bench, &[])?;
    let hub = Hub::start(bench, &Setup::of(Store::Redis(&redis), "edge,api,console"))?;
    let http = peer::start(bench, &["http"])?;
    let grpc = peer::start(bench, &["grpc"])?;
    let mut rows = Vec::new();
    let visitors = |to| Load::visitors(to);
    rows.extend(at_half(bench, "redirect", visitors, hub.edge, (http.address, "bare hyper"), Some(2.0))?);
    let reports = |to| Load::reports(bench, to);
    rows.extend(at_half(bench, "report", reports, hub.api, (grpc.address, "bare tonic"), None)?);
    Ok(rows)
}

/// The latencies of a hub and of a peer at half of the hub's capacity, in milliseconds.
fn at_half<'a>(
    bench: &Bench,
    name: &str,
    load: impl Fn(SocketAddr) -> Load<'a>,
    ours: SocketAddr,
    (theirs, against): (SocketAddr, &str),
    p99: Option<f64>,
) -> anyhow::Result<Vec<Row>> {
    let rate = load(ours).send(bench)?.rate() / 2.0;
    let open = |to| Load { rate: Some(rate), ..load(to) }.send(bench);
    let mut contenders = [Contender::new("hub", || open(ours)), Contender::new(against, || open(theirs))];
    take_turns(bench, &mut contenders)?;
    let [ours, theirs] = &contenders;
    let percentiles: [(&str, fn(&Report) -> f64); 3] = [
        ("p50", |round| round.p50_us / 1e3),
        ("p99", |round| round.p99_us / 1e3),
        ("p99.9", |round| round.p999_us / 1e3),
    ];
    let row = |(percentile, figure): (&str, fn(&Report) -> f64)| {
        let name = format!("{name} {percentile} at {rate:.0}/s");
        let row = compare(&name, "ms", &ours.figures(figure), against, &theirs.figures(figure));
        Row { target: p99.filter(|_| percentile == "p99").map(Target::OursAtMost), ..row }
    };
    Ok(percentiles.into_iter().map(row).collect())
}
