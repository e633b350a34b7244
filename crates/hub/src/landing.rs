//! The landing template: a URL from the config whose macros are filled in for each visitor.
//!
//! Scheme, host and port come from the config alone. What a visitor brought stands only where a macro stands, and
//! only percent-encoded, so no byte of a request can move the destination. What the network appended and no macro
//! names is not passed on: a campaign says what its landing page needs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use postback_core::{CampaignId, ClickId, ClickToken, Error, LandingQuery, Result};
use url::Url;

/// The longest template, in bytes.
const LONGEST: usize = 4_096;
/// The longest name in `{param:NAME}`, in bytes.
const NAME: usize = 64;
/// What is encoded in a filled-in value: all but RFC 3986's unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What is encoded in the template's own text, beside non-ASCII characters.
const TEXT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'^').add(b'`').add(b'|');

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// `{click_token}`
    pub token: Option<&'a ClickToken>,
    /// `{click_id}`
    pub click: Option<&'a ClickId>,
    /// `{campaign}`
    pub campaign: &'a CampaignId,
    /// `{param:NAME}` and `{utm_source}` to `{utm_content}`: the first parameter of that name.
    pub query: LandingQuery<'a>,
    /// `{country}`
    pub country: Option<&'a str>,
    /// `{device}`
    pub device: Option<&'a str>,
}

/// A landing URL with macros: `https://shop.example/{campaign}?click={click_token}`.
///
/// The macros are `{click_token}`, `{click_id}`, `{campaign}`, `{country}`, `{device}`, `{utm_source}`,
/// `{utm_medium}`, `{utm_campaign}`, `{utm_term}`, `{utm_content}` and `{param:NAME}`. One for which there is
/// nothing is filled with nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingTemplate(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro { name: Macro, in_path: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Macro {
    ClickToken,
    ClickId,
    Campaign,
    Country,
    Device,
    Parameter(String),
}

impl LandingTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// `InvalidArgument` at `landing` for what is no https or http URL, an unknown macro (named), a macro in the
    /// scheme, host or port, or one that could make a path segment `..`.
    pub fn parse(template: &str) -> Result<Self> {
        if template.len() > LONGEST {
            return Err(refuse(format!("is longer than {LONGEST} bytes")));
        }
        if template.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(refuse("has a space, a backslash or a control character in it"));
        }
        let (origin, rest) = split(template)?;
        let mut pieces = vec![Piece::Text(origin)];
        if !rest.starts_with('/') {
            pieces.push(Piece::Text("/".to_owned()));
        }
        read(rest, &mut pieces)?;
        Ok(Self(pieces))
    }

    /// The URL for one visitor, in visible ASCII.
    pub fn fill(&self, with: &Filling<'_>) -> String {
        let mut url = String::with_capacity(256);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => url.push_str(text),
                // A token has nothing to encode.
                Piece::Macro { name: name @ Macro::ClickToken, .. } => url.push_str(&name.value(with)),
                Piece::Macro { name, in_path } => {
                    let value = name.value(with);
                    // A path segment of dots alone would climb, encoded or not.
                    if !(*in_path && value.chars().all(|c| c == '.')) {
                        url.extend(utf8_percent_encode(&value, VALUE));
                    }
                }
            }
        }
        url
    }
}

/// Splits a template into its normalised origin, without a trailing slash, and the rest.
fn split(template: &str) -> Result<(String, &str)> {
    let lower = template.get(..8).unwrap_or(template).to_ascii_lowercase();
    let scheme = match &lower {
        text if text.starts_with("https://") => "https://".len(),
        text if text.starts_with("http://") => "http://".len(),
        _ => return Err(refuse("does not begin with https:// or http://")),
    };
    let end = template[scheme..].find(['/', '?', '#']).map_or(template.len(), |at| scheme + at);
    let (origin, rest) = template.split_at(end);
    if origin.contains(['{', '}']) {
        return Err(refuse("has a macro in its host or port; want macros in path, query or fragment alone"));
    }
    if origin.contains('@') {
        return Err(refuse("has a user or password in it; want none"));
    }
    let url =
        Url::parse(origin).map_err(|cause| refuse(format!("is not a URL: {cause}")).caused_by(cause))?;
    Ok((url.as_str().trim_end_matches('/').to_owned(), rest))
}

