//! Looking up: a click by the visitor's address, a flow, an offer.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    Altercpa,
    access::Access,
    answer::{Failure, found},
    asked::Asked,
    seed::{Flow, Pixels, Utm, number},
    source::Named,
};
use crate::{clock, reply::Outcome};

#[derive(Serialize)]
struct FoundClick<'a> {
    click: u64,
    offer: u64,
    site: u64,
    flow: u64,
    geo: &'a str,
    ip: IpAddr,
    time: i64,
    #[serde(flatten)]
    utm: &'a Utm,
}

#[derive(Serialize)]
struct FoundFlow<'a> {
    id: u64,
    code: &'a str,
    link: &'a str,
    offer: u64,
    site: u64,
    space: u64,
    #[serde(flatten)]
    pixels: &'a Pixels,
    #[serde(flatten)]
    utm: &'a Utm,
}

#[derive(Serialize)]
struct FoundOffer<'a> {
    id: u64,
    name: &'a str,
    geo: &'a [String],
    param: &'a [BTreeMap<String, String>],
    price: &'a [BTreeMap<String, String>],
    site: Vec<FoundSite<'a>>,
}

#[derive(Serialize)]
struct FoundSite<'a> {
    id: u64,
    url: &'a str,
}

impl Altercpa {
    /// `fetch.json`
    pub(super) fn fetch(&self, asked: &mut Asked<'_>) -> Result<Outcome, Failure> {
        let access = self.access(asked)?;
        let offer = wanted_offer(access, asked)?;
        let only = self.wanted_flow(asked)?;
        let ip = match asked.given("ip") {
            Some(text) => text.parse::<IpAddr>().map_err(|_| Failure::no_click("`ip` is no address"))?,
            None => asked.peer.ok_or_else(|| Failure::no_click("the caller has no address"))?,
        };
        let ip = ip.to_canonical();
        let day_ago = clock::before(asked.now, SignedDuration::from_hours(24));
        let to = asked.number("to").and_then(|to| Timestamp::from_second(i64::try_from(to).ok()?).ok());
        let to = to.unwrap_or(day_ago);
        let latest = self
            .clicks
            .all_living(asked.now)
            .filter(|(_, at, click)| *at >= to && *at <= asked.now && click.ip.to_canonical() == ip)
            .filter_map(|(_, at, click)| Some((at, click, self.flow(click.flow)?)))
            .filter(|(_, _, flow)| flow.offer == offer && only.is_none_or(|only| only == flow.id))
            .max_by_key(|(at, click, _)| (*at, click.id));
        let (at, click, flow) = latest.ok_or_else(|| Failure::no_click("no click of this visitor"))?;
        let fields = FoundClick {
            click: click.id,
            offer: flow.offer,
            site: flow.site,
            flow: flow.id,
            geo: &click.geo,
            ip: click.ip,
            time: at.as_second(),
            utm: &click.utm,
        };
        Ok(found(fields, "click", click.id))
    }

    /// `flow.json`
    pub(super) fn find_flow(&self, asked: &mut Asked<'_>) -> Result<Outcome, Failure> {
        let access = self.access(asked)?;
        let named = Named::read(asked, &["click", "flow", "code"])?;
        let flow = self.named_flow(&named, asked)?;
        access.covers(flow.offer)?;
        let fields = FoundFlow {
            id: flow.id,
            code: &flow.code,
            link: &flow.link,
            offer: flow.offer,
            site: flow.site,
            space: flow.space,
            pixels: &flow.pixels,
            utm: &flow.utm,
        };
        Ok(found(fields, "flow", flow.id))
    }

    /// `offer.json`; the document's URL says `id`, its list of parameters `offer`.
    pub(super) fn find_offer(&self, asked: &mut Asked<'_>) -> Result<Outcome, Failure> {
        let access = self.access(asked)?;
        let offer = match asked.given("id").or(asked.given("offer")) {
            Some(id) => number(id).and_then(|id| self.seed.offer(id)),
            None => {
                let named = Named::read(asked, &["click", "flow", "code"])?;
                let flow = self.named_flow(&named, asked)?;
                Some(self.offer(flow.offer)?)
            }
        };
        let offer = offer.ok_or_else(|| Failure::bad_id("the offer is unknown"))?;
        access.covers(offer.id)?;
        let fields = FoundOffer {
            id: offer.id,
            name: &offer.name,
            geo: &offer.geo,
            param: &offer.param,
            price: &offer.price,
            site: offer.sites.iter().map(|site| FoundSite { id: site.id, url: &site.url }).collect(),
        };
        Ok(found(fields, "offer", offer.id))
    }

    fn named_flow(&self, named: &Named<'_>, asked: &Asked<'_>) -> Result<&Flow, Failure> {
        let flow = match named {
            Named::Click(id) => {
                let id = number(id).ok_or_else(|| Failure::bad_id("the click id is not a number"))?;
                let click = self.clicks.living(&id, asked.now).map_err(|no| Failure::bad_id(no.why()))?;
                self.flow(click.flow)
            }
            Named::Code(code) => self.flow_by_code(code),
            Named::Flow(id) | Named::Order(id) => number(id).and_then(|id| self.flow(id)),
        };
        flow.ok_or_else(|| Failure::bad_id("the flow is unknown"))
    }

    /// The flow that `fetch.json` is narrowed to, by number or by code.
    fn wanted_flow(&self, asked: &Asked<'_>) -> Result<Option<u64>, Failure> {
        let unknown = || Failure::no_click("the flow is unknown");
        if let Some(id) = asked.given("flow") {
            return number(id).map(Some).ok_or_else(unknown);
        }
        asked
            .given("code")
            .map(|code| self.flow_by_code(code).map(|flow| flow.id).ok_or_else(unknown))
            .transpose()
    }
}

/// A site's token knows its offer; a global one has to be told.
fn wanted_offer(access: Access, asked: &mut Asked<'_>) -> Result<u64, Failure> {
    let given = asked.number("offer");
    match (access, given) {
        (Access::Offer(own), None) => Ok(own),
        (Access::Global, None) => Err(Failure::no_offer()),
        (_, Some(offer)) => access.covers(offer).map(|()| offer),
    }
}
