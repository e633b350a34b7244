//! What AlterCPA knows at the start: offers with their sites and goals, flows, clicks.

use std::{collections::BTreeMap, collections::HashSet, net::IpAddr, net::Ipv4Addr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::Hidden;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CpaSeed {
    /// The installation's global API key.
    pub(super) global_key: Hidden,
    /// The id of the first lead; the next ones follow.
    pub(super) first_lead: u64,
    pub(super) offers: Vec<Offer>,
    pub(super) flows: Vec<Flow>,
    pub(super) clicks: Vec<Click>,
    /// Clicks that came too long ago.
    pub(super) expired: Vec<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) geo: Vec<String>,
    /// Its currency, three letters.
    pub(super) currency: String,
    /// What an affiliate gets for an approved lead of the default goal.
    pub(super) wm: Decimal,
    /// What the advertiser pays for it.
    pub(super) pay: Decimal,
    /// Whether privacy settings prohibit all traffic.
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) param: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) price: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) goals: Vec<Goal>,
    pub(super) sites: Vec<Site>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Goal {
    /// Its number.
    pub(super) id: u64,
    /// Its character id.
    pub(super) code: String,
    /// Other character ids of it.
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) wm: Decimal,
    pub(super) pay: Decimal,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    pub(super) id: u64,
    pub(super) url: String,
    /// Each is good for a token `{id}-{key}`.
    pub(super) keys: Vec<Hidden>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flow {
    pub(super) id: u64,
    pub(super) code: String,
    pub(super) link: String,
    pub(super) offer: u64,
    /// The landing site.
    pub(super) site: u64,
    /// The prelanding.
    #[serde(default)]
    pub(super) space: u64,
    #[serde(flatten)]
    pub(super) pixels: Pixels,
    #[serde(flatten)]
    pub(super) utm: Utm,
}

/// Pixel and counter ids by the network's short names; empty where there is none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pixels {
    fb: String,
    fbe: String,
    ga: String,
    gad: String,
    tt: String,
    lki: String,
    vk: String,
    mt: String,
    mtrk: String,
}

/// Source, campaign, content, term and medium.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Utm {
    utms: String,
    utmc: String,
    utmn: String,
    utmt: String,
    utmm: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Click {
    pub(super) id: u64,
    pub(super) flow: u64,
    pub(super) ip: IpAddr,
    pub(super) geo: String,
    /// How long ago it came.
    #[serde(default)]
    pub(super) age_seconds: u32,
    /// Whether writing a lead on it fails with `db`.
    #[serde(default)]
    pub(super) broken: bool,
    #[serde(flatten)]
    pub(super) utm: Utm,
}

impl Click {
    pub(super) fn new(id: u64, flow: u64) -> Self {
        let ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { id, flow, ip, geo: String::new(), age_seconds: 0, broken: false, utm: Utm::default() }
    }
}

impl CpaSeed {
    pub(super) fn offer(&self, id: u64) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.id == id)
    }

    /// Finds numbers that stand twice, and numbers of nothing.
    pub(crate) fn check(&self) -> Result<(), String> {
        unique("offers.id", self.offers.iter().map(|offer| offer.id))?;
        unique("flows.id", self.flows.iter().map(|flow| flow.id))?;
        unique("flows.code", self.flows.iter().map(|flow| &flow.code))?;
        unique("sites.id", self.offers.iter().flat_map(|offer| &offer.sites).map(|site| site.id))?;
        unique("clicks.id", self.clicks.iter().map(|click| click.id).chain(self.expired.iter().copied()))?;
        for offer in &self.offers {
            unique("goals.id", offer.goals.iter().map(|goal| goal.id))?;
            let words = offer.goals.iter().flat_map(|goal| goal.aliases.iter().chain([&goal.code]));
            unique("goals.code", words)?;
        }
        for flow in &self.flows {
            let site = |offer: &Offer| offer.sites.iter().any(|site| site.id == flow.site);
            if !self.offer(flow.offer).is_some_and(site) {
                return Err(format!("altercpa.flows: flow {} names no offer with its site", flow.id));
            }
        }
        match self.clicks.iter().find(|click| !self.flows.iter().any(|flow| flow.id == click.flow)) {
            Some(lost) => Err(format!("altercpa.clicks: click {} names no flow", lost.id)),
            None => Ok(()),
        }
    }
}

fn unique<T: std::hash::Hash + Eq + std::fmt::Display>(
    what: &str,
    values: impl Iterator<Item = T>,
) -> Result<(), String> {
    let mut seen = HashSet::new();
    for value in values {
        if seen.contains(&value) {
            return Err(format!("altercpa.{what}: {value} stands twice"));
        }
        seen.insert(value);
    }
    Ok(())
}

/// A number as ids are written: digits alone.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
