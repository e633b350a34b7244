//! What happens now: the latest deliveries and clicks.

use std::cmp::Reverse;

use askama::Template;
use axum::{Extension, extract::State};
use postback_core::{Click, Delivery};
use postback_hub::ClicksOf;

use crate::{
    desk::Desk,
    page::{self, Frame, Shown, Visitor},
    show, words,
};

/// How many of each are shown.
const SHOWN: usize = 30;
/// So many campaigns are looked at for their latest clicks.
const CAMPAIGNS: usize = 50;

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    frame: Frame,
    found: Vec<Delivery>,
    clicks: Vec<Click>,
}

/// The page.
pub(crate) async fn page(State(desk): State<Desk>, Extension(visitor): Extension<Visitor>) -> Shown {
    let found = desk.hub.latest_deliveries(SHOWN).await?;
    let mut clicks = Vec::new();
    for campaign in desk.hub.registry().campaigns().take(CAMPAIGNS) {
        let of = ClicksOf::Campaign(campaign.id.to_string());
        clicks.extend(desk.hub.latest_clicks(&of, SHOWN, None).await?.items);
    }
    clicks.sort_by_key(|click| Reverse(click.click.captured_at));
    clicks.truncate(SHOWN);
    let frame = Frame::new("Live", "Live", visitor, desk.now()).live(5);
    page::show(&Live { frame, found, clicks })
}
