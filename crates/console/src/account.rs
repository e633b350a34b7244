//! One account: where all its conversions went, why the dead ones died, and what never became a conversion.

use std::collections::{BTreeMap, HashSet};

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Delivery, DeliveryState, Event, LaneId, NoClick, Result,
    ports::{AccountStats, DeliveryFilter, LOOKED_AT, Page},
};
use postback_hub::{AccountStanding, CampaignStanding, before};
use serde::Deserialize;

use crate::{
    chart::Chart,
    deliveries::lanes_in_doubt,
    desk::{Desk, Shared},
    history::{History, Range},
    page::{self, Frame, Shown, Visitor},
    refusals::{Refusals, Row},
    show,
    sift::After,
    words,
};

/// So many deliveries are looked at one by one at most.
const COUNTED: usize = 20_000;
/// By how much the hub that made an id may be ahead of the store that dated its record.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

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
    /// Whether there may be more than were counted.
    cut: bool,
}

impl Funnel {
    /// Whether what was looked at says nothing of the time.
    const fn is_unknown(&self) -> bool {
        self.cut && self.conversions + self.changes == 0
    }

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

/// Deliveries that the network does not have, or may not have, for one reason.
struct Missing {
    state: &'static str,
    tone: &'static str,
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
    missing: Vec<Missing>,
    /// Whether there are more than were looked at.
    missing_cut: bool,
    refused: Vec<Row>,
    /// How many reports were refused, of this account and of none that is known, and how many there were in all.
    refusals: u64,
    reported: u64,
    refused_when: &'static str,
    campaigns: Vec<CampaignStanding>,
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
    let mut scan = Scan::default();
    if standing.stats.in_doubt > 0 {
        scan.held = lanes_in_doubt(&desk, &id).await?;
    }
    let states: &[_] = match (of_stats, scan.held.is_empty()) {
        (true, true) => &[Some("dead"), Some("in_doubt")],
        (true, false) => &[Some("dead"), Some("in_doubt"), Some("pending")],
        (false, _) => &[None],
    };
    for state in states {
        scan.deliveries(&desk, &id, &span, *state).await?;
    }
    let mut campaigns = desk.hub.campaigns().await?;
    campaigns.retain(|campaign| campaign.account == id);
    let history = History::read(&desk.hub, asked.range, now).await?;
    let charts = history.charts(&desk.hub.registry(), &id);
    let refused = Refusals::read(&desk.hub, span.since, span.until.unwrap_or(now)).await?.rows(Some(&id));
    let refusals = refused.iter().map(|row| row.count).sum();
    let mut missing = scan.missing(&id, &span);
    let (missing_cut, many) = (scan.cut, scan.many);
    let funnel = if of_stats { Funnel::of(&standing.stats) } else { scan.funnel };
    missing.extend(behind_pause(&standing, funnel.pending.saturating_sub(scan.behind), &span));
    let frame =
        Frame::new(id.to_string(), "Overview", visitor, now).live(if many { 0 } else { asked.range.fresh() });
    page::show(&Account {
        missing,
        missing_cut,
        reported: funnel.conversions + refusals,
        refusals,
        refused,
        refused_when: match asked.time.as_str() {
            "" | "month" => "as far back as they are counted: 8 days",
            _ => "in that time",
        },
        query: span.query(),
        frame,
        standing,
        time: asked.time,
        funnel,
        campaigns,
        range: asked.range,
        charts,
    })
}

/// What was counted one by one.
#[derive(Default)]
struct Scan {
    funnel: Funnel,
    /// By state and reason: a message for example, and how many.
    missing: BTreeMap<(&'static str, String), (String, u64)>,
    /// The lanes that stand behind a delivery in doubt, and how many deliveries wait there.
    held: HashSet<LaneId>,
    behind: u64,
    /// Whether there may be more than were counted.
    cut: bool,
    /// Whether so many were counted that it is not done again and again.
    many: bool,
}

impl Scan {
    /// Counts deliveries of a time by state, and what the network lacks by reason; of one state where it is named.
    async fn deliveries(
        &mut self,
        desk: &Shared,
        account: &AccountId,
        span: &Span,
        state: Option<&'static str>,
    ) -> Result<()> {
        let account = Some(account.clone());
        let filter =
            DeliveryFilter { account, state, since: span.since, until: span.until, conversion: None };
        self.count(span, |after| desk.hub.deliveries(filter.clone(), LOOKED_AT, after)).await
    }

    /// Counts what a list reads, from the end of its time back.
    async fn count<R>(&mut self, span: &Span, read: impl Fn(After) -> R) -> Result<()>
    where
        R: Future<Output = Result<Page<Delivery>>>,
    {
        let mut after = span.until.and_then(|until| until.checked_add(AHEAD).ok()).map(before);
        for _ in 0..COUNTED / LOOKED_AT {
            let page = read(after).await?;
            page.items.iter().for_each(|delivery| self.add(delivery));
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
            self.many = true;
        }
        // What was made before the time hardly was reported in it.
        self.cut |= after >= span.since.map(before);
        self.funnel.cut = self.cut;
        Ok(())
    }

