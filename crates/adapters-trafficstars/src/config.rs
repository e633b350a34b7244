//! An account's settings: its key, its currency, and which of the network's forms it speaks.

use postback_core::{BaseUrl, Currency, Error, OnAmbiguous, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// One account at Traffic Stars, as the config gives it. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The network's address: `https://tsyndicate.com` unless a test says otherwise (TS-3).
    #[serde(default = "tsyndicate")]
    pub base_url: BaseUrl,
    /// The account's secret (TS-4). Without it a click brings one conversion, without a value.
    #[serde(default)]
    pub key: Option<SecretString>,
    /// The account's one currency: no other is ever told (TS-7).
    pub currency: Currency,
    /// What a click id looks like (TS-2).
    #[serde(default)]
    pub click_id: ClickIdForm,
    /// Where the click id goes in a call (TS-4, TS-7).
    #[serde(default)]
    pub form: Form,
    /// TLS ends in front of `base_url`, which is http on this machine; calls say so in `x-forwarded-proto`
    /// (TS-6).
    #[serde(default)]
    pub tls_in_front: bool,
    /// What to do with a call that may or may not have been counted, where there is no key and so no
    /// `lead_code` to tell a repeat by (TS-11).
    #[serde(default)]
    pub on_ambiguous: OnAmbiguous,
}

impl Settings {
    /// The settings of an account without a key, everything else as the network documents it.
    pub fn new(currency: Currency) -> Self {
        Self {
            base_url: tsyndicate(),
            key: None,
            currency,
            click_id: ClickIdForm::default(),
            form: Form::default(),
            tls_in_front: false,
            on_ambiguous: OnAmbiguous::default(),
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant that is an address")]
fn tsyndicate() -> BaseUrl {
    BaseUrl::parse("https://tsyndicate.com").expect("the network's own address")
}

/// What a click id looks like (TS-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClickIdForm {
    /// Exactly 40 of `0-9a-f`.
    #[default]
    Hex40,
    /// 1 to 512 visible ASCII characters, whose case counts.
    Opaque,
}

/// Where the click id goes in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// In the path (TS-3, TS-4): takes a value.
    #[default]
    Path,
    /// In the query (TS-7): takes a value, a price and a goal.
    Query,
}

/// One account at Traffic Stars: an [`Adapter`](postback_core::Adapter), and a client for those who need no hub.
#[derive(Clone, Debug)]
pub struct TrafficStars {
    settings: Settings,
}

impl TrafficStars {
    /// An account with these settings.
    ///
    /// # Errors
    /// `InvalidArgument` at `key` for one that no account can have, or that would travel over http (TS-6); at
    /// `tls_in_front` where nothing is in front.
    pub fn new(settings: Settings) -> Result<Self> {
        if settings.tls_in_front && settings.base_url.is_https() {
            let message =
                format!("is set, but `{}` is https by itself; want it with http", settings.base_url);
            return Err(Error::invalid("tls_in_front", message));
        }
        if let Some(key) = &settings.key {
            check_key(key.expose_secret())?;
            if !settings.base_url.is_https() && !settings.tls_in_front {
                let message = format!(
                    "would travel over http to `{}`; want https, or tls_in_front where TLS ends in front of it",
                    settings.base_url
                );
                return Err(Error::invalid("key", message).because("KEY_OVER_HTTP"));
            }
        }
        Ok(Self { settings })
    }

    pub(crate) fn secrets(&self) -> Vec<&str> {
        self.settings.key.iter().map(ExposeSecret::expose_secret).collect()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(
            Error::invalid("key", "is empty; want the account's secret, or no key").because("MISSING")
        );
    }
    if key.len() > 256 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid("key", "is not valid; want 1 to 256 visible ASCII characters"));
    }
    Ok(())
}
