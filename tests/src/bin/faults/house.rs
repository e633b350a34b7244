//! Everything that one trial runs: the networks, the store, the processes of the hub.

use std::{net::SocketAddr, path::Path, time::Duration};

use postback_core::Key;
use postback_sandbox::{Network, Sandbox, Seed};
use postback_tests::free_address;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::{
    door::Door,
    hub::Hub,
    isolation::Struck,
    plan::Plan,
    shim::Disk,
    step::NETWORKS,
    store::{Servers, Store},
    strike::disk::Volume,
    strike::{clock::Clock, failpoint::Deaths},
};

/// How long a network's answer is waited for where it may never come: not long, so that a trial is short.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long a worker may then hold a delivery.
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
    /// The wall clock of hub and Redis, where it can be set wrong.
    pub(crate) clock: Option<Clock>,
    /// The strikes at networks so far.
    pub(crate) strikes: Vec<Struck>,
    pub(crate) deaths: Deaths,
    doors: Vec<Door>,
    hubs: Vec<Hub>,
    /// What lies at `data` in the folder, where the plan has a small disk.
    volume: Option<Volume>,
    folder: TempDir,
}

impl House {
    /// Starts all of it as a plan needs it.
    pub(crate) async fn start(plan: &Plan, store: Store, seed: u64) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(Seed::documented().with_random(seed))?;
        let mut doors = Vec::new();
        for (network, ..) in NETWORKS {
            doors.push(Door::at(free_address(), network, &sandbox).await?);
        }
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let volume = (plan.disk == Disk::Small).then(|| Volume::mount(&data)).transpose()?;
        // The hub refuses a file that has lost its beginning, and the logbook's is written seldom.
        let under = if plan.disk == Disk::Lies { data.join("outbox") } else { data.clone() };
        let (mut of_servers, mut of_hubs) = match store {
            Store::Embedded => (Vec::new(), plan.disk.variables(folder.path(), &under)?),
            _ => (
                plan.disk.variables(folder.path(), &std::env::temp_dir().join("postback-redis-"))?,
                Vec::new(),
            ),
        };
        let clock = plan.shifts_clock.then(|| Clock::new(folder.path())).transpose()?;
        let clock = clock.map(|(clock, variables)| {
            of_servers.extend(variables.clone());
            of_hubs.extend(variables);
            clock
        });
        let servers = Servers::start(store, &of_servers);
        std::fs::write(folder.path().join("postback.toml"), config(plan, &servers.config(&data), &doors))?;
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
        Ok(Self {
            sandbox,
            store,
            servers,
            edges,
            apis,
            clock,
            strikes: Vec::new(),
            deaths,
            doors,
            hubs,
            volume,
            folder,
        })
    }

    /// Every process of the hub.
    pub(crate) fn hubs(&mut self) -> &mut [Hub] {
        &mut self.hubs
    }

    /// The process that faults strike: the last one.
    pub(crate) fn victim(&mut self) -> &mut Hub {
        self.hubs.last_mut().unwrap_or_else(|| unreachable!("every fault has processes"))
    }

    /// The door of a network.
    pub(crate) fn door(&mut self, network: Network) -> &mut Door {
        let door = self.doors.iter_mut().find(|door| door.network == network);
        door.unwrap_or_else(|| unreachable!("every network has a door"))
    }

    /// Ends everything. The folder with the config, the store and the hub's log is kept as evidence where asked.
    pub(crate) async fn end(mut self, keep: bool) -> anyhow::Result<()> {
        self.folder.disable_cleanup(keep);
        if keep && let Some(volume) = &mut self.volume {
            volume.keep();
        }
        for hub in &mut self.hubs {
            hub.terminate().await?;
        }
        block_in_place(|| drop(self.servers));
        Ok(())
    }

    /// How often the hub's processes have logged this so far.
    pub(crate) fn logged(&self, words: &str) -> anyhow::Result<u64> {
        let log = std::fs::read_to_string(self.folder.path().join("hub.log"))?;
        Ok(log.matches(words).count() as u64)
    }

    /// Where the hub's log is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn config(plan: &Plan, store: &str, doors: &[Door]) -> String {
    let key = Key::new(1, [7; 32]).reveal();
    // Where no call hangs, a slow machine shall not make it seem so.
    let timeout = if plan.spares_answers { 5 * TIMEOUT } else { TIMEOUT }.as_millis();
    let lease = 3 * timeout;
    let mut config = format!(
        r#"
        key.current = "{key}"
        store = {store}
        dispatch = {{ timeout_ms = {timeout}, lease_ms = {lease}, poll_ms = 50 }}
        "#
    );
    for (door, (_, name, _)) in doors.iter().zip(NETWORKS) {
        let more = match door.network {
            Network::Powerspace => "",
            Network::Altercpa => r#"token = "123-abcde""#,
            Network::Trafficstars => {
                r#"tls_in_front = true
                currency = "USD"
                key = "123456789012345678901234567890abcdef""#
            }
        };
        config += &format!(
            r#"
            [campaigns.{name}]
            account = "{name}"
            landing = "https://shop.example/?token={{click_token}}"

            [accounts.{name}]
            network = "{name}"
            base_url = "http://{}"
            {more}
            "#,
            door.address
        );
    }
    config
}
