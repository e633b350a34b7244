//! What a click and a conversion take: in Redis, on the disk, and in the hub's own memory.

use std::{cell::OnceCell, fs, os::unix::fs::MetadataExt, path::Path, thread::sleep, time::Duration};

use anyhow::{Context, bail, ensure};

use super::{
    Group,
    stock::{Filled, Stock},
};
use crate::{
    bench::Bench,
    cpu,
    hub::{Hub, Setup, Store},
    install,
    load::Load,
    peer::Network,
    redis::Redis,
    row::{Row, Target},
    seed::{Most, Stores, many},
    turns::{Contender, compare, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "memory",
    about: "bytes of Redis, of the disk and of the hub for what is stored",
    needs: &[install::REDIS],
    run,
};

/// How many records of each kind tell whether a hub makes them as long as the stock's are.
const PROBE: u64 = 2_000;
/// What the hub does before its memory is looked at.
const VISITORS: u64 = 4_000;
/// How often its memory is looked at, at most, until it is what it was a pause before.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);
const MEGABYTE: f64 = 1e6;

fn run(bench: &Bench, stock: &OnceCell<Stock>) -> anyhow::Result<Vec<Row>> {
    let stock = Stock::of(bench, stock)?;
    let stored = |what: &str, of: &Filled| format!("{what}, {} stored", many(of.count));
    let mut rows = vec![
        Row::alone(&stored("Redis, a click", &stock.clicks), "bytes", stock.clicks.each)
            .aim(Target::AtMost(260.0)),
        Row::alone(&stored("Redis, a pending conversion", &stock.pending), "bytes", stock.pending.each),
        delivered(bench)?,
    ];
    bench.say(format_args!("the hub's own memory, and files"));
    let empty = Redis::start(bench, &[])?;
    rows.push(of_hubs(
        bench,
        &format!("hub on Redis, {} conversions pending", many(stock.pending.count)),
        || Store::Redis(&stock.pending.redis),
        || Store::Redis(&empty),
    )?);
    as_long_as_the_hubs(bench, &empty)?;
    rows.extend(files(bench)?);
    Ok(rows)
}

/// A conversion that the hub itself has delivered, beside the same while it was pending.
fn delivered(bench: &Bench) -> anyhow::Result<Row> {
    let count = if bench.quick { 2_000 } else { 10_000 };
    let pending = Filled::with(bench, |stores| stores.orders(fastrand::u64(..), Most::of(count)))?;
    let network = Network::start(bench)?;
    let setup = Setup::of(Store::Redis(&pending.redis), "dispatch,console");
    let mut hub = Hub::start(bench, &Setup { network: Some(network.process.address), ..setup })?;
    hub.process.wait_until(|| Ok(network.counts()?.taken >= count))?;
    // What is told is settled before the end.
    hub.process.end()?;
    let name = format!("Redis, a delivered conversion, {} stored", many(count));
    Ok(compare(&name, "bytes", &[pending.each_now()?], "pending", &[pending.each]))
}

/// The memory of a hub over a store with pending conversions, beside that of one over an empty one.
fn of_hubs<'a>(
    bench: &Bench,
    name: &str,
    many: impl Fn() -> Store<'a>,
    none: impl Fn() -> Store<'a>,
) -> anyhow::Result<Row> {
    let mut contenders = [
        Contender::new("many pending", || of_hub(bench, many())),
        Contender::new("none pending", || of_hub(bench, none())),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [many, none] = &contenders;
    Ok(compare(name, "MB", &many.rounds, none.name, &none.rounds))
}

/// The resident memory of a hub that does everything, after some visitors, while its network is away.
fn of_hub(bench: &Bench, store: Store<'_>) -> anyhow::Result<f64> {
    let hub = Hub::start(bench, &Setup::of(store, "edge,api,dispatch,console"))?;
    Load { count: Some(VISITORS), ..Load::visitors(hub.edge) }.send(bench)?;
    let mut before = f64::NAN;
    for _ in 0..LOOKS {
        let now = cpu::resident(hub.process.id())? as f64 / MEGABYTE;
        if (now / before - 1.0).abs() < 0.02 {
            return Ok(now);
        }
        before = now;
        sleep(PAUSE);
    }
    bail!("the hub's memory does not settle, and is {before} MB")
}

/// Makes sure that what was filled in is as long as what a hub makes of the same traffic.
fn as_long_as_the_hubs(bench: &Bench, redis: &Redis) -> anyhow::Result<()> {
    redis.ask::<()>(&["FLUSHALL"])?;
    let hub = Hub::start(bench, &Setup::of(Store::Redis(redis), "edge,api"))?;
    let seed = fastrand::u64(..);
    Load { count: Some(PROBE), seed, ..Load::visitors(hub.edge) }.send(bench)?;
    Load { count: Some(PROBE), seed, ..Load::reports(bench, hub.api) }.send(bench)?;
    let ours = Redis::start(bench, &[])?;
    let stores = Stores::redis(bench, &ours)?;
    stores.clicks(seed, Most::of(PROBE))?;
    stores.orders(seed, Most::of(PROBE))?;
    for (what, keys) in [("clicks", "pb:c*"), ("conversions", "pb:{o:*")] {
        let [hubs, ours] = [redis, &ours].map(|redis| redis.ask::<u64>(&["EVAL", SIZE, "0", keys]));
        let (hubs, ours) = (hubs? as f64, ours? as f64);
        ensure!(ours > 0.0 && (hubs / ours - 1.0).abs() < 0.03, "{what} take {ours} bytes, by a hub {hubs}");
    }
    Ok(())
}

/// What all keys of a pattern take together.
const SIZE: &str = "local size = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
    size = size + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) end return size";

/// The embedded store: what it has taken of the disk, and the memory of a hub over it.
fn files(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let count = if bench.quick { 10_000 } else { 100_000 };
    let (folder, empty) = (bench.folder("files-")?, bench.folder("files-")?);
    let stores = Stores::embedded(bench, &folder)?;
    let before = [of_file(&folder, "clicks.redb")?, of_file(&folder, "outbox.redb")?];
    let seed = fastrand::u64(..);
    stores.clicks(seed, Most::of(count))?;
    stores.orders(seed, Most::of(count))?;
    drop(stores);
    let after = [of_file(&folder, "clicks.redb")?, of_file(&folder, "outbox.redb")?];
    let [click, conversion] = [0, 1].map(|at| (after[at] - before[at]) / count as f64);
    let name = |what: &str| format!("embedded store, {what}, {} stored", many(count));
    Ok(vec![
        Row::alone(&name("a click"), "bytes of disk", click),
        Row::alone(&name("a pending conversion"), "bytes of disk", conversion),
        of_hubs(
            bench,
            &format!("hub on the embedded store, {} conversions pending", many(count)),
            || Store::Files(&folder),
            || Store::Files(&empty),
        )?,
    ])
}

/// What a file has taken of the disk, in bytes.
fn of_file(folder: &Path, name: &str) -> anyhow::Result<f64> {
    let file = fs::metadata(folder.join(name)).with_context(|| format!("there is no {name}"))?;
    Ok(file.blocks() as f64 * 512.0)
}
