//! The Redis engine: several processes share one server, one master behind Sentinel, or one Cluster.

mod agents;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, Click, ClickId, Error, IpHash, Result, UserId, is_life_over,
    ports::{Attribution, ClickStore, Clock, FindClicks},
};
use postback_redis_link::Link;
pub use postback_redis_link::{RedisSettings, Topology};
use redis::{Cmd, FromRedisValue, cmd};
use sha2::{Digest, Sha256};

use self::agents::Agents;
use crate::{attributions, finding, key, record};

/// Puts ARGV[2] in the place of ARGV[1], for ARGV[3] ms; where something else lies there, nothing changes.
const SWAP: &str = "\
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Enters ARGV[2] at ARGV[1] ms, drops what was entered before ARGV[3] or is not among the latest, for ARGV[5] ms.
const INDEX: &str = "\
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, ARGV[4])
return redis.call('PEXPIRE', KEYS[1], ARGV[5])";

/// How often a swap is tried again after another process was faster.
const SWAPS: usize = 64;

/// What lies under a key; it follows the prefix.
#[derive(Clone, Copy)]
enum Kept {
    /// A string: the click's record.
    Click = b'c' as isize,
    /// A string: the list of a user's clicks.
    User = b'u' as isize,
    /// A sorted set: the names of a place's clicks by their capture.
    Place = b'p' as isize,
    /// A string: the user agent of many clicks, whose records name it.
    Agent = b'a' as isize,
}

/// Clicks in Redis 7 or Valkey, under one key each: the prefix, a letter, and 16 bytes that name the click.
///
/// A user agent lies once for all of its clicks. It outlives them by up to an hour, and one that is erased; a
/// click whose user agent was lost is read without it.
///
/// Each step touches one key, so that any Cluster serves it; each may be repeated, so that a lost answer does no harm.
/// What ends is given its end as it is written: Redis expires it.
pub struct RedisClicks {
    link: Link,
    confirmed: Option<Confirmed>,
    prefix: String,
    agents: Agents,
    clock: Arc<dyn Clock>,
}

/// A link of its own for writes that wait for replicas, so that nothing else waits with them.
struct Confirmed {
    link: Link,
    replicas: usize,
}

impl RedisClicks {
    /// The store behind `settings`. Connects when first asked, and again whenever the connection is lost.
    ///
    /// A user's click and whatever is erased wait for the replicas that `settings` want. A click's own record never does:
    /// its token attributes without it.
    ///
    /// # Errors
    /// `InvalidArgument` at `urls` or `prefix`.
    pub fn connect(settings: &RedisSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let confirmed = match settings.wait_replicas {
            0 => None,
            replicas => Some(Confirmed { link: Link::new(settings)?, replicas }),
        };
        let (link, prefix) = (Link::new(settings)?, settings.prefix.clone());
        Ok(Self { link, confirmed, prefix, agents: Agents::default(), clock })
    }

