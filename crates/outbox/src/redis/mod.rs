//! The outbox in Redis 7 or Valkey, for several hubs: one server, one master behind Sentinel, or a Cluster.
//!
//! All records of a lane lie in one of 16 partitions, and all keys of a partition in one slot of a Cluster. Each
//! step is one script over one partition, which may run twice, for the client repeats what got no answer. Time
//! is Redis's own.
//!
//! Behind the prefix and `{o:NN}`, the partition, a key is one of these; ids, lanes and keys are 16 bytes:
//!
//! | key | type | holds |
//! |---|---|---|
//! | `c:ID` | string | a conversion, the ids of its deliveries |
//! | `d:ID` | string | a delivery, what was tried |
//! | `l:LANE` | string | a lane's lease, the deliveries in line; gone where none are |
//! | `of:LANE` | string | the conversions of a lane, also those that are only awaited |
//! | `fresh:ACCOUNT`, `retry:ACCOUNT` | sorted sets | the schedule: lanes by the time at which each is due |
//! | `k:KEY`, `r:KEY` | strings | the id and the words of a conversion's key, a reserved request |
//! | `pause:ACCOUNT` | hash | a pause |
//! | `conversions:ACCOUNT`, `user:KEY` | sorted sets | conversions, for lists and for erasing |
//! | `pending:ACCOUNT` and so on for each state | sorted sets | deliveries, for lists |
//! | `accounts` | set | which accounts there are |
//! | `waiting`, `reserved` | sorted sets | what a sweep looks at, by time; dead letters with a customer wait as well |
//! | `changes` | sorted set | the feed of changes: deliveries that changed together, by time |
//! | `lease`, `beat` | strings | the last lease's number, what `WAIT` waits for |
//! | `layout` | string | in the first partition: how all of this lies, see `layout.rs` |

mod claim;
mod layout;
mod list;
mod promise;
mod records;
mod runner;
mod scripts;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Attempt, ClickId, Conversion, ConversionId, Delivery, DeliveryId, Error, Fingerprint, LaneId,
    Reason, Result, Shard, Source, UserId,
    ports::{
        AccountStats, CHANGES_KEPT, Claims, Clock, ConversionFilter, DeliveryFilter, Fence, Outbox, Page,
        Paused, Promise, Recorded, RequestKey, Reservation, Resolution, Settlement, Story, Swept, Target,
    },
    schedule,
};
use postback_proto::v1;
pub use postback_redis_link::{RedisSettings, Topology};
use prost::Message;
use redis::{FromRedisValue, cmd};
use uuid::Uuid;

use self::{
    records::{Made, Stored},
    runner::Runner,
    scripts::{
        CHANGE, Call, ERASE, PAUSE, PAUSED, RECORD, RELEASE, REPLAY, RESERVE, RESERVED, RESOLVE, SETTLE,
        START, STATS, STORY, SWEEP,
    },
};
use crate::rules;

/// The partitions. Their number is in every key: it cannot be changed for an outbox that holds something.
const PARTITIONS: Range<u8> = 0..16;

/// The partition of a shard.
const fn partition(shard: Shard) -> u8 {
    shard.byte() & 15
}

/// The outbox in Redis.
pub struct RedisOutbox {
    runner: Runner,
    clock: Arc<dyn Clock>,
    retention: SignedDuration,
    replicas: usize,
    /// Whether one server has all partitions, so that a step may look into another one.
    one_server: bool,
    sights: claim::Sights,
}

impl RedisOutbox {
    /// The outbox behind `settings`. Connects when first asked, and again whenever the connection is lost.
    ///
    /// What it acknowledges waits for the replicas that `settings` want, for at most a quarter of their timeout;
    /// meanwhile the next steps of this hub wait behind it. Settled conversions are kept for `retention`, and never
    /// less than the 37 days for which a repeat must be told from a new one.
    ///
    /// # Errors
    /// `InvalidArgument` at `urls` or `prefix`.
    pub fn connect(settings: &RedisSettings, clock: Arc<dyn Clock>, retention: Duration) -> Result<Self> {
        Ok(Self {
            runner: Runner::new(settings)?,
            clock,
            retention: rules::retention(retention),
            replicas: settings.wait_replicas,
            one_server: settings.topology != Topology::Cluster,
            sights: claim::Sights::default(),
        })
    }

