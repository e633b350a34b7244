//! The settings, as a config gives them.

use postback_adapters_trafficstars::{ClickIdForm, Form, Settings, TrafficStars};
use postback_core::OnAmbiguous;

use crate::KEY;

fn refusal(toml: &str) -> String {
    match toml::from_str::<Settings>(toml) {
        Ok(settings) => TrafficStars::new(settings).unwrap_err().to_string(),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn every_setting_but_the_currency_has_a_default() {
    let read: Settings = toml::from_str("currency = 'USD'").unwrap();
    for settings in [read, Settings::new("USD".parse().unwrap())] {
        assert_eq!(settings.base_url.to_string(), "https://tsyndicate.com");
        assert!(settings.key.is_none() && !settings.tls_in_front);
        assert_eq!(settings.currency.as_str(), "USD");
        assert_eq!((settings.click_id, settings.form), (ClickIdForm::Hex40, Form::Path));
        assert_eq!(settings.on_ambiguous, OnAmbiguous::Hold);
    }
    assert_eq!(refusal(""), "missing field `currency`");
}

#[test]
fn ts_6_a_key_that_would_travel_over_http_is_refused() {
    let http = format!("currency = 'USD'\nkey = '{KEY}'\nbase_url = 'http://127.0.0.1:9100'");
    assert_eq!(
        refusal(&http),
        "key: would travel over http to `http://127.0.0.1:9100`; want https, or tls_in_front where TLS ends in \
         front of it"
    );
    assert!(TrafficStars::new(toml::from_str(&format!("{http}\ntls_in_front = true")).unwrap()).is_ok());
}

#[test]
fn a_wrong_setting_is_refused_in_words() {
    let with = |setting: &str| refusal(&format!("currency = 'USD'\n{setting}"));
    assert_eq!(
        with("tls_in_front = true"),
        "tls_in_front: is set, but `https://tsyndicate.com` is https by itself; want it with http"
    );
    assert_eq!(
        with("base_url = 'http://tsyndicate.com'"),
        "`http://tsyndicate.com` is http; want https, or http on this machine alone"
    );
    assert_eq!(
        with("base_url = 'https://{domain}.com'"),
        "`https://{domain}.com` cannot be called; want an address such as https://example.com"
    );
    assert_eq!(with("key = ''"), "key: is empty; want the account's secret, or no key");
    let canary = "key: is not valid; want 1 to 256 visible ASCII characters";
    assert_eq!(with("key = 'canary with a space'"), canary);
    assert_eq!(with(&format!("key = '{}'", "x".repeat(257))), canary);
    assert_eq!(with("click_id = 'hex'"), "unknown variant `hex`, expected `hex40` or `opaque`");
    assert_eq!(with("form = 'body'"), "unknown variant `body`, expected `path` or `query`");
    assert_eq!(refusal("currency = 'usd'"), "`usd` is not an ISO 4217 code such as EUR");
    assert!(with("allow_duplicates = true").starts_with("unknown field `allow_duplicates`, expected one of"));
}
