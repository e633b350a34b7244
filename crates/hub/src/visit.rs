//! A visit: what the edge or a site knows of one landing, and what is answered to it.

use std::{net::IpAddr, sync::Arc};

use postback_core::{
    CampaignId, Click, ClickRef, ClickToken, Flags, Keyring, LandingQuery, NoClick, Utm, VisitorIp,
};

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
    pub click: Arc<Click>,
    /// Its token.
    pub token: ClickToken,
    /// The landing URL with its macros filled in.
    pub location: String,
    /// Whether the click was there before.
    pub already: bool,
}

/// The most bytes of a parameter's name and of its value. What is longer is cut; click ids never are.
const NAME: usize = 64;
const VALUE: usize = 1_024;
/// The most bytes of all parameters of a click together. Those that no longer fit are left out.
const PARAMETERS: usize = 2_048;
const USER_AGENT: usize = 512;
const DEVICE: usize = 64;

impl<'a> Visit<'a> {
    /// The landing query, without its question mark.
    pub(crate) fn landing_query(&self) -> LandingQuery<'a> {
        LandingQuery::new(self.query.strip_prefix('?').unwrap_or(self.query))
    }

    /// The country where it has the form of one.
    pub(crate) fn country(&self) -> Option<&'a str> {
        self.country.filter(|text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()))
    }

    /// The device class within its bound.
    pub(crate) fn device(&self) -> Option<&'a str> {
        self.device.map(|text| cut(text, DEVICE)).filter(|text| !text.is_empty())
    }

    /// The record of this visit's click. `parameter` carried the click id.
    pub(crate) fn record(
        &self,
        click: ClickRef,
        campaign: &CampaignId,
        parameter: &str,
        ring: &Keyring,
    ) -> Click {
        let mut record = Click {
            click,
            campaign: campaign.clone(),
            utm: Utm::default(),
            parameters: Vec::new(),
            country: self.country().map(str::to_ascii_uppercase),
            device: self.device().map(str::to_owned),
            ip: self.ip.map(|ip| VisitorIp::new(ip, ring)),
            user_agent: self.user_agent.map(|text| cut(text, USER_AGENT).to_owned()),
            flags: self.flags,
        };
        let mut room = PARAMETERS;
        for (name, value) in
            self.landing_query().form().filter(|(name, _)| !name.is_empty() && name != parameter)
        {
            let (name, value) = (cut(&name, NAME), cut(&value, VALUE));
            let Some(left) = room.checked_sub(name.len() + value.len()) else { continue };
            match utm(&mut record.utm, name) {
                Some(Some(_)) => continue,
                Some(tag) => *tag = Some(value.to_owned()),
                None => record.parameters.push((name.to_owned(), value.to_owned())),
            }
            room = left;
        }
        record
    }
}

fn utm<'a>(utm: &'a mut Utm, name: &str) -> Option<&'a mut Option<String>> {
    Some(match name {
        "utm_source" => &mut utm.source,
        "utm_medium" => &mut utm.medium,
        "utm_campaign" => &mut utm.campaign,
        "utm_term" => &mut utm.term,
        "utm_content" => &mut utm.content,
        _ => return None,
    })
}

/// The longest beginning of `text` that has at most `most` bytes and ends between characters.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use postback_core::Key;

    use super::*;

    fn record(visit: &Visit<'_>) -> Click {
        let click = ClickRef {
            account: "powerspace".parse().unwrap(),
            id: "abc".parse().unwrap(),
            captured_at: "2026-03-04T05:06:07Z".parse().unwrap(),
        };
        let ring = Keyring::new(Key::new(1, [7; 32]), []).unwrap();
        visit.record(click, &"spring".parse().unwrap(), "clickId", &ring)
    }

    #[test]
    fn a_record_keeps_what_the_visitor_brought_in_order() {
        let click = record(&Visit {
            query: "?a=1&clickId=abc&utm_source=x&utm_source=y&utm_term=%C3%A9+z&b=2&a=3&=4",
            country: Some("fr"),
            device: Some("mobile"),
            user_agent: Some("Mozilla/5.0"),
            ..Visit::default()
        });
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(click.parameters, [pair("a", "1"), pair("b", "2"), pair("a", "3")]);
        assert_eq!((click.utm.source.as_deref(), click.utm.term.as_deref()), (Some("x"), Some("é z")));
        assert_eq!((click.country.as_deref(), click.device.as_deref()), (Some("FR"), Some("mobile")));
        assert_eq!(click.user_agent.as_deref(), Some("Mozilla/5.0"));
    }

    #[test]
    fn what_a_record_keeps_is_bounded_and_cut_between_characters() {
        let many: String = (0..1_000).map(|n| format!("p{n:03}=value&")).collect();
        let click = record(&Visit { query: &many, ..Visit::default() });
        assert_eq!((click.parameters.len(), &click.parameters[226].0[..]), (227, "p226"));
        let tags = format!("utm_source={0}&utm_medium={0}&utm_term=z&b=2", "x".repeat(1_024));
        let click = record(&Visit { query: &tags, ..Visit::default() });
        assert_eq!(click.utm.source.map(|source| source.len()), Some(1_024));
        assert_eq!((click.utm.medium, click.utm.term.as_deref()), (None, Some("z")));
        assert_eq!(click.parameters.len(), 1);
        let long = format!("{}={}", "é".repeat(40), "é".repeat(600));
        let click = record(&Visit { query: &long, user_agent: Some(&"€".repeat(200)), ..Visit::default() });
        let (name, value) = &click.parameters[0];
        assert_eq!((name.len(), value.len(), click.user_agent.unwrap().len()), (64, 1_024, 510));
    }

    #[test]
    fn a_country_is_two_letters_or_none() {
        for country in ["", "F", "FRA", "T1", "É"] {
            assert_eq!(
                record(&Visit { country: Some(country), ..Visit::default() }).country,
                None,
                "{country}"
            );
        }
    }
}
