//! A click: one visitor that a network sent, kept for the 30 days in which it may become a conversion.

use jiff::{SignedDuration, Timestamp};

use crate::{AccountId, CampaignId, ClickId, IpHash};

/// How long a click can bring conversions: 30 days after its capture.
pub const CLICK_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The least that identifies a click and its end of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickRef {
    /// The account at the network.
    pub account: AccountId,
    /// The network's id.
    pub id: ClickId,
    /// When the visitor came.
    pub captured_at: Timestamp,
}

impl ClickRef {
    /// The end of the click's life.
    pub fn expires_at(&self) -> Timestamp {
        self.captured_at.saturating_add(CLICK_LIFE).unwrap_or(Timestamp::MAX)
    }

    /// Whether the click can no longer bring a conversion.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }
}

/// The five parameters of the UTM convention, as the visitor brought them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utm {
    /// `utm_source`
    pub source: Option<String>,
    /// `utm_medium`
    pub medium: Option<String>,
    /// `utm_campaign`
    pub campaign: Option<String>,
    /// `utm_term`
    pub term: Option<String>,
    /// `utm_content`
    pub content: Option<String>,
}

/// A visitor's address: cut for people, hashed under the deployment's key for look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorIp {
    /// The network part alone: `192.0.2.0/24` or `2001:db8::/48`.
    pub shown: String,
    /// The keyed hash of the whole address.
    pub hash: IpHash,
}

/// What a click was, beside a visitor; such clicks are kept and told apart, never refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The user agent is a known crawler or link preview.
    pub bot: bool,
    /// The browser fetched ahead of a visit that may never come.
    pub prefetch: bool,
}

/// The record of one click. The first capture of a network's click id wins; a reload changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// Which click it is.
    pub click: ClickRef,
    /// The campaign that brought it.
    pub campaign: CampaignId,
    /// UTM parameters.
    pub utm: Utm,
    /// The landing query's other parameters, in order, within the edge's limits.
    pub parameters: Vec<(String, String)>,
    /// Two-letter country, as a header in front of the edge said.
    pub country: Option<String>,
    /// Device class, as a header in front of the edge said.
    pub device: Option<String>,
    /// The visitor's address, cut and hashed.
    pub ip: Option<VisitorIp>,
    /// The user agent, at most 512 bytes.
    pub user_agent: Option<String>,
    /// Bot, prefetch.
    pub flags: Flags,
}
