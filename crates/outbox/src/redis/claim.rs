//! Claiming over all partitions: each tells what is due, the shares are made, and each leases its part.

use std::time::Duration;

use postback_core::{
    AccountId, LaneId, Result,
    ports::{Claim, Claims, Fence, Outbox},
};

use super::{
    PARTITIONS, RedisOutbox, records,
    scripts::{CLAIM, Call, PEEK},
};
use crate::rules;

/// How much is due in one partition: fresh lanes, lanes to be tried again; the time of the newest fresh one, and of
/// the next.
type Due = (usize, usize, Option<i64>, Option<i64>);
/// A leased lane, its lease, its head and that one's record, the record of its conversion, and that of the
/// conversion's own delivery where it is another.
type Leased = (Vec<u8>, u64, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>);

impl RedisOutbox {
    pub(super) async fn claim_due(
        &self,
        account: &AccountId,
        limit: usize,
        lease: Duration,
    ) -> Result<Claims> {
        let peeks = PARTITIONS.map(|partition| Call::new(&PEEK, partition).arg(account.as_str()));
        let (paused, due) = tokio::try_join!(self.paused(account), self.run_all::<Due>(peeks))?;
        if paused.is_some() {
            return Ok(Claims::default());
        }
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX).min(1 << 50);
        let mut next: Vec<Option<i64>> = due.iter().map(|part| part.3).collect();
        let draw = fastrand::usize(..rules::DRAWS);
        let parts = parts(&due, limit, fastrand::usize(..due.len().max(1)), draw);
        let calls = parts.iter().map(|part| {
            // What a replica does not have is not begun: a new master would begin again before it.
            let call = Call::acknowledging(&CLAIM, part.partition).arg(account.as_str());
            call.arg(lease).arg(part.oldest).arg(part.newest).arg(part.retries)
        });
        let mut claims = Vec::new();
        let leased = self.run_all::<(Vec<Leased>, Option<i64>)>(calls).await?;
        for (part, (lanes, after)) in parts.iter().zip(leased) {
            next[usize::from(part.partition)] = after;
            for lane in lanes {
                match claim(account, lane) {
                    Ok(claim) => claims.push(claim),
                    // It stays leased, and stops no other.
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "a lane cannot be read");
                    }
                }
            }
        }
        Ok(Claims { claims, next_due: next.into_iter().flatten().min().map(rules::from_millis) })
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

fn claim(account: &AccountId, (lane, token, head, record, conversion, lead): Leased) -> Result<Claim> {
    let delivery = records::delivery(&(head, record))?;
    let of = delivery.conversion.as_bytes().to_vec();
    Ok(Claim {
        fence: Fence {
            account: account.clone(),
            lane: LaneId::from_bytes(records::id(&lane)?),
            delivery: delivery.id,
            token,
        },
        conversion: records::conversion(&(of, conversion))?,
        lead: match lead {
            Some(lead) => records::state_of(&lead)?,
            None => delivery.state.clone(),
        },
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
