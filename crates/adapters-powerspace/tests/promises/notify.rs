//! PS-4 to PS-9 and PS-12: the calls.

use http::Method;
use percent_encoding::percent_decode_str;
use postback_core::{
    Adapter, Change, ClickId, Details, ErrorKind, Event, FlowId, Goal, Kind, Money, OnAmbiguous, Postback,
    Repeat, Source, Status,
};
use proptest::prelude::*;

use crate::{click, conversion, money, order, powerspace, tell, url};

const EUR: &str = "currency = 'EUR'\n";

fn warnings(settings: &str, details: Details) -> Vec<String> {
    tell(&powerspace(settings), click("a"), details).unwrap().warnings
}

fn refusal(settings: &str, details: Details) -> String {
    tell(&powerspace(settings), click("a"), details).unwrap_err().to_string()
}

#[test]
fn ps_4_a_lead_is_one_get() {
    let call = tell(&powerspace(""), click("abc123xyz789"), Details::new(Kind::Lead)).unwrap();
    assert_eq!(call.request.method(), Method::GET);
    assert_eq!(call.request.uri(), "https://a.pwspace.com/ld?qci=abc123xyz789");
    assert!(call.request.body().is_empty());
    assert_eq!(call.shown, "GET https://a.pwspace.com/ld?qci=abc123xyz789");
    assert_eq!(call.warnings, [""; 0]);
}

#[test]
fn ps_4_another_address_takes_the_same_paths() {
    let call = |base: &str| {
        let account = powerspace(&format!("base_url = '{base}'"));
        tell(&account, click("x"), Details::new(Kind::Lead)).unwrap().request.uri().to_string()
    };
    assert_eq!(call("http://127.0.0.1:9100"), "http://127.0.0.1:9100/ld?qci=x");
    assert_eq!(call("https://proxy.example/pw/"), "https://proxy.example/pw/ld?qci=x");
}

#[test]
fn ps_5_an_order_carries_its_value_in_major_units() {
    assert_eq!(url(order("89.99")), "https://a.pwspace.com/ord?qci=abc123xyz789&ov=89.99");
    for value in ["49.99", "125.50", "1000000000", "0.000000001", "0"] {
        assert!(url(order(value)).ends_with(&format!("&ov={value}")), "{value}");
    }
}

#[test]
fn ps_5_an_order_without_a_value_is_sent_with_a_warning() {
    let call = tell(&powerspace(""), click("abc123xyz789"), Details::new(Kind::Order)).unwrap();
    assert_eq!(call.request.uri(), "https://a.pwspace.com/ord?qci=abc123xyz789");
    assert_eq!(call.warnings, ["value: is missing; Powerspace steers campaigns by what orders are worth"]);
}

#[test]
fn ps_5_a_value_of_an_account_without_a_currency_is_told_with_a_warning() {
    let yen = Details { value: Some(Money::parse("4990", "JPY").unwrap()), ..Details::new(Kind::Order) };
    assert_eq!(url(yen.clone()), "https://a.pwspace.com/ord?qci=abc123xyz789&ov=4990");
    assert_eq!(
        warnings("", yen),
        ["value: `4990 JPY` is told without its currency; want currency in the account's settings"]
    );
    assert_eq!(warnings(EUR, order("49.90")), [""; 0]);
}

#[test]
fn ps_6_reserved_characters_are_percent_encoded() {
    let call = tell(&powerspace(""), click("a b+&=%/?#é"), order("1")).unwrap();
    let want = "https://a.pwspace.com/ord?qci=a%20b%2B%26%3D%25%2F%3F%23%C3%A9&ov=1";
    assert_eq!(call.request.uri(), want);
}

