//! Wires the hub together and runs it until a signal.

use std::{
    future::Future,
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use postback_access::{Access, Tls};
use postback_core::{Accounts, Tally, ports::Clock};
use postback_dispatch::{Breakers, Dispatcher, NetworkCaller};
use postback_hub::{Hub, SystemClock};
use postback_sandbox::{Sandbox, Seed};
use postback_traces::Export;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    alerts,
    config::{Config, Dispatch},
    descriptors, logs,
    reload::Changes,
    role::Role,
    stores::Stores,
};

/// Runs a future on as many threads as there are cores; on the one thread alone where there is one, which is faster
/// than a pool of one.
pub(crate) fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = match std::thread::available_parallelism() {
        Ok(NonZeroUsize::MIN) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    Ok(runtime.context("the runtime did not start")?.block_on(future))
}

/// The hub and what works behind it.
pub struct House {
    /// The use cases.
    pub hub: Hub,
    /// Who may call.
    pub access: Access,
    accounts: watch::Receiver<Accounts>,
    tally: Arc<Tally>,
    wake: Arc<Notify>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    dispatch: Dispatch,
}

impl House {
    /// Opens the stores and sets the hub over them.
    ///
    /// # Errors
    /// Where a store cannot be opened or would lose conversions.
    pub async fn build(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let stores = Stores::open(&config.store, clock.clone()).await?;
        let (accounts, seen) = watch::channel(Accounts::new());
        let (tally, wake) = (Arc::<Tally>::default(), Arc::new(Notify::new()));
        let caller = NetworkCaller::new(seen.clone(), clock.clone(), config.dispatch.timeout())?;
        let hub = Hub::new(postback_hub::Parts {
            clicks: stores.clicks.clone(),
            outbox: stores.outbox.clone(),
            logbook: stores.logbook.clone(),
            tally: tally.clone(),
            caller: Arc::new(caller),
            clock: clock.clone(),
            keyring: config.keyring.clone(),
            registry: config.registry()?,
            accounts,
            wake: wake.clone(),
            public_url: config.edge.public_url.clone(),
            settings: postback_hub::Settings {
                capture_deadline: Duration::from_millis(config.edge.capture_deadline_ms),
                buffered_clicks: config.edge.buffered_clicks,
            },
        });
        let dispatch = config.dispatch.clone();
        let access = Access::new(config.access.clone());
        Ok(Self { hub, access, accounts: seen, tally, wake, stores, clock, dispatch })
    }

    fn dispatcher(&self) -> anyhow::Result<Dispatcher> {
        Ok(Dispatcher::new(postback_dispatch::Parts {
            outbox: self.stores.outbox.clone(),
            clock: self.clock.clone(),
            accounts: self.accounts.clone(),
            tally: self.tally.clone(),
            wake: self.wake.clone(),
            settings: postback_dispatch::Settings {
                timeout: self.dispatch.timeout(),
                lease: Duration::from_millis(self.dispatch.lease_ms),
                poll: Duration::from_millis(self.dispatch.poll_ms),
            },
        })?)
    }
}

/// The listeners of the roles that have one.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Visitors.
    pub edge: Option<TcpListener>,
    /// Internal services.
    pub api: Option<TcpListener>,
    /// Operators, and the metrics that they read.
    pub console: Option<(TcpListener, PrometheusHandle)>,
}

impl Listeners {
    async fn bind(config: &Config, roles: &[Role]) -> anyhow::Result<Self> {
        let has = |role| roles.contains(&role);
        Ok(Self {
            edge: bind(has(Role::Edge), "edge.listen", config.edge.listen).await?,
            api: bind(has(Role::Api), "api.listen", config.api.listen).await?,
            console: match bind(has(Role::Console), "console.listen", config.console.listen).await? {
                Some(listener) => Some((listener, postback_console::metrics()?)),
                None => None,
            },
        })
    }
}

async fn bind(wanted: bool, setting: &str, address: SocketAddr) -> anyhow::Result<Option<TcpListener>> {
    if !wanted {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| format!("{setting}: `{address}` cannot be listened on"))
}

