//! Claiming over all partitions: each tells what is due, the shares are made, and each leases its part.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use postback_core::{
    AccountId, DeliveryId, Error, LaneId, Result,
    ports::{Claim, Claims, Fence, Outbox},
};

use super::{
    PARTITIONS, RedisOutbox,
    records::{self, Left},
    scripts::{CLAIM, Call, PEEK},
};
use crate::rules;

/// For so long it is remembered what was due: a worker that is busy claims a few lanes at a time, and again at once.
const REMEMBERED: Duration = Duration::from_millis(50);

/// How much is due in one partition: fresh lanes, lanes to be tried again; the time of the newest fresh one, and of
/// the next.
type Due = (usize, usize, Option<i64>, Option<i64>);

/// What was due of an account in each partition, without what was leased since.
struct Sight {
    due: Vec<Due>,
    /// Why a partition did not say.
    trouble: Option<Error>,
    /// When this was, and by how much tests ran ahead of Redis's clock.
    at: (Instant, i64),
}

impl Sight {
    fn is_used_up(&self) -> bool {
        self.due.iter().all(|part| part.0 + part.1 == 0)
    }

    fn next_due(&self) -> Option<i64> {
        self.due.iter().filter_map(|part| part.3).min()
    }
}

/// What was last seen to be due, by account.
#[derive(Default)]
pub(super) struct Sights(Mutex<HashMap<AccountId, Sight>>);

impl Sights {
    /// Takes what was seen a moment ago; two claims at once do not share it.
    fn take(&self, account: &AccountId, ahead: i64) -> Option<Sight> {
        let seen = self.all().remove(account)?;
        (seen.at.0.elapsed() < REMEMBERED && seen.at.1 == ahead).then_some(seen)
    }

    fn keep(&self, account: &AccountId, sight: Sight) {
        if !sight.is_used_up() {
            self.all().insert(account.clone(), sight);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<AccountId, Sight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much is to be leased, and for how long in milliseconds.
#[derive(Clone, Copy)]
struct Wanted {
    limit: usize,
    lease: u64,
}

impl RedisOutbox {
    /// Leases what was seen to be due a moment ago, and where that is not enough, looks anew.
    pub(super) async fn claim_due(
        &self,
        account: &AccountId,
        limit: usize,
        lease: Duration,
    ) -> Result<Claims> {
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX).min(1 << 50);
        let mut claims = Vec::new();
        match self.claim_some(account, Wanted { limit, lease }, &mut claims).await {
            // What is leased already is worked on, and the next claim sees what is the matter.
            Err(_) if !claims.is_empty() => Ok(Claims { claims, next_due: None }),
            next_due => Ok(Claims { next_due: next_due?, claims }),
        }
    }

    async fn claim_some(
        &self,
        account: &AccountId,
        wanted: Wanted,
        claims: &mut Vec<Claim>,
    ) -> Result<Option<Timestamp>> {
        if let Some(seen) = self.sights.take(account, self.clock.ahead_ms()) {
            // On one server each lease looks whether the account is paused.
            if !self.one_server && self.paused(account).await?.is_some() {
                return Ok(None);
            }
            let next_due = self.lease(account, wanted, seen, claims).await?;
            if claims.len() >= wanted.limit {
                return Ok(next_due);
            }
        }
        let rest = Wanted { limit: wanted.limit - claims.len(), ..wanted };
        match self.look(account).await? {
            Some(sight) => self.lease(account, rest, sight, claims).await,
            None => Ok(None),
        }
    }

    /// What is due of an account in each partition that answers; nothing where it is paused.
    async fn look(&self, account: &AccountId) -> Result<Option<Sight>> {
        let ahead = self.clock.ahead_ms();
        let call = |first, last| {
            let call = Call::new(&PEEK, first).arg(account.as_str()).arg(u8::from(self.one_server));
            call.arg(first).arg(last)
        };
        let parts = if self.one_server {
            vec![self.run::<Vec<u8>>(call(PARTITIONS.start, PARTITIONS.end - 1)).await]
        } else {
            let peeks = self.run_each(PARTITIONS.map(|partition| call(partition, partition)));
            let (paused, parts) = tokio::join!(self.paused(account), peeks);
            if paused?.is_some() { Vec::new() } else { parts }
        };
        let (mut due, mut trouble) = (Vec::with_capacity(PARTITIONS.len()), None);
        for part in parts {
            match part {
                Ok(said) => {
                    let mut left = Left(&said);
                    while !left.0.is_empty() {
                        due.push((left.count()?, left.count()?, left.millis()?, left.millis()?));
                    }
                }
                Err(error) => {
                    due.push(Due::default());
                    trouble = Some(error);
                }
            }
        }
        match trouble {
            Some(error) if self.one_server => Err(error),
            trouble => Ok((!due.is_empty()).then(|| Sight { due, trouble, at: (Instant::now(), ahead) })),
        }
    }

    /// Leases some of what was seen, and remembers the rest unless the account is paused by now. Returns when the next
    /// lane is due. A partition in trouble keeps nothing from the others: what those leased is among the claims.
    async fn lease(
        &self,
        account: &AccountId,
        wanted: Wanted,
        mut sight: Sight,
        claims: &mut Vec<Claim>,
    ) -> Result<Option<Timestamp>> {
        let (first, draw) = (fastrand::usize(..PARTITIONS.len()), fastrand::usize(..rules::DRAWS));
        let parts = parts(&sight.due, wanted.limit, first, draw);
        let calls = parts.iter().map(|part| {
            // What a replica does not have is not begun: a new master would begin again before it.
            let call = Call::acknowledging(&CLAIM, part.partition).arg(account.as_str());
            let call = call.arg(u8::from(self.one_server)).arg(wanted.lease);
            call.arg(part.oldest).arg(part.newest).arg(part.retries)
        });
        let leased = self.run_each::<Vec<Vec<u8>>>(calls).await;
        let mut is_paused = false;
        for (part, leased) in parts.iter().zip(leased) {
            let leased = match leased {
                Ok(leased) => leased,
                Err(error) => {
                    sight.due[usize::from(part.partition)] = Due::default();
                    sight.trouble = Some(error);
                    continue;
                }
            };
            let Some((next, lanes)) = leased.split_first() else {
                is_paused = true;
                continue;
            };
            let due = &mut sight.due[usize::from(part.partition)];
            due.0 -= part.oldest + part.newest;
            due.1 -= part.retries;
            if due.0 == 0 {
                due.2 = None;
            }
            due.3 = Left(next).millis()?;
            for lane in lanes.chunks(4) {
                match claim(account, lane) {
                    Ok(claim) => claims.push(claim),
                    // It stands still, and stops no other.
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "a lane cannot be read");
                    }
                }
            }
        }
        let (trouble, next_due) = (sight.trouble.take(), sight.next_due().map(rules::from_millis));
        if is_paused {
            return trouble.map_or(Ok(None), Err);
        }
        self.sights.keep(account, sight);
        trouble.map_or(Ok(next_due), Err)
    }
}

