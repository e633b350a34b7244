//! Clicks and conversions that are in a store before it is measured: put there by its own crate, as by a
//! hub, many at a time and without visitors or callers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use jiff::Timestamp;
use postback_clickstore::{Embedded as EmbeddedClicks, RedisClicks, RedisSettings};
use postback_core::{
    AccountId, CampaignId, Click, ClickRef, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState,
    Event, Fingerprint, Flags, Keyring, LandingQuery, LaneId, Source, Utm, VisitorIp,
    ports::{ClickStore, Clock, Outbox},
};
use postback_outbox::{Embedded as EmbeddedOutbox, RedisOutbox};
use postback_proto::{details_from, v1::source};
use tokio::{runtime::Runtime, task::JoinSet};
use uuid::Uuid;

use crate::{
    bench::Bench,
    load::traffic::{ACCOUNT, By, CAMPAIGN, Reporter, visit},
    redis::Redis,
};

/// How many are under way at once.
const WIDTH: usize = 1_024;

/// How many connections share them: while Redis works for one, the next is filled.
const LINKS: usize = 4;

/// How long conversions are kept, as by default.
const RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// The machine's own clock.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The stores of a hub.
pub(crate) struct Stores {
    runtime: Runtime,
    clicks: Vec<Arc<dyn ClickStore>>,
    outboxes: Vec<Arc<dyn Outbox>>,
    maker: Arc<Maker>,
}

impl Stores {
    /// Those in a Redis.
    pub(crate) fn redis(bench: &Bench, redis: &Redis) -> anyhow::Result<Self> {
        // A full machine may keep a step waiting for longer than a visitor would.
        let timeout = Duration::from_secs(20);
        let settings = RedisSettings { urls: vec![redis.url()], timeout, ..RedisSettings::default() };
        let mut stores = Self::none(bench)?;
        for _ in 0..LINKS {
            stores.clicks.push(Arc::new(RedisClicks::connect(&settings, Arc::new(Wall))?));
            stores.outboxes.push(Arc::new(RedisOutbox::connect(&settings, Arc::new(Wall), RETENTION)?));
        }
        Ok(stores)
    }

    /// Those in the files of a directory, which no hub has open.
    pub(crate) fn embedded(bench: &Bench, folder: &Path) -> anyhow::Result<Self> {
        let mut stores = Self::none(bench)?;
        stores.clicks.push(Arc::new(EmbeddedClicks::open(folder, Arc::new(Wall))?));
        let outbox = EmbeddedOutbox::open(folder, Arc::new(Wall), RETENTION);
        stores.outboxes.push(Arc::new(stores.runtime.block_on(outbox)?));
        Ok(stores)
    }

