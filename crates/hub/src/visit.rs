//! A visit: what the edge or a site knows of one landing, and what is answered to it.

use std::net::IpAddr;

use postback_core::{Click, ClickRef, ClickToken, Flags, NoClick};

/// One landing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visit<'a> {
    /// The campaign's name, as in the edge's path.
    pub campaign: &'a str,
    /// The landing's query as it came, with or without its question mark.
    pub query: &'a str,
    /// The visitor's address.
    pub ip: Option<IpAddr>,
    /// The user agent.
    pub user_agent: Option<&'a str>,
    /// Two-letter country, as a header in front of the edge said.
    pub country: Option<&'a str>,
    /// Device class, as a header in front of the edge said.
    pub device: Option<&'a str>,
    /// Bot, prefetch.
    pub flags: Flags,
}

/// Where a visitor is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The landing URL with its macros filled in: visible ASCII, to a scheme and host that the config names.
    pub location: String,
    /// The token of the visitor's click.
    pub token: Option<ClickToken>,
    /// The click; the first capture of it where that is known in time.
    pub click: Option<ClickRef>,
    /// Why there is no click.
    pub lost: Option<NoClick>,
}

/// A click that the store has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The click that is kept: this one, or the first with its id.
    pub click: Click,
    /// Its token.
    pub token: ClickToken,
    /// The landing URL with its macros filled in.
    pub location: String,
    /// Whether the click was there before.
    pub already: bool,
}
