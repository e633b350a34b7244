//! The proxies in front, and who the visitor behind them is.

use std::{fmt, net::IpAddr, net::SocketAddr, str::FromStr};

use http::HeaderMap;
use postback_core::{Error, Result};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// One address, or all that share its first bits: `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` is in it. An IPv4 address inside IPv6 is taken as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        let parse = || {
            let (address, prefix) = value.split_once('/').map_or((value, None), |(a, p)| (a, Some(p)));
            let address: IpAddr = address.parse().ok()?;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix: u8 = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
            (prefix <= longest).then_some(match (address.to_canonical(), address.is_ipv6()) {
                (inner @ IpAddr::V4(_), true) if prefix >= 96 => Self { address: inner, prefix: prefix - 96 },
                _ => Self { address, prefix },
            })
        };
        parse().ok_or_else(|| {
            Error::invalid("trusted_proxies", "is not a network; want one such as 10.0.0.0/8 or 2001:db8::1")
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The networks whose word about a visitor is believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    /// Whether `address` is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The visitor's address: the peer's own; behind trusted proxies the nearest hop of `X-Forwarded-For` that
    /// is not one of them. `None` where a trusted proxy names a hop that cannot be read.
    pub(crate) fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let mut nearest = peer;
        if !self.trust(peer) {
            return Some(nearest);
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for hop in lines.flat_map(|line| line.to_str().unwrap_or("").rsplit(',')) {
            nearest = address(hop.trim())?;
            if !self.trust(nearest) {
                break;
            }
        }
        Some(nearest)
    }
}

impl FromIterator<Network> for Proxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// An address as proxies write it, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let parsed = hop.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip())).or_else(bare)?;
    Some(parsed.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn visitor(proxies: &[&str], peer: &str, lines: &[&str]) -> Option<IpAddr> {
        let proxies: Proxies = proxies.iter().map(|network| network.parse::<Network>().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.visitor(ip(peer), &headers)
    }

    #[test]
    fn a_network_holds_the_addresses_that_share_its_prefix() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("192.0.2.128/25", "192.0.2.129", "192.0.2.127"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("::/0", "ffff::", "1.2.3.4"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
            ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example.com", "10.0.0.0/8/8"]
        {
            let error = text.parse::<Network>().unwrap_err();
            assert_eq!(
                error.to_string(),
                "trusted_proxies: is not a network; want one such as 10.0.0.0/8 or 2001:db8::1",
                "{text}"
            );
        }
    }

    #[test]
    fn an_untrusted_peer_is_the_visitor_whatever_it_says() {
        assert_eq!(visitor(&[], "203.0.113.9", &["1.1.1.1"]), Some(ip("203.0.113.9")));
        assert_eq!(visitor(&["10.0.0.0/8"], "203.0.113.9", &["1.1.1.1"]), Some(ip("203.0.113.9")));
    }

    #[test]
    fn behind_proxies_the_visitor_is_the_nearest_hop_that_is_not_trusted() {
        let trusted = ["10.0.0.0/8", "::1"];
        for (lines, want) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["6.6.6.6, 203.0.113.9"], Some("203.0.113.9")),
            (&["6.6.6.6, 203.0.113.9, 10.9.9.9"], Some("203.0.113.9")),
            (&["6.6.6.6", "203.0.113.9,10.9.9.9"], Some("203.0.113.9")),
            (&["203.0.113.9:5678"], Some("203.0.113.9")),
            (&["[2001:db8::5]:443"], Some("2001:db8::5")),
            (&["[2001:db8::5]"], Some("2001:db8::5")),
            (&["2001:db8::5"], Some("2001:db8::5")),
            (&["::ffff:203.0.113.9"], Some("203.0.113.9")),
            (&["10.2.2.2, 10.3.3.3"], Some("10.2.2.2")),
            (&[], Some("10.1.1.1")),
            (&["203.0.113.9, unknown"], None),
            (&["203.0.113.9, "], None),
        ] {
            assert_eq!(visitor(&trusted, "10.1.1.1", lines), want.map(ip), "{lines:?}");
        }
    }
}
