//! A hub over stores in memory, and an edge before it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{
    Account, AccountId, Adapter, Attempt, Call, CampaignId, Click, ClickId, ClickRef, Conversion,
    ConversionId, Delivery, DeliveryId, Error, Fingerprint, Key, Keyring, LandingQuery, NoClick, Postback,
    Reason, Result, UserId, Verdict,
    ports::{
        AccountStats, Action, Attribution, Bucket, Caller, Claims, ClickStore, ConversionFilter,
        DeliveryFilter, Fence, FindClicks, Logbook, Outbox, Page, Paused, Promise, Recorded, RequestKey,
        Reservation, Resolution, Settlement, Story, Swept, Target,
    },
};
use postback_edge::{Limits, Settings};
use postback_hub::{Campaign, Hub, LandingTemplate, Parts, Registry, SystemClock};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::visitor::{Answer, Visitor};

/// One edge for all cases of the property tests.
pub(crate) static SHARED: LazyLock<(Runtime, Edge)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let edge = runtime.block_on(Edge::start());
    (runtime, edge)
});

/// Where the visitors of `promo` land.
pub(crate) const LANDING: &str = "https://landing.example/{param:sub}/x?token={click_token}&id={click_id}&s={param:s}&utm={utm_source}#{param:f}";

/// A click store in memory that can be made to wait.
pub(crate) struct Clicks {
    kept: Mutex<Vec<Click>>,
    open: watch::Sender<bool>,
    /// Notified when a capture arrives.
    pub(crate) asked: Notify,
}

impl Clicks {
    fn new() -> Self {
        Self { kept: Mutex::default(), open: watch::Sender::new(true), asked: Notify::new() }
    }

    /// Lets captures through, or lets them wait.
    pub(crate) fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// All clicks, in the order of their capture.
    pub(crate) fn kept(&self) -> Vec<Click> {
        self.kept.lock().unwrap().clone()
    }
}

#[async_trait]
impl ClickStore for Clicks {
    async fn capture(&self, click: Arc<Click>, _findable: bool) -> Result<Arc<Click>> {
        self.asked.notify_one();
        self.open.subscribe().wait_for(|open| *open).await.map_err(|_| away())?;
        let mut kept = self.kept.lock().unwrap();
        let same = |other: &&Click| {
            (&other.click.account, &other.click.id) == (&click.click.account, &click.click.id)
        };
        if let Some(first) = kept.iter().find(same) {
            return Ok(Arc::new(first.clone()));
        }
        kept.push(Click::clone(&click));
        Ok(click)
    }

    async fn click(&self, _: &AccountId, _: &ClickId) -> Result<Option<Click>> {
        Err(away())
    }
    async fn attach(&self, _: &UserId, _: Attribution) -> Result<()> {
        Err(away())
    }
    async fn clicks_of(&self, _: &UserId) -> Result<Vec<Attribution>> {
        Err(away())
    }
    async fn find(&self, _: &FindClicks) -> Result<Vec<Click>> {
        Err(away())
    }
    async fn erase_click(&self, _: &AccountId, _: &ClickId) -> Result<bool> {
        Err(away())
    }
    async fn erase_user(&self, _: &UserId) -> Result<bool> {
        Err(away())
    }
    async fn sweep(&self) -> Result<usize> {
        Err(away())
    }
    async fn ping(&self) -> Result<()> {
        Err(away())
    }
}

fn away() -> Error {
    Error::unavailable("is not part of this test")
}

/// What an edge never asks for.
struct Nothing;

#[async_trait]
impl Caller for Nothing {
    async fn call(&self, _: &AccountId, _: Call) -> Result<Response<Bytes>> {
        Err(away())
    }
}

