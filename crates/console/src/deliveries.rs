//! The list of deliveries, and one of them.

use std::collections::HashSet;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use postback_core::{
    AccountId, Delivery, DeliveryId, DeliveryState, LaneId, Reason, Result, ports::DeliveryFilter,
};

use crate::{
    conversions::{self, Told},
    desk::{Desk, Shared},
    filter::{self, Filter},
    page::{self, Frame, Shown, Visitor},
    show,
    sift::{PAGE, sift},
    words::{self, Halted},
};

/// So many deliveries are looked at for one page at most.
const LOOKED: usize = 5_000;
/// So many at a time.
const PIECE: usize = 500;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Deliveries {
    frame: Frame,
    filter: Filter,
    accounts: Vec<String>,
    found: Vec<Delivery>,
    next: Option<String>,
}

/// The list.
pub(crate) async fn list(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Shown {
    let (found, next) = find(&desk, &filter).await?;
    let frame = Frame::new("Deliveries", "Deliveries", visitor, desk.now());
    page::show(&Deliveries {
        frame,
        accounts: conversions::accounts(&desk),
        next: next.map(|id| format!("{}&after={id}", filter.query())),
        filter,
        found,
    })
}

/// A page of what fits the filter, and the delivery after which the next one begins.
async fn find(desk: &Shared, filter: &Filter) -> Result<(Vec<Delivery>, Option<DeliveryId>)> {
    let fits = filter.fits(desk.now())?;
    let piece = if filter.is_fine() { PIECE } else { PAGE };
    let read = |most, after| {
        let deliveries = filter.deliveries()?;
        Ok(async move { desk.hub.deliveries(deliveries, most, after).await })
    };
    let after = filter.after_delivery()?;
    let (found, next) = sift((piece, LOOKED), after, read, fits, |delivery| *delivery.id.as_bytes()).await?;
    Ok((found, next.map(DeliveryId::from_bytes)))
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct One {
    frame: Frame,
    one: Told,
}

/// Whether a pending delivery waits behind one in doubt; one that is due is the first of its lane.
async fn held(desk: &Shared, delivery: &Delivery) -> Result<bool> {
    if delivery.state != DeliveryState::Pending || delivery.due_at.is_some() {
        return Ok(false);
    }
    Ok(lanes_in_doubt(desk, &delivery.account).await?.contains(&delivery.lane))
}

/// The lanes of an account that stand behind a delivery in doubt: those of its latest in doubt.
pub(crate) async fn lanes_in_doubt(desk: &Shared, account: &AccountId) -> Result<HashSet<LaneId>> {
    let in_doubt = DeliveryState::InDoubt(Reason::new("", ""));
    let filter = DeliveryFilter {
        account: Some(account.clone()),
        state: Some(in_doubt.as_str()),
        ..DeliveryFilter::default()
    };
    let (mut lanes, mut after) = (HashSet::new(), None);
    for _ in 0..LOOKED / PIECE {
        let page = desk.hub.deliveries(filter.clone(), PIECE, after).await?;
        lanes.extend(page.items.iter().map(|delivery| delivery.lane));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(lanes)
}

/// A delivery by itself: a change that waits has no conversion yet.
pub(crate) async fn one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let now = desk.now();
    let delivery = desk.hub.delivery(id.parse()?).await?;
    let halted = Halted {
        removed: conversions::removed(&desk, &delivery.account),
        paused: conversions::paused(&desk, &delivery.account).await?.is_some(),
        held: held(&desk, &delivery).await?,
    };
    let frame = Frame::new(format!("Delivery {}", delivery.id), "Deliveries", visitor, now).live(5);
    let one = Told { next: words::next(&delivery, halted, now), delivery };
    page::show(&One { frame, one })
}