    async fn run<T: FromRedisValue>(&self, call: Call) -> Result<T> {
        self.runner.run(call, self.clock.ahead_ms()).await
    }

    /// Runs calls at the same time; what came of each, in the order of the calls.
    async fn run_each<T: FromRedisValue>(&self, calls: impl Iterator<Item = Call>) -> Vec<Result<T>> {
        let ahead = self.clock.ahead_ms();
        let running: Vec<_> = calls.map(|call| self.runner.run(call, ahead)).collect();
        let mut answers = Vec::with_capacity(running.len());
        for answer in running {
            answers.push(answer.await);
        }
        answers
    }

    /// Runs all calls at once; their answers, or the first error.
    async fn run_all<T: FromRedisValue>(&self, calls: impl Iterator<Item = Call>) -> Result<Vec<T>> {
        self.run_each(calls).await.into_iter().collect()
    }

    /// How long until then, in milliseconds: what is put off waits by Redis's clock, whatever this machine's says.
    fn wait(&self, at: Timestamp) -> i64 {
        rules::wait(at, self.clock.now())
    }

    /// Pauses or resumes; whether that changed anything.
    async fn set_pause(&self, account: &AccountId, paused: bool, reason: &Reason) -> Result<bool> {
        let call = Call::acknowledging(&PAUSE, 0).named().arg(account.as_str()).arg(i64::from(paused));
        self.run(call.arg(&reason.code).arg(&reason.message)).await
    }

    /// Erases in the partitions; how many conversions were touched.
    async fn erase(&self, partitions: Range<u8>, list: &str, name: &[u8; 16]) -> Result<usize> {
        let calls = partitions.map(|partition| Call::acknowledging(&ERASE, partition).arg(list).arg(name));
        Ok(self.run_all::<usize>(calls).await?.into_iter().sum())
    }
}

/// What a script says of a step.
type Said<T> = (String, T);

fn unheard(word: &str) -> Error {
    Error::internal(format!("a script says `{word}`, which is not understood"))
}

/// The answer of a decision, or why it was refused.
fn decided(id: DeliveryId, (word, rest): Said<redis::Value>, refused: fn(&str) -> Error) -> Result<Delivery> {
    match word.as_str() {
        "done" => {
            let stored: Stored = redis::from_redis_value(rest).map_err(postback_redis_link::refused)?;
            records::delivery(&stored)
        }
        "none" => Err(rules::no_delivery(id)),
        "not" => {
            let state: String = redis::from_redis_value(rest).map_err(postback_redis_link::refused)?;
            Err(refused(&state))
        }
        "over" => Err(rules::life_over()),
        "alone" => Err(rules::no_lead()),
        "full" => Err(rules::full()),
        word => Err(unheard(word)),
    }
}

#[async_trait]
impl Outbox for RedisOutbox {
    async fn reserve(&self, key: RequestKey, mine: Reservation) -> Result<Reservation> {
        let partition = partition(Shard::from_byte(key.as_bytes()[0]));
        let record = v1::ReservationRecord::from(&mine).encode_to_vec();
        let call = Call::acknowledging(&RESERVE, partition).arg(key.as_bytes());
        let kept: Vec<u8> = self.run(call.arg(rules::ends(&mine)).arg(record)).await?;
        rules::reservation(&kept)
    }

    async fn reserved(&self, key: RequestKey) -> Result<Option<Reservation>> {
        let partition = partition(Shard::from_byte(key.as_bytes()[0]));
        let kept: Option<Vec<u8>> = self.run(Call::new(&RESERVED, partition).arg(key.as_bytes())).await?;
        kept.map(|kept| rules::reservation(&kept)).transpose()
    }

