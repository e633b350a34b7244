//! What each campaign sees: counted here without waiting, written to the logbook every few seconds.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use jiff::{SignedDuration, Timestamp};
use postback_core::{AccountId, CampaignId, Flags, NoClick, Result, Series, Tally};

use crate::{
    Campaign, Hub,
    history::Period,
    meters::{self, Capture, Captures},
};

/// A campaign's lost clicks are logged at most once in so many seconds for each reason.
const LOG_EVERY: i64 = 10;
/// How far back a campaign's standing reaches.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A campaign and what all hubs of the deployment saw of it in the last 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignStanding {
    /// Its name.
    pub id: CampaignId,
    /// Its account.
    pub account: AccountId,
    /// Clicks captured; reloads are left out where they are known to be such.
    pub clicks: u64,
    /// Landings without a click id, by reason; a reason that never came is left out.
    pub lost: BTreeMap<NoClick, u64>,
}

/// A number that grows, and how much of it was taken.
#[derive(Debug, Default)]
struct Count {
    all: AtomicU64,
    taken: AtomicU64,
}

impl Count {
    fn one(&self) -> u64 {
        self.all.fetch_add(1, Relaxed) + 1
    }

    /// What came since the last time, whoever takes it.
    fn take(&self) -> u64 {
        let all = self.all.load(Relaxed);
        all.saturating_sub(self.taken.fetch_max(all, Relaxed))
    }
}

/// The counters of one campaign. They outlive a change of the registry.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    clicks: Count,
    captures: Captures,
    lost: [Count; NoClick::ALL.len()],
    logged: [AtomicI64; NoClick::ALL.len()],
}

impl Counts {
    /// Counts a capture, and its click unless that was counted before.
    pub(crate) fn capture(&self, campaign: &CampaignId, what: Capture) {
        self.captures.count(campaign, what);
        if what != Capture::Repeated {
            self.clicks.one();
        }
    }

    /// Counts a landing without a click id, and says so in the log now and then.
    pub(crate) fn lose(&self, campaign: &Campaign, reason: NoClick, flags: Flags, now: Timestamp) {
        let at = reason as usize;
        let lost = self.lost[at].one();
        meters::lost(&campaign.id, reason, flags);
        let (now, last) = (now.as_second(), self.logged[at].load(Relaxed));
        let due = lost == 1 || now.saturating_sub(last) >= LOG_EVERY;
        if due && self.logged[at].compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            tracing::info!(
                campaign = %campaign.id,
                account = %campaign.account,
                reason = reason.as_str(),
                lost,
                "a visitor came without a click id"
            );
        }
    }

    /// Brings what was counted since the last time into the tally.
    pub(crate) fn count_into(&self, campaign: &CampaignId, tally: &Tally, now: Timestamp) {
        tally.count(now, Series::Clicks(campaign.clone()), self.clicks.take());
        for reason in NoClick::ALL {
            tally.count(now, Series::Lost(campaign.clone(), reason), self.lost[reason as usize].take());
        }
    }
}

impl Hub {
    /// Every campaign, and what all hubs of the deployment saw of it in the last 24 hours. What other hubs saw in
    /// the last few seconds may be missing.
    ///
    /// # Errors
    /// The logbook's own.
    pub async fn campaigns(&self) -> Result<Vec<CampaignStanding>> {
        let now = self.inner.clock.now();
        let mut day = Period::at(now);
        for bucket in self.counted(now.saturating_sub(DAY).unwrap_or(now), now).await? {
            bucket.counts.into_iter().for_each(|(series, count)| day.add(series, count));
        }
        let registry = self.registry();
        let standing = |campaign: &Campaign| {
            let counts = day.campaigns.remove(&campaign.id).unwrap_or_default();
            let (id, account) = (campaign.id.clone(), campaign.account.clone());
            CampaignStanding { id, account, clicks: counts.clicks, lost: counts.lost }
        };
        Ok(registry.campaigns().map(standing).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_counted_is_taken_once_however_many_take_it() {
        let count = Count::default();
        let taken: u64 = thread::scope(|threads| {
            let takers: Vec<_> = (0..4)
                .map(|_| threads.spawn(|| (0..1_000_000).map(|_| (count.one(), count.take()).1).sum::<u64>()))
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(taken + count.take(), 4_000_000);
    }
}
