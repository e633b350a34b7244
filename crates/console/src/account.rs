//! One account: where all its conversions went, why the dead ones died, and what never became a conversion.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Delivery, DeliveryState, Event, NoClick, Result,
    ports::{AccountStats, DeliveryFilter},
};
use postback_hub::{AccountStanding, CampaignStanding};
use serde::Deserialize;

use crate::{
    chart::Chart,
    desk::{Desk, Shared},
    history::{History, Range},
    meters,
    page::{self, Frame, Shown, Visitor},
    show, words,
};

/// So many deliveries are counted one by one at most.
const COUNTED: usize = 20_000;
/// So many at a time.
const PIECE: usize = 1_000;

/// The times that a funnel can be of, in days; the first is of all that is kept.
const TIMES: [(&str, &str, i64); 5] = [
    ("", "all that is kept", 0),
    ("today", "today", 1),
    ("yesterday", "yesterday", 1),
    ("week", "the last 7 days", 7),
    ("month", "the last 30 days", 30),
];

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: Range,
    /// One of [`TIMES`].
    #[serde(default)]
    time: String,
}

/// A time, in whole days of UTC.
struct Span {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Span {
    fn of(name: &str, now: Timestamp) -> Self {
        let midnight = now.as_second() - now.as_second().rem_euclid(86_400);
        let day = |back: i64| Timestamp::from_second(midnight - back * 86_400).ok();
        match name {
            "today" => Self { since: day(0), until: None },
            "yesterday" => Self { since: day(1), until: day(0) },
            "week" => Self { since: now.checked_sub(SignedDuration::from_hours(7 * 24)).ok(), until: None },
            "month" => Self { since: now.checked_sub(SignedDuration::from_hours(30 * 24)).ok(), until: None },
            _ => Self { since: None, until: None },
        }
    }

    /// As the end of a list's address.
    fn query(&self) -> String {
        let part =
            |name: &str, at: Option<Timestamp>| at.map(|at| format!("&{name}={at:.0}")).unwrap_or_default();
        format!("{}{}", part("since", self.since), part("until", self.until))
    }
}

/// Where conversions and their changes stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Funnel {
    conversions: u64,
    changes: u64,
    delivered: u64,
    pending: u64,
    waiting: u64,
    in_doubt: u64,
    dead: u64,
    /// Whether there are more than were counted.
    cut: bool,
}

impl Funnel {
    fn of(stats: &AccountStats) -> Self {
        let AccountStats { conversions, pending, waiting, in_doubt, delivered, dead, .. } = *stats;
        let all = pending + waiting + in_doubt + delivered + dead;
        let changes = all.saturating_sub(conversions);
        Self { conversions, changes, delivered, pending, waiting, in_doubt, dead, cut: false }
    }

    fn add(&mut self, delivery: &Delivery) {
        *match delivery.event {
            Event::Created => &mut self.conversions,
            Event::Changed(_) => &mut self.changes,
        } += 1;
        *match delivery.state {
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Pending => &mut self.pending,
            DeliveryState::Waiting => &mut self.waiting,
            DeliveryState::InDoubt(_) => &mut self.in_doubt,
            DeliveryState::Dead(_) => &mut self.dead,
        } += 1;
    }
}

/// Dead letters of one reason.
struct Died {
    code: String,
    message: String,
    count: u64,
    link: String,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    standing: AccountStanding,
    time: String,
    query: String,
    funnel: Funnel,
    died: Vec<Died>,
    /// Whether more died than were looked at.
    died_cut: bool,
    campaigns: Vec<CampaignStanding>,
    expired: u64,
    range: Range,
    charts: Vec<Chart>,
}