/// Reads path, query and fragment.
fn read(mut rest: &str, pieces: &mut Vec<Piece>) -> Result<()> {
    let mut place = Place { in_path: true, segment: String::new(), filled: false };
    loop {
        let open = rest.find(['{', '}']).unwrap_or(rest.len());
        let (text, behind) = rest.split_at(open);
        place.pass(text)?;
        if !text.is_empty() {
            pieces.push(Piece::Text(utf8_percent_encode(text, TEXT).to_string()));
        }
        if behind.is_empty() {
            return place.close();
        }
        let unpaired = || refuse("has a brace that opens or closes no macro; write %7B or %7D for one");
        let (name, after) =
            behind.strip_prefix('{').and_then(|text| text.split_once('}')).ok_or_else(unpaired)?;
        pieces.push(Piece::Macro { name: Macro::parse(name)?, in_path: place.in_path });
        place.filled = true;
        rest = after;
    }
}

/// Where in the URL the reader stands.
struct Place {
    in_path: bool,
    /// The own text of the path segment that is being read.
    segment: String,
    /// Whether a macro stands in it.
    filled: bool,
}

impl Place {
    fn pass(&mut self, text: &str) -> Result<()> {
        for c in text.chars() {
            if !self.in_path {
                break;
            }
            match c {
                '/' | '?' | '#' => {
                    self.close()?;
                    self.in_path = c == '/';
                    (self.segment, self.filled) = (String::new(), false);
                }
                other => self.segment.push(other),
            }
        }
        Ok(())
    }

    /// Checks the segment that ends here.
    fn close(&self) -> Result<()> {
        let segment = self.segment.to_ascii_lowercase().replace("%2e", ".");
        if self.in_path && self.filled && !segment.is_empty() && segment.chars().all(|c| c == '.') {
            return Err(refuse("has a path segment of dots and macros, which could become `..`"));
        }
        Ok(())
    }
}

impl Macro {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "click_token" => Self::ClickToken,
            "click_id" => Self::ClickId,
            "campaign" => Self::Campaign,
            "country" => Self::Country,
            "device" => Self::Device,
            "utm_source" | "utm_medium" | "utm_campaign" | "utm_term" | "utm_content" => {
                Self::Parameter(name.to_owned())
            }
            _ => match name.strip_prefix("param:") {
                Some(parameter) if (1..=NAME).contains(&parameter.len()) && !parameter.contains('{') => {
                    Self::Parameter(parameter.to_owned())
                }
                _ => {
                    let short: String = name.chars().take(40).collect();
                    return Err(refuse(format!(
                        "has the unknown macro {{{short}}}; want click_token, click_id, campaign, country, \
                         device, utm_source, utm_medium, utm_campaign, utm_term, utm_content or param:NAME"
                    )));
                }
            },
        })
    }

    fn value<'a>(&self, with: &Filling<'a>) -> Cow<'a, str> {
        let text = match self {
            Self::ClickToken => with.token.map(ClickToken::as_str),
            Self::ClickId => with.click.map(ClickId::as_str),
            Self::Campaign => Some(with.campaign.as_str()),
            Self::Country => with.country,
            Self::Device => with.device,
            Self::Parameter(name) => {
                let found = with.query.form().find(|(key, _)| key == name);
                return found.map(|(_, value)| value).unwrap_or_default();
            }
        };
        Cow::Borrowed(text.unwrap_or_default())
    }
}

