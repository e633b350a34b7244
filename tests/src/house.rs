//! The whole hub in the test's own process, over real sockets: edge, gRPC, dispatcher, and the networks' sandbox.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use postback::{
    config::Config,
    serve::{House as Wired, Listeners, Running},
};
use postback_access::Access;
use postback_core::{Key, ports::AccountStats};
use postback_hub::{AccountStanding, Hub};
use postback_redis_link::testing::{RedisServer, ShiftedClock};
use postback_sandbox::{Clock, Fault, FaultKind, IssueClicks, Network, Sandbox, Seed};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Caller, Visitor,
    wait::{PATIENCE, answered},
};

/// Where the hub keeps things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In files.
    Embedded,
    /// In a real Redis of the test's own.
    Redis,
}

/// A hub at work, with accounts and campaigns `powerspace`, `trafficstars` and `altercpa` at the sandbox.
pub struct House {
    /// The use cases, for what has no socket.
    pub hub: Hub,
    /// Who may call gRPC.
    pub access: Access,
    /// The clock that the hub, its store and the networks share.
    pub clock: Arc<ShiftedClock>,
    /// The networks.
    pub sandbox: Sandbox,
    /// Where the networks answer.
    pub networks: SocketAddr,
    /// Where visitors land.
    pub edge: SocketAddr,
    /// A browser at the edge.
    pub visitor: Visitor,
    /// A service at gRPC.
    pub caller: Caller,
    /// Where gRPC answers.
    pub api: String,
    /// Where the console answers.
    pub console: SocketAddr,
    stop: CancellationToken,
    parts: Vec<JoinHandle<()>>,
    folder: TempDir,
    redis: Option<RedisServer>,
}

/// The one recorder of the test's process.
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| postback_console::metrics().expect("the recorder is installed once")).clone()
}

async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    (listener.local_addr().expect("a bound listener"), listener)
}

/// The config of a test's hub; `more` is appended.
fn config(store: &str, sandbox: SocketAddr, more: &str) -> String {
    let key = Key::new(1, [7; 32]).reveal();
    format!(
        r#"
        key.current = "{key}"
        store = {store}
        edge.capture_deadline_ms = 1000
        edge.public_url = "https://click.example"
        # A lease outlives every leap of the test's clock.
        dispatch = {{ poll_ms = 20, lease_ms = 86400000 }}

        [accounts]
        powerspace = {{ network = "powerspace", base_url = "http://{sandbox}" }}
        altercpa = {{ network = "altercpa", base_url = "http://{sandbox}", token = "123-abcde" }}

        [accounts.trafficstars]
        network = "trafficstars"
        base_url = "http://{sandbox}"
        tls_in_front = true
        currency = "USD"
        key = "123456789012345678901234567890abcdef"

        [campaigns]
        powerspace = {{ account = "powerspace", landing = "https://shop.example/?token={{click_token}}", find_by_ip = true }}
        trafficstars = {{ account = "trafficstars", landing = "https://shop.example/?token={{click_token}}", parameter = "tracking_param" }}
        altercpa = {{ account = "altercpa", landing = "https://shop.example/?token={{click_token}}" }}

        {more}
        "#
    )
}

impl House {
    /// Lets at least `time` pass, a minute at a time, and goes on until `enough`: what is due by the clock is done by
    /// tasks that take real time.
    pub async fn pass_until(&self, time: SignedDuration, enough: impl Fn() -> bool) {
        let minute = SignedDuration::from_mins(1);
        let mut passed = SignedDuration::ZERO;
        while passed < time || !enough() {
            self.clock.advance(minute);
            passed += minute;
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(passed < SignedDuration::from_hours(29 * 24), "what had to come never came");
        }
    }

    /// A hub on an engine.
    pub async fn on(engine: Engine) -> Self {
        Self::with(engine, "").await
    }

