//! Everything that one trial runs: the networks, the store, the processes of the hub.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use postback_core::Key;
use postback_sandbox::{Sandbox, Seed};
use tempfile::TempDir;
use tokio::task::{JoinHandle, block_in_place};

use crate::{
    hub::Hub,
    plan::Plan,
    store::{Servers, Store},
    strike::failpoint::Deaths,
};

/// How long a worker may hold a delivery: not long, so that a trial is short.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// A hub in processes of its own, its Redis where it has one, and the networks in this process.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Store,
    pub(crate) servers: Servers,
    /// Where visitors land: the edge of each process that has one.
    pub(crate) edges: Vec<SocketAddr>,
    /// Where callers report: the API of each process that has one.
    pub(crate) apis: Vec<SocketAddr>,
    pub(crate) deaths: Deaths,
    hubs: Vec<Hub>,
    folder: TempDir,
    networks: JoinHandle<std::io::Result<()>>,
}

impl House {
    /// Starts all of it as a plan needs it.
    pub(crate) async fn start(plan: &Plan, store: Store, seed: u64) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(Seed::documented().with_random(seed))?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let networks = tokio::spawn({
            let sandbox = sandbox.clone();
            async move { sandbox.serve(listener, std::future::pending()).await }
        });
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let (of_servers, of_hubs) = match store {
            Store::Embedded => (Vec::new(), plan.disk.variables(folder.path(), &data)?),
            _ => (
                plan.disk.variables(folder.path(), &std::env::temp_dir().join("postback-redis-"))?,
                Vec::new(),
            ),
        };
        let servers = Servers::start(store, &of_servers);
        std::fs::write(folder.path().join("postback.toml"), config(&servers.config(&data), at))?;
        let (mut edges, mut apis, mut hubs) = (Vec::new(), Vec::new(), Vec::new());
        for roles in plan.roles {
            let (edge, api) = (free_address(), free_address());
            let mut variables = of_hubs.clone();
            variables.push(("POSTBACK_EDGE__LISTEN", edge.to_string()));
            variables.push(("POSTBACK_API__LISTEN", api.to_string()));
            let mut listens = Vec::new();
            if roles.contains("edge") {
                edges.push(edge);
                listens.push(edge);
            }
            if roles.contains("api") {
                apis.push(api);
                listens.push(api);
            }
            let mut hub = Hub::new(folder.path(), roles, listens, variables);
            hub.start().await?;
            hubs.push(hub);
        }
        let deaths = Deaths::at(&plan.points);
        Ok(Self { sandbox, store, servers, edges, apis, deaths, hubs, folder, networks })
    }

    /// Every process of the hub.
    pub(crate) fn hubs(&mut self) -> &mut [Hub] {
        &mut self.hubs
    }

    /// The process that faults strike: the last one.
    pub(crate) fn victim(&mut self) -> &mut Hub {
        self.hubs.last_mut().unwrap_or_else(|| unreachable!("every fault has processes"))
    }

    /// Ends everything. The folder with the config, the store and the hub's log is kept as evidence where asked.
    pub(crate) async fn end(mut self, keep: bool) -> anyhow::Result<()> {
        self.folder.disable_cleanup(keep);
        for hub in &mut self.hubs {
            hub.terminate().await?;
        }
        self.networks.abort();
        block_in_place(|| drop(self.servers));
        Ok(())
    }

    /// Where the hub's log is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn config(store: &str, networks: SocketAddr) -> String {
    let key = Key::new(1, [7; 32]).reveal();
    let lease = LEASE.as_millis();
    format!(
        r#"
        key.current = "{key}"
        store = {store}
        dispatch = {{ timeout_ms = 1000, lease_ms = {lease}, poll_ms = 50 }}

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
