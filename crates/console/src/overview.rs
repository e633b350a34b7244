//! The overview: what needs a person now, and how each account does.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
};
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, NoClick, Result,
    ports::{DeliveryFilter, LOOKED_AT},
};
use postback_hub::{AccountStanding, CampaignStanding};
use serde::Deserialize;

use crate::{
    chart::Chart,
    desk::{Desk, Shared},
    history::{History, Range},
    meters,
    page::{self, Frame, Shown, Visitor},
    refusals::{Refusals, Row as Refused},
    seen::{self, Need},
    show, words,
};

/// A pending delivery that is older is worth a look.
const OLD: SignedDuration = SignedDuration::from_mins(15);
/// So many dead letters are looked at to count those of a day.
const COUNTED: usize = 5_000;
/// How far back refused reports are counted here.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So many accounts show their charts here; all do on their own pages.
const CHARTED: usize = 12;
/// A campaign is worth a look where it lost at least so many visitors, and so many of a hundred.
const LOST: (u64, u64) = (20, 5);

/// An account on the overview.
struct Row {
    standing: AccountStanding,
    /// How many reports were refused in the last 24 hours.
    refused: u64,
    charts: Vec<Chart>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    range: Range,
    needs: Vec<Need>,
    rows: Vec<Row>,
    refused: Vec<Refused>,
    refused_when: &'static str,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: Range,
}

/// The page.
pub(crate) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Shown {
    let now = desk.now();
    let standings = desk.hub.stats(None).await?;
    let history = History::read(&desk.hub, asked.range, now).await?;
    let refusals = Refusals::read(&desk.hub, now.checked_sub(DAY).ok(), now).await?;
    let needs = needs(&desk, &standings, &refusals, now).await?;
    let registry = desk.hub.registry();
    let charts = |place: usize, standing: &AccountStanding| match place {
        ..CHARTED => history.charts(&registry, &standing.id),
        _ => Vec::new(),
    };
    let rows = standings.into_iter().enumerate();
    let row = |(place, standing): (usize, AccountStanding)| Row {
        charts: charts(place, &standing),
        refused: refusals.of(&standing.id),
        standing,
    };
    let rows = rows.map(row).collect();
    let frame = Frame::new("Overview", "Overview", visitor, now).live(asked.range.fresh());
    let (refused, refused_when) = (refusals.rows(None), "in the last 24 hours");
    page::show(&Overview { frame, range: asked.range, needs, rows, refused, refused_when })
}

async fn needs(
    desk: &Shared,
    standings: &[AccountStanding],
    refusals: &Refusals,
    now: Timestamp,
) -> Result<Vec<Need>> {
    let day = History::read(&desk.hub, Range::Day, now).await?;
    let open = meters::labels(&desk.metrics, "postback_breaker_open", "account");
    let mut needs: Vec<Need> = Vec::new();
    for standing in standings {
        let died = day.died(&standing.id) > 0 && standing.stats.dead > 0;
        let died = if died { died_lately(desk, &standing.id, now).await? } else { Some(0) };
        needs.extend(of_account(standing, died, now));
        needs.extend(of_refused(Some(&standing.id), refusals.of(&standing.id)));
        if open.contains(standing.id.as_str()) {
            needs.push(Need {
                tone: "warn",
                words: format!(
                    "{}: the network fails again and again; calls rest and are tried one by one",
                    standing.id
                ),
                link: format!("/deliveries?account={}&state=retrying", standing.id),
            });
        }
    }
    let sight = desk.hub.sights().borrow().clone();
    needs.extend(sight.iter().flat_map(|sight| sight.accounts.iter().flatten()).filter_map(of_removed));
    needs.extend(of_refused(None, refusals.of_nobody()));
    needs.extend(desk.hub.campaigns().await?.iter().filter_map(of_campaign));
    needs.extend(sight.iter().flat_map(|sight| seen::needs(sight, now)));
    let order = ["ask", "bad", "warn"];
    needs.sort_by_key(|need| order.iter().position(|tone| *tone == need.tone));
    Ok(needs)
}

/// How many deliveries of an account are dead that changed in the last 24 hours, as their list shows them; `None` where
/// there are too many to count.
async fn died_lately(desk: &Shared, account: &AccountId, now: Timestamp) -> Result<Option<u64>> {
    let filter =
        DeliveryFilter { account: Some(account.clone()), state: Some("dead"), ..DeliveryFilter::default() };
    let since = now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
    let (mut died, mut after) = (0, None);
    for _ in 0..COUNTED / LOOKED_AT {
        let page = desk.hub.deliveries(filter.clone(), LOOKED_AT, after).await?;
        died += page.items.iter().filter(|delivery| delivery.updated_at >= since).count() as u64;
        after = page.next;
        if after.is_none() {
            return Ok(Some(died));
        }
    }
    Ok(None)
}

/// An account that was taken out of the config before all of it was done.
fn of_removed(standing: &AccountStanding) -> Option<Need> {
    let AccountStanding { id, stats, .. } = standing;
    let left = [(stats.pending, "pending"), (stats.waiting, "waiting"), (stats.in_doubt, "in_doubt")];
    let (_, state) =
        left.into_iter().find(|(count, _)| *count > 0).filter(|_| standing.network.is_empty())?;
    let still: u64 = left.iter().map(|(count, _)| count).sum();
    let words = format!("{id}: not in the config, so that {still} of it are not sent; bring it back");
    Some(Need { tone: "bad", words, link: format!("/deliveries?account={id}&state={state}") })
}

