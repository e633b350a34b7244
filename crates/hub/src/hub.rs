//! The hub: its parts, and what all use cases share.

use std::{collections::HashMap, fmt, future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use postback_core::{
    AccountId, Accounts, CampaignId, Error, Keyring, Kind, Result, Tally,
    ports::{Caller, ClickStore, Clock, Logbook, Outbox},
};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use url::Url;

use crate::{
    Campaign, Registry, Sight, buffer::Buffer, counts::Counts, identity::Mint, journal::Journal,
    leaps::Leaps, meters::Conversions, promise::Promise,
};

/// What a hub is made of.
pub struct Parts {
    /// Keeps clicks and users.
    pub clicks: Arc<dyn ClickStore>,
    /// Keeps conversions and deliveries.
    pub outbox: Arc<dyn Outbox>,
    /// Keeps counts over time, operators' actions and the latest clicks.
    pub logbook: Arc<dyn Logbook>,
    /// What this process counts on its way to the logbook; others may count in it too.
    pub tally: Arc<Tally>,
    /// Calls networks for look-ups.
    pub caller: Arc<dyn Caller>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The deployment's keys.
    pub keyring: Keyring,
    /// Accounts and campaigns.
    pub registry: Registry,
    /// Where the registry's accounts are sent, at the start and with each [`Hub::replace`].
    pub accounts: watch::Sender<Accounts>,
    /// Notified after each new delivery, so that a dispatcher in this process need not wait for its poll.
    pub wake: Arc<Notify>,
    /// The edge's public address, for the links in networks' panels.
    pub public_url: Option<Url>,
    /// Bounds.
    pub settings: Settings,
}

/// The bounds of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a visitor waits for the click store at most: 25 ms by default.
    pub capture_deadline: Duration,
    /// How many clicks may wait for the click store: 100,000 by default, half a kilobyte each as a rule, and together at
    /// most so many KiB.
    pub buffered_clicks: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { capture_deadline: Duration::from_millis(25), buffered_clicks: 100_000 }
    }
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) clicks: Arc<dyn ClickStore>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) logbook: Arc<dyn Logbook>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) journal: Journal,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Keyring,
    pub(crate) wake: Arc<Notify>,
    pub(crate) public_url: Option<Url>,
    pub(crate) settings: Settings,
    pub(crate) buffer: Buffer,
    pub(crate) mint: Mint,
    pub(crate) leaps: Leaps,
    pub(crate) promise: Promise,
    /// What goes on to its end, whoever waits for it.
    pub(crate) work: TaskTracker,
    pub(crate) sights: watch::Sender<Option<Sight>>,
    accounts: watch::Sender<Accounts>,
    state: ArcSwap<State>,
}

/// The registry, with counters for each campaign and each account that was ever in it.
pub(crate) struct State {
    pub(crate) registry: Arc<Registry>,
    counts: HashMap<CampaignId, Arc<Counts>>,
    conversions: HashMap<AccountId, Arc<Conversions>>,
}

impl State {
    fn new(registry: Arc<Registry>, old: Option<&Self>) -> Self {
        let (mut counts, mut conversions) =
            old.map(|old| (old.counts.clone(), old.conversions.clone())).unwrap_or_default();
        for campaign in registry.campaigns() {
            counts.entry(campaign.id.clone()).or_default();
        }
        for account in registry.accounts().keys() {
            conversions.entry(account.clone()).or_default();
        }
        Self { registry, counts, conversions }
    }

    /// Counts a conversion of an account, one that is new or a repeat.
    pub(crate) fn count_conversion(&self, account: &AccountId, kind: Kind, fresh: bool) {
        match self.conversions.get(account) {
            Some(conversions) => conversions.count(account, kind, fresh),
            None => Conversions::default().count(account, kind, fresh),
        }
    }

    /// The counters of a campaign of this registry.
    pub(crate) fn counts(&self, campaign: &Campaign) -> Arc<Counts> {
        self.counts.get(&campaign.id).cloned().unwrap_or_default()
    }

    /// Brings what the campaigns counted since the last time into the tally.
    pub(crate) fn count_into(&self, tally: &Tally, now: Timestamp) {
        for (campaign, counts) in &self.counts {
            counts.count_into(campaign, tally, now);
        }
    }
}

impl Hub {
    /// A hub of these parts. [`Hub::run`] must run beside it.
    pub fn new(parts: Parts) -> Self {
        let registry = Arc::new(parts.registry);
        parts.accounts.send_replace(registry.accounts().clone());
        let work = TaskTracker::new();
        // It may be waited for at any time.
        work.close();
        Self {
            inner: Arc::new(Inner {
                clicks: parts.clicks,
                outbox: parts.outbox,
                logbook: parts.logbook,
                tally: parts.tally,
                journal: Journal::default(),
                caller: parts.caller,
                keyring: parts.keyring,
                wake: parts.wake,
                public_url: parts.public_url,
                settings: parts.settings,
                buffer: Buffer::new(parts.settings.buffered_clicks),
                mint: Mint::default(),
                leaps: Leaps::new(parts.clock.as_ref()),
                clock: parts.clock,
                promise: Promise::default(),
                work,
                sights: watch::Sender::default(),
                accounts: parts.accounts,
                state: ArcSwap::from_pointee(State::new(registry, None)),
            }),
        }
    }

    /// The accounts and campaigns of now.
    pub fn registry(&self) -> Arc<Registry> {
        self.inner.state.load().registry.clone()
    }

    /// Puts another registry in place. What is under way goes on with the old one; counters are kept.
    pub fn replace(&self, registry: Registry) {
        let registry = Arc::new(registry);
        self.inner.accounts.send_replace(registry.accounts().clone());
        self.inner.state.rcu(|old| State::new(registry.clone(), Some(old)));
    }

    /// The accounts, as they change.
    pub fn accounts(&self) -> watch::Receiver<Accounts> {
        self.inner.accounts.subscribe()
    }

    /// The hub's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Whether the hub can take conversions: both stores answer, and what is acknowledged is not lost.
    ///
    /// # Errors
    /// `Unavailable` where one does not, or would lose conversions.
    pub async fn ready(&self) -> Result<()> {
        tokio::try_join!(self.inner.clicks.ping(), self.inner.outbox.ping())?;
        self.assured().await
    }

    /// Does a step and what follows it to the end, also where the caller goes away meanwhile.
    pub(crate) async fn finish<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let done = self.inner.work.spawn(work(self.clone()).in_current_span()).await;
        done.unwrap_or_else(|fell| Err(Error::internal("a step failed by a defect").caused_by(fell)))
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.inner.state.load_full()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
