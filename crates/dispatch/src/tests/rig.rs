//! A dispatcher at work over the doubles, and the deliveries it is given.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Account, AccountId, Accounts, CLICK_LIFE, Change, ClickId, Conversion, ConversionId, Delivery,
    DeliveryId, DeliveryState, Details, Event, Kind, LaneId, Repeat, Source, Tally,
    ports::{Claim, Clock, Fence},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    adapter::TestAdapter,
    clock::{TestClock, start},
    outbox::TestOutbox,
};
use crate::{Dispatcher, Parts, Settings, stack::Leaf};

pub(super) const MAIN: &str = "main";

/// An account at `base`, eight calls at once and no limit on their rate.
pub(super) fn account(id: &str, base: &str, repeat: Repeat) -> Account {
    let mut settings = DefaultHasher::new();
    format!("{base} {repeat:?}").hash(&mut settings);
    Account {
        id: AccountId::parse(id).unwrap(),
        adapter: Arc::new(TestAdapter { base: base.to_owned(), repeat }),
        concurrency: NonZeroUsize::new(8).unwrap(),
        per_second: None,
        settings: settings.finish(),
    }
}

pub(super) fn limited(account: Account, concurrency: usize, per_second: Option<u32>) -> Account {
    let concurrency = NonZeroUsize::new(concurrency).unwrap();
    Account { concurrency, per_second: per_second.and_then(NonZeroU32::new), ..account }
}

pub(super) fn accounts(all: impl IntoIterator<Item = Account>) -> Accounts {
    all.into_iter().map(|account| (account.id.clone(), account)).collect()
}

/// A lead of `click`, just recorded, and its delivery.
pub(super) fn lead(account: &str, click: &str) -> (Conversion, Delivery) {
    let account = AccountId::parse(account).unwrap();
    let source = Source::Click(ClickId::parse(click).unwrap());
    let lane = LaneId::of(&account, &source, "");
    let conversion = Conversion {
        id: ConversionId::from_bytes(*lane.as_bytes()),
        account: account.clone(),
        campaign: None,
        source,
        click_time: Some(start()),
        user: None,
        request_id: None,
        lane,
        details: Details::new(Kind::Lead),
        occurred_at: start(),
        recorded_at: start(),
    };
    let delivery = Delivery {
        id: DeliveryId::from_bytes(*lane.as_bytes()),
        conversion: conversion.id,
        account,
        lane,
        event: Event::Created,
        state: DeliveryState::Pending,
        attempts: Vec::new(),
        started_at: None,
        remote_id: None,
        created_at: start(),
        updated_at: start(),
        due_at: Some(start()),
        expires_at: start() + CLICK_LIFE,
        trace: None,
    };
    (conversion, delivery)
}

/// A claim of a lead.
pub(super) fn claim() -> Claim {
    let (conversion, delivery) = lead(MAIN, "c");
    let fence =
        Fence { account: delivery.account.clone(), lane: delivery.lane, delivery: delivery.id, token: 1 };
    Claim { fence, delivery, conversion, lead: DeliveryState::Pending }
}

/// A claim of a change whose conversion's own delivery stands so.
pub(super) fn change(lead: DeliveryState) -> Claim {
    let mut claim = claim();
    claim.delivery.event = Event::Changed(Change::default());
    Claim { lead, ..claim }
}

pub(super) struct Rig {
    pub(super) outbox: Arc<TestOutbox>,
    pub(super) accounts: watch::Sender<Accounts>,
    pub(super) tally: Arc<Tally>,
    pub(super) wake: Arc<Notify>,
    pub(super) clock: Arc<TestClock>,
    shutdown: CancellationToken,
    settings: Settings,
    running: Option<JoinHandle<()>>,
}

impl Rig {
    /// Not yet running.
    pub(super) fn new(all: impl IntoIterator<Item = Account>) -> Self {
        let clock = Arc::new(TestClock::new());
        Self {
            outbox: Arc::new(TestOutbox::new(clock.clone())),
            accounts: watch::Sender::new(accounts(all)),
            tally: Arc::default(),
            wake: Arc::default(),
            clock,
            shutdown: CancellationToken::new(),
            settings: Settings::default(),
            running: None,
        }
    }

    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    pub(super) fn with_poll(mut self, poll: Duration) -> Self {
        self.settings.poll = poll;
        self
    }

    /// Leads of these clicks, due now.
    pub(super) fn leads(self, account: &str, clicks: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        clicks.into_iter().for_each(|click| self.add(account, click.as_ref()));
        self
    }

    pub(super) fn add(&self, account: &str, click: &str) {
        let (conversion, mut delivery) = lead(account, click);
        delivery.due_at = Some(self.clock.now());
        self.outbox.add(conversion, delivery, DeliveryState::Pending);
    }

    pub(super) fn run(mut self, network: Leaf) -> Self {
        let parts = Parts {
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            accounts: self.accounts.subscribe(),
            tally: self.tally.clone(),
            wake: self.wake.clone(),
            settings: self.settings.clone(),
        };
        let dispatcher = Dispatcher::over(parts, network).unwrap();
        self.running = Some(tokio::spawn(dispatcher.run(self.shutdown.clone())));
        self
    }

    /// Waits until no delivery is pending any more.
    pub(super) async fn settled(&self) {
        self.outbox
            .until(|state| state.lanes.iter().all(|lane| lane.delivery.state != DeliveryState::Pending))
            .await;
    }

    /// Waits until this delivery has so many attempts, and returns it.
    pub(super) async fn attempted(&self, click: &str, times: usize) -> Delivery {
        self.outbox.until(|state| state.lanes.iter().any(|lane| lane.delivery.attempts.len() >= times)).await;
        self.outbox.delivery(click)
    }

    pub(super) async fn stop(&mut self) {
        self.shutdown.cancel();
        self.running.take().unwrap().await.unwrap();
    }
}

pub(super) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// The time so many seconds after the beginning.
pub(super) fn at(after: i64) -> Timestamp {
    start() + seconds(after)
}