/// The parts that are running.
pub struct Running {
    /// The sides that take in work.
    intake: Side,
    /// What works behind them, and answers probes to the end.
    behind: Side,
    /// The hub's upkeep, which writes down what all of them counted.
    upkeep: Side,
    ready: Arc<AtomicBool>,
    probed: bool,
}

/// Parts that are told to end together.
#[derive(Default)]
struct Side {
    stop: CancellationToken,
    parts: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Side {
    /// Starts a part that ends when this side is told to.
    fn start<F, E>(&mut self, name: &'static str, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let part = part(self.stop.clone());
        self.parts.spawn(async move { (name, part.await.map_err(Into::into)) });
    }

    /// The failure of a part that ends by itself; never ends while all are at work.
    async fn fails(&mut self) -> anyhow::Error {
        match self.parts.join_next().await {
            None => std::future::pending().await,
            Some(Ok((part, Ok(())))) => anyhow::anyhow!("the {part} ended by itself"),
            Some(Ok((part, Err(error)))) => error.context(format!("the {part} failed")),
            Some(Err(panicked)) => panicked.into(),
        }
    }

    /// Tells all parts to end, and waits until they have.
    async fn end(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            outcome = outcome.and(ended.map_err(Into::into).and_then(|(_, result)| result));
        }
        outcome
    }
}

impl Running {
    /// Starts every part: those with a listener, the dispatcher where it is wanted, the hub's upkeep.
    ///
    /// # Errors
    /// Where a setting of the edge or the dispatcher is wrong.
    pub fn start(
        house: &House,
        config: &Config,
        listeners: Listeners,
        deliver: bool,
    ) -> anyhow::Result<Self> {
        let ready = Arc::new(AtomicBool::new(true));
        let (mut intake, mut behind, mut upkeep) = (Side::default(), Side::default(), Side::default());
        let hub = &house.hub;
        if let Some(listener) = listeners.edge {
            let mut settings = config.edge.settings()?;
            settings.limits.connections = descriptors::visitors();
            follow(&mut behind, "edge's certificate", settings.tls.clone());
            intake.start("edge", |stop| postback_edge::serve(listener, hub.clone(), settings, stop));
        }
        if let Some(listener) = listeners.api {
            follow(&mut behind, "api's certificate", config.api.tls.clone());
            let settings = postback_grpc_api::Settings {
                access: house.access.clone(),
                tls: config.api.tls.clone(),
                ..postback_grpc_api::Settings::default()
            };
            intake.start("api", |stop| postback_grpc_api::serve(listener, hub.clone(), settings, stop));
        }
        let probed = listeners.console.is_some();
        if let Some((listener, metrics)) = listeners.console {
            let console = postback_console::Console {
                hub: hub.clone(),
                ready: ready.clone(),
                metrics,
                access: house.access.clone(),
                tls_in_front: config.console.tls_in_front,
            };
            let tls = config.console.tls.clone();
            follow(&mut behind, "console's certificate", tls.clone());
            behind.start("console", |stop| postback_console::serve(listener, console, tls, stop));
        }
        let mut breakers = Breakers::default();
        if deliver {
            let dispatcher = house.dispatcher()?;
            breakers = dispatcher.breakers();
            behind.start("dispatch", |stop| async move {
                dispatcher.run(stop).await;
                anyhow::Ok(())
            });
        }
        if let Some(alerts) = config.alerts.clone() {
            let (sights, outbox) = (hub.sights(), house.stores.outbox.clone());
            behind.start("alerts", |stop| alerts::watch(alerts, sights, breakers, outbox, stop));
        }
        let hub = hub.clone();
        upkeep.start("hub", |stop| async move {
            hub.run(stop).await;
            anyhow::Ok(())
        });
        Ok(Self { intake, behind, upkeep, ready, probed })
    }