/// The page.
pub(crate) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let id: AccountId = id.parse()?;
    let now = desk.now();
    desk.hub.registry().account(&id)?;
    let standings = desk.hub.stats(Some(&id)).await?;
    let standing = page::found(standings.into_iter().next(), "account")?;
    let span = Span::of(&asked.time, now);
    let of_stats = span.since.is_none();
    let scan = scan(&desk, &id, &span, of_stats).await?;
    let funnel = if of_stats { Funnel::of(&standing.stats) } else { scan.funnel };
    let mut campaigns = desk.hub.campaigns().await?;
    campaigns.retain(|campaign| campaign.account == id);
    let history = History::read(&desk.hub, asked.range, now).await?;
    let charts = history.charts(&desk.hub.registry(), &id);
    let expired =
        meters::counted(&desk.metrics, "postback_conversions_refused_total", "reason", "CLICK_EXPIRED");
    let frame = Frame::new(id.to_string(), "Overview", visitor, now).live(if scan.many {
        0
    } else {
        asked.range.fresh()
    });
    page::show(&Account {
        died: died(scan.died, &id, &span),
        died_cut: scan.cut,
        query: span.query(),
        frame,
        standing,
        time: asked.time,
        funnel,
        campaigns,
        expired,
        range: asked.range,
        charts,
    })
}

/// What was counted one by one.
#[derive(Default)]
struct Scan {
    funnel: Funnel,
    died: BTreeMap<String, (String, u64)>,
    /// Whether there are more than were counted.
    cut: bool,
    /// Whether so many were counted that it is not done again and again.
    many: bool,
}

/// Counts deliveries of a time by state, and dead letters by reason; of dead letters alone where `dead` says so.
async fn scan(desk: &Shared, account: &AccountId, span: &Span, dead: bool) -> Result<Scan> {
    let filter = DeliveryFilter {
        account: Some(account.clone()),
        state: dead.then_some("dead"),
        since: span.since,
        until: span.until,
        conversion: None,
    };
    let (mut scan, mut looked, mut after) = (Scan::default(), 0, None);
    loop {
        let page = desk.hub.deliveries(filter.clone(), PIECE, after).await?;
        looked += PIECE;
        for delivery in &page.items {
            scan.funnel.add(delivery);
            if let DeliveryState::Dead(reason) = &delivery.state {
                let died = scan.died.entry(reason.code.clone());
                died.or_insert_with(|| (reason.message.clone(), 0)).1 += 1;
            }
        }
        after = page.next;
        if after.is_none() || looked >= COUNTED {
            (scan.cut, scan.funnel.cut) = (after.is_some(), after.is_some());
            scan.many = looked > PIECE;
            return Ok(scan);
        }
    }
}

fn died(by_code: BTreeMap<String, (String, u64)>, account: &AccountId, span: &Span) -> Vec<Died> {
    let link = |code: &str| {
        let reason: String = form_urlencoded::byte_serialize(code.as_bytes()).collect();
        format!("/deliveries?account={account}&state=dead&reason={reason}{}", span.query())
    };
    let died = by_code.into_iter();
    let died = died.map(|(code, (message, count))| Died { link: link(&code), code, message, count });
    let mut died: Vec<Died> = died.collect();
    died.sort_by_key(|died| std::cmp::Reverse(died.count));
    died
}

/// The losses of a campaign: reason, count.
fn losses(campaign: &CampaignStanding) -> Vec<(&NoClick, &u64)> {
    campaign.lost.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_funnel_are_the_same() {
        let stats = AccountStats {
            conversions: 61,
            pending: 30,
            waiting: 1,
            in_doubt: 2,
            delivered: 25,
            dead: 7,
            oldest_pending: None,
        };
        let funnel = Funnel::of(&stats);
        assert_eq!(funnel.changes, 4);
        let Funnel { delivered, pending, waiting, in_doubt, dead, .. } = funnel;
        assert_eq!(funnel.conversions + funnel.changes, delivered + pending + waiting + in_doubt + dead);
    }

    #[test]
    fn yesterday_is_the_whole_day_before_in_utc() {
        let now: Timestamp = "2026-11-20T10:30:00Z".parse().unwrap();
        let span = Span::of("yesterday", now);
        assert_eq!(span.query(), "&since=2026-11-19T00:00:00Z&until=2026-11-20T00:00:00Z");
        assert_eq!(Span::of("", now).query(), "");
    }
}
