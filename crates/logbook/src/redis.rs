//! The Redis engine: several processes share one server, one master behind Sentinel, or one Cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use postback_core::{
    AccountId, CLICK_LIFE, CampaignId, ClickId, ClickRef, Error, Result, Series,
    ports::{
        ACTIONS_KEPT, ACTIONS_MOST, Action, BATCHES_KEPT, Bucket, COUNTS_KEPT, Clock, LATEST_MOST, Logbook,
        Page,
    },
};
use postback_redis_link::{Link, RedisSettings};
use redis::{Pipeline, cmd, pipe};
use tokio::task::JoinSet;

use crate::record;

/// Adds pairs of field and count to the hash KEYS[1], kept for ARGV[1] ms, unless that was done under KEYS[2] in the
/// last ARGV[2] ms.
const ADD: &str = "\
if not redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[2]) then return 0 end
for at = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])";

/// How many seconds one hash of counts covers.
const HOUR: i64 = 3_600;
/// How many hashes are read at once.
const AT_ONCE: usize = 32;

/// The logbook in Redis 7 or Valkey: counts in a hash for each hour, actions and each campaign's clicks in sorted sets
/// in the order of their bytes, which begin with the time.
///
/// Each step touches the keys of one slot, so that any Cluster serves it; each may be repeated.
pub struct RedisLogbook {
    link: Arc<Link>,
    prefix: String,
    clock: Arc<dyn Clock>,
    /// The campaigns whose clicks were entered here, and are swept here.
    glimpsed: Mutex<BTreeSet<CampaignId>>,
}

impl RedisLogbook {
    /// The logbook behind `settings`. Connects when first asked, and again whenever the connection is lost. No write
    /// waits for replicas.
    ///
    /// # Errors
    /// `InvalidArgument` at `urls` or `prefix`.
    pub fn connect(settings: &RedisSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let (link, prefix) = (Arc::new(Link::new(settings)?), settings.prefix.clone());
        Ok(Self { link, prefix, clock, glimpsed: Mutex::default() })
    }

    /// The hash of an hour; what belongs to it lies in the same slot.
    fn counts(&self, hour: i64) -> String {
        format!("{}{{l:{hour}}}", self.prefix)
    }

    fn actions_key(&self) -> String {
        format!("{}l:actions", self.prefix)
    }

    fn latest_key(&self, campaign: &CampaignId) -> String {
        format!("{}l:latest:{campaign}", self.prefix)
    }

    fn glimpsed(&self) -> MutexGuard<'_, BTreeSet<CampaignId>> {
        self.glimpsed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The members of a sorted set from the last before `after` down to `first`.
    async fn members(
        &self,
        key: String,
        first: &[u8],
        after: Option<&[u8]>,
        most: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let start = after.map_or_else(|| b"+".to_vec(), |after| [b"(", after].concat());
        let mut range = cmd("ZRANGE");
        range.arg(key).arg(start).arg([b"[", first].concat()).arg("BYLEX").arg("REV");
        self.link.ask(range.arg("LIMIT").arg(0).arg(most)).await
    }
}