    fn add(&mut self, delivery: &Delivery) {
        self.funnel.add(delivery);
        if let DeliveryState::Dead(reason) | DeliveryState::InDoubt(reason) = &delivery.state {
            let missing = self.missing.entry((delivery.state.as_str(), reason.code.clone()));
            missing.or_insert_with(|| (reason.message.clone(), 0)).1 += 1;
        }
        if delivery.state == DeliveryState::Pending && self.held.contains(&delivery.lane) {
            let missing = self.missing.entry((delivery.state.as_str(), words::BEHIND.to_owned()));
            missing.or_insert_with(|| ("another delivery of the same click is in doubt".to_owned(), 0)).1 +=
                1;
            self.behind += 1;
        }
    }

    fn missing(&self, account: &AccountId, span: &Span) -> Vec<Missing> {
        let missing = self.missing.iter().map(|((state, code), (message, count))| {
            let reason: String = form_urlencoded::byte_serialize(code.as_bytes()).collect();
            let mut link = format!("/deliveries?account={account}&state={state}");
            let tone = match *state {
                "dead" => "bad",
                "pending" => "warn",
                _ => "ask",
            };
            if *state != "pending" {
                link += &format!("&reason={reason}");
            }
            link += &span.query();
            let (code, message) = (code.clone(), message.clone());
            Missing { state, tone, code, message, count: *count, link }
        });
        let mut missing: Vec<Missing> = missing.collect();
        missing.sort_by_key(|missing| (missing.state, std::cmp::Reverse(missing.count)));
        missing
    }
}

/// What is pending while the account is paused, and waits for nothing else.
fn behind_pause(standing: &AccountStanding, pending: u64, span: &Span) -> Option<Missing> {
    let reason = &standing.paused.as_ref()?.reason;
    (pending > 0).then(|| Missing {
        state: "pending",
        tone: "warn",
        code: reason.code.clone(),
        message: reason.message.clone(),
        count: pending,
        link: format!("/deliveries?account={}&state=pending{}", standing.id, span.query()),
    })
}

/// The losses of a campaign: reason, count.
fn losses(campaign: &CampaignStanding) -> Vec<(&NoClick, &u64)> {
    campaign.lost.iter().collect()
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use postback_core::{ConversionId, DeliveryId, LaneId, Source};

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

    fn reported(at: Timestamp, tail: u64) -> Delivery {
        let account: AccountId = "near".parse().unwrap();
        let mut id = before(at);
        id[8..].copy_from_slice(&tail.to_be_bytes());
        Delivery {
            id: DeliveryId::from_bytes(id),
            conversion: ConversionId::from_bytes(id),
            lane: LaneId::of(&account, &Source::Click("c".parse().unwrap()), ""),
            account,
            event: Event::Created,
            state: DeliveryState::Delivered,
            attempts: Vec::new(),
            started_at: None,
            remote_id: None,
            created_at: at,
            updated_at: at,
            due_at: None,
            expires_at: at,
            trace: None,
        }
    }

    /// The page's count of a time, of so many deliveries of each of the last days, today first.
    async fn counted(time: &str, days: [u64; 3]) -> Funnel {
        let now: Timestamp = "2026-11-20T10:30:00Z".parse().unwrap();
        let (span, mut all) = (Span::of(time, now), Vec::new());
        for (back, many) in days.into_iter().enumerate() {
            let at = now - SignedDuration::from_hours(24 * back as i64);
            all.extend((0..many).rev().map(|tail| reported(at, tail)));
        }
        let within = |it: &&Delivery| {
            span.since.is_none_or(|since| it.created_at >= since)
                && span.until.is_none_or(|until| it.created_at < until)
        };
        let read = |after: After| {
            let later = |it: &&Delivery| after.is_some_and(|after| *it.id.as_bytes() >= after);
            let mut looked: Vec<&Delivery> = all.iter().skip_while(later).take(LOOKED_AT + 1).collect();
            let is_last = looked.len() <= LOOKED_AT;
            looked.truncate(LOOKED_AT);
            let next = looked.last().filter(|_| !is_last).map(|last| *last.id.as_bytes());
            ready(Ok(Page { items: looked.into_iter().filter(within).cloned().collect(), next }))
        };
        let mut scan = Scan::default();
        scan.count(&span, read).await.unwrap();
        scan.funnel
    }

    #[tokio::test]
    async fn a_day_is_counted_whole_behind_more_than_are_looked_at() {
        let days = [30_000, 12_345, 30_000];
        let yesterday = counted("yesterday", days).await;
        assert_eq!((yesterday.conversions, yesterday.cut), (12_345, false));
        let today = counted("today", days).await;
        assert_eq!((today.conversions, today.cut, today.is_unknown()), (COUNTED as u64, true, false));
        let none = counted("today", [0, 30_000, 0]).await;
        assert_eq!((none.conversions, none.is_unknown()), (0, false));
    }

    #[test]
    fn yesterday_is_the_whole_day_before_in_utc() {
        let now: Timestamp = "2026-11-20T10:30:00Z".parse().unwrap();
        let span = Span::of("yesterday", now);
        assert_eq!(span.query(), "&since=2026-11-19T00:00:00Z&until=2026-11-20T00:00:00Z");
        assert_eq!(Span::of("", now).query(), "");
    }
}
