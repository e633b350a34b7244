//! The hub itself: the delivered program under a config of the benchmark's.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::{
    bench::Bench,
    load::traffic::{ACCOUNT, CAMPAIGN},
    process::{Process, SERVERS, free_address, pinned},
    redis::Redis,
};

/// How long the store's own count may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a hub keeps its records in.
pub(crate) enum Store<'a> {
    /// A Redis.
    Redis(&'a Redis),
    /// Files of its own, synced to the disk.
    Embedded,
    /// The files that are in this directory.
    Files(&'a Path),
}

/// What a row wants of its hub.
pub(crate) struct Setup<'a> {
    /// Where records go.
    pub(crate) store: Store<'a>,
    /// What it does, as `--role` says it.
    pub(crate) roles: &'a str,
    /// The network's address.
    pub(crate) network: Option<SocketAddr>,
}

impl<'a> Setup<'a> {
    /// A hub that calls no network.
    pub(crate) fn of(store: Store<'a>, roles: &'a str) -> Self {
        Self { store, roles, network: None }
    }
}

/// A running hub.
pub(crate) struct Hub {
    /// Its process, to be watched and ended.
    pub(crate) process: Process,
    /// Where visitors land.
    pub(crate) edge: SocketAddr,
    /// Where services call.
    pub(crate) api: SocketAddr,
    /// Where operators look.
    pub(crate) console: SocketAddr,
}

impl Hub {
    /// Starts a hub, and waits until every part of it listens. What is not named here is as by default.
    pub(crate) fn start(bench: &Bench, setup: &Setup<'_>) -> anyhow::Result<Self> {
        let folder = bench.folder("hub-")?;
        let [edge, api, console] = [(); 3].map(|()| free_address());
        let store = match setup.store {
            Store::Redis(redis) => format!("engine = \"redis\"\nredis = [\"{}\"]", redis.url()),
            Store::Embedded => "engine = \"embedded\"".to_owned(),
            Store::Files(path) => format!("engine = \"embedded\"\npath = \"{}\"", path.display()),
        };
        let network = setup.network.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9)));
        let config = format!(
            "key.current = \"{key}\"\n\
             [store]\n{store}\n\
             [edge]\nlisten = \"{edge}\"\ncapture_deadline_ms = 1000\ntrusted_proxies = [\"127.0.0.0/8\"]\n\
             [api]\nlisten = \"{api}\"\n\
             [console]\nlisten = \"{console}\"\n\
             [accounts.{ACCOUNT}]\nnetwork = \"trafficstars\"\nbase_url = \"http://{network}\"\n\
             tls_in_front = true\ncurrency = \"USD\"\nkey = \"123456789012345678901234567890abcdef\"\n\
             concurrency = 64\n\
             [campaigns.{CAMPAIGN}]\naccount = \"{ACCOUNT}\"\n\
             landing = \"https://shop.example/welcome?click={{click_token}}&source={{utm_source}}\"\n",
            key = bench.key.reveal(),
        );
        std::fs::write(folder.join("postback.toml"), config)?;
        let mut command = pinned(SERVERS, &bench.hub);
        command.args(["serve", "--config", "postback.toml", "--role", setup.roles]);
        let parts = [("edge", edge), ("api", api), ("console", console)];
        let mut listening =
            parts.into_iter().filter(|(role, _)| setup.roles.split(',').any(|it| it == *role));
        // The hub begins to listen in this order: where the last part takes a connection, all do.
        let (_, last) = listening.next_back().context("a hub that listens nowhere")?;
        let process = Process::start(command, &folder, last)?;
        Ok(Self { process, edge, api, console })
    }

    /// Makes sure that its store holds so many deliveries in this state, or in any where it is empty.
    pub(crate) fn holds(&self, count: u64, state: &str) -> anyhow::Result<()> {
        let (began, label) = (Instant::now(), format!("state=\"{state}"));
        loop {
            let held = self.metric("postback_deliveries{", &label)?;
            if held == count as f64 {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the store holds {held} {state} deliveries, and not {count}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The sum of a metric over all series with this label.
    pub(crate) fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let mut console = TcpStream::connect(self.console)?;
        write!(
            console,
            "GET /metrics HTTP/1.1
host: {}
connection: close

",
            self.console
        )?;
        let mut page = String::new();
        console.read_to_string(&mut page)?;
        let series = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
        series.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<f64>()?)).sum()
    }
}
