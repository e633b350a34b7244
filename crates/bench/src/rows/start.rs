//! How long a hub takes to answer its first visitor, and to end; and how long its program is.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::Group;
use crate::{
    bench::Bench,
    hub::{Hub, Setup, Store},
    install,
    load::{Load, Report, traffic},
    peer,
    redis::Redis,
    row::Row,
    turns::{Contender, compare, median, take_turns},
};

pub(super) const GROUP: Group = Group {
    name: "start",
    about: "from the start of a hub to its first redirect, its end under load, its program's length",
    needs: &[install::REDIS],
    run: |bench, _| run(bench),
};

const ROLES: &str = "edge,api,dispatch,console";

fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let redis = Redis::start(bench, &[])?;
    let first_redirect = |store: fn(&Redis) -> Store<'_>| {
        let began = Instant::now();
        let hub = Hub::start(bench, &Setup::of(store(&redis), ROLES))?;
        visit_once(hub.edge)?;
        Ok(began.elapsed())
    };
    let mut contenders = [
        Contender::new("on Redis", || first_redirect(|redis| Store::Redis(redis))),
        Contender::new("on the embedded store", || first_redirect(|_| Store::Embedded)),
        Contender::new("bare hyper", || {
            let began = Instant::now();
            let bare = peer::start(bench, &["http"])?;
            visit_once(bare.address)?;
            Ok(began.elapsed())
        }),
    ];
    take_turns(bench.rounds, &mut contenders)?;
    let [ours @ .., bare] = &contenders;
    let bare = (bare.name, bare.figures(millis));
    let mut rows: Vec<Row> = ours
        .iter()
        .map(|ours| {
            let name = format!("to the first redirect, {}", ours.name);
            compare(&name, "ms", &ours.figures(millis), bare.0, &bare.1)
        })
        .collect();

    let ends =
        (0..bench.rounds).map(|_| end_under_load(bench, &redis)).collect::<anyhow::Result<Vec<_>>>()?;
    let took: Vec<f64> = ends.iter().map(|(took, _)| millis(took)).collect();
    let unanswered: Vec<f64> = ends.iter().map(|(_, load)| (load.sent - load.requests) as f64).collect();
    rows.push(Row::alone("to the end, by SIGTERM under load", "ms", median(&took)));
    rows.push(Row::alone("unanswered at the end, of 64 connections", "requests", median(&unanswered)));
    rows.push(Row::alone("the program", "MB", fs::metadata(&bench.hub)?.len() as f64 / 1e6));
    Ok(rows)
}

fn millis(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One visitor, who is sent on.
fn visit_once(edge: SocketAddr) -> anyhow::Result<()> {
    let (mut request, mut answer, mut filled) = (Vec::new(), [0; 4_096], 0);
    traffic::visit(&mut request, &edge.to_string(), fastrand::u64(..), 0);
    let mut stream = TcpStream::connect(edge)?;
    stream.write_all(&request)?;
    while !answer[..filled].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut answer[filled..])?;
        ensure!(read > 0, "an answer breaks off");
        filled += read;
    }
    ensure!(answer.starts_with(b"HTTP/1.1 302 "), "the first visitor is not sent on");
    Ok(())
}

/// Ends a hub amid its visitors; how long that took, and what became of them.
fn end_under_load(bench: &Bench, redis: &Redis) -> anyhow::Result<(Duration, Report)> {
    let mut hub = Hub::start(bench, &Setup::of(Store::Redis(redis), ROLES))?;
    let load = Load::visitors(hub.edge).until_closed();
    let load_for = bench.warm_up;
    thread::scope(|scope| {
        let ended = scope.spawn(move || {
            thread::sleep(load_for);
            hub.process.end()
        });
        let report = load.send(bench)?;
        let took = ended.join().map_err(|_| anyhow::anyhow!("the end broke off"))??;
        Ok((took, report))
    })
}
