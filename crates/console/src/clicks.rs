//! Clicks: searched by whatever a person has of them, and the page of one.

use std::net::IpAddr;

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
};
use postback_core::{
    Click, Conversion, ErrorKind, LaneId, Result, Source,
    ports::{ConversionFilter, Page},
};
use postback_hub::{CampaignStanding, ClickBy, ClicksOf, page_token, place_of};
use serde::Deserialize;

use crate::{
    desk::{Desk, Shared},
    page::{self, Frame, Shown, Visitor},
    show,
    sift::PAGE,
    words,
};

/// What a click can be searched by: name, and what it means.
const BY: [(&str, &str); 6] = [
    ("", "anything"),
    ("token", "click token"),
    ("click", "network's click id"),
    ("user", "user id"),
    ("ip", "visitor's address"),
    ("campaign", "campaign"),
];
/// So many accounts are asked for a click id at most.
const ACCOUNTS: usize = 200;
/// How many conversions of a click are shown.
const CONVERSIONS: usize = 50;

/// A search as a person wrote it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    q: String,
    by: String,
    /// Where the page before ended, for a campaign.
    after: String,
}

/// Clicks that were found in one way.
struct Found {
    how: String,
    clicks: Vec<Click>,
}

#[derive(Template)]
#[template(path = "clicks.html")]
struct Clicks {
    frame: Frame,
    search: Search,
    found: Vec<Found>,
    /// Why one way of searching found nothing.
    notes: Vec<String>,
    next: Option<String>,
    campaigns: Vec<CampaignStanding>,
}

impl Clicks {
    fn lost_none(&self) -> bool {
        self.campaigns.iter().all(|campaign| campaign.lost.is_empty())
    }
}

/// The search.
pub(crate) async fn search(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(mut search): Query<Search>,
) -> Shown {
    search.q = search.q.trim().to_owned();
    let mut ways = Ways { desk: &desk, found: Vec::new(), notes: Vec::new(), next: None };
    if !search.q.is_empty() {
        ways.go(&search).await?;
    }
    let Ways { found, notes, next, .. } = ways;
    let frame = Frame::new("Clicks", "Clicks", visitor, desk.now());
    let campaigns = if search.q.is_empty() { desk.hub.campaigns().await? } else { Vec::new() };
    page::show(&Clicks { frame, search, found, notes, next, campaigns })
}

/// The ways in which clicks are searched.
struct Ways<'a> {
    desk: &'a Shared,
    found: Vec<Found>,
    notes: Vec<String>,
    next: Option<String>,
}

impl Ways<'_> {
    async fn go(&mut self, search: &Search) -> Result<()> {
        let (q, any) = (search.q.as_str(), search.by.is_empty());
        let by = |way: &str| any || search.by == way;
        if by("campaign") && (!any || self.desk.hub.registry().campaign(q).is_ok()) {
            self.campaign(q, &search.after).await?;
        }
        if by("ip") && (!any || q.parse::<IpAddr>().is_ok()) {
            let of = ClicksOf::Ip { ip: q.to_owned(), campaign: None };
            let page = self.desk.hub.latest_clicks(&of, PAGE, None).await;
            self.take("from this address in the last 24 hours", page.map(|page| page.items))?;
        }
        if by("token") {
            let click = self.desk.hub.click(ClickBy::Token(q.to_owned())).await;
            match click {
                Err(error) if any && error.kind() == ErrorKind::InvalidArgument => {}
                click => self.take("by its token", click.map(|click| vec![click]))?,
            }
        }
        if by("click") {
            self.every_account(q).await?;
        }
        if by("user") {
            let page = self.desk.hub.latest_clicks(&ClicksOf::User(q.to_owned()), PAGE, None).await;
            self.take("that brought this user", page.map(|page| page.items))?;
        }
        Ok(())
    }

    async fn campaign(&mut self, campaign: &str, after: &str) -> Result<()> {
        let of = ClicksOf::Campaign(campaign.to_owned());
        match self
            .desk
            .hub
            .latest_clicks(&of, PAGE, place_of(after).map_err(|error| error.at("after"))?)
            .await
        {
            Ok(Page { items, next }) => {
                self.next = next.map(page_token);
                self.take("the latest of this campaign", Ok(items))
            }
            Err(error) => self.take("of this campaign", Err(error)),
        }
    }

    async fn every_account(&mut self, click_id: &str) -> Result<()> {
        let mut clicks = Vec::new();
        let registry = self.desk.hub.registry();
        for account in registry.accounts().keys().take(ACCOUNTS) {
            let by = ClickBy::Network { account: account.to_string(), click_id: click_id.to_owned() };
            match self.desk.hub.click(by).await {
                Ok(click) => clicks.push(click),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return self.take("by the network's click id", Err(error)),
            }
        }
        self.take("by the network's click id", Ok(clicks))
    }

    /// Keeps what one way found; a wrong or unknown thing is a note, and a store that is away an error.
    fn take(&mut self, how: &str, clicks: Result<Vec<Click>>) -> Result<()> {
        match clicks {
            Ok(clicks) if clicks.is_empty() => self.notes.push(format!("None {how}.")),
            Ok(clicks) => self.found.push(Found { how: how.to_owned(), clicks }),
            Err(error) => match error.kind() {
                ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::FailedPrecondition => {
                    self.notes.push(format!("None {how}: {error}."));
                }
                _ => return Err(error),
            },
        }
        Ok(())
    }
}

/// The address of a click's page.
pub(crate) fn link(click: &Click) -> String {
    let pairs = [("account", click.click.account.as_str()), ("id", click.click.id.as_str())];
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/click?{query}")
}

#[derive(Deserialize)]
pub(crate) struct Which {
    account: String,
    id: String,
}

#[derive(Template)]
#[template(path = "click.html")]
struct One {
    frame: Frame,
    click: Click,
    token: String,
    conversions: Vec<Conversion>,
}

/// The page of a click, and what it brought.
pub(crate) async fn one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(which): Query<Which>,
) -> Shown {
    let by = ClickBy::Network { account: which.account, click_id: which.id };
    let click = desk.hub.click(by).await?;
    let account = &click.click.account;
    let filter = ConversionFilter {
        account: Some(account.clone()),
        lane: Some(LaneId::of(account, &Source::Click(click.click.id.clone()), "")),
        ..ConversionFilter::default()
    };
    let conversions = desk.hub.conversions(filter, CONVERSIONS, None).await?.items;
    let token = desk.hub.token(&click.click)?.to_string();
    let frame = Frame::new("Click", "Clicks", visitor, desk.now());
    page::show(&One { frame, click, token, conversions })
}