proptest! {
    #[test]
    fn ps_6_any_click_id_survives_the_trip(id in "[^\\p{C}]{1,100}") {
        let Ok(id) = ClickId::parse(id) else { return Ok(()) };
        let Ok(call) = tell(&powerspace(""), Source::Click(id.clone()), order("1")) else {
            prop_assert!(postback_core::LandingQuery::is_macro(id.as_str()));
            return Ok(());
        };
        let query = call.request.uri().query().unwrap();
        let sent = query.strip_prefix("qci=").unwrap().strip_suffix("&ov=1").unwrap();
        prop_assert!(!sent.contains(['&', '+', '#', ' ']));
        prop_assert_eq!(percent_decode_str(sent).decode_utf8().unwrap(), id.as_str());
    }

    #[test]
    fn ps_5_a_value_is_always_a_plain_decimal(units in 0_u64..1_000_000_000, places in 0_u32..10) {
        let value = rust_decimal::Decimal::from_i128_with_scale(units.into(), places);
        let sent = url(order(&value.to_string()));
        let sent = sent.rsplit_once("&ov=").unwrap().1;
        prop_assert!(sent.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        prop_assert_eq!(sent.parse::<rust_decimal::Decimal>().unwrap(), value);
    }
}

#[test]
fn ps_7_a_lead_and_two_orders_of_one_click_are_three_calls() {
    let sent = [url(Details::new(Kind::Lead)), url(order("10")), url(order("20.5"))];
    let want = ["/ld?qci=abc123xyz789", "/ord?qci=abc123xyz789&ov=10", "/ord?qci=abc123xyz789&ov=20.5"];
    assert_eq!(sent, want.map(|path| format!("https://a.pwspace.com{path}")));
}

#[test]
fn ps_8_the_account_chooses_which_parts_of_the_total_are_told() {
    let sent = |shipping: &str, tax: &str| {
        let settings = format!("{EUR}order_value = {{ shipping = '{shipping}', tax = '{tax}' }}");
        let parts = Details {
            shipping: Some("4.99".parse().unwrap()),
            tax: Some("7.5".parse().unwrap()),
            ..order("49.99")
        };
        let call = tell(&powerspace(&settings), click("a"), parts).unwrap();
        assert_eq!(call.warnings, [""; 0]);
        call.request.uri().query().unwrap().to_owned()
    };
    assert_eq!(sent("include", "include"), "qci=a&ov=49.99");
    assert_eq!(sent("exclude", "include"), "qci=a&ov=45.00");
    assert_eq!(sent("include", "exclude"), "qci=a&ov=42.49");
    assert_eq!(sent("exclude", "exclude"), "qci=a&ov=37.50");
}

#[test]
fn ps_8_a_part_that_is_to_be_taken_out_and_is_not_known_is_warned_of() {
    assert_eq!(
        warnings(&format!("{EUR}order_value.shipping = 'exclude'"), order("5")),
        [
            "shipping: is missing, though the account's settings take it out of the value; nothing is taken out"
        ]
    );
    assert_eq!(warnings(&format!("{EUR}order_value.shipping = 'include'"), order("5")), [""; 0]);
}

#[test]
fn ps_8_a_part_larger_than_the_rest_of_the_total_is_refused() {
    let both = "order_value = { shipping = 'exclude', tax = 'exclude' }";
    let parts = |shipping: &str, tax: &str| Details {
        shipping: Some(shipping.parse().unwrap()),
        tax: Some(tax.parse().unwrap()),
        ..order("10")
    };
    assert_eq!(refusal(both, parts("6", "5")), "tax: `5` is more than what is left of the value, `4 EUR`");
    for settings in [both, ""] {
        assert_eq!(refusal(settings, parts("-1", "5")), "shipping: `-1` is negative");
        assert_eq!(
            refusal(settings, parts("4", "1.0000000001")),
            "tax: `1.0000000001` has more than 9 digits after the point"
        );
    }
    assert_eq!(url(parts("4", "6")), "https://a.pwspace.com/ord?qci=abc123xyz789&ov=10");
}

#[test]
fn ps_9_the_test_click_is_told_like_any_other() {
    let call = tell(&powerspace(""), click("test_click_id_123"), order("99.99")).unwrap();
    assert_eq!(call.request.uri(), "https://a.pwspace.com/ord?qci=test_click_id_123&ov=99.99");
}

#[test]
fn ps_12_no_call_may_be_repeated_unless_the_account_says_so() {
    let repeat = |settings: &str| tell(&powerspace(settings), click("a"), order("1")).unwrap().repeat;
    assert_eq!(repeat(""), Repeat::Unkeyed(OnAmbiguous::Hold));
    assert_eq!(repeat("on_ambiguous = 'resend'"), Repeat::Unkeyed(OnAmbiguous::Resend));
}

#[test]
fn an_amount_in_another_currency_than_the_accounts_is_refused_naming_both() {
    assert_eq!(
        refusal("currency = 'USD'", order("1")),
        "value.currency: `EUR` is not the account's currency `USD`"
    );
    assert_eq!(warnings(EUR, order("1")), [""; 0]);
}

#[test]
fn a_status_change_is_refused() {
    let conversion = conversion(click("a"), order("1"));
    let event = Event::Changed(Change { status: Some(Status::Approved), ..Change::default() });
    let postback = Postback { conversion: &conversion, event: &event };
    let refused = powerspace("").call(&postback).unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "NO_STATUS_CHANGES"));
    assert_eq!(refused.to_string(), "Powerspace takes no changes: what it was told once stays");
}

#[test]
fn what_powerspace_would_misunderstand_is_refused_naming_the_field() {
    let goal = Details { goal: Some(Goal::parse("signup").unwrap()), ..Details::new(Kind::Goal) };
    assert_eq!(refusal("", goal), "kind: is a goal; Powerspace knows lead and order alone");
    let fields = [("sub1".to_owned(), "x".to_owned())].into();
    let unknown = Details { fields, ..Details::new(Kind::Lead) };
    assert_eq!(refusal("", unknown), "fields.sub1: is nothing that Powerspace knows");
    for status in [Status::Cancelled, Status::Trash, Status::Own("lost".to_owned())] {
        let want = format!("status: `{status}` cannot be told; Powerspace would count the conversion as won");
        assert_eq!(refusal("", Details { status: Some(status), ..order("1") }), want);
    }
    let flow = Source::Flow(FlowId::parse("1234").unwrap());
    let refused = tell(&powerspace(""), flow, order("1")).unwrap_err();
    assert_eq!(refused.to_string(), "source: is a flow; Powerspace knows clicks alone");
    let refused = tell(&powerspace(""), click("{clickId}"), order("1")).unwrap_err();
    assert_eq!(refused.to_string(), "click_id: `{clickId}` is a macro that was not replaced");
}

#[test]
fn what_powerspace_has_no_parameter_for_is_left_out_with_a_warning() {
    let lead = Details {
        goal: Some(Goal::parse("signup").unwrap()),
        payout: Some(money("2")),
        status: Some(Status::Hold),
        ..Details { kind: Kind::Lead, ..order("5") }
    };
    assert_eq!(url(lead.clone()), "https://a.pwspace.com/ld?qci=abc123xyz789");
    assert_eq!(
        warnings("", lead),
        [
            "value: is not told; Powerspace has no parameter for it here",
            "goal: is not told; Powerspace has no parameter for it here",
            "payout: is not told; Powerspace has no parameter for it here",
            "status: `hold` is not told; Powerspace counts the conversion at once",
        ]
    );
    assert_eq!(warnings(EUR, Details { status: Some(Status::Approved), ..order("5") }), [""; 0]);
}
