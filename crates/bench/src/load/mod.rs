//! The load: requests as real callers send them, each answer checked, and what it cost whom.
//!
//! It runs as a process of its own on its own core, and says in one line of JSON what came of it.

mod grpc;
mod http;
mod meter;
pub(crate) mod traffic;

use std::{io::Write, net::SocketAddr, process::Stdio};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use self::meter::Meter;
use crate::{
    bench::Bench,
    process::{LOAD, Process, pinned},
};

/// What is sent, how fast, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    kind: Kind,
    /// Where to.
    #[arg(long, global = true, default_value = "127.0.0.1:80")]
    to: SocketAddr,
    /// How many connections.
    #[arg(long, global = true, default_value_t = 64)]
    connections: usize,
    /// How many requests are under way on each connection; with `--rate`, at most.
    #[arg(long, global = true, default_value_t = 1)]
    streams: usize,
    /// Sends so many a second, answered or not; without it, the next one as soon as one is answered.
    #[arg(long, global = true)]
    rate: Option<f64>,
    /// How long before it is measured, in milliseconds.
    #[arg(long, global = true, default_value_t = 0)]
    warm_up: u64,
    /// How long it is measured, in milliseconds; without it, until all of `--count` are answered.
    #[arg(long, global = true)]
    measured: Option<u64>,
    /// At most so many requests in all.
    #[arg(long, global = true, default_value_t = u64::MAX)]
    count: u64,
    /// Takes a connection of a visitor that the server closes for its end, and no error.
    #[arg(long, global = true)]
    until_closed: bool,
    /// Which clicks: equal seeds make equal ones.
    #[arg(long, global = true, default_value_t = 0)]
    seed: u64,
    /// The first one's number.
    #[arg(long, global = true, default_value_t = 0)]
    first: u64,
    /// The processes whose CPU time is measured.
    #[arg(long, global = true)]
    watch: Vec<u32>,
}

/// A kind of request.
#[derive(Clone, Debug, Subcommand)]
enum Kind {
    /// Visitors with a fresh click each.
    Http,
    /// Reports of a conversion of a click each.
    Grpc(Box<grpc::Options>),
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// How many requests were answered while it was measured.
    pub(crate) requests: u64,
    /// How many were sent in all.
    pub(crate) sent: u64,
    /// How long it was measured.
    pub(crate) seconds: f64,
    /// What half of the answers took at most, in microseconds; by an open loop from when it was due.
    pub(crate) p50_us: f64,
    /// What 99 of 100 took at most.
    pub(crate) p99_us: f64,
    /// What 999 of 1000 took at most.
    pub(crate) p999_us: f64,
    /// The CPU time that each watched process took for a request, in microseconds; the server is the first.
    pub(crate) cpu_us: Vec<f64>,
    /// How long the load itself was at work for a request, in microseconds of its core.
    pub(crate) own_us: f64,
}

impl Report {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// The share of its core that the load took: near 1, it and not the server was the limit.
    pub(crate) fn busy(&self) -> f64 {
        self.own_us * self.rate() / 1e6
    }
}

/// Load to be sent from a process of its own.
#[derive(Clone)]
pub(crate) struct Load<'a> {
    /// The words that say which: `http`, or `grpc` with its options.
    pub(crate) kind: Vec<String>,
    /// Where to.
    pub(crate) to: SocketAddr,
    /// How many connections, and how many requests are under way on each.
    pub(crate) width: (usize, usize),
    /// Requests a second, where they do not wait for answers.
    pub(crate) rate: Option<f64>,
    /// Sends so many and ends; otherwise a round is measured.
    pub(crate) count: Option<u64>,
    /// Which clicks.
    pub(crate) seed: u64,
    /// The first one's number.
    pub(crate) first: u64,
    /// Whose CPU time is measured: the server first.
    pub(crate) watch: Vec<&'a Process>,
}

impl Load<'_> {
    /// Visitors over 64 connections.
    pub(crate) fn visitors(to: SocketAddr) -> Self {
        Self {
            kind: vec!["http".to_owned()],
            to,
            width: (64, 1),
            rate: None,
            count: None,
            seed: fastrand::u64(..),
            first: 0,
            watch: Vec::new(),
        }
    }

    /// Goes on until the server has closed all connections.
    pub(crate) fn until_closed(mut self) -> Self {
        self.kind.push("--until-closed".to_owned());
        Self { count: Some(u64::MAX), ..self }
    }

    /// Reports over 8 connections with 16 under way on each, of clicks whose tokens this deployment sealed.
    pub(crate) fn reports(bench: &Bench, to: SocketAddr) -> Self {
        let kind = ["grpc", "--key", &bench.key.reveal()].map(str::to_owned).to_vec();
        Self { kind, width: (8, 16), ..Self::visitors(to) }
    }

    /// Sends it, and waits for what comes of it. Any answer that is not as it should be is an error.
    pub(crate) fn send(&self, bench: &Bench) -> anyhow::Result<Report> {
        let mut load = pinned(LOAD, &bench.me);
        load.arg("load").args(&self.kind);
        let mut option = |name: &str, value: String| {
            load.arg(format!("--{name}")).arg(value);
        };
        option("to", self.to.to_string());
        option("connections", self.width.0.to_string());
        option("streams", self.width.1.to_string());
        option("seed", self.seed.to_string());
        option("first", self.first.to_string());
        for process in &self.watch {
            option("watch", process.id().to_string());
        }
        if let Some(rate) = self.rate {
            option("rate", rate.to_string());
        }
        match self.count {
            Some(count) => option("count", count.to_string()),
            None => {
                option("warm-up", bench.warm_up.as_millis().to_string());
                option("measured", bench.round.as_millis().to_string());
            }
        }
        let sent = load.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        ensure!(sent.status.success(), "the load failed: {}", String::from_utf8_lossy(&sent.stderr).trim());
        let report: Report =
            serde_json::from_slice(&sent.stdout).context("the load says what is not understood")?;
        if self.rate.is_none() {
            bench.own.borrow_mut().push((report.own_us, report.busy()));
        }
        Ok(report)
    }
}

/// Sends the load from this process.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let meter = Meter::new(&options);
    match &options.kind {
        Kind::Http => http::send(&options, &meter).await?,
        Kind::Grpc(more) => grpc::send(&options, more, &meter).await?,
    }
    let report = meter.report()?;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?)
}
