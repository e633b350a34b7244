//! The list of conversions, and the story of one.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use postback_core::{
    AccountId, Click, Conversion, ConversionId, Delivery, DeliveryState, ErrorKind, Event, Result, Source,
    ports::{ConversionFilter, Page, Paused, Story},
};
use tokio::task::JoinSet;

use crate::{
    desk::{Desk, Shared},
    filter::{self, Filter},
    page::{self, Frame, Shown, Visitor},
    show,
    sift::{PAGE, sift},
    words::{self, Halted},
};

/// How many other conversions of a click are shown with one.
const SIBLINGS: usize = 20;

/// So many conversions are looked at for one page at most.
const LOOKED: usize = 500;

/// A conversion with where it stands.
struct Row {
    conversion: Conversion,
    /// Its own delivery.
    own: Option<Delivery>,
    /// How many changes of it were told.
    changes: usize,
}

#[derive(Template)]
#[template(path = "conversions.html")]
struct Conversions {
    frame: Frame,
    filter: Filter,
    accounts: Vec<String>,
    campaigns: Vec<String>,
    found: Vec<Row>,
    next: Option<String>,
}

/// The list.
pub(crate) async fn list(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Shown {
    let (found, next) = find(&desk, &filter).await?;
    let frame = Frame::new("Conversions", "Conversions", visitor, desk.now());
    page::show(&Conversions {
        frame,
        accounts: accounts(&desk),
        campaigns: campaigns(&desk),
        next: next.map(|id| format!("{}&after={id}", filter.query())),
        filter,
        found,
    })
}

/// A page of what fits the filter, and the conversion after which the next one begins.
async fn find(desk: &Shared, filter: &Filter) -> Result<(Vec<Row>, Option<ConversionId>)> {
    let state = filter.deliveries()?.state;
    let retrying = filter.state == "retrying";
    let fits = |row: &Row| {
        row.own.as_ref().map_or(state.is_none(), |own| {
            state.is_none_or(|state| own.state.as_str() == state) && !(retrying && own.attempts.is_empty())
        })
    };
    let read = |most, after| {
        let conversions = filter.conversions()?;
        Ok(async move {
            let page = desk.hub.conversions(conversions, most, after).await?;
            Ok(Page { items: rows(desk, page.items).await?, next: page.next })
        })
    };
    let after = filter.after_conversion()?;
    let (found, next) = sift((PAGE, LOOKED), after, read, fits, |row| *row.conversion.id.as_bytes()).await?;
    Ok((found, next.map(ConversionId::from_bytes)))
}

/// Looks up where conversions stand, all at once.
async fn rows(desk: &Shared, conversions: Vec<Conversion>) -> Result<Vec<Row>> {
    let mut reads = JoinSet::new();
    for (place, conversion) in conversions.into_iter().enumerate() {
        let hub = desk.hub.clone();
        reads.spawn(async move { (place, hub.story(conversion.id).await, conversion) });
    }
    let mut read = reads.join_all().await;
    read.sort_unstable_by_key(|(place, ..)| *place);
    let row = |(_, story, conversion): (usize, Result<(Story, Option<Click>)>, Conversion)| {
        let deliveries = match story {
            Ok((story, _)) => story.deliveries,
            // It was swept meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (own, changes): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| delivery.event == Event::Created);
        Ok(Row { conversion, own: own.into_iter().next(), changes: changes.len() })
    };
    read.into_iter().map(row).collect()
}

/// The names of all accounts.
pub(crate) fn accounts(desk: &Shared) -> Vec<String> {
    desk.hub.registry().accounts().keys().map(ToString::to_string).collect()
}

/// The names of all campaigns.
pub(crate) fn campaigns(desk: &Shared) -> Vec<String> {
    desk.hub.registry().campaigns().map(|campaign| campaign.id.to_string()).collect()
}

/// A delivery with what is said of it.
pub(crate) struct Told {
    pub(crate) delivery: Delivery,
    /// What happens next, and when.
    pub(crate) next: String,
}

#[derive(Template)]
#[template(path = "story.html")]
struct Tale {
    frame: Frame,
    conversion: Conversion,
    click: Option<Click>,
    told: Vec<Told>,
    paused: Option<Paused>,
    siblings: Vec<Conversion>,
}

/// The story of a conversion: where it came from, each call, each answer, and what happens next.
pub(crate) async fn story(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let now = desk.now();
    let (Story { conversion, deliveries }, click) = desk.hub.story(id.parse()?).await?;
    let paused = paused(&desk, &conversion.account).await?;
    let siblings = siblings(&desk, &conversion).await?;
    let mut held = deliveries.iter().any(filter::in_doubt);
    for sibling in &siblings {
        held = held || desk.hub.story(sibling.id).await?.0.deliveries.iter().any(filter::in_doubt);
    }
    let halted = Halted { removed: removed(&desk, &conversion.account), paused: paused.is_some(), held };
    let told = deliveries.into_iter();
    let told = told.map(|delivery| Told { next: words::next(&delivery, halted, now), delivery }).collect();
    let title = format!("{} {}", words::kind(&conversion.details.kind), conversion.id);
    let frame = Frame::new(title, "Conversions", visitor, now).live(5);
    page::show(&Tale { frame, conversion, click, told, paused, siblings })
}

/// Whether an account is not in the config.
pub(crate) fn removed(desk: &Shared, account: &AccountId) -> bool {
    !desk.hub.registry().accounts().contains_key(account)
}

/// Why an account is paused; nothing where it is not, or not in the config.
pub(crate) async fn paused(desk: &Shared, account: &AccountId) -> Result<Option<Paused>> {
    if removed(desk, account) {
        return Ok(None);
    }
    let standing = desk.hub.stats(Some(account)).await?;
    Ok(standing.into_iter().next().and_then(|standing| standing.paused))
}

/// The other conversions of the same click: they share its lane.
async fn siblings(desk: &Shared, conversion: &Conversion) -> Result<Vec<Conversion>> {
    let Source::Click(_) = conversion.source else { return Ok(Vec::new()) };
    let filter = ConversionFilter {
        account: Some(conversion.account.clone()),
        lane: Some(conversion.lane),
        ..ConversionFilter::default()
    };
    let mut found = desk.hub.conversions(filter, SIBLINGS, None).await?.items;
    found.retain(|sibling| sibling.id != conversion.id);
    Ok(found)
}
