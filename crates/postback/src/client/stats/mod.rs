//! `postback stats`: clicks, losses, and what became of each conversion.

mod told;

use std::collections::BTreeMap;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use postback_core::ports::BUCKET;
use postback_proto::{
    timestamp,
    v1::{Delivery, GetHistoryRequest, GetStatsRequest, History, ListDeliveriesRequest},
};

use super::{
    Desk, Work,
    failure::Failure,
    next::Doubts,
    pages,
    time::{Window, shown},
};
use told::{Campaign, Standing, Told};

/// The most deliveries that are looked at.
const MOST: usize = 200_000;
/// How many buckets of counts an answer holds.
const BUCKETS: i64 = 600;

/// Which accounts, and when.
#[derive(Debug, Args)]
#[command(after_help = "\
Conversions recorded in that time, by where they stand now: conversions = delivered + pending + in doubt + dead. Their \
later changes are counted apart. Reports that were refused became no conversion. They and clicks are counted by whole \
five minutes, for 8 days.

Examples:
  postback stats
  postback stats --account ts --since 2026-11-20 --until 2026-11-21
  postback stats --json | jq '.accounts[] | select(.dead > 0)'")]
pub(crate) struct Stats {
    /// This account alone.
    #[arg(long)]
    account: Option<String>,
    /// The last 24 hours by default.
    #[command(flatten)]
    window: Window,
}

impl Work for Stats {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let until = self.window.until.unwrap_or_else(Timestamp::now);
        let day = SignedDuration::from_hours(24);
        let since = self.window.since.unwrap_or(until.saturating_sub(day).unwrap_or(Timestamp::MIN));
        if since >= until {
            return Err(Failure::usage("--since: is not before --until"));
        }
        let told = tell(desk, self.account.unwrap_or_default(), since, until).await?;
        if desk.json {
            let line = serde_json::to_string(&told).map_err(anyhow::Error::from)?;
            return Ok(writeln!(desk.out, "{line}")?);
        }
        Ok(write!(desk.out, "{}", told.people())?)
    }
}

async fn tell(
    desk: &mut Desk<'_>,
    account: String,
    since: Timestamp,
    until: Timestamp,
) -> Result<Told, Failure> {
    let standings = desk.api.deliveries.get_stats(GetStatsRequest { account: account.clone() }).await?;
    let history = GetHistoryRequest {
        account: account.clone(),
        start_time: Some(timestamp(since)),
        end_time: Some(timestamp(until)),
        step: prost_types::Duration { seconds: step(since, until), nanos: 0 }.into(),
    };
    let history = desk.api.logbook.get_history(history).await?.into_inner();
    let mut accounts: BTreeMap<String, Standing> = BTreeMap::new();
    for standing in standings.into_inner().accounts {
        accounts.insert(standing.account.clone(), Standing::of(standing));
    }
    let refused = refused(&history, &mut accounts);
    let campaigns = campaigns(history);
    for campaign in &campaigns {
        let Some(standing) = accounts.get_mut(&campaign.account) else { continue };
        standing.clicks += campaign.clicks;
        add(&mut standing.lost, campaign.lost.clone());
    }
    let doubts = Doubts::of(&account, desk).await?;
    let complete = count(desk, &account, since, until, (&doubts, &mut accounts)).await?;
    let (since, until) = (timestamp(since), timestamp(until));
    Ok(Told {
        since: shown(Some(&since)),
        until: shown(Some(&until)),
        complete,
        accounts: accounts.into_values().collect(),
        refused,
        campaigns,
    })
}

/// The seconds of a step by which an answer holds all of the time.
fn step(since: Timestamp, until: Timestamp) -> i64 {
    let bucket = BUCKET.as_secs();
    // One more, for the buckets at both ends are cut.
    let buckets = until.duration_since(since).as_secs() / bucket + 2;
    (buckets + BUCKETS - 1) / BUCKETS * bucket
}

fn add(sum: &mut BTreeMap<String, i64>, more: BTreeMap<String, i64>) {
    for (reason, count) in more {
        *sum.entry(reason).or_default() += count;
    }
}

/// Counts refused reports to their accounts; returns those of no known account.
fn refused(history: &History, accounts: &mut BTreeMap<String, Standing>) -> BTreeMap<String, i64> {
    let mut nobodys = BTreeMap::new();
    for bucket in &history.buckets {
        add(&mut nobodys, bucket.refused.clone());
        for counts in &bucket.accounts {
            let Some(standing) = accounts.get_mut(&counts.account) else { continue };
            add(&mut standing.refused, counts.refused.clone());
        }
    }
    nobodys
}

/// Each campaign's clicks and losses over the whole time.
fn campaigns(history: History) -> Vec<Campaign> {
    let mut campaigns: BTreeMap<String, Campaign> = BTreeMap::new();
    for counts in history.buckets.into_iter().flat_map(|bucket| bucket.campaigns) {
        let (campaign, account) = (counts.campaign, counts.account);
        let sum = campaigns.entry(campaign.clone()).or_insert_with(|| Campaign {
            campaign,
            account,
            clicks: 0,
            lost: BTreeMap::new(),
        });
        sum.clicks += counts.clicks;
        add(&mut sum.lost, counts.lost);
    }
    campaigns.into_values().collect()
}

/// Counts the deliveries that were taken in at that time; returns whether these are all.
async fn count(
    desk: &mut Desk<'_>,
    account: &str,
    since: Timestamp,
    until: Timestamp,
    (doubts, accounts): (&Doubts, &mut BTreeMap<String, Standing>),
) -> Result<bool, Failure> {
    let request = ListDeliveriesRequest {
        account: account.to_owned(),
        start_time: Some(timestamp(since)),
        end_time: Some(timestamp(until)),
        ..ListDeliveriesRequest::default()
    };
    let next = async |page_size, page_token| {
        let request = ListDeliveriesRequest { page_size, page_token, ..request.clone() };
        let page = desk.api.deliveries.list_deliveries(request).await?.into_inner();
        Ok((page.deliveries, page.next_page_token))
    };
    let mut left = MOST;
    let take = |delivery: Delivery| {
        let standing = accounts.entry(delivery.account.clone()).or_default();
        standing.account.clone_from(&delivery.account);
        standing.count(&delivery, doubts.before(&delivery));
        left -= 1;
        left > 0
    };
    pages::all(next, take).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_covers_all_of_the_time_in_whole_five_minutes() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let until = at("2026-11-21T09:33:00Z");
        for (since, want) in
            [("2026-11-21T09:32:59Z", 300), ("2026-11-20T09:33:00Z", 300), ("2026-11-14T09:33:00Z", 1_200)]
        {
            assert_eq!(step(at(since), until), want, "{since}");
        }
    }
}
