//! A logbook in memory, which can be away or full.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, ClickId, ClickRef, Error, ErrorKind, Result, Series,
    ports::{Action, Bucket, Logbook, Page},
};

#[derive(Default)]
pub(crate) struct Book(Mutex<Written>);

#[derive(Default)]
struct Written {
    refuses: Option<ErrorKind>,
    blind: bool,
    hangs: bool,
    batches: BTreeSet<[u8; 16]>,
    counts: BTreeMap<(Timestamp, Series), u64>,
    actions: Vec<Action>,
    latest: BTreeMap<CampaignId, VecDeque<ClickRef>>,
}

impl Book {
    pub(crate) fn away(&self, away: bool) {
        self.refuse(away.then_some(ErrorKind::Unavailable));
    }

    pub(crate) fn refuse(&self, with: Option<ErrorKind>) {
        self.0.lock().unwrap().refuses = with;
    }

    /// Whether it is away for glimpses alone.
    pub(crate) fn blind(&self, blind: bool) {
        self.0.lock().unwrap().blind = blind;
    }

    /// Whether it never answers a glimpse.
    pub(crate) fn hang(&self, hangs: bool) {
        self.0.lock().unwrap().hangs = hangs;
    }

    pub(crate) fn noted(&self) -> Vec<Action> {
        self.0.lock().unwrap().actions.clone()
    }

    pub(crate) fn counted(&self, series: &Series) -> u64 {
        let written = self.0.lock().unwrap();
        written.counts.iter().filter(|((_, it), _)| it == series).map(|(_, count)| count).sum()
    }

    pub(crate) fn glimpsed(&self, campaign: &str) -> Vec<String> {
        let latest = &self.0.lock().unwrap().latest;
        let clicks = latest.get(&campaign.parse().unwrap()).into_iter().flatten();
        clicks.map(|click| click.id.to_string()).collect()
    }

    fn open(&self) -> Result<MutexGuard<'_, Written>> {
        let written = self.0.lock().unwrap();
        match written.refuses {
            Some(kind) => Err(Error::new(kind, "REFUSED", "the logbook takes nothing now")),
            None => Ok(written),
        }
    }
}

#[async_trait]
impl Logbook for Book {
    async fn add(&self, batch: [u8; 16], bucket: &Bucket) -> Result<()> {
        let mut written = self.open()?;
        if written.batches.insert(batch) {
            for (series, count) in &bucket.counts {
                *written.counts.entry((bucket.start, series.clone())).or_default() += count;
            }
        }
        Ok(())
    }

    async fn history(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>> {
        let mut buckets: BTreeMap<Timestamp, Bucket> = BTreeMap::new();
        for ((start, series), count) in &self.open()?.counts {
            if (since..until).contains(start) {
                let bucket = Bucket { start: *start, counts: Vec::new() };
                buckets.entry(*start).or_insert(bucket).counts.push((series.clone(), *count));
            }
        }
        Ok(buckets.into_values().collect())
    }

    async fn enter(&self, action: Action) -> Result<()> {
        self.open()?.actions.push(action);
        Ok(())
    }

    async fn actions(&self, limit: usize, _: Option<[u8; 16]>) -> Result<Page<Action>> {
        let items = self.open()?.actions.iter().rev().take(limit).cloned().collect();
        Ok(Page { items, next: None })
    }

    async fn glimpse(&self, campaign: &CampaignId, clicks: &[ClickRef]) -> Result<()> {
        if self.open()?.hangs {
            std::future::pending::<()>().await;
        }
        let mut written = self.open()?;
        if written.blind {
            return Err(Error::unavailable("it takes no glimpses now"));
        }
        let latest = written.latest.entry(campaign.clone()).or_default();
        clicks.iter().for_each(|click| latest.push_front(click.clone()));
        Ok(())
    }

    async fn latest(
        &self,
        campaign: &CampaignId,
        limit: usize,
        _: Option<[u8; 16]>,
    ) -> Result<Page<ClickRef>> {
        let items = self.open()?.latest.get(campaign).into_iter().flatten().take(limit).cloned().collect();
        Ok(Page { items, next: None })
    }

    async fn forget(&self, campaign: &CampaignId, account: &AccountId, id: &ClickId) -> Result<()> {
        if let Some(latest) = self.open()?.latest.get_mut(campaign) {
            latest.retain(|click| (&click.account, &click.id) != (account, id));
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<usize> {
        Ok(0)
    }
}
