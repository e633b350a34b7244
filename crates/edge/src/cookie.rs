//! The first-party cookie that carries the click token.

use bytes::{BufMut, BytesMut};
use cookie::{Cookie, CookieBuilder, SameSite, time::Duration};
use http::HeaderValue;
use postback_core::{CLICK_LIFE, ClickToken, Error, Result};

/// The cookie's name and reach; it is always `Secure`, `HttpOnly`, `SameSite=Lax`, and lives as long as a click.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// `name=`
    before: String,
    /// `; HttpOnly; ...`
    after: String,
}

impl CookieSettings {
    /// A cookie for `domain` and all hosts under it; without a domain it is for the edge's own host alone, and
    /// its name gets the prefix `__Host-`, with which browsers enforce that.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no HTTP token, brings a prefix of its own, or a domain that is none.
    pub fn new(name: &str, domain: Option<&str>) -> Result<Self> {
        check_name(name)?;
        Ok(match domain {
            Some(domain) => Self::render(Cookie::build((name, "")).domain(check_domain(domain)?)),
            None => Self::render(Cookie::build((format!("__Host-{name}"), ""))),
        })
    }

    fn render(cookie: CookieBuilder<'_>) -> Self {
        let rendered = cookie
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(Duration::seconds(CLICK_LIFE.as_secs()))
            .build()
            .to_string();
        let (before, after) = rendered.split_once(';').unwrap_or((&rendered, ""));
        Self { before: before.to_owned(), after: format!(";{after}") }
    }

    /// `Set-Cookie` for a token.
    pub(crate) fn header(&self, token: &ClickToken) -> Option<HeaderValue> {
        let parts = [self.before.as_str(), token.as_str(), self.after.as_str()];
        let mut value = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| value.put_slice(part.as_bytes()));
        HeaderValue::from_maybe_shared(value.freeze()).ok()
    }
}

impl Default for CookieSettings {
    /// `__Host-postback_click`.
    fn default() -> Self {
        Self::render(Cookie::build(("__Host-postback_click", "")))
    }
}

fn check_name(name: &str) -> Result<()> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let prefixed = ["__Host-", "__Secure-"]
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) || prefixed {
        return Err(Error::invalid(
            "cookie.name",
            "is not a cookie's name; want 1 to 64 letters, digits and !#$%&'*+-.^_`|~, without a __ prefix",
        ));
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<&str> {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
    };
    let labels = domain.split('.');
    if domain.len() > 253 || labels.clone().count() < 2 || !labels.clone().all(label) {
        return Err(Error::invalid(
            "cookie.domain",
            "is not a domain; want one such as example.com, without scheme, port or leading dot",
        ));
    }
    Ok(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(cookie: &CookieSettings) -> String {
        cookie.header(&"AbC-_9".parse().unwrap()).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn without_a_domain_the_cookie_is_bound_to_its_host() {
        let cookie = CookieSettings::new("postback_click", None).unwrap();
        let want = "__Host-postback_click=AbC-_9; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000";
        assert_eq!(rendered(&cookie), want);
        assert_eq!(rendered(&CookieSettings::default()), want);
    }

    #[test]
    fn with_a_domain_the_cookie_reaches_its_hosts() {
        let cookie = CookieSettings::new("click", Some("shop.example")).unwrap();
        assert_eq!(
            rendered(&cookie),
            "click=AbC-_9; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=shop.example; Max-Age=2592000"
        );
    }

    #[test]
    fn a_name_or_a_domain_that_is_none_is_refused() {
        for name in ["", "a b", "a=b", "a;b", "é", "__Host-x", "__secure-x", &"x".repeat(65)] {
            let error = CookieSettings::new(name, None).unwrap_err();
            assert_eq!(error.field(), Some("cookie.name"), "{name}");
        }
        for domain in
            ["", "localhost", ".example.com", "a..b", "a.b/", "a.b:80", "a.b;x", "https://a.b", "é.example"]
        {
            let error = CookieSettings::new("click", Some(domain)).unwrap_err();
            assert_eq!(error.field(), Some("cookie.domain"), "{domain}");
        }
    }
}
