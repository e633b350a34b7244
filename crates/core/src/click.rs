//! A click: one visitor that a network sent, kept for the 30 days in which it may become a conversion.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::{SignedDuration, Timestamp};

use crate::{AccountId, CampaignId, ClickId, IpHash, Keyring};

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
        is_life_over(self.captured_at, now)
    }
}

/// Whether a click that was captured then can no longer bring a conversion.
pub fn is_life_over(captured_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(captured_at) >= CLICK_LIFE
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorIp {
    /// The network part alone.
    pub network: IpNetwork,
    /// The keyed hash of the whole address.
    pub hash: IpHash,
}

impl VisitorIp {
    /// What is kept of `ip`, hashed under the ring's current key.
    pub fn new(ip: IpAddr, ring: &Keyring) -> Self {
        Self { network: ip.into(), hash: ring.hash_ip(ip) }
    }
}

/// The network part of an address, shown as `192.0.2.0/24` or `2001:db8::/48`. IPv4 inside IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpNetwork {
    /// Its first 24 bits.
    V4([u8; 3]),
    /// Its first 48 bits.
    V6([u8; 6]),
}

impl From<IpAddr> for IpNetwork {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(out, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c, d, e, f]) => {
                write!(out, "{}/48", Ipv6Addr::from([a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_to_its_network() {
        for (ip, shown) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(IpNetwork::from(ip.parse::<IpAddr>().unwrap()).to_string(), shown);
        }
    }
}
