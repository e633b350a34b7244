//! Look-ups at a network: a click by the visitor's address, a flow, an offer.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;

use crate::{ClickId, FlowCode, FlowId};

/// By what a flow or an offer is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUpSource {
    /// By click.
    Click(ClickId),
    /// By flow number.
    Flow(FlowId),
    /// By flow code.
    FlowCode(FlowCode),
    /// By offer number; for offers alone.
    Offer(u64),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The latest click of a visitor.
    Click {
        /// The visitor's address.
        ip: IpAddr,
        /// The offer; needed with an installation's global key.
        offer: Option<u64>,
        /// Only clicks of this flow.
        flow: Option<FlowId>,
        /// Only clicks of this flow code.
        code: Option<FlowCode>,
        /// Only clicks after this; the network's default is the last 24 hours.
        since: Option<Timestamp>,
    },
    /// A flow.
    Flow(LookUpSource),
    /// An offer.
    Offer(LookUpSource),
}

/// What was found. Fields that are not named here are kept in `more`, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A click.
    Click(FoundClick),
    /// A flow.
    Flow(FoundFlow),
    /// An offer.
    Offer(FoundOffer),
}

/// A click at the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundClick {
    /// Its id.
    pub click: String,
    /// Its offer.
    pub offer: Option<u64>,
    /// Its site.
    pub site: Option<u64>,
    /// Its flow.
    pub flow: Option<u64>,
    /// Two-letter country.
    pub country: Option<String>,
    /// The visitor's address.
    pub ip: Option<String>,
    /// When it came.
    pub time: Option<Timestamp>,
    /// The five UTM tags.
    pub utm: crate::Utm,
    /// Other fields.
    pub more: BTreeMap<String, String>,
}

/// A flow at the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundFlow {
    /// Its number.
    pub id: u64,
    /// Its code.
    pub code: Option<String>,
    /// Its link.
    pub link: Option<String>,
    /// Its offer.
    pub offer: Option<u64>,
    /// Its landing site.
    pub site: Option<u64>,
    /// Its prelanding.
    pub space: Option<u64>,
    /// Pixel and counter ids by the network's short name (`fb`, `fbe`, `ga`, `gad`, `tt`, `lki`, `vk`, `mt`, `mtrk`).
    pub pixels: BTreeMap<String, String>,
    /// The five UTM tags.
    pub utm: crate::Utm,
    /// Other fields.
    pub more: BTreeMap<String, String>,
}

/// An offer at the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundOffer {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: Option<String>,
    /// Countries, two letters each.
    pub countries: Vec<String>,
    /// Its parameters, each as JSON text.
    pub parameters: Vec<String>,
    /// Its prices, each as JSON text.
    pub prices: Vec<String>,
    /// Its sites, each as JSON text.
    pub sites: Vec<String>,
    /// Other fields.
    pub more: BTreeMap<String, String>,
}
