//! The edge's redirect, with each click acknowledged by its store before the visitor is sent on.

use std::net::SocketAddr;

use anyhow::ensure;

use super::{Group, beside};
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install::{NGINX, REDIS as A_REDIS},
    load::{Load, Report},
    peer,
    process::Process,
    redis::{EVERY_SECOND, Redis},
    row::{Row, Target},
    turns::{Contender, take_turns},
};

/// On Redis.
pub(super) const REDIS: Group = Group {
    name: "edge-redis",
    about: "the edge's redirect, each click acknowledged by Redis",
    needs: &[A_REDIS, NGINX[0], NGINX[1], NGINX[2]],
    run: |bench, _| redis(bench),
};

/// On the embedded store.
pub(super) const EMBEDDED: Group = Group {
    name: "edge-embedded",
    about: "the edge's redirect, each click synced to this disk",
    needs: &[],
    run: |bench, _| embedded(bench),
};

fn redis(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let redis = Redis::start(bench, &[])?;
    let hub = Hub::start(bench, &Setup::of(Store::Redis(&redis), ROLES))?;
    let bare = peer::start(bench, &["http"])?;
    // One of its own, set alike: what is in it tells what nginx has kept.
    let its_redis = Redis::start(bench, &[])?;
    let nginx = peer::nginx(bench, &its_redis)?;
    let synced = Redis::start(bench, &EVERY_SECOND)?;
    let behind = Hub::start(bench, &Setup::of(Store::Redis(&synced), ROLES))?;
    let mut contenders = [
        Contender::new("hub without it", || visit(bench, hub.edge, &[&hub.process, &redis.process])),
        Contender::new("bare hyper", || visit(bench, bare.address, &[&bare])),
        Contender::new("nginx + Lua + Redis", || visit(bench, nginx.address, &[&nginx, &its_redis.process])),
        Contender::new("hub", || visit(bench, behind.edge, &[&behind.process, &synced.process])),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [ours, bare, nginx, everysec] = &contenders;
    acknowledged(&hub, ours)?;
    acknowledged(&behind, everysec)?;
    kept(&redis, "pb:c*", ours)?;
    kept(&synced, "pb:c*", everysec)?;
    kept(&its_redis, "click:*", nginx)?;
    let mut rows = beside(ours, bare, None, Some(Target::AtMost(1.5)));
    rows.extend(beside(ours, nginx, Some(Target::AtLeast(2.5)), None));
    rows.extend(beside(everysec, ours, None, None).into_iter().map(|row| row.of("appendfsync everysec")));
    Ok(rows)
}

fn embedded(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let hub = Hub::start(bench, &Setup::of(Store::Embedded, ROLES))?;
    let bare = peer::start(bench, &["http"])?;
    let mut contenders = [
        Contender::new("hub", || visit(bench, hub.edge, &[&hub.process])),
        Contender::new("bare hyper", || visit(bench, bare.address, &[&bare])),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [ours, bare] = &contenders;
    acknowledged(&hub, ours)?;
    Ok(beside(ours, bare, None, None))
}

/// The console counts what was stored, as beside every hub.
const ROLES: &str = "edge,console";

/// A round of visitors; the CPU time of these is measured, the server's first.
fn visit(bench: &Bench, to: SocketAddr, watch: &[&Process]) -> anyhow::Result<Report> {
    Load { watch: watch.to_vec(), ..Load::visitors(to) }.send(bench)
}

fn sent(contender: &Contender<'_, Report>) -> u64 {
    contender.rounds.iter().map(|round| round.sent).sum()
}

/// Makes sure that the store had acknowledged every click.
fn acknowledged(hub: &Hub, ours: &Contender<'_, Report>) -> anyhow::Result<()> {
    let sent = sent(ours);
    let stored = hub.metric("postback_captures_total", "result=\"stored\"")?;
    ensure!(stored == sent as f64, "of {sent} clicks the store acknowledged {stored}");
    Ok(())
}

/// Makes sure that a Redis has every click, under keys of this pattern.
fn kept(redis: &Redis, pattern: &str, by: &Contender<'_, Report>) -> anyhow::Result<()> {
    let (sent, count) = (sent(by), "return #redis.call('KEYS', ARGV[1])");
    let kept: u64 = redis.ask(&["EVAL", count, "0", pattern])?;
    ensure!(kept == sent, "{}: of {sent} clicks Redis has {kept}", by.name);
    Ok(())
}
