//! The edge's settings and their bounds.

use std::{str::FromStr, time::Duration};

use http::{HeaderName, HeaderValue};
use postback_access::Tls;
use postback_core::{Error, Result};

use crate::{CookieSettings, Proxies};

/// What an edge is told when it starts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The cookie that carries the click token.
    pub cookie: CookieSettings,
    /// Whose word about a visitor is believed: the address in `X-Forwarded-For`, country and device. Nobody's
    /// by default, and then the visitor is whoever opened the connection.
    pub proxies: Proxies,
    /// The header in which a trusted proxy says the visitor's two-letter country, such as `cf-ipcountry`.
    pub country_header: Option<HeaderName>,
    /// The header in which a trusted proxy says the visitor's device class.
    pub device_header: Option<HeaderName>,
    /// What the landing page learns of the page before the click.
    pub referrer_policy: ReferrerPolicy,
    /// The TLS under which visitors come; in the clear where there is none.
    pub tls: Option<Tls>,
    /// The bounds.
    pub limits: Limits,
}

/// The bounds of what an edge takes in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's target; past it 414. Default 8 KiB.
    pub uri: usize,
    /// Bytes of a request's whole head; past it 431, as past 100 header lines. Default 16 KiB.
    pub head: usize,
    /// Query parameters; past it 400. Default 64.
    pub parameters: usize,
    /// Connections at once; further ones wait in the kernel's backlog. While under a quarter of the places is free,
    /// each answer ends its connection. Default 10,000.
    pub connections: usize,
    /// How long a TLS handshake may take, a new connection until its first whole head, and a request head from
    /// its first byte; past it 408, but for a handshake. Default 5 s.
    pub head_timeout: Duration,
    /// How long a connection may stay silent between requests. A load balancer in front must give up its idle
    /// connections sooner than this. Default 75 s.
    pub idle_timeout: Duration,
    /// How long a visitor may leave an answer unread. Default 10 s.
    pub write_timeout: Duration,
    /// How long connections may take to end at shutdown. Default 10 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uri: 8 * 1024,
            head: 16 * 1024,
            parameters: 64,
            connections: 10_000,
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// The `Referrer-Policy` of a redirect: it governs what the landing page is told of the page before the click.
///
/// The default is `strict-origin-when-cross-origin`: the landing page learns which site the visitor came from,
/// as its statistics need, but no path or query of that site, and nothing at all over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerPolicy(HeaderValue);

const POLICIES: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

impl ReferrerPolicy {
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Default for ReferrerPolicy {
    fn default() -> Self {
        Self(HeaderValue::from_static("strict-origin-when-cross-origin"))
    }
}

impl FromStr for ReferrerPolicy {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        match POLICIES.into_iter().find(|policy| *policy == value) {
            Some(policy) => Ok(Self(HeaderValue::from_static(policy))),
            None => {
                let want = POLICIES.join(", ");
                Err(Error::invalid(
                    "referrer_policy",
                    format!("is not a referrer policy; want one of {want}"),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referrer_policy_is_one_of_the_standards_words() {
        assert_eq!("no-referrer".parse::<ReferrerPolicy>().unwrap().header(), "no-referrer");
        let refused = "none".parse::<ReferrerPolicy>().unwrap_err().to_string();
        assert!(
            refused.starts_with("referrer_policy: is not a referrer policy; want one of no-referrer, "),
            "{refused}"
        );
    }
}