    fn none(bench: &Bench) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let maker = Arc::new(Maker::new(Keyring::new(bench.key.clone(), [])?)?);
        Ok(Self { runtime, clicks: Vec::new(), outboxes: Vec::new(), maker })
    }

    /// Captures clicks, the first ones of this seed; how many.
    pub(crate) fn clicks(&self, seed: u64, most: Most) -> anyhow::Result<u64> {
        let (clicks, maker) = (self.clicks.clone(), Arc::clone(&self.maker));
        self.fill(most, move |number| {
            let store = Arc::clone(&clicks[number as usize % clicks.len()]);
            let click = maker.click(seed, number);
            async move { Ok(store.capture(Arc::new(click?), false).await.map(drop)?) }
        })
    }

    /// Records an order for each of the first clicks of this seed; how many.
    pub(crate) fn orders(&self, seed: u64, most: Most) -> anyhow::Result<u64> {
        let (outboxes, maker) = (self.outboxes.clone(), Arc::clone(&self.maker));
        self.fill(most, move |number| {
            let store = Arc::clone(&outboxes[number as usize % outboxes.len()]);
            let order = maker.order(seed, number);
            async move {
                let (conversion, delivery, said) = order?;
                Ok(store.record(conversion, delivery, said).await.map(drop)?)
            }
        })
    }

    /// Takes number after number, with many steps under way; how many it took.
    fn fill<F>(&self, most: Most, step: impl Fn(u64) -> F + Clone + Send + 'static) -> anyhow::Result<u64>
    where
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        let (began, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        self.runtime.block_on(async {
            let mut workers = JoinSet::new();
            for _ in 0..WIDTH {
                let (next, step) = (Arc::clone(&next), step.clone());
                workers.spawn(async move {
                    while began.elapsed() < most.time {
                        let number = next.fetch_add(1, Relaxed);
                        if number >= most.count {
                            break;
                        }
                        step(number).await?;
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(ended) = workers.join_next().await {
                ended??;
            }
            Ok(next.load(Relaxed).min(most.count))
        })
    }
}

/// Where filling ends: at a count, or when its time is over.
#[derive(Clone, Copy)]
pub(crate) struct Most {
    /// How many at most.
    pub(crate) count: u64,
    /// How long at most.
    pub(crate) time: Duration,
}

impl Most {
    /// So many, however long it takes.
    pub(crate) fn of(count: u64) -> Self {
        Self { count, time: Duration::MAX }
    }
}

/// A number of records in words: `10 thousand`, `4.2 million`.
pub(crate) fn many(count: u64) -> String {
    match count as f64 {
        million if million >= 999_950.0 => format!("{:.1} million", million / 1e6).replace(".0 ", " "),
        few => format!("{:.0} thousand", few / 1e3),
    }
}

/// Makes of the load's traffic what the hub makes of it.
struct Maker {
    account: AccountId,
    campaign: CampaignId,
    ring: Keyring,
    reporter: Reporter,
    captured_at: Timestamp,
}

impl Maker {
    fn new(ring: Keyring) -> anyhow::Result<Self> {
        Ok(Self {
            account: ACCOUNT.parse()?,
            campaign: CAMPAIGN.parse()?,
            reporter: Reporter::new(ring.clone(), By::Network, false)?,
            ring,
            captured_at: Timestamp::now(),
        })
    }

    fn click(&self, seed: u64, number: u64) -> anyhow::Result<Click> {
        let mut request = Vec::with_capacity(1_024);
        visit(&mut request, "here", seed, number);
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(&request)?;
        let (_, query) =
            parsed.path.and_then(|path| path.split_once('?')).context("a visit without a query")?;
        let header = |name: &str| {
            let header = parsed.headers.iter().find(|header| header.name == name);
            std::str::from_utf8(header.with_context(|| format!("a visit without {name}"))?.value)
                .context("a header that is no text")
        };
        let value = |wanted: &str| {
            let mut form = LandingQuery::new(query).form();
            form.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        Ok(Click {
            click: ClickRef {
                account: self.account.clone(),
                id: value("click_id").context("a visit without a click")?.parse()?,
                captured_at: Timestamp::now(),
            },
            campaign: self.campaign.clone(),
            utm: Utm {
                source: value("utm_source"),
                medium: value("utm_medium"),
                campaign: value("utm_campaign"),
                term: value("utm_term"),
                content: value("utm_content"),
            },
            parameters: Vec::new(),
            country: None,
            device: None,
            ip: Some(VisitorIp::new(header("x-forwarded-for")?.parse()?, &self.ring)),
            user_agent: Some(header("user-agent")?.to_owned()),
            flags: Flags::default(),
        })
    }

    fn order(&self, seed: u64, number: u64) -> anyhow::Result<(Conversion, Delivery, Fingerprint)> {
        let report = self.reporter.report(seed, number)?;
        let Some(source::Source::NetworkClick(click)) = report.source.and_then(|it| it.source) else {
            bail!("a report without a click");
        };
        let click = ClickRef {
            account: self.account.clone(),
            id: click.click_id.parse()?,
            captured_at: self.captured_at,
        };
        let (source, now) = (Source::Click(click.id.clone()), Timestamp::now());
        let lane = LaneId::of(&self.account, &source, "");
        let conversion = Conversion {
            id: ConversionId::new(Uuid::now_v7(), lane.shard()),
            account: self.account.clone(),
            campaign: Some(self.campaign.clone()),
            source,
            click_time: Some(click.captured_at),
            user: None,
            request_id: None,
            lane,
            details: details_from(report.details.context("a report of nothing")?)?,
            occurred_at: now,
            recorded_at: now,
        };
        let delivery = Delivery {
            id: DeliveryId::new(Uuid::now_v7(), lane.shard()),
            conversion: conversion.id,
            account: self.account.clone(),
            lane,
            event: Event::Created,
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            started_at: None,
            remote_id: None,
            created_at: now,
            updated_at: now,
            due_at: None,
            expires_at: click.expires_at(),
            trace: None,
        };
        let said = Fingerprint::of(&[click.id.as_str()]);
        Ok((conversion, delivery, said))
    }
}
