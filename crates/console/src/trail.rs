//! The trail: what operators did.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
};
use postback_core::ports::{Action, Deed, Resolution};
use postback_hub::{page_token, place_of};
use serde::Deserialize;

use crate::{
    desk::Desk,
    page::{self, Frame, Shown, Visitor},
    show,
    sift::PAGE,
};

#[derive(Deserialize)]
pub(crate) struct Asked {
    /// The last action of the page before.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "trail.html")]
struct Trail {
    frame: Frame,
    actions: Vec<Action>,
    next: Option<String>,
}

/// The page.
pub(crate) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Shown {
    let after = place_of(&asked.after).map_err(|error| error.at("after"))?;
    let found = desk.hub.actions(PAGE, after).await?;
    let frame = Frame::new("Trail", "Trail", visitor, desk.now());
    page::show(&Trail { frame, actions: found.items, next: found.next.map(page_token) })
}

/// What was done.
fn deed(deed: &Deed) -> &'static str {
    match deed {
        Deed::Replay => "replayed dead letters",
        Deed::Resolve(Resolution::Delivered) => "marked delivered",
        Deed::Resolve(Resolution::Resend) => "sent again what was in doubt",
        Deed::Pause => "paused",
        Deed::Resume => "resumed",
        Deed::Erase => "erased personal data",
    }
}
