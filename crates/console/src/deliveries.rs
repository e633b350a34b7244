//! The list of deliveries, and one of them.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use postback_core::{Delivery, DeliveryId, DeliveryState, Result};

use crate::{
    conversions::{self, Told},
    desk::{Desk, Shared},
    filter::{self, Filter},
    page::{self, Frame, Shown, Visitor},
    show,
    sift::{PAGE, sift},
    words,
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

/// A delivery by itself: a change that waits has no conversion yet.
pub(crate) async fn one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let now = desk.now();
    let delivery = desk.hub.delivery(id.parse()?).await?;
    let standing = match desk.hub.registry().accounts().contains_key(&delivery.account) {
        true => desk.hub.stats(Some(&delivery.account)).await?.into_iter().next(),
        false => None,
    };
    let paused = standing.and_then(|standing| standing.paused);
    let frame = Frame::new(format!("Delivery {}", delivery.id), "Deliveries", visitor, now).live(5);
    let one = Told { next: words::next(&delivery, paused.as_ref(), false, now), delivery };
    page::show(&One { frame, one })
}
