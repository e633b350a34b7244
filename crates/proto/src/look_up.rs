//! What look-ups found, for the contract.

use postback_core::{FoundClick, FoundFlow, FoundOffer};

use crate::{
    v1,
    value::{text, timestamp},
};

fn number(number: Option<u64>) -> i64 {
    number.and_then(|number| i64::try_from(number).ok()).unwrap_or_default()
}

impl From<FoundClick> for v1::FoundClick {
    fn from(found: FoundClick) -> Self {
        Self {
            click_id: found.click,
            offer: number(found.offer),
            site: number(found.site),
            flow: number(found.flow),
            country: text(found.country.as_ref()),
            ip: text(found.ip.as_ref()),
            create_time: found.time.map(timestamp),
            utm: Some((&found.utm).into()),
            more: found.more,
        }
    }
}

impl From<FoundFlow> for v1::FoundFlow {
    fn from(found: FoundFlow) -> Self {
        Self {
            id: number(Some(found.id)),
            code: text(found.code.as_ref()),
            link: text(found.link.as_ref()),
            offer: number(found.offer),
            site: number(found.site),
            space: number(found.space),
            pixels: found.pixels,
            utm: Some((&found.utm).into()),
            more: found.more,
        }
    }
}

impl From<FoundOffer> for v1::FoundOffer {
    fn from(found: FoundOffer) -> Self {
        Self {
            id: number(Some(found.id)),
            name: text(found.name.as_ref()),
            countries: found.countries,
            parameters: found.parameters,
            prices: found.prices,
            sites: found.sites,
            more: found.more,
        }
    }
}
