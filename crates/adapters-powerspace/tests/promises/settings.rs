//! The settings, as a config gives them.

use postback_adapters_powerspace::{OrderValue, Part, Settings};
use postback_core::OnAmbiguous;

fn refusal(toml: &str) -> String {
    toml::from_str::<Settings>(toml).unwrap_err().message().to_owned()
}

#[test]
fn every_setting_has_a_default() {
    let settings: Settings = toml::from_str("").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.base_url.to_string(), "https://a.pwspace.com");
    assert_eq!(settings.currency, None);
    assert_eq!(settings.order_value, OrderValue { shipping: Part::Include, tax: Part::Include });
    assert_eq!(settings.on_ambiguous, OnAmbiguous::Hold);
}

#[test]
fn a_wrong_setting_is_refused_in_words() {
    assert_eq!(
        refusal("base_url = 'http://a.example'"),
        "`http://a.example` is http; want https, or http on this machine alone"
    );
    assert_eq!(refusal("currency = 'eur'"), "`eur` is not an ISO 4217 code such as EUR");
    assert_eq!(refusal("on_ambiguous = 'maybe'"), "unknown variant `maybe`, expected `hold` or `resend`");
    assert_eq!(
        refusal("order_value.tax = 'some'"),
        "unknown variant `some`, expected `include` or `exclude`"
    );
    assert_eq!(refusal("order_value.fees = 1"), "unknown field `fees`, expected `shipping` or `tax`");
    assert_eq!(
        refusal("key = 'k'"),
        "unknown field `key`, expected one of `base_url`, `currency`, `order_value`, `on_ambiguous`"
    );
    assert_eq!(
        refusal("base_url = 'https://{domain}.com'"),
        "`https://{domain}.com` cannot be called; want an address such as https://example.com"
    );
}