fn of_account(standing: &AccountStanding, died: Option<u64>, now: Timestamp) -> Vec<Need> {
    let (id, stats) = (&standing.id, &standing.stats);
    let list = |state: &str| format!("/deliveries?account={id}&state={state}");
    let mut needs = Vec::new();
    if stats.in_doubt > 0 {
        let words = format!("{id}: {} in doubt; a person decides", show::count(&stats.in_doubt));
        needs.push(Need { tone: "ask", words, link: list("in_doubt") });
    }
    if let Some(paused) = &standing.paused {
        let since = show::ago(&paused.since, &now);
        let words = format!("{id}: paused {since}, {}", show::text(&paused.reason.message));
        needs.push(Need { tone: "bad", words, link: format!("/accounts/{id}") });
    }
    if died != Some(0) {
        let many = died.map_or_else(|| "many dead letters".to_owned(), |died| show::of(&died, "dead letter"));
        let words = format!("{id}: {many} since yesterday");
        needs.push(Need { tone: "bad", words, link: format!("{}&changed=24", list("dead")) });
    }
    if let Some(oldest) = stats.oldest_pending.filter(|oldest| now.duration_since(*oldest) > OLD) {
        let words = format!("{id}: the oldest pending delivery came {}", show::ago(&oldest, &now));
        let until = oldest.saturating_add(SignedDuration::from_secs(1)).unwrap_or(oldest);
        needs.push(Need { tone: "warn", words, link: format!("{}&until={until:.0}", list("pending")) });
    }
    needs
}

fn of_refused(account: Option<&AccountId>, refused: u64) -> Option<Need> {
    let (of, link) = match account {
        Some(id) => (id.to_string(), format!("/accounts/{id}#never")),
        None => ("no known account".to_owned(), "/#refused".to_owned()),
    };
    let words = format!("{of}: {} refused since yesterday", show::of(&refused, "report"));
    (refused > 0).then_some(Need { tone: "warn", words, link })
}

fn of_campaign(campaign: &CampaignStanding) -> Option<Need> {
    let lost: u64 = campaign.lost.values().sum();
    let (least, percent) = LOST;
    let macros = campaign.lost.get(&NoClick::Macro).copied().unwrap_or_default();
    let many = lost >= least && lost * 100 >= (lost + campaign.clicks) * percent;
    let words = match macros {
        0 if !many => return None,
        0 => format!("{}: {} came without a click id", campaign.id, show::of(&lost, "visitor")),
        _ => format!(
            "{}: {} came with a macro that the network did not replace",
            campaign.id,
            show::of(&macros, "visitor")
        ),
    };
    Some(Need { tone: "warn", words, link: format!("/campaigns/{}#losses", campaign.id) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postback_core::{
        Reason,
        ports::{AccountStats, Paused},
    };
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn account(stats: AccountStats, paused: Option<Paused>) -> AccountStanding {
        AccountStanding { id: "near".parse().unwrap(), network: "powerspace", paused, stats }
    }

    #[test]
    fn each_need_leads_to_exactly_its_list() {
        let oldest = NOW - SignedDuration::from_mins(20);
        let stats =
            AccountStats { in_doubt: 2, dead: 9, oldest_pending: Some(oldest), ..AccountStats::default() };
        let paused = Paused { since: oldest, reason: Reason::new("operator", "lunch") };
        let needs = of_account(&account(stats, Some(paused)), Some(3), NOW);
        let told: Vec<(&str, &str)> =
            needs.iter().map(|need| (need.words.as_str(), need.link.as_str())).collect();
        assert_eq!(
            told,
            [
                ("near: 2 in doubt; a person decides", "/deliveries?account=near&state=in_doubt"),
                ("near: paused 20 min ago, lunch", "/accounts/near"),
                ("near: 3 dead letters since yesterday", "/deliveries?account=near&state=dead&changed=24"),
                (
                    "near: the oldest pending delivery came 20 min ago",
                    "/deliveries?account=near&state=pending&until=1969-12-31T23:40:01Z"
                ),
            ]
        );
    }

    #[test]
    fn an_account_that_was_removed_too_early_needs_somebody() {
        let stats = AccountStats { waiting: 1, pending: 2, dead: 4, ..AccountStats::default() };
        let removed = |stats| AccountStanding { network: "", ..account(stats, None) };
        let need = of_removed(&removed(stats.clone())).unwrap();
        assert_eq!(need.words, "near: not in the config, so that 3 of it are not sent; bring it back");
        assert_eq!(need.link, "/deliveries?account=near&state=pending");
        assert!(of_removed(&removed(AccountStats { dead: 4, ..AccountStats::default() })).is_none());
        assert!(of_removed(&account(stats, None)).is_none(), "it is in the config");
    }

    #[test]
    fn an_account_that_does_well_needs_nobody() {
        let oldest = Some(NOW - SignedDuration::from_mins(1));
        let stats =
            AccountStats { delivered: 9, pending: 1, oldest_pending: oldest, ..AccountStats::default() };
        assert!(of_account(&account(stats, None), Some(0), NOW).is_empty());
    }

    #[test]
    fn one_macro_is_worth_a_look_and_a_few_visitors_without_an_id_are_not() {
        let campaign = |clicks, lost| CampaignStanding {
            id: "spring".parse().unwrap(),
            account: "near".parse().unwrap(),
            clicks,
            lost: BTreeMap::from([lost]),
        };
        assert!(of_campaign(&campaign(1_000, (NoClick::Missing, 19))).is_none());
        assert!(of_campaign(&campaign(1_000, (NoClick::Missing, 20))).is_none());
        let many = of_campaign(&campaign(100, (NoClick::Missing, 20))).unwrap();
        assert_eq!(many.words, "spring: 20 visitors came without a click id");
        let one = of_campaign(&campaign(1_000_000, (NoClick::Macro, 1))).unwrap();
        assert_eq!(one.link, "/campaigns/spring#losses");
    }
}
