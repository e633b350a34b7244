//! An account's settings: where Powerspace is, and what it is told that an order is worth.

use postback_core::{BaseUrl, Currency, OnAmbiguous};
use serde::Deserialize;

/// One account at Powerspace, as the config gives it. Everything has a default; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The network's address: `https://a.pwspace.com` unless a test says otherwise (PS-4).
    pub base_url: BaseUrl,
    /// The currency of the account's statistics. A value in another one is refused; without this setting any
    /// value is told as it is, with a warning, for the network takes no currency with it.
    pub currency: Option<Currency>,
    /// Which parts of an order's total are told (PS-8).
    pub order_value: OrderValue,
    /// What to do with a call that may or may not have been counted: Powerspace cannot tell a repeat from a new
    /// conversion (PS-12).
    pub on_ambiguous: OnAmbiguous,
}

impl Default for Settings {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that is an address")]
        let base_url = BaseUrl::parse("https://a.pwspace.com").expect("the network's own address");
        Self {
            base_url,
            currency: None,
            order_value: OrderValue::default(),
            on_ambiguous: OnAmbiguous::default(),
        }
    }
}

/// What `ov` is made of (PS-8). An order's value is the customer's total, with shipping and tax in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderValue {
    /// Whether shipping stays in.
    pub shipping: Part,
    /// Whether tax stays in.
    pub tax: Part,
}

/// Whether a part of the total is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It stays in the value.
    #[default]
    Include,
    /// It is taken out of the value.
    Exclude,
}

/// One account at Powerspace: an [`Adapter`](postback_core::Adapter), and a client for those who need no hub.
#[derive(Clone, Debug)]
pub struct Powerspace {
    settings: Settings,
}

impl Powerspace {
    /// An account with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