    fn key(&self, kept: Kept, name: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), &[kept as u8], &Sha256::digest(name)[..16]].concat()
    }

    fn key_of(&self, account: &AccountId, id: &ClickId) -> Vec<u8> {
        self.key(Kept::Click, &key::of_click(account, id))
    }

    /// Puts a user's list in the place of the one that was read; whether that still lay there.
    async fn swap_list(&self, key: &[u8], old: &[u8], new: &[u8], life: u64) -> Result<bool> {
        self.confirm(swap(key, old, new, life)).await
    }

    /// Makes a write that waits for the replicas that are wanted.
    async fn confirm<T: FromRedisValue>(&self, write: Cmd) -> Result<T> {
        match &self.confirmed {
            Some(confirmed) => confirmed.link.ask_replicas(write, confirmed.replicas).await,
            None => self.link.ask(&write).await,
        }
    }

    /// Removes a key; whether it was there. Where it was not, an earlier removal may still have to reach the replicas.
    async fn remove(&self, key: &[u8]) -> Result<bool> {
        let removed: u64 = self.confirm(cmd("UNLINK").arg(key).take()).await?;
        Ok(removed > 0)
    }

    /// Keeps `click` under `key` for `life` ms unless one lives there; the one that does, or none where
    /// another process or Redis's own clock was at it at the same time.
    async fn keep(
        &self,
        key: &[u8],
        click: &Arc<Click>,
        life: u64,
        now: Timestamp,
    ) -> Result<Option<Arc<Click>>> {
        let agent = self.keep_agent(click, now).await?;
        let new = record::encode(click, agent.as_ref().map(|agent| &agent[..]));
        let mut set = Cmd::with_capacity(6, 64 + new.len());
        set.arg("SET").arg(key).arg(&new).arg("NX").arg("PX").arg(life);
        if self.link.ask(&set).await? {
            return Ok(Some(Arc::clone(click)));
        }
        let Some(old): Option<Vec<u8>> = self.link.ask(cmd("GET").arg(key)).await? else { return Ok(None) };
        let kept = self.read(&click.click.account, &click.click.id, &old).await?;
        if !kept.click.is_expired(now) {
            return Ok(Some(Arc::new(kept)));
        }
        let swapped: bool = self.link.ask(&swap(key, &old, &new, life)).await?;
        Ok(swapped.then(|| Arc::clone(click)))
    }

    /// Sees to it that the click's user agent is there as long as the click; what names it in the record.
    async fn keep_agent(&self, click: &Click, now: Timestamp) -> Result<Option<agents::Name>> {
        let Some(agent) = &click.user_agent else { return Ok(None) };
        if let Some(name) = self.agents.written(agent, now) {
            return Ok(Some(name));
        }
        let name = agents::name(agent);
        let mut set = cmd("SET");
        set.arg(self.key(Kept::Agent, &name)).arg(agent).arg("PX").arg(agents::LIFE.as_millis() as i64);
        let _: () = self.link.ask(&set).await?;
        self.agents.remember(agent, name, Some(now));
        Ok(Some(name))
    }

    /// The click of a record, and its user agent with it.
    async fn read(&self, account: &AccountId, id: &ClickId, record: &[u8]) -> Result<Click> {
        let (mut click, agent) = record::decode(account, id, record)?;
        if let Some(name) = agent.and_then(|name| agents::Name::try_from(name).ok()) {
            click.user_agent = self.agent(name).await?;
        }
        Ok(click)
    }

    /// The user agent of this name, unless Redis lost it before it was seen here.
    async fn agent(&self, name: agents::Name) -> Result<Option<String>> {
        if let Some(text) = self.agents.text(&name) {
            return Ok(Some(text));
        }
        let text: Option<String> = self.link.ask(cmd("GET").arg(self.key(Kept::Agent, &name))).await?;
        if let Some(text) = &text {
            self.agents.remember(text, name, None);
        }
        Ok(text)
    }

    async fn index(&self, click: &Click, ip: &IpHash, now: Timestamp) -> Result<()> {
        let key = self.key(Kept::Place, &key::of_place(&click.campaign, ip));
        let earliest = now.saturating_sub(finding::WINDOW).unwrap_or(Timestamp::MIN);
        let _: i64 = self
            .link
            .ask(
                cmd("EVAL")
                    .arg(INDEX)
                    .arg(1)
                    .arg(key)
                    .arg(click.click.captured_at.as_millisecond())
                    .arg(key::of_click(&click.click.account, &click.click.id))
                    .arg(earliest.as_millisecond())
                    .arg(format!("-{}", finding::MOST + 1))
                    .arg(finding::WINDOW.as_millis() as i64),
            )
            .await?;
        Ok(())
    }

    /// The names of a place's latest clicks.
    async fn named(&self, find: &FindClicks, ip: &IpHash, since: Timestamp) -> Result<Vec<Vec<u8>>> {
        let mut range = cmd("ZREVRANGEBYSCORE");
        range.arg(self.key(Kept::Place, &key::of_place(&find.campaign, ip)));
        range.arg("+inf").arg(since.as_millisecond());
        self.link.ask(range.arg("LIMIT").arg(0).arg(finding::limit(find))).await
    }
}

#[async_trait]
impl ClickStore for RedisClicks {
    async fn capture(&self, click: Arc<Click>, findable: bool) -> Result<Arc<Click>> {
        let key = self.key_of(&click.click.account, &click.click.id);
        for _ in 0..SWAPS {
            let now = self.clock.now();
            let Some(life) = left(click.click.expires_at(), now) else { return Ok(click) };
            let Some(kept) = self.keep(&key, &click, life, now).await? else { continue };
            if let Some(ip) = finding::indexed(&kept, &click, findable, now) {
                self.index(&kept, &ip.hash, now).await?;
            }
            return Ok(kept);
        }
        Err(contended("click"))
    }

