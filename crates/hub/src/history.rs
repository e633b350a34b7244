//! Counts over time, as operators look at them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, CampaignId, Error, LatencyBin, NoClick, Outcome, Refusal, Result, Series,
    ports::{BUCKET, Bucket},
};

use crate::Hub;

/// The most periods of one history.
const PERIODS: i64 = 600;

/// What was counted in a piece of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it begins.
    pub start: Timestamp,
    /// Of each account of which anything was counted.
    pub accounts: BTreeMap<AccountId, AccountCounts>,
    /// Of each campaign of which anything was counted.
    pub campaigns: BTreeMap<CampaignId, CampaignCounts>,
    /// Reported conversions that were refused, by reason, where no account is known.
    pub refused: BTreeMap<Refusal, u64>,
}

/// What was counted of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Conversions recorded; repeats are left out.
    pub conversions: u64,
    /// Reported conversions that were refused for good, by reason; each report counts.
    pub refused: BTreeMap<Refusal, u64>,
    /// Attempts by outcome.
    pub attempts: BTreeMap<Outcome, u64>,
    /// Deliveries that the network came to have.
    pub delivered: u64,
    /// Deliveries that came to be in doubt.
    pub in_doubt: u64,
    /// Deliveries that became dead letters.
    pub dead: u64,
    /// How long deliveries took from being recorded to being delivered.
    pub latency: BTreeMap<LatencyBin, u64>,
}

/// What was counted of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignCounts {
    /// Clicks captured; reloads are left out where they are known to be such.
    pub clicks: u64,
    /// Landings without a click id, by reason.
    pub lost: BTreeMap<NoClick, u64>,
}

impl Period {
    /// A piece of time in which nothing was counted.
    pub fn at(start: Timestamp) -> Self {
        Self { start, accounts: BTreeMap::new(), campaigns: BTreeMap::new(), refused: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, series: Series, count: u64) {
        let place = match series {
            Series::Clicks(id) => &mut self.campaigns.entry(id).or_default().clicks,
            Series::Lost(id, why) => self.campaigns.entry(id).or_default().lost.entry(why).or_default(),
            Series::Conversions(id) => &mut self.accounts.entry(id).or_default().conversions,
            Series::Refused(Some(id), why) => {
                self.accounts.entry(id).or_default().refused.entry(why).or_default()
            }
            Series::Refused(None, why) => self.refused.entry(why).or_default(),
            Series::Attempts(id, outcome) => {
                self.accounts.entry(id).or_default().attempts.entry(outcome).or_default()
            }
            Series::Delivered(id) => &mut self.accounts.entry(id).or_default().delivered,
            Series::InDoubt(id) => &mut self.accounts.entry(id).or_default().in_doubt,
            Series::Dead(id) => &mut self.accounts.entry(id).or_default().dead,
            Series::Latency(id, bin) => self.accounts.entry(id).or_default().latency.entry(bin).or_default(),
        };
        *place = place.saturating_add(count);
    }
}

impl Hub {
    /// What all hubs of the deployment counted from `since` to `until`, in periods of `step`, the oldest first; those
    /// in which nothing was counted are left out. Of one account where it is named, and what was refused of no known
    /// account. Kept for 8 days. What other hubs counted in the last few seconds may be missing.
    ///
    /// # Errors
    /// `InvalidArgument` at `step` where it is not a multiple of five minutes or makes more than 600 periods;
    /// `NotFound` at `account`; the logbook's own.
    pub async fn history(
        &self,
        account: Option<&AccountId>,
        since: Timestamp,
        until: Timestamp,
        step: SignedDuration,
    ) -> Result<Vec<Period>> {
        let step = check(since, until, step)?;
        let registry = self.registry();
        account.map(|account| registry.account(account)).transpose()?;
        let mut periods: BTreeMap<i64, Period> = BTreeMap::new();
        for bucket in self.counted(since, until).await? {
            let second = bucket.start.as_second();
            let start = second - second.rem_euclid(step);
            let period = periods
                .entry(start)
                .or_insert_with(|| Period::at(Timestamp::from_second(start).unwrap_or(bucket.start)));
            bucket.counts.into_iter().for_each(|(series, count)| period.add(series, count));
        }
        if let Some(account) = account {
            for period in periods.values_mut() {
                period.accounts.retain(|id, _| id == account);
                period.campaigns.retain(|id, _| {
                    registry.campaign(id.as_str()).is_ok_and(|campaign| campaign.account == *account)
                });
            }
            periods.retain(|_, period| *period != Period::at(period.start));
        }
        Ok(periods.into_values().collect())
    }

    /// What was counted; by this hub down to this moment, where the logbook takes it now.
    pub(crate) async fn counted(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>> {
        if let Err(error) = self.write_journal().await {
            tracing::debug!(%error, "the logbook takes no counts; those of before are shown");
        }
        self.inner.logbook.history(Bucket::start_of(since), until).await
    }
}

/// The step in seconds.
fn check(since: Timestamp, until: Timestamp, step: SignedDuration) -> Result<i64> {
    let (seconds, bucket) = (step.as_secs(), BUCKET.as_secs());
    if seconds <= 0 || seconds % bucket != 0 || step.subsec_nanos() != 0 {
        return Err(Error::invalid("step", format!("is not a multiple of {bucket} s")));
    }
    let periods = until.duration_since(since).as_secs() / seconds;
    if periods > PERIODS {
        return Err(Error::invalid(
            "step",
            format!("makes {periods} buckets of that time; want at most {PERIODS}"),
        ));
    }
    Ok(seconds)
}