    /// A hub on an engine, with more config.
    pub async fn with(engine: Engine, more: &str) -> Self {
        let clock = Arc::new(ShiftedClock::default());
        let folder = tempfile::tempdir().expect("a folder");
        let redis = (engine == Engine::Redis).then(RedisServer::start);
        let store = match &redis {
            Some(redis) => format!(r#"{{ engine = "redis", redis = ["{}"] }}"#, redis.url()),
            None => format!("{{ path = '{}' }}", folder.path().display()),
        };
        let stop = CancellationToken::new();
        let (networks, listener) = listen().await;
        let time = clock.clone();
        let time = Clock::from_fn(move || postback_core::ports::Clock::now(time.as_ref()));
        let sandbox = Sandbox::with_clock(Seed::documented(), time).expect("the documented seed is right");
        let served = {
            let (sandbox, stop) = (sandbox.clone(), stop.clone());
            tokio::spawn(async move {
                sandbox.serve(listener, stop.cancelled()).await.expect("the sandbox serves")
            })
        };
        let config =
            Config::read(&config(&store, networks, more), std::iter::empty()).unwrap_or_else(|problems| {
                panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
            });
        let wired = Wired::build(&config, clock.clone()).await.expect("the hub is built");
        let ((edge, edge_listener), (api, api_listener)) = (listen().await, listen().await);
        let (console, console_listener) = listen().await;
        let console_listener = Some((console_listener, recorder()));
        let listeners =
            Listeners { edge: Some(edge_listener), api: Some(api_listener), console: console_listener };
        let running = Running::start(&wired, &config, listeners, true).expect("the hub starts");
        let (hub, access) = (wired.hub.clone(), wired.access.clone());
        let ended = stop.clone();
        let ran = tokio::spawn(async move {
            running.until(async move { ended.cancelled().await }).await.expect("the hub ends well");
        });
        let api = format!("http://{api}");
        Self {
            hub,
            access,
            clock,
            sandbox,
            networks,
            edge,
            visitor: Visitor::of(edge),
            caller: Caller::of(&api),
            api,
            console,
            stop,
            parts: vec![served, ran],
            folder,
            redis,
        }
    }

    /// Has a network issue a click.
    pub fn issue(&self, network: Network) -> String {
        self.sandbox.issue(&IssueClicks::new(network)).expect("the sandbox issues a click").remove(0)
    }

    /// Has a network issue a click with this very id.
    pub fn issue_as(&self, network: Network, id: &str) {
        let order = IssueClicks { ids: vec![id.to_owned()], ..IssueClicks::new(network) };
        self.sandbox.issue(&order).expect("the sandbox issues the click");
    }

    /// Lands a visitor on a campaign and returns the click token that the landing page gets.
    pub async fn land(&self, campaign: &str, query: &str) -> String {
        let answer = self.visitor.get(&format!("/c/{campaign}?{query}")).await;
        answer.token().unwrap_or_else(|| panic!("no token in {answer:?}"))
    }

    /// Lands a visitor with a click of a network's on its campaign, and returns the click token.
    pub async fn landed(&self, network: Network) -> String {
        self.landed_with(network, "").await
    }

    /// The same, with more in the query, such as `&utm_source=newsletter`.
    pub async fn landed_with(&self, network: Network, more: &str) -> String {
        let (campaign, parameter) = match network {
            Network::Powerspace => ("powerspace", "clickId"),
            Network::Trafficstars => ("trafficstars", "tracking_param"),
            Network::Altercpa => ("altercpa", "click"),
        };
        self.land(campaign, &format!("{parameter}={}{more}", self.issue(network))).await
    }

    /// Has so many calls at a network meet a fault, or all that come.
    pub fn inject(&self, network: Network, kind: FaultKind, times: impl Into<Option<u32>>) {
        let fault = Fault::new(network, kind).and_then(|fault| match times.into() {
            Some(times) => fault.times(times),
            None => Ok(fault),
        });
        self.sandbox.inject(fault.expect("a fault")).expect("room for a fault");
    }

    /// Where an account stands.
    async fn standing(&self, account: &str) -> AccountStanding {
        let account = account.parse().expect("an account's name");
        self.hub.stats(Some(&account)).await.expect("the store answers").remove(0)
    }

    /// How many of an account stand how.
    pub async fn stats(&self, account: &str) -> AccountStats {
        self.standing(account).await.stats
    }

    /// Waits until an account stands as `enough` says.
    pub async fn stands(&self, account: &str, enough: impl Fn(&AccountStanding) -> bool) -> AccountStanding {
        let stands = answered(|| async { Some(self.standing(account).await).filter(&enough) });
        match tokio::time::timeout(PATIENCE, stands).await {
            Ok(standing) => standing,
            Err(_) => panic!("{account} never stood so; it stands at {:?}", self.standing(account).await),
        }
    }

    /// Waits until so many of an account stand as `enough` says.
    pub async fn until(&self, account: &str, enough: impl Fn(&AccountStats) -> bool) -> AccountStats {
        self.stands(account, |standing| enough(&standing.stats)).await.stats
    }

    /// Waits until nothing of an account is pending.
    pub async fn quiet(&self, account: &str) -> AccountStats {
        self.until(account, |stats| stats.pending == 0).await
    }

    /// The folder of the embedded store.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The Redis of this hub.
    pub fn redis(&self) -> Option<&RedisServer> {
        self.redis.as_ref()
    }

    /// Ends the hub as SIGTERM does.
    pub async fn end(self) {
        self.stop.cancel();
        for part in self.parts {
            part.await.expect("every part ends well");
        }
    }
}