    async fn click(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>> {
        let record: Option<Vec<u8>> = self.link.ask(cmd("GET").arg(self.key_of(account, id))).await?;
        let Some(record) = record else { return Ok(None) };
        let click = self.read(account, id, &record).await?;
        Ok((!click.click.is_expired(self.clock.now())).then_some(click))
    }

    async fn campaign(&self, account: &AccountId, id: &ClickId) -> Result<Option<CampaignId>> {
        let record: Option<Vec<u8>> = self.link.ask(cmd("GET").arg(self.key_of(account, id))).await?;
        let Some(record) = record else { return Ok(None) };
        let (captured_at, campaign) = record::head(&record)?;
        Ok((!is_life_over(captured_at, self.clock.now())).then_some(campaign))
    }

    async fn attach(&self, user: &UserId, attribution: Attribution) -> Result<()> {
        let key = self.key(Kept::User, user.as_str().as_bytes());
        for _ in 0..SWAPS {
            let old: Option<Vec<u8>> = self.link.ask(cmd("GET").arg(&key)).await?;
            let old = old.unwrap_or_default();
            let (kept, now) = (attributions::decode(&old)?, self.clock.now());
            let list = match attributions::attach(kept.clone(), attribution.clone(), now) {
                Some(list) => list,
                None if self.confirmed.is_none() => return Ok(()),
                // What is there already may not have reached the replicas: written again, it will.
                None => kept,
            };
            let Some(life) = left(attributions::end(&list), now) else { return Ok(()) };
            if self.swap_list(&key, &old, &attributions::encode(&list), life).await? {
                return Ok(());
            }
        }
        Err(contended("user"))
    }

    async fn clicks_of(&self, user: &UserId) -> Result<Vec<Attribution>> {
        let key = self.key(Kept::User, user.as_str().as_bytes());
        let list: Option<Vec<u8>> = self.link.ask(cmd("GET").arg(key)).await?;
        Ok(attributions::alive(attributions::decode(&list.unwrap_or_default())?, self.clock.now()))
    }

    async fn find(&self, find: &FindClicks) -> Result<Vec<Click>> {
        let now = self.clock.now();
        let since = finding::since(find, now);
        let mut names = BTreeSet::new();
        for ip in &find.ip {
            names.extend(self.named(find, ip, since).await?);
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let ids = names.iter().map(|name| key::parse_click(name)).collect::<Result<Vec<_>>>()?;
        let mut get = cmd("MGET");
        for (account, id) in &ids {
            get.arg(self.key_of(account, id));
        }
        let records: Vec<Option<Vec<u8>>> = self.link.ask(&get).await?;
        let kept = ids.iter().zip(&records).filter_map(|(id, record)| Some((id, record.as_ref()?)));
        let clicks = try_join_all(kept.map(|((account, id), record)| self.read(account, id, record))).await?;
        Ok(finding::pick(clicks, find, now))
    }

    async fn erase_click(&self, account: &AccountId, id: &ClickId) -> Result<bool> {
        let key = self.key_of(account, id);
        let Some(record): Option<Vec<u8>> = self.link.ask(cmd("GET").arg(&key)).await? else {
            return self.remove(&key).await;
        };
        let click = record::decode(account, id, &record).ok().map(|(click, _)| click);
        if let Some(click) = &click
            && let Some(ip) = &click.ip
        {
            let place = self.key(Kept::Place, &key::of_place(&click.campaign, &ip.hash));
            let _: u64 = self.link.ask(cmd("ZREM").arg(place).arg(key::of_click(account, id))).await?;
        }
        Ok(self.remove(&key).await? && click.is_none_or(|click| !click.click.is_expired(self.clock.now())))
    }

    async fn erase_user(&self, user: &UserId) -> Result<bool> {
        let key = self.key(Kept::User, user.as_str().as_bytes());
        let Some(list): Option<Vec<u8>> = self.link.ask(cmd("GET").arg(&key)).await? else {
            return self.remove(&key).await;
        };
        let removed = self.remove(&key).await?;
        let over = attributions::decode(&list)
            .is_ok_and(|list| attributions::alive(list, self.clock.now()).is_empty());
        Ok(removed && !over)
    }

    async fn sweep(&self) -> Result<usize> {
        Ok(0)
    }

    async fn ping(&self) -> Result<()> {
        let _: String = self.link.ask(&cmd("PING")).await?;
        Ok(())
    }
}

fn swap(key: &[u8], old: &[u8], new: &[u8], life: u64) -> Cmd {
    cmd("EVAL").arg(SWAP).arg(1).arg(key).arg(old).arg(new).arg(life).take()
}

/// How many milliseconds are left until `end`; none where it is over.
fn left(end: Timestamp, now: Timestamp) -> Option<u64> {
    u64::try_from(end.as_millisecond() - now.as_millisecond()).ok().filter(|left| *left > 0)
}

fn contended(what: &'static str) -> Error {
    Error::unavailable(format!("too many writes at once to one {what}"))
}