    /// Waits until `stop`, or until a part ends by itself; then says "not ready", takes in nothing more, finishes
    /// what is under way and ends.
    ///
    /// # Errors
    /// Where a part failed.
    pub async fn until(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            () = stop => Ok(()),
            error = self.intake.fails() => Err(error),
            error = self.behind.fails() => Err(error),
            error = self.upkeep.fails() => Err(error),
        };
        self.ready.store(false, Ordering::Release);
        if self.probed {
            tokio::time::sleep(SETTLE).await;
        }
        let taken = self.intake.end().await;
        let finished = self.behind.end().await;
        let written = self.upkeep.end().await;
        outcome.and(taken).and(finished).and(written)
    }
}

/// Follows a listener's certificate files, where it has them.
fn follow(behind: &mut Side, name: &'static str, tls: Option<Tls>) {
    if let Some(tls) = tls {
        behind.start(name, |stop| async move {
            let _: Option<()> = stop.run_until_cancelled(tls.follow()).await;
            anyhow::Ok(())
        });
    }
}

/// How long work is still taken in while the console says "not ready", so that a prober sees it first.
const SETTLE: Duration = Duration::from_millis(200);

/// How long the start waits for the store to say what it promises; visitors wait no longer for a hub.
const PROMISED: Duration = Duration::from_millis(500);

/// `postback serve`. A store that is away is waited for by the running hub; one that would lose conversions ends the
/// start.
pub(crate) async fn run(config: Config, changes: Option<Changes>, roles: &[Role]) -> anyhow::Result<()> {
    let traces = Export::open(config.traces.otlp.as_ref().map(Url::as_str))?;
    logs::start_with(config.log.format, &config.log.filter, traces.as_ref())?;
    let ended = work(config, changes, roles).await;
    if let Some(traces) = traces
        && let Err(error) = tokio::task::spawn_blocking(move || traces.end()).await?
    {
        tracing::warn!(%error, "the collector did not take all spans");
    }
    ended
}

async fn work(config: Config, changes: Option<Changes>, roles: &[Role]) -> anyhow::Result<()> {
    descriptors::raise();
    let house = House::build(&config, Arc::new(SystemClock)).await?;
    match tokio::time::timeout(PROMISED, house.hub.promise()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == postback_core::ErrorKind::FailedPrecondition => {
            return Err(error.into());
        }
        Ok(Err(error)) => tracing::warn!(%error, "the store is away; the hub starts and waits for it"),
        Err(_) => tracing::warn!("the store does not answer; the hub starts and waits for it"),
    }
    // Whoever is answered may ask it to stop.
    let stop = asked_to_stop()?;
    let listeners = Listeners::bind(&config, roles).await?;
    say(&listeners)?;
    let running = Running::start(&house, &config, listeners, roles.contains(&Role::Dispatch))?;
    let reloads =
        changes.map(|changes| tokio::spawn(changes.take_over(house.hub.clone(), house.access.clone())));
    let ended = running.until(stop).await;
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    tracing::info!("stopped");
    ended
}

fn say(listeners: &Listeners) -> anyhow::Result<()> {
    let console = listeners.console.as_ref().map(|(listener, _)| listener);
    let parts = [("edge", listeners.edge.as_ref()), ("api", listeners.api.as_ref()), ("console", console)];
    for (part, listener) in parts {
        if let Some(listener) = listener {
            tracing::info!(part, address = %listener.local_addr()?, "listening");
        }
    }
    Ok(())
}

/// `postback sandbox`
pub(crate) async fn sandbox(listen: SocketAddr, seed: Option<PathBuf>) -> anyhow::Result<()> {
    let seed = match seed {
        None => Seed::documented(),
        Some(file) => {
            let text = tokio::fs::read_to_string(&file).await;
            let text = text.with_context(|| format!("`{}` cannot be read", file.display()))?;
            text.parse::<Seed>().with_context(|| format!("`{}` is not a seed", file.display()))?
        }
    };
    let sandbox = Sandbox::new(seed)?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("--listen: `{listen}` cannot be listened on"))?;
    Ok(sandbox.serve(listener, asked_to_stop()?).await?)
}

/// Ends at SIGTERM or SIGINT.
pub(crate) fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut int = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => tracing::info!("SIGTERM: finishing what is under way"),
            _ = int.recv() => tracing::info!("SIGINT: finishing what is under way"),
        }
    })
}
