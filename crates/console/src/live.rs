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
    /// How many campaigns' clicks are not looked at.
    left_out: u64,
}

/// The page.
pub(crate) async fn page(State(desk): State<Desk>, Extension(visitor): Extension<Visitor>) -> Shown {
    let found = desk.hub.latest_deliveries(SHOWN).await?;
    let mut clicks = Vec::new();
    let registry = desk.hub.registry();
    for campaign in registry.campaigns().take(CAMPAIGNS) {
        let of = ClicksOf::Campaign(campaign.id.to_string());
        clicks.extend(desk.hub.latest_clicks(&of, SHOWN, None).await?.items);
    }
    clicks.sort_by_key(|click| Reverse(click.click.captured_at));
    clicks.truncate(SHOWN);
    let frame = Frame::new("Live", "Live", visitor, desk.now()).live(5);
    let left_out = registry.campaigns().skip(CAMPAIGNS).count() as u64;
    page::show(&Live { frame, found, clicks, left_out })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn campaigns_whose_clicks_are_not_looked_at_are_named_by_their_number() {
        let page = |left_out| {
            let (title, now) = ("Live".to_owned(), Timestamp::UNIX_EPOCH);
            let frame = Frame { title, section: "Live", visitor: None, now, live: 5 };
            Live { frame, found: Vec::new(), clicks: Vec::new(), left_out }.render().unwrap()
        };
        assert!(!page(0).contains("campaigns by name"));
        assert!(page(3).contains("Of the first 50 campaigns by name; those of 3 other campaigns are on"));
    }
}