    async fn record(
        &self,
        conversion: Conversion,
        delivery: Delivery,
        fingerprint: Fingerprint,
    ) -> Result<Recorded> {
        rules::together(&conversion.lane, conversion.id.shard(), delivery.id.shard())?;
        let (this, key) = (Uuid::now_v7(), conversion.key().map(|key| *key.as_bytes()));
        let user = conversion.user.as_ref().map(rules::user_key);
        let made = Made { by: this.as_bytes(), lead: delivery.id, key, user };
        let call = Call::acknowledging(&RECORD, partition(conversion.lane.shard()))
            .arg(records::head_of(&this, conversion.id, &delivery))
            .arg(conversion.account.as_str())
            .arg(made.key())
            .arg(fingerprint.as_bytes())
            .arg(made.user())
            .arg(records::record_of(&conversion, &made))
            .arg(records::tail_of(&delivery));
        let answer: Vec<u8> = self.run(call).await?;
        match answer.split_at_checked(32) {
            Some((ids, word @ (b"new" | b"old"))) => Ok(Recorded {
                conversion: ConversionId::from_bytes(records::id(&ids[..16])?),
                delivery: DeliveryId::from_bytes(records::id(&ids[16..])?),
                fresh: word == b"new",
            }),
            None if answer == b"other" => Err(Error::conflict("transaction_id")),
            None if answer == b"full" => Err(rules::full()),
            _ => Err(unheard(&String::from_utf8_lossy(&answer))),
        }
    }

    async fn change(&self, target: Target, delivery: Delivery) -> Result<Recorded> {
        let (id, key) = match target {
            Target::Conversion(id) => (id, None),
            Target::Key(key) => (delivery.conversion, Some(key)),
        };
        rules::together(&delivery.lane, id.shard(), delivery.id.shard())?;
        let call = Call::acknowledging(&CHANGE, partition(id.shard()))
            .arg(records::head_of(&Uuid::now_v7(), id, &delivery))
            .arg(key.map(|key| key.as_bytes().to_vec()).unwrap_or_default())
            .arg(delivery.conversion.as_bytes())
            .arg(delivery.account.as_str())
            .arg(records::tail_of(&delivery));
        let (word, conversion): Said<Vec<u8>> = self.run(call).await?;
        match word.as_str() {
            "new" | "old" => Ok(Recorded {
                conversion: ConversionId::from_bytes(records::id(&conversion)?),
                delivery: delivery.id,
                fresh: word == "new",
            }),
            "none" => Err(rules::no_conversion(id)),
            "full" => Err(rules::full()),
            word => Err(unheard(word)),
        }
    }

    async fn claim(&self, account: &AccountId, limit: usize, lease: Duration) -> Result<Claims> {
        self.claim_due(account, limit, lease).await
    }

    async fn start(&self, fence: &Fence) -> Result<bool> {
        let call = Call::acknowledging(&START, partition(fence.lane.shard()));
        self.run(call.arg(records::fence(fence))).await
    }

    async fn settle(&self, fence: &Fence, attempt: Option<Attempt>, settlement: Settlement) -> Result<bool> {
        let wait = if let Settlement::Retry { at } = settlement { self.wait(at) } else { 0 };
        let call = Call::acknowledging(&SETTLE, partition(fence.lane.shard()));
        let call = call.arg(records::fence(fence)).arg(records::outcome(&settlement, wait));
        self.run(call.arg(attempt.as_ref().map(records::attempt).unwrap_or_default())).await
    }

    async fn release(&self, fence: &Fence, at: Timestamp) -> Result<bool> {
        let call = Call::new(&RELEASE, partition(fence.lane.shard())).arg(records::fence(fence));
        self.run(call.arg(self.wait(at))).await
    }

    async fn resolve(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        let word = match resolution {
            Resolution::Delivered => "delivered",
            Resolution::Resend => "resend",
        };
        let call = Call::acknowledging(&RESOLVE, partition(id.shard())).named().arg(id.as_bytes()).arg(word);
        decided(id, self.run(call).await?, rules::not_in_doubt)
    }

    async fn replay(&self, id: DeliveryId) -> Result<Delivery> {
        let call = Call::acknowledging(&REPLAY, partition(id.shard())).named().arg(id.as_bytes());
        decided(id, self.run(call).await?, rules::not_dead)
    }

    async fn pause(&self, account: &AccountId, reason: Reason) -> Result<bool> {
        self.set_pause(account, true, &reason).await
    }

    async fn resume(&self, account: &AccountId) -> Result<bool> {
        self.set_pause(account, false, &Reason::new("", "")).await
    }

