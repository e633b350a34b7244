//! Everything that one trial runs: the networks, the store, the processes of the hub.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use anyhow::Context;
use postback_core::Key;
use postback_redis_link::testing::RedisServer;
use postback_sandbox::{Sandbox, Seed};
use tempfile::TempDir;
use tokio::task::{JoinHandle, block_in_place};

use crate::{
    fault::{Engine, Fault},
    hub::Hub,
};

/// A hub in processes of its own, its Redis where it has one, and the networks in this process.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) edge: SocketAddr,
    pub(crate) api: SocketAddr,
    hubs: Vec<Hub>,
    redis: Option<RedisServer>,
    folder: TempDir,
    networks: JoinHandle<std::io::Result<()>>,
}

impl House {
    /// Starts all of it as a fault needs it.
    pub(crate) async fn start(fault: Fault, engine: Engine, seed: u64) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(Seed::documented().with_random(seed))?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let networks = tokio::spawn({
            let sandbox = sandbox.clone();
            async move { sandbox.serve(listener, std::future::pending()).await }
        });
        let redis = (engine == Engine::Redis).then(|| {
            block_in_place(|| RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]))
        });
        let folder = tempfile::tempdir()?;
        let (edge, api) = (free_address(), free_address());
        let data = folder.path().join("data");
        let store = match &redis {
            Some(redis) => format!(r#"{{ engine = "redis", redis = ["{}"] }}"#, redis.url()),
            None => format!("{{ path = '{}' }}", data.display()),
        };
        std::fs::write(folder.path().join("postback.toml"), config(&store, at, edge, api))?;
        let variables = fault.disk().variables(folder.path(), &data)?;
        let mut hubs = Vec::new();
        for roles in fault.roles() {
            let listens = if roles.contains("api") { vec![edge, api] } else { Vec::new() };
            let mut hub = Hub::new(folder.path(), roles, listens, variables.clone());
            hub.start().await?;
            hubs.push(hub);
        }
        Ok(Self { sandbox, edge, api, hubs, redis, folder, networks })
    }

    /// The process that faults strike: the last one.
    pub(crate) fn victim(&mut self) -> &mut Hub {
        self.hubs.last_mut().unwrap_or_else(|| unreachable!("every fault has processes"))
    }

    /// The Redis of this trial.
    pub(crate) fn redis(&mut self) -> anyhow::Result<&mut RedisServer> {
        self.redis.as_mut().context("this trial has no Redis")
    }

    /// Ends everything. The folder with the config, the store and the hub's log is kept as evidence where asked.
    pub(crate) async fn end(mut self, keep: bool) -> anyhow::Result<()> {
        self.folder.disable_cleanup(keep);
        for hub in &mut self.hubs {
            hub.terminate().await?;
        }
        self.networks.abort();
        block_in_place(|| drop(self.redis.take()));
        Ok(())
    }

    /// Where the hub's log is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A lease that ends soon after a kill, so that a trial is short.
fn config(store: &str, networks: SocketAddr, edge: SocketAddr, api: SocketAddr) -> String {
    let key = Key::new(1, [7; 32]).reveal();
    format!(
        r#"
        key.current = "{key}"
        store = {store}
        edge.listen = "{edge}"
        api.listen = "{api}"
        dispatch = {{ timeout_ms = 1000, lease_ms = 3000, poll_ms = 50 }}

        [accounts]
        powerspace = {{ network = "powerspace", base_url = "http://{networks}" }}
        altercpa = {{ network = "altercpa", base_url = "http://{networks}", token = "123-abcde" }}

        [accounts.trafficstars]
        network = "trafficstars"
        base_url = "http://{networks}"
        tls_in_front = true
        currency = "USD"
        key = "123456789012345678901234567890abcdef"

        [campaigns]
        powerspace = {{ account = "powerspace", landing = "https://shop.example/?token={{click_token}}" }}
        trafficstars = {{ account = "trafficstars", landing = "https://shop.example/?token={{click_token}}" }}
        altercpa = {{ account = "altercpa", landing = "https://shop.example/?token={{click_token}}" }}
        "#
    )
}

/// An address that is free now, and that no outgoing connection is given while its process is away.
fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, fastrand::u16(20_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