/// How much of a claim one partition leases.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    partition: u8,
    oldest: usize,
    newest: usize,
    retries: usize,
}

/// Spreads a claim over the partitions, beginning with the one at `first`, so that a full claim leaves none
/// behind for long. The newest are those of the partition that has the newest.
fn parts(due: &[Due], limit: usize, first: usize, draw: usize) -> Vec<Part> {
    let (fresh, retries) = due.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let shares = rules::shares(limit, fresh, retries, draw);
    let last = PARTITIONS.zip(due).max_by_key(|(_, due)| due.2).map(|(partition, due)| (partition, due.0));
    let (last, newest) = last.map_or((0, 0), |(partition, fresh)| (partition, shares.newest.min(fresh)));
    let (mut oldest, mut retries) = (shares.oldest + shares.newest - newest, shares.retries);
    let mut parts = Vec::new();
    for (partition, due) in PARTITIONS.zip(due).cycle().skip(first).take(due.len()) {
        let newest = if partition == last { newest } else { 0 };
        let part =
            Part { partition, oldest: (due.0 - newest).min(oldest), newest, retries: due.1.min(retries) };
        oldest -= part.oldest;
        retries -= part.retries;
        if part.oldest + part.newest + part.retries > 0 {
            parts.push(part);
        }
    }
    parts
}

fn claim(account: &AccountId, leased: &[Vec<u8>]) -> Result<Claim> {
    let [fence, delivery, conversion, lead] = leased else { return Err(rules::damaged()) };
    let mut left = Left(fence);
    let (lane, head) = (LaneId::from_bytes(left.array()?), DeliveryId::from_bytes(left.array()?));
    let token = left.whole()?;
    let delivery = records::under_way(records::delivery_of(head, delivery)?, left.millis()?);
    Ok(Claim {
        fence: Fence { account: account.clone(), lane, delivery: head, token },
        conversion: records::conversion_of(delivery.conversion, conversion)?,
        lead: if lead.is_empty() { delivery.state.clone() } else { records::state_of(lead)? },
        delivery,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_spread_over_the_partitions_that_have_work() {
        let due = [(6, 0, Some(2), None), (0, 0, None, Some(1)), (6, 9, Some(1), None)];
        let part = |partition, oldest, newest, retries| Part { partition, oldest, newest, retries };
        assert_eq!(parts(&due, 10, 0, 0), [part(0, 2, 4, 0), part(2, 2, 0, 2)]);
        assert_eq!(parts(&due, 10, 2, 0), [part(2, 4, 0, 2), part(0, 0, 4, 0)]);
        assert_eq!(parts(&due, 100, 1, 0), [part(2, 6, 0, 9), part(0, 6, 0, 0)]);
        assert_eq!(parts(&due, 0, 0, 0), []);
        assert_eq!(
            parts(&[(1, 0, Some(2), None), (9, 0, Some(1), None)], 8, 1, 0),
            [part(1, 7, 0, 0), part(0, 0, 1, 0)]
        );
    }
}