    async fn paused(&self, account: &AccountId) -> Result<Option<Paused>> {
        let paused: Option<(i64, String, String)> =
            self.run(Call::new(&PAUSED, 0).arg(account.as_str())).await?;
        Ok(paused.map(|(since, code, message)| Paused {
            since: rules::from_millis(since),
            reason: Reason { code, message },
        }))
    }

    async fn story(&self, id: ConversionId) -> Result<Option<Story>> {
        let call = Call::new(&STORY, partition(id.shard())).arg(id.as_bytes());
        let (conversion, told): (Option<Stored>, Vec<Stored>) = self.run(call).await?;
        let Some(conversion) = conversion else { return Ok(None) };
        let deliveries = told.iter().map(records::delivery).collect::<Result<_>>()?;
        Ok(Some(Story { conversion: records::conversion(&conversion)?, deliveries }))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        let call = Call::new(&scripts::GET, partition(id.shard())).arg("d").arg(id.as_bytes());
        let found: Vec<Stored> = self.run(call).await?;
        found.first().map(records::delivery).transpose()
    }

    async fn conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        self.list_conversions(filter, limit, after).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        self.list_deliveries(filter, limit, after).await
    }

    async fn changed_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        self.list_changes(since, limit).await
    }

    async fn stats(&self, account: &AccountId) -> Result<AccountStats> {
        let calls = PARTITIONS.map(|partition| Call::new(&STATS, partition).arg(account.as_str()));
        let mut stats = AccountStats::default();
        for (counts, oldest) in self.run_all::<([u64; 6], Vec<Stored>)>(calls).await? {
            let [conversions, pending, waiting, in_doubt, delivered, dead] = counts;
            stats.conversions += conversions;
            stats.pending += pending;
            stats.waiting += waiting;
            stats.in_doubt += in_doubt;
            stats.delivered += delivered;
            stats.dead += dead;
            for stored in oldest {
                let created = records::delivery(&stored)?.created_at;
                stats.oldest_pending =
                    Some(stats.oldest_pending.map_or(created, |oldest| oldest.min(created)));
            }
        }
        Ok(stats)
    }

    async fn erase_click(&self, account: &AccountId, click: &ClickId) -> Result<usize> {
        let lane = LaneId::of(account, &Source::Click(click.clone()), "");
        let partition = partition(lane.shard());
        self.erase(partition..partition + 1, "lane", lane.as_bytes()).await
    }

    async fn erase_user(&self, user: &UserId) -> Result<usize> {
        self.erase(PARTITIONS, "user", &rules::user_key(user)).await
    }

    async fn sweep(&self) -> Result<Swept> {
        let never_came = rules::never_came();
        let (mut all, mut trouble) = (Swept::default(), None);
        for partition in PARTITIONS {
            let call = Call::new(&SWEEP, partition)
                .arg(millis(self.retention))
                .arg(millis(CHANGES_KEPT))
                .arg(rules::SWEPT)
                .arg(&never_came.code)
                .arg(&never_came.message)
                .arg(millis(rules::AHEAD))
                .arg(millis(schedule::LONGEST))
                .arg(self.clock.now().as_millisecond())
                .arg(millis(rules::APART));
            match self.run::<Option<(String, usize, Vec<String>)>>(call).await {
                Ok(Some((damage, touched, dead))) => {
                    all.touched += touched;
                    all.dead.extend(dead.iter().filter_map(|account| account.parse().ok()));
                    if !damage.is_empty() {
                        trouble = Some(rules::damaged().caused_by(std::io::Error::other(damage)));
                    }
                }
                Ok(None) => return Err(rules::clocks_apart()),
                Err(error) => trouble = Some(error),
            }
        }
        // What died is told once, what is the matter each time.
        trouble.filter(|_| all.dead.is_empty()).map_or(Ok(all), Err)
    }

    async fn ping(&self) -> Result<()> {
        self.runner.link().ask::<String>(&cmd("PING")).await.map(drop)
    }

    async fn promise(&self) -> Result<Promise> {
        let promise = promise::promise(self.runner.link(), self.replicas).await?;
        self.runner.check_layout().await?;
        Ok(promise)
    }
}

/// A length of time in milliseconds that a script can count with.
fn millis(long: SignedDuration) -> i64 {
    i64::try_from(long.as_millis()).unwrap_or(i64::MAX).min(1 << 50)
}