fn refuse(message: impl Into<String>) -> Error {
    Error::invalid("landing", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(template: &str, query: &str) -> String {
        let (campaign, click) = (CampaignId::parse("spring").unwrap(), ClickId::parse("+&=%/ é").unwrap());
        LandingTemplate::parse(template).unwrap().fill(&Filling {
            token: None,
            click: Some(&click),
            campaign: &campaign,
            query: LandingQuery::new(query),
            country: Some("FR"),
            device: None,
        })
    }

    #[test]
    fn a_macro_is_filled_with_what_the_visitor_brought_percent_encoded() {
        for (template, query, want) in [
            ("https://a.example", "x=1", "https://a.example/"),
            ("https://a.example?c={click_id}", "", "https://a.example/?c=%2B%26%3D%25%2F%20%C3%A9"),
            (
                "https://a.example/{campaign}/l?t={click_token}&d={device}",
                "",
                "https://a.example/spring/l?t=&d=",
            ),
            (
                "https://a.example/?q={param:q}#{utm_term}",
                "q=a+b&q=c&utm_term=%C3%A9",
                "https://a.example/?q=a%20b#%C3%A9",
            ),
            (
                "https://a.example/{country}?x={param:x}",
                "x=https://evil.example/",
                "https://a.example/FR?x=https%3A%2F%2Fevil.example%2F",
            ),
            ("HTTP://Müller.Example:8080/ü?ü=\"", "", "http://xn--mller-kva.example:8080/%C3%BC?%C3%BC=%22"),
            ("https://a.example:443/%7Bx%7D", "", "https://a.example/%7Bx%7D"),
            ("https://a.example/{param:x}/y", "x=..", "https://a.example//y"),
            ("https://a.example/{param:x}{param:y}/z", "x=.&y=.", "https://a.example//z"),
            ("https://a.example/{param:x}/y", "x=%252e%252e", "https://a.example/%252e%252e/y"),
            ("https://a.example/?p={param:x}", "x=..", "https://a.example/?p=.."),
        ] {
            assert_eq!(fill(template, query), want, "{template}");
        }
    }

    #[test]
    fn a_wrong_template_is_refused_with_what_is_wrong() {
        for (template, want) in [
            ("", "does not begin with https:// or http://"),
            ("ftp://a.example", "does not begin with https:// or http://"),
            ("//a.example", "does not begin with https:// or http://"),
            ("javascript:alert(1)", "does not begin with https:// or http://"),
            ("https://", "is not a URL: empty host"),
            ("https:///x", "is not a URL: empty host"),
            ("https://{campaign}.example/", "has a macro in its host or port"),
            ("https://a.example:{param:port}/", "has a macro in its host or port"),
            ("https://{param:u}@a.example/", "has a macro in its host or port"),
            ("https://a.example{param:x}", "has a macro in its host or port"),
            ("https://u:p@a.example/", "has a user or password"),
            ("https://a.example\\x", "has a space, a backslash or a control character"),
            ("https://a.example/\n", "has a space, a backslash or a control character"),
            ("https://a.example/{clickid}", "has the unknown macro {clickid}"),
            ("https://a.example/{param:}", "has the unknown macro {param:}"),
            ("https://a.example/{}", "has the unknown macro {}"),
            ("https://a.example/{click_id", "has a brace that opens or closes no macro"),
            ("https://a.example/}", "has a brace that opens or closes no macro"),
            ("https://a.example/.{param:x}/y", "has a path segment of dots and macros"),
            ("https://a.example/{param:x}%2E?y", "has a path segment of dots and macros"),
            ("https://a.example/..{param:x}", "has a path segment of dots and macros"),
        ] {
            let refused = LandingTemplate::parse(template).unwrap_err();
            assert_eq!(refused.field(), Some("landing"));
            assert!(refused.message().starts_with(want), "{template}: {refused}");
        }
        assert!(LandingTemplate::parse(&format!("https://a.example/{}", "x".repeat(LONGEST))).is_err());
    }

    const TEMPLATES: [&str; 5] = [
        "https://shop.example/a/{param:x}/b?y={param:y}#{param:z}",
        "https://shop.example?{param:x}={param:y}&{utm_source}",
        "https://shop.example/{param:x}{param:y}",
        "https://shop.example/#/{param:x}?{param:y}",
        "https://shop.example/{utm_source}/{param:z}/.a{param:x}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_byte_of_a_request_moves_the_destination(
            which in 0..TEMPLATES.len(),
            x in value(), y in value(), z in value(), source in value(),
        ) {
            let query = format!("x={x}&y={y}&z={z}&utm_source={source}");
            let location = fill(TEMPLATES[which], &query);
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
            let (url, plain) = (Url::parse(&location).unwrap(), Url::parse(&fill(TEMPLATES[which], "")).unwrap());
            prop_assert_eq!(url.origin(), plain.origin());
            prop_assert_eq!((url.username(), url.password()), ("", None));
            let segments = |url: &Url| url.path_segments().unwrap().count();
            prop_assert_eq!(segments(&url), segments(&plain), "{}", location);
            prop_assert_eq!(url.as_str(), location);
        }

        #[test]
        fn no_text_makes_the_reader_panic(template in "(https://a\\.example)?\\PC{0,40}") {
            let _ = LandingTemplate::parse(&template);
        }
    }

    /// Percent-encoded or raw bytes of the kind that move URLs.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,12}",
            "[./\\\\@:#?%&=;]{0,8}",
            "(%2[eEfF]|%5[cC]|%40|%0[aAdD]|%00|%09|%ff|\\.){0,6}",
            Just("//evil.example/%2e%2e/".to_owned()),
        ]
    }
}
