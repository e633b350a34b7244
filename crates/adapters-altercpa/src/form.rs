//! A call as a POST form, so that the token stays out of URLs and access logs (AC-1).

use bytes::Bytes;
use http::{Method, Request, header::CONTENT_TYPE};
use postback_core::{BaseUrl, Call, Error, Repeat, Result};
use secrecy::{ExposeSecret, SecretString};

/// The parameters of one call in order. Secrets and personal data are marked, and shown as `***`.
pub(crate) struct Form {
    pairs: Vec<Pair>,
}

struct Pair {
    name: &'static str,
    value: String,
    masked: bool,
}

impl Form {
    /// A form that begins with the token.
    pub(crate) fn new(token: &SecretString) -> Self {
        let mut form = Self { pairs: Vec::new() };
        form.add_masked("token", token.expose_secret());
        form
    }

    /// Adds a parameter.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.pairs.push(Pair { name, value: value.into(), masked: false });
    }

    /// Adds a parameter that is never shown.
    pub(crate) fn add_masked(&mut self, name: &'static str, value: impl Into<String>) {
        self.pairs.push(Pair { name, value: value.into(), masked: true });
    }

    /// How many parameters there are.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The call that posts this form to `path`.
    pub(crate) fn post(
        &self,
        base_url: &BaseUrl,
        path: &str,
        repeat: Repeat,
        warnings: Vec<String>,
    ) -> Result<Call> {
        let url = base_url.join(path);
        let shown =
            format!("POST {url} {}", self.encode(|pair| if pair.masked { "***" } else { &pair.value }));
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(self.encode(|pair| &pair.value)))
            .map_err(|cause| Error::invalid("base_url", "makes no valid request").caused_by(cause))?;
        Ok(Call { request, shown, repeat, warnings })
    }

    fn encode<'a>(&'a self, value: impl Fn(&'a Pair) -> &'a str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for pair in &self.pairs {
            form.append_pair(pair.name, value(pair));
        }
        form.finish()
    }
}
