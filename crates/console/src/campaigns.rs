//! Campaigns: the link for each network's panel, what visitors lost, and what the hub would capture.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
};
use postback_core::{Account, NoClick};
use postback_hub::{Campaign, CampaignStanding, Captured, Visit};
use serde::Deserialize;

use crate::{
    desk::{Desk, Shared},
    page::{self, Failed, Frame, Shown, Visitor},
    show, words,
};

#[derive(Template)]
#[template(path = "campaigns.html")]
struct Campaigns {
    frame: Frame,
    campaigns: Vec<CampaignStanding>,
}

/// The list.
pub(crate) async fn list(State(desk): State<Desk>, Extension(visitor): Extension<Visitor>) -> Shown {
    let campaigns = desk.hub.campaigns().await?;
    let frame = Frame::new("Campaigns", "Campaigns", visitor, desk.now()).live(5);
    page::show(&Campaigns { frame, campaigns })
}

/// How many came without a click id.
fn lost(campaign: &CampaignStanding) -> u64 {
    campaign.lost.values().sum()
}

/// A landing to test.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    landing: String,
}

/// A parameter of the link.
struct Part {
    name: String,
    value: String,
    words: &'static str,
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct One {
    frame: Frame,
    standing: CampaignStanding,
    network: &'static str,
    parameter: String,
    find_by_ip: bool,
    /// The link, or why there is none.
    link: Result<String, String>,
    parts: Vec<Part>,
    landing: String,
    tested: Option<Result<Captured, String>>,
}

/// The page of a campaign.
pub(crate) async fn one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let registry = desk.hub.registry();
    let campaign = registry.campaign(&id)?;
    let account = registry.account(&campaign.account)?;
    let standings = desk.hub.campaigns().await?;
    let standing = page::found(standings.into_iter().find(|it| it.id == campaign.id), "campaign")?;
    let parameter = parameter(campaign, account);
    let tested = match asked.landing.trim() {
        "" => None,
        landing => Some(test(&desk, campaign, landing).await?),
    };
    let frame = Frame::new(format!("Campaign {id}"), "Campaigns", visitor, desk.now());
    page::show(&One {
        frame,
        standing,
        network: account.adapter.network(),
        parts: parts(&account.adapter.link_query(&parameter), &parameter),
        parameter,
        find_by_ip: campaign.find_by_ip,
        link: desk.hub.link(&id).map_err(|error| error.to_string()),
        landing: asked.landing,
        tested,
    })
}

fn parameter(campaign: &Campaign, account: &Account) -> String {
    campaign.parameter.clone().unwrap_or_else(|| account.adapter.click_parameter().to_owned())
}

/// The parts of a link's query, its macros as the network's panel wants them.
fn parts(query: &str, parameter: &str) -> Vec<Part> {
    let part = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = form_urlencoded::parse(name.as_bytes()).next();
        let words = if decoded.is_some_and(|(name, _)| name == parameter) {
            "The network puts the click's id in place of the macro. Without it no conversion can be told back: leave \
             it as it stands, braces included."
        } else {
            "Passed on as it stands."
        };
        Part { name: name.to_owned(), value: value.to_owned(), words }
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(part).collect()
}

/// What the hub would capture of a landing; nothing is stored.
async fn test(desk: &Shared, campaign: &Campaign, landing: &str) -> Result<Result<Captured, String>, Failed> {
    let query = landing.split_once('?').map_or(landing, |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let visit = Visit { campaign: campaign.id.as_str(), query, ..Visit::default() };
    match desk.hub.preview(visit).await {
        Ok(captured) => Ok(Ok(captured)),
        Err(error) if error.kind() == postback_core::ErrorKind::InvalidArgument => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Every reason, and how many came so.
fn losses(standing: &CampaignStanding) -> Vec<(NoClick, u64)> {
    NoClick::ALL
        .into_iter()
        .map(|reason| (reason, standing.lost.get(&reason).copied().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_of_the_click_id_is_told_from_the_others() {
        let parts = parts("click_id={click_id}&sub=1", "click_id");
        assert_eq!((parts[0].name.as_str(), parts[0].value.as_str()), ("click_id", "{click_id}"));
        assert!(parts[0].words.contains("macro") && !parts[1].words.contains("macro"));
        assert!(super::parts("a%20b={click}", "a b")[0].words.contains("macro"));
        assert!(super::parts("", "clickId").is_empty());
    }
}
