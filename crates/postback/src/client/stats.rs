//! `postback stats`: clicks, losses, and what became of each conversion.

use std::{collections::BTreeMap, fmt::Write};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use postback_proto::{
    timestamp,
    v1::{Delivery, DeliveryState, GetHistoryRequest, GetStatsRequest, History, ListDeliveriesRequest},
};
use serde::Serialize;

use super::{
    Desk, Work,
    failure::Failure,
    pages, story,
    time::{Window, shown},
    words::Word,
};
use crate::table::{Column, plain, table};

/// The most deliveries that are looked at.
const MOST: usize = 200_000;
/// What counts over time are kept in, and how many pieces of it an answer holds.
const BUCKET: SignedDuration = SignedDuration::from_mins(5);
const BUCKETS: i64 = 600;

/// Which accounts, and when.
#[derive(Debug, Args)]
#[command(after_help = "\
Conversions recorded in that time, by where they stand now: conversions = delivered + pending + in doubt + dead. Their \
later changes are counted apart. Clicks are counted by whole five minutes, for 8 days.

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

/// What is told.
#[derive(Serialize)]
struct Told {
    since: String,
    until: String,
    /// Whether all deliveries of that time were looked at.
    complete: bool,
    accounts: Vec<Standing>,
    campaigns: Vec<Campaign>,
}

#[derive(Default, Serialize)]
struct Standing {
    account: String,
    network: String,
    paused: Option<String>,
    clicks: i64,
    lost: BTreeMap<String, i64>,
    #[serde(flatten)]
    conversions: Counts,
    changes: Counts,
    undelivered: Vec<Undelivered>,
}

#[derive(Default, Serialize)]
struct Counts {
    conversions: u64,
    delivered: u64,
    pending: u64,
    waiting: u64,
    in_doubt: u64,
    dead: u64,
}

/// Deliveries that the network does not have, or may not have, for one reason.
#[derive(Serialize)]
struct Undelivered {
    state: String,
    reason: String,
    message: String,
    count: u64,
}

#[derive(Serialize)]
struct Campaign {
    campaign: String,
    account: String,
    clicks: i64,
    lost: BTreeMap<String, i64>,
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
    let campaigns = campaigns(desk.api.logbook.get_history(history).await?.into_inner());
    let mut accounts: BTreeMap<String, Standing> = BTreeMap::new();
    for standing in standings.into_inner().accounts {
        let paused = standing.pause_time.as_ref().map(|since| {
            format!("since {}: {}", shown(Some(since)), story::reason(standing.pause_reason.as_ref()))
        });
        let (account, network) = (standing.account, standing.network);
        accounts.insert(account.clone(), Standing { account, network, paused, ..Standing::default() });
    }
    for campaign in &campaigns {
        let Some(standing) = accounts.get_mut(&campaign.account) else { continue };
        standing.clicks += campaign.clicks;
        add(&mut standing.lost, campaign.lost.clone());
    }
    let complete = count(desk, &account, since, until, &mut accounts).await?;
    let (since, until) = (timestamp(since), timestamp(until));
    Ok(Told {
        since: shown(Some(&since)),
        until: shown(Some(&until)),
        complete,
        accounts: accounts.into_values().collect(),
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
    accounts: &mut BTreeMap<String, Standing>,
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
        standing.count(&delivery);
        left -= 1;
        left > 0
    };
    pages::all(next, take).await
}

impl Standing {
    fn count(&mut self, delivery: &Delivery) {
        let own = delivery.change.is_none();
        let counts = if own { &mut self.conversions } else { &mut self.changes };
        counts.conversions += 1;
        *match delivery.state() {
            DeliveryState::Delivered => &mut counts.delivered,
            DeliveryState::Waiting => &mut counts.waiting,
            DeliveryState::InDoubt => &mut counts.in_doubt,
            DeliveryState::Dead => &mut counts.dead,
            DeliveryState::Pending | DeliveryState::Unspecified => &mut counts.pending,
        } += 1;
        if delivery.state() == DeliveryState::Delivered {
            return;
        }
        // What is pending has no reason of its own: its last attempt has.
        let tried = delivery.attempts.last().and_then(|attempt| attempt.reason.as_ref());
        let why = delivery.reason.as_ref().or(tried).cloned().unwrap_or_default();
        let state = delivery.state().word();
        let known = self.undelivered.iter_mut().find(|it| it.state == state && it.reason == why.code);
        match known {
            Some(known) => known.count += 1,
            None => {
                let (reason, message) = (why.code, why.message);
                self.undelivered.push(Undelivered { state, reason, message, count: 1 });
            }
        }
    }

