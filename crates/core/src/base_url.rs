//! The address of a network, checked when the config is read.

use std::fmt;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

use crate::{Error, Result, quoted};

/// `https://host[:port][/path]`, or `http` where the host is this machine itself. No user, query or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// `InvalidArgument` that says which part is not allowed.
    pub fn parse(value: &str) -> Result<Self> {
        // A password stands before an `@`, and a network's key behind a `?`.
        let secret = value.contains(['@', '?', '#']);
        let address = if secret { String::new() } else { format!("`{}` ", quoted(value)) };
        let refuse = |what: &str| Error::invalid("base_url", format!("{address}{what}"));
        let url = Url::parse(value)
            .map_err(|cause| refuse("is not a URL such as https://example.com").caused_by(cause))?;
        let local = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(refuse("has no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            "http" => return Err(refuse("is http; want https, or http on this machine alone")),
            _ => return Err(refuse("is not https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("has a user or password in it; want none"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("has a query or fragment; want none"));
        }
        let base = Self(url);
        match base.join("/").parse::<Uri>() {
            Ok(_) => Ok(base),
            Err(cause) => {
                Err(refuse("cannot be called; want an address such as https://example.com").caused_by(cause))
            }
        }
    }

    /// Whether calls are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address with `path` (which begins with `/`) appended, as text; `path` is already percent-encoded.
    pub fn join(&self, path: &str) -> String {
        [self.0.as_str().trim_end_matches('/'), path].concat()
    }
}

/// A text as a part of a URL: all but RFC 3986's unreserved characters is percent-encoded.
pub fn percent_encoded(text: &str) -> PercentEncode<'_> {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(|error| de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine_is_an_address() {
        for url in [
            "https://a.example",
            "https://a.example:8443/cpa/",
            "http://127.0.0.1:9100",
            "http://[::1]",
            "http://localhost",
        ] {
            assert!(BaseUrl::parse(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "a.example",
            "http://a.example",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?q",
            "https://a.example/#f",
            "https://",
            "https://{domain}.com",
            &format!("https://a.example/{}", "x".repeat(70_000)),
        ] {
            assert!(BaseUrl::parse(url).is_err(), "{url}");
        }
        assert_eq!(BaseUrl::parse("https://a.example/cpa/").unwrap().join("/x"), "https://a.example/cpa/x");
    }

    #[test]
    fn a_secret_in_a_refused_address_is_not_shown() {
        for url in [
            "https://user:hunter2@a.example",
            "http://user:hunter2@a.example",
            "https://user:hunter2@a.example:99999",
            "https://a.example/x?key=hunter2",
            "https://a.example/#hunter2",
        ] {
            let refused = BaseUrl::parse(url).unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