#[async_trait]
impl Logbook for RedisLogbook {
    async fn add(&self, batch: [u8; 16], bucket: &Bucket) -> Result<()> {
        let second = bucket.start.as_second();
        let key = self.counts(second.div_euclid(HOUR));
        let done = [key.as_bytes(), &batch].concat();
        let mut add = cmd("EVAL");
        add.arg(ADD).arg(2).arg(key).arg(done);
        add.arg(COUNTS_KEPT.as_millis() as i64 + HOUR * 1_000).arg(BATCHES_KEPT.as_millis() as i64);
        for (series, count) in &bucket.counts {
            add.arg(format!("{second}/{series}")).arg(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        let _: i64 = self.link.ask(&add).await?;
        Ok(())
    }

    async fn history(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>> {
        let since = record::ceil(since.max(record::oldest_bucket(self.clock.now())));
        let until = record::ceil(until.min(self.clock.now() + COUNTS_KEPT));
        let mut hours = since.div_euclid(HOUR)..=(until - 1).div_euclid(HOUR);
        let (mut reads, mut buckets) = (JoinSet::new(), BTreeMap::new());
        loop {
            while reads.len() < AT_ONCE
                && let Some(hour) = hours.next()
            {
                let (link, read) = (Arc::clone(&self.link), cmd("HGETALL").arg(self.counts(hour)).take());
                reads.spawn(async move { link.ask::<Vec<(String, u64)>>(&read).await });
            }
            let Some(read) = reads.join_next().await else { break };
            let fields =
                read.map_err(|fell| Error::internal("a read failed by a defect").caused_by(fell))??;
            for (start, series, count) in
                fields.into_iter().filter_map(|(field, count)| field_of(&field, count))
            {
                if (since..until).contains(&start) {
                    buckets.entry(start).or_insert_with(Vec::new).push((series, count));
                }
            }
        }
        let bucket = |(start, mut counts): (i64, Vec<(Series, u64)>)| {
            counts.sort_unstable();
            Bucket { start: Timestamp::from_second(start).unwrap_or(Timestamp::MIN), counts }
        };
        Ok(buckets.into_iter().map(bucket).collect())
    }

    async fn enter(&self, action: Action) -> Result<()> {
        let kept =
            Kept { key: self.actions_key(), most: ACTIONS_MOST, life: ACTIONS_KEPT.as_millis() as i64 };
        self.link.put(&kept.with([record::of_action(&action)])).await?;
        Ok(())
    }

    async fn actions(&self, limit: usize, after: Option<[u8; 16]>) -> Result<Page<Action>> {
        let first = record::oldest_action(self.clock.now());
        let after = after.as_ref().map(|id| &id[..]);
        let records = self.members(self.actions_key(), &first, after, limit + 1).await?;
        let actions = records.iter().map(|record| record::action(record)).collect::<Result<_>>()?;
        Ok(record::page(actions, limit, |action: &Action| action.id))
    }

    async fn glimpse(&self, campaign: &CampaignId, clicks: &[ClickRef]) -> Result<()> {
        if clicks.is_empty() {
            return Ok(());
        }
        let kept =
            Kept { key: self.latest_key(campaign), most: LATEST_MOST, life: CLICK_LIFE.as_millis() as i64 };
        self.link.put(&kept.with(clicks.iter().map(record::of_click))).await?;
        self.glimpsed().insert(campaign.clone());
        Ok(())
    }

    async fn latest(
        &self,
        campaign: &CampaignId,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<ClickRef>> {
        let first = record::oldest_click(self.clock.now());
        let after = after.map(record::from_place);
        let names = self.members(self.latest_key(campaign), &first, after.as_deref(), limit + 1).await?;
        let clicks = names.iter().map(|name| record::click(name)).collect::<Result<_>>()?;
        Ok(record::page(clicks, limit, record::place))
    }

    async fn forget(&self, campaign: &CampaignId, account: &AccountId, id: &ClickId) -> Result<()> {
        let (key, tail) = (self.latest_key(campaign), record::tail(account, id));
        let names: Vec<Vec<u8>> = self.link.ask(cmd("ZRANGE").arg(&key).arg(0).arg(-1)).await?;
        let names: Vec<_> = names.into_iter().filter(|name| name.get(8..) == Some(&tail[..])).collect();
        if !names.is_empty() {
            let _: u64 = self.link.ask(cmd("ZREM").arg(key).arg(names)).await?;
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<usize> {
        let now = self.clock.now();
        let mut old = vec![(self.actions_key(), record::oldest_action(now).to_vec())];
        let first = record::oldest_click(now).to_vec();
        old.extend(self.glimpsed().iter().map(|campaign| (self.latest_key(campaign), first.clone())));
        let mut swept = 0;
        for (key, first) in old {
            let mut remove = cmd("ZREMRANGEBYLEX");
            remove.arg(key).arg("-").arg([b"(", &first[..]].concat());
            swept += self.link.ask::<usize>(&remove).await?;
        }
        Ok(swept)
    }
}

/// A sorted set of members that begin with their time.
struct Kept {
    key: String,
    most: usize,
    life: i64,
}

impl Kept {
    /// Enters members, and removes the oldest of those that are too much.
    fn with(&self, members: impl IntoIterator<Item = Vec<u8>>) -> Pipeline {
        let mut all = pipe();
        let enter = all.cmd("ZADD").arg(&self.key);
        for member in members {
            enter.arg(0).arg(member);
        }
        all.cmd("ZREMRANGEBYRANK").arg(&self.key).arg(0).arg(format!("-{}", self.most + 1));
        all.cmd("PEXPIRE").arg(&self.key).arg(self.life);
        all
    }
}

/// What a field of an hour's hash counts; none where this version does not know the series.
fn field_of(field: &str, count: u64) -> Option<(i64, Series, u64)> {
    let (start, series) = field.split_once('/')?;
    Some((start.parse().ok()?, series.parse().ok()?, count))
}