#[async_trait]
impl Logbook for Nothing {
    async fn add(&self, _: [u8; 16], _: &Bucket) -> Result<()> {
        Err(away())
    }
    async fn history(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Bucket>> {
        Err(away())
    }
    async fn enter(&self, _: Action) -> Result<()> {
        Err(away())
    }
    async fn actions(&self, _: usize, _: Option<[u8; 16]>) -> Result<Page<Action>> {
        Err(away())
    }
    async fn glimpse(&self, _: &CampaignId, _: &[ClickRef]) -> Result<()> {
        Err(away())
    }
    async fn latest(&self, _: &CampaignId, _: usize, _: Option<[u8; 16]>) -> Result<Page<ClickRef>> {
        Err(away())
    }
    async fn forget(&self, _: &CampaignId, _: &AccountId, _: &ClickId) -> Result<()> {
        Err(away())
    }
    async fn sweep(&self) -> Result<usize> {
        Err(away())
    }
}

#[async_trait]
impl Outbox for Nothing {
    async fn reserve(&self, _: RequestKey, _: Reservation) -> Result<Reservation> {
        Err(away())
    }
    async fn reserved(&self, _: RequestKey) -> Result<Option<Reservation>> {
        Err(away())
    }
    async fn record(&self, _: Conversion, _: Delivery, _: Fingerprint) -> Result<Recorded> {
        Err(away())
    }
    async fn change(&self, _: Target, _: Delivery) -> Result<Recorded> {
        Err(away())
    }
    async fn claim(&self, _: &AccountId, _: usize, _: Duration) -> Result<Claims> {
        Err(away())
    }
    async fn start(&self, _: &Fence) -> Result<bool> {
        Err(away())
    }
    async fn settle(&self, _: &Fence, _: Option<Attempt>, _: Settlement) -> Result<bool> {
        Err(away())
    }
    async fn release(&self, _: &Fence, _: Timestamp) -> Result<bool> {
        Err(away())
    }
    async fn resolve(&self, _: DeliveryId, _: Resolution) -> Result<Delivery> {
        Err(away())
    }
    async fn replay(&self, _: DeliveryId) -> Result<Delivery> {
        Err(away())
    }
    async fn pause(&self, _: &AccountId, _: Reason) -> Result<bool> {
        Err(away())
    }
    async fn resume(&self, _: &AccountId) -> Result<bool> {
        Err(away())
    }
    async fn paused(&self, _: &AccountId) -> Result<Option<Paused>> {
        Err(away())
    }
    async fn story(&self, _: ConversionId) -> Result<Option<Story>> {
        Err(away())
    }
    async fn delivery(&self, _: DeliveryId) -> Result<Option<Delivery>> {
        Err(away())
    }
    async fn conversions(
        &self,
        _: &ConversionFilter,
        _: usize,
        _: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        Err(away())
    }
    async fn deliveries(&self, _: &DeliveryFilter, _: usize, _: Option<[u8; 16]>) -> Result<Page<Delivery>> {
        Err(away())
    }
    async fn changed_since(&self, _: Timestamp, _: usize) -> Result<Vec<Delivery>> {
        Err(away())
    }
    async fn stats(&self, _: &AccountId) -> Result<AccountStats> {
        Err(away())
    }
    async fn erase_click(&self, _: &AccountId, _: &ClickId) -> Result<usize> {
        Err(away())
    }
    async fn erase_user(&self, _: &UserId) -> Result<usize> {
        Err(away())
    }
    async fn sweep(&self) -> Result<Swept> {
        Err(away())
    }
    async fn ping(&self) -> Result<()> {
        Err(away())
    }
    async fn promise(&self) -> Result<Promise> {
        Err(away())
    }
}

/// A network that is only ever clicked on.
#[derive(Debug)]
struct Network;

impl Adapter for Network {
    fn network(&self) -> &'static str {
        "network"
    }

    fn click_parameter(&self) -> &'static str {
        "click_id"
    }

    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
        let value =
            query.exact(|name| name == parameter).ok_or(NoClick::Missing)?.ok_or(NoClick::Malformed)?;
        if value.is_empty() {
            return Err(NoClick::Empty);
        }
        if LandingQuery::is_macro(&value) {
            return Err(NoClick::Macro);
        }
        ClickId::parse(value).map_err(|_| NoClick::Malformed)
    }

    fn link_query(&self, parameter: &str) -> String {
        format!("{parameter}={{click_id}}")
    }

    fn call(&self, _: &Postback<'_>) -> Result<Call> {
        Err(away())
    }

    fn verdict(&self, _: &Postback<'_>, _: &Response<Bytes>, _: Timestamp) -> Verdict {
        Verdict::Accepted { remote_id: None }
    }
}

fn registry() -> Registry {
    let id = AccountId::parse("account").unwrap();
    let account = Account {
        id: id.clone(),
        adapter: Arc::new(Network),
        concurrency: NonZeroUsize::MIN,
        per_second: None,
        settings: 0,
    };
    let campaign = Campaign {
        id: CampaignId::parse("promo").unwrap(),
        account: id.clone(),
        landing: LandingTemplate::parse(LANDING).unwrap(),
        parameter: None,
        find_by_ip: false,
    };
    Registry::new(BTreeMap::from([(id, account)]), vec![campaign]).unwrap()
}

/// An edge that serves on a port of its own.
pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    pub(crate) clicks: Arc<Clicks>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
}

impl Edge {
    /// One with these settings, before a hub that waits for its click store for as long as a test may last.
    pub(crate) async fn with(settings: Settings) -> Self {
        let clicks = Arc::new(Clicks::new());
        let nothing = Arc::new(Nothing);
        let hub = Hub::new(Parts {
            clicks: clicks.clone(),
            outbox: nothing.clone(),
            logbook: nothing.clone(),
            tally: Arc::default(),
            caller: nothing,
            clock: Arc::new(SystemClock),
            keyring: Keyring::new(Key::new(1, [7; 32]), []).unwrap(),
            registry: registry(),
            accounts: watch::Sender::new(BTreeMap::new()),
            wake: Arc::new(Notify::new()),
            public_url: None,
            settings: postback_hub::Settings {
                capture_deadline: Duration::from_secs(60),
                ..postback_hub::Settings::default()
            },
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(postback_edge::serve(listener, hub, settings, shutdown.clone()));
        Self { address, clicks, shutdown, serving }
    }

    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn limited(limit: impl FnOnce(&mut Limits)) -> Self {
        let mut settings = Settings::default();
        limit(&mut settings.limits);
        Self::with(settings).await
    }

    pub(crate) async fn visitor(&self) -> Visitor {
        Visitor::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// The answer to one request on a connection of its own.
    pub(crate) async fn answer(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut visitor = self.visitor().await;
        visitor.say(request).await;
        visitor.hear().await
    }
}
