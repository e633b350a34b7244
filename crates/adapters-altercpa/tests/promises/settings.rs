//! The account's settings, checked when they are read.

use postback_adapters_altercpa::{AlterCpa, Settings};
use postback_core::BaseUrl;

use crate::support::*;

#[test]
fn a_wrong_setting_is_refused_by_name() {
    for (lines, message) in [
        ("sta = ['']", "sta: holds an empty word"),
        ("stw = ['a,b']", "stw: `a,b` is not a word; want 1 to 64 bytes without comma or control characters"),
        ("stc = [' no']", "stc: ` no` is not a word; want 1 to 64 bytes without comma or control characters"),
        ("sta = ['x']\nstn = ['x']", "stn: `x` is in `sta` already; want it once"),
        ("sta = ['x', 'x']", "sta: `x` is in `sta` already; want it once"),
        ("words = { hold = '' }", "words.hold: holds an empty word"),
        ("words = { trash = 'cancel' }", "words.trash: `cancel` is the word of words.cancelled already"),
        ("reasons = { x = 'no' }", "reasons.x: `x` is not a number above 0"),
        ("reasons = { 0 = 'no' }", "reasons.0: `0` is not a number above 0"),
        ("reasons = { 16 = '' }", "reasons.16: `` is not words; want what the number stands for"),
        ("reasons = { 16 = '5' }", "reasons.16: `5` is not words; want what the number stands for"),
        (
            "reasons = { 16 = 'Expensive' }",
            "reasons.16: `Expensive` is said of 9 already; want words of its own",
        ),
        ("status_ids = { 20 = 'hold' }", "status_ids.20: `hold` is said of 4 already; want words of its own"),
    ] {
        assert_eq!(refused(settings(lines)).to_string(), message, "{lines}");
    }
}

#[test]
fn an_unknown_or_wrong_key_is_refused_where_it_stands() {
    let read = |toml: &str| toml::from_str::<Settings>(toml).unwrap_err().to_string();
    let whole = |line: &str| read(&format!("base_url = 'https://cpa.example'\ntoken = '1-a'\n{line}"));
    assert!(read("token = '1-a'").contains("missing field `base_url`"));
    assert!(read("base_url = 'https://cpa.example'").contains("missing field `token`"));
    assert!(read("base_url = 'http://cpa.example'\ntoken = '1-a'").contains("want https"));
    assert!(whole("tokken = 'x'").contains("unknown field `tokken`"));
    assert!(whole("words = { pending = 'x' }").contains("unknown field `pending`"));
    assert!(whole("sta = 'x'").contains("line 3"));
}

#[test]
fn an_empty_token_is_missing() {
    let base_url = BaseUrl::parse("https://cpa.example").unwrap();
    let altercpa = AlterCpa::new(Settings::new(base_url, "".into()));
    assert_eq!(refused(altercpa).to_string(), "token: is empty; want SITE-KEY or a global key");
}
