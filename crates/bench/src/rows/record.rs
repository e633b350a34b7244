//! `RecordConversion`, durable and enqueued, each report of a click that was captured before.

use std::{fs::File, io::Write, net::SocketAddr, time::Instant};

use super::{Group, beside, orders::Orders};
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report},
    peer,
    process::Process,
    redis::{EVERY_SECOND, Redis},
    row::{Row, Target},
    turns::{Contender, compare, median, take_turns},
};

/// On Redis.
pub(super) const REDIS: Group = Group {
    name: "record-redis",
    about: "RecordConversion, durable in Redis, idempotent, enqueued",
    needs: &[install::REDIS],
    run: |bench, _| redis(bench),
};

/// On the embedded store.
pub(super) const EMBEDDED: Group = Group {
    name: "record-embedded",
    about: "RecordConversion, synced to this disk together with what else is under way",
    needs: &[],
    run: |bench, _| embedded(bench),
};

/// The edge captures the clicks, and rests while they are reported.
const ROLES: &str = "edge,api,console";

/// How many reports tell what one takes of the script.
const PROBE: u64 = 2_000;

fn redis(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let redis = Redis::start(bench, &[])?;
    let hub = Hub::start(bench, &Setup::of(Store::Redis(&redis), ROLES))?;
    let orders = Orders::of(bench, &hub)?;
    orders.capture(PROBE)?;
    redis.ask::<()>(&["CONFIG", "RESETSTAT"])?;
    orders.count(PROBE)?;
    // One more looks the click up, before the script.
    let commands = (commands(&redis)? as f64 / PROBE as f64 - 1.0).round().to_string();
    bench.say(format_args!("one report is {commands} commands inside a script of Redis"));

    let bare = peer::start(bench, &["grpc"])?;
    let its_redis = Redis::start(bench, &[])?;
    let script = peer::start(bench, &["script", "--redis", &its_redis.url(), "--commands", &commands])?;
    let synced = Redis::start(bench, &EVERY_SECOND)?;
    let behind = Hub::start(bench, &Setup::of(Store::Redis(&synced), ROLES))?;
    let more_orders = Orders::of(bench, &behind)?;
    let watch = [&hub.process, &redis.process];
    let watch_behind = [&behind.process, &synced.process];
    let mut contenders = [
        Contender::new("hub without it", || orders.round(load(bench, &watch, hub.api))),
        Contender::new("hub", || {
            let mut load = load(bench, &watch, hub.api);
            load.kind.push("--request-id".to_owned());
            orders.round(load)
        }),
        Contender::new("bare tonic", || load(bench, &[&bare], bare.address).send(bench)),
        Contender::new("tonic + one script", || {
            load(bench, &[&script, &its_redis.process], script.address).send(bench)
        }),
        Contender::new("hub", || more_orders.round(load(bench, &watch_behind, behind.api))),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    orders.are_kept()?;
    more_orders.are_kept()?;
    let [ours, with_id, bare, script, everysec] = &contenders;
    let mut rows = beside(ours, bare, None, Some(Target::AtMost(1.8)));
    rows.extend(beside(ours, script, None, None));
    rows.extend(beside(with_id, ours, None, None).into_iter().map(|row| row.of("with a request id")));
    rows.extend(beside(everysec, ours, None, None).into_iter().map(|row| row.of("appendfsync everysec")));
    Ok(rows)
}

fn embedded(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let hub = Hub::start(bench, &Setup::of(Store::Embedded, ROLES))?;
    let orders = Orders::of(bench, &hub)?;
    let watch = [&hub.process];
    let wide = |connections, streams| Load { width: (connections, streams), ..load(bench, &watch, hub.api) };
    let mut file = File::create(bench.folder("disk-")?.join("log"))?;
    let mut contenders = [
        Contender::new("1 in flight", || orders.round(wide(1, 1))),
        Contender::new("16 in flight", || orders.round(wide(4, 4))),
        Contender::new("64 in flight", || orders.round(wide(8, 8))),
        Contender::new("256 in flight", || orders.round(wide(8, 32))),
        Contender::new("bare fdatasync", || synced(bench, &mut file)),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    orders.are_kept()?;
    let [ours @ .., bare] = &contenders;
    let bare = (bare.name, bare.figures(Report::rate));
    Ok(ours
        .iter()
        .map(|ours| {
            let cpu_us = median(&ours.figures(|round| round.cpu_us[0]));
            compare(ours.name, "requests/s", &ours.figures(Report::rate), bare.0, &bare.1).cpu(cpu_us)
        })
        .collect())
}

/// A round of reports; the CPU time of these is measured, the server's first.
fn load<'a>(bench: &Bench, watch: &[&'a Process], to: SocketAddr) -> Load<'a> {
    Load { watch: watch.to_vec(), ..Load::reports(bench, to) }
}

/// A round of writes of a record's length to a file, each synced before the next.
fn synced(bench: &Bench, file: &mut File) -> anyhow::Result<Report> {
    let (began, mut requests) = (Instant::now(), 0);
    while began.elapsed() < bench.round {
        file.write_all(&[b'r'; 512])?;
        file.sync_data()?;
        requests += 1;
    }
    Ok(Report { requests, seconds: began.elapsed().as_secs_f64(), ..Report::default() })
}

/// How many commands Redis has run since its figures were set back, those within scripts included.
fn commands(redis: &Redis) -> anyhow::Result<u64> {
    let stats: String = redis.ask(&["INFO", "commandstats"])?;
    let calls = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let wrappers = ["eval", "evalsha", "fcall", "config|resetstat", "info"];
    calls
        .filter(|(name, _)| !wrappers.contains(name))
        .map(|(_, rest)| Ok(rest.split(',').next().unwrap_or_default().parse::<u64>()?))
        .sum()
}