    fn row(&self) -> [String; 9] {
        let Counts { conversions, delivered, pending, in_doubt, dead, .. } = self.conversions;
        let lost: i64 = self.lost.values().sum();
        let [conversions, delivered, pending, in_doubt, dead] =
            [conversions, delivered, pending, in_doubt, dead].map(|count| count.to_string());
        let (clicks, lost) = (self.clicks.to_string(), lost.to_string());
        let (account, network) = (self.account.clone(), self.network.clone());
        [account, network, clicks, lost, conversions, delivered, pending, in_doubt, dead]
    }
}

impl Undelivered {
    fn row(&self, standing: &Standing) -> [String; 6] {
        let account = &standing.account;
        let to_do = match self.state.as_str() {
            "dead" => format!("postback replay --account {account} --reason {}", self.reason),
            "in_doubt" => {
                format!("postback resolve --account {account} --reason {} --delivered|--resend", self.reason)
            }
            "waiting" => "comes with its conversion".to_owned(),
            _ if standing.paused.is_some() => format!("postback resume {account}"),
            _ => "is sent by itself".to_owned(),
        };
        let reason = if self.reason.is_empty() { "not tried yet" } else { &self.reason };
        [
            account.clone(),
            self.state.clone(),
            reason.to_owned(),
            self.count.to_string(),
            self.message.clone(),
            to_do,
        ]
    }
}

impl Told {
    fn people(&self) -> String {
        let mut said = format!("{} to {}\n", self.since, self.until);
        let numbers = ["clicks", "lost", "conversions", "delivered", "pending", "in doubt", "dead"];
        let [clicks, lost, conversions, delivered, pending, in_doubt, dead] = numbers.map(Column::Number);
        let columns = [
            Column::Text("account"),
            Column::Text("network"),
            clicks,
            lost,
            conversions,
            delivered,
            pending,
            in_doubt,
            dead,
        ];
        let _ = writeln!(said, "{}", table(columns, self.accounts.iter().map(Standing::row)));
        if !self.complete {
            let _ = writeln!(
                said,
                "only the latest {MOST} deliveries are counted; --account or --since asks for less"
            );
        }
        for standing in &self.accounts {
            if let Some(paused) = &standing.paused {
                let _ = writeln!(said, "{} is paused {}", standing.account, plain(paused));
            }
        }
        said += &self.undelivered();
        said += &self.changes();
        said += &self.losses();
        said
    }

    fn undelivered(&self) -> String {
        let rows = self.accounts.iter().flat_map(|it| it.undelivered.iter().map(|why| why.row(it)));
        let columns = [
            Column::Text("account"),
            Column::Text("state"),
            Column::Text("reason"),
            Column::Number("count"),
            Column::Text("for example"),
            Column::Text("what to do"),
        ];
        named("Not delivered, and why", columns, rows.collect())
    }

    fn changes(&self) -> String {
        let changed = self.accounts.iter().filter(|it| it.changes.conversions > 0);
        let rows = changed.map(|it| {
            let Counts { conversions, delivered, pending, waiting, in_doubt, dead } = it.changes;
            let counts = [conversions, delivered, pending, waiting, in_doubt, dead].map(|n| n.to_string());
            let [all, delivered, pending, waiting, in_doubt, dead] = counts;
            [it.account.clone(), all, delivered, pending, waiting, in_doubt, dead]
        });
        let numbers = ["changes", "delivered", "pending", "waiting", "in doubt", "dead"].map(Column::Number);
        let [all, delivered, pending, waiting, in_doubt, dead] = numbers;
        let columns = [Column::Text("account"), all, delivered, pending, waiting, in_doubt, dead];
        named("Later changes of conversions", columns, rows.collect())
    }

    fn losses(&self) -> String {
        let lost = self.campaigns.iter().flat_map(|it| {
            it.lost.iter().map(move |(reason, count)| {
                let (clicks, count) = (it.clicks.to_string(), count.to_string());
                [it.campaign.clone(), it.account.clone(), clicks, reason.clone(), count]
            })
        });
        let columns = [
            Column::Text("campaign"),
            Column::Text("account"),
            Column::Number("clicks"),
            Column::Text("click id"),
            Column::Number("lost"),
        ];
        named("Landings without a click id, which can bring no conversion", columns, lost.collect())
    }
}

/// A table under its name; nothing where it has no rows.
fn named<const N: usize>(name: &str, columns: [Column; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{name}\n{}\n", table(columns, rows)) }
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
