//! TS-3 to TS-6 and TS-11: the calls in the path form.

use http::Method;
use percent_encoding::percent_decode_str;
use postback_core::{
    Adapter, Change, Details, ErrorKind, Event, FlowCode, Goal, Kind, Money, OnAmbiguous, Postback, Repeat,
    Source, Status, TransactionId,
};
use proptest::prelude::*;

use crate::{
    CLICK, KEY, account, click, code, conversion, keyed, lead, lead_worth, money, refusal, tell, url,
};

#[test]
fn ts_3_a_single_lead_is_one_get_of_its_click_over_https() {
    let call = tell(&account(""), click(CLICK), Details::new(Kind::Lead)).unwrap();
    assert_eq!(call.request.method(), Method::GET);
    let want = format!("https://tsyndicate.com/api/v1/cpa/action/{CLICK}");
    assert_eq!(call.request.uri().to_string(), want);
    assert_eq!(call.shown, format!("GET {want}"));
    assert!(call.request.body().is_empty() && call.request.headers().is_empty());
    assert_eq!(call.repeat, Repeat::Unkeyed(OnAmbiguous::Hold));
    assert_eq!(call.warnings, [""; 0]);
}

#[test]
fn ts_4_several_leads_on_one_click_carry_value_code_and_key() {
    let call = tell(&keyed(""), click(CLICK), lead_worth("2.1")).unwrap();
    let rest =
        format!("https://tsyndicate.com/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=abcd1234567890&key=");
    assert_eq!(call.request.uri().to_string(), format!("{rest}{KEY}"));
    assert_eq!(call.shown, format!("GET {rest}***"));
    assert!(!format!("{call:?}").contains(KEY));
}

#[test]
fn ts_4_a_lead_without_a_value_carries_code_and_key() {
    let sent = url(&keyed(""), lead());
    assert!(sent.ends_with(&format!("{CLICK}?lead_code=abcd1234567890&key={KEY}")), "{sent}");
}

#[test]
fn ts_4_a_value_needs_the_key() {
    let worth = Details { fields: Default::default(), ..lead_worth("2.1") };
    assert_eq!(
        refusal(&account(""), worth),
        "value: cannot be told without the account's key; want the key in the settings, or none"
    );
}

#[test]
fn ts_5_a_value_is_from_0_01_to_200_inclusive() {
    for value in ["0.01", "0.010", "199.99", "200", "200.0", "200.000000000"] {
        assert!(url(&keyed(""), lead_worth(value)).contains(&format!("value={value}&")), "{value}");
    }
    for value in ["0", "0.009", "0.0099", "200.01", "200.000000001", "1000000000"] {
        let want = format!("value: `{value} USD` is outside of what Traffic Stars takes: 0.01 to 200.0 USD");
        assert_eq!(refusal(&keyed(""), lead_worth(value)), want);
    }
}

#[test]
fn ts_6_a_lead_code_without_a_key_is_refused() {
    let refused = tell(&account(""), click(CLICK), lead()).unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "MISSING_KEY"));
    assert_eq!(
        refused.to_string(),
        "fields.lead_code: cannot be told without the account's key; want the key in the settings, or no lead code"
    );
}

#[test]
fn ts_6_a_key_goes_over_http_only_where_tls_ends_in_front() {
    let behind = keyed("base_url = 'http://127.0.0.1:9100'\ntls_in_front = true");
    let call = tell(&behind, click(CLICK), lead()).unwrap();
    assert_eq!(call.request.headers()["x-forwarded-proto"], "https");
    let want = format!("http://127.0.0.1:9100/api/v1/cpa/action/{CLICK}?lead_code=abcd1234567890&key={KEY}");
    assert_eq!(call.request.uri().to_string(), want);
    let plain = account("base_url = 'http://127.0.0.1:9100'");
    assert!(refusal(&plain, lead()).starts_with("fields.lead_code: cannot be told"));
    let single = tell(&plain, click(CLICK), Details::new(Kind::Lead)).unwrap();
    assert!(single.request.headers().is_empty());
}

#[test]
fn ts_11_the_lead_code_is_the_callers_or_made_of_the_conversion() {
    let repeat = |details: Details| tell(&keyed(""), click(CLICK), details).unwrap().repeat;
    assert_eq!(repeat(lead()), Repeat::Keyed("abcd1234567890".to_owned()));
    let without = conversion(click(CLICK), Details::new(Kind::Lead));
    let made = repeat(Details::new(Kind::Lead));
    assert_eq!(made, Repeat::Keyed(without.network_key()));
    assert_eq!(made, repeat(Details::new(Kind::Lead)));
    assert!(
        url(&keyed(""), Details::new(Kind::Lead)).contains(&format!("lead_code={}&", without.network_key()))
    );
}

#[test]
fn ts_11_a_lead_and_an_order_of_one_transaction_have_codes_of_their_own() {
    let repeat = |kind: Kind| {
        let transaction_id = Some(TransactionId::parse("T-1").unwrap());
        tell(&keyed(""), click(CLICK), Details { transaction_id, ..Details::new(kind) }).unwrap().repeat
    };
    assert_ne!(repeat(Kind::Lead), repeat(Kind::Order));
}

#[test]
fn without_a_key_the_account_says_whether_a_call_may_be_repeated() {
    let resend = account("on_ambiguous = 'resend'");
    let call = tell(&resend, click(CLICK), Details::new(Kind::Order)).unwrap();
    assert_eq!(call.repeat, Repeat::Unkeyed(OnAmbiguous::Resend));
}

#[test]
fn an_amount_in_another_currency_is_refused_naming_both() {
    let euros = Details { value: Some(Money::parse("2.1", "EUR").unwrap()), ..lead() };
    assert_eq!(refusal(&keyed(""), euros), "value.currency: `EUR` is not the account's currency `USD`");
}

#[test]
fn a_click_id_of_another_form_is_refused_before_it_is_sent() {
    let refusal = |settings: &str, id: &str| {
        let refused = tell(&keyed(settings), click(id), lead()).unwrap_err();
        assert_eq!(refused.field(), Some("click_id"));
        refused.message().to_owned()
    };
    assert_eq!(refusal("", "abc"), "`abc` is not 40 of 0-9a-f");
    assert_eq!(refusal("", "{click_id}"), "`{click_id}` is a macro that was not replaced");
    assert_eq!(refusal("click_id = 'opaque'", "a b"), "`a b` is not 1 to 512 visible ASCII characters");
    assert_eq!(refusal("", &"é".repeat(41)), format!("`{}...` is not 40 of 0-9a-f", "é".repeat(40)));
}

#[test]
fn a_lead_code_that_is_no_code_is_refused() {
    for wrong in ["", "a\nb", &"x".repeat(129)] {
        let details = Details { fields: code(wrong), ..lead() };
        assert_eq!(
            refusal(&keyed(""), details),
            "fields.lead_code: is not valid; want 1 to 128 bytes of UTF-8 without control characters"
        );
    }
}

#[test]
fn what_the_path_form_cannot_carry_is_refused_naming_the_query_form() {
    let want = |field: &str| {
        format!("{field}: cannot be told in the path form; want form = \"query\" in the account's settings")
    };
    let goal = Some(Goal::parse("3").unwrap());
    assert_eq!(refusal(&keyed(""), Details { goal: goal.clone(), ..lead() }), want("goal"));
    assert_eq!(refusal(&keyed(""), Details { goal, kind: Kind::Goal, ..lead() }), want("goal"));
    assert_eq!(refusal(&keyed(""), Details { payout: Some(money("1")), ..lead() }), want("payout"));
}

#[test]
fn what_traffic_stars_would_misunderstand_is_refused_naming_the_field() {
    for name in ["allow_duplicates", "key", "value", "Lead_Code"] {
        let fields = [(name.to_owned(), "1".to_owned())].into();
        let want = format!("fields.{name}: is nothing that is told; want lead_code or none");
        assert_eq!(refusal(&keyed(""), Details { fields, ..lead() }), want);
    }
    for status in [Status::Cancelled, Status::Trash, Status::Own("lost".to_owned())] {
        let want =
            format!("status: `{status}` cannot be told; Traffic Stars would count the conversion as won");
        assert_eq!(refusal(&keyed(""), Details { status: Some(status), ..lead() }), want);
    }
    let goal = Details { kind: Kind::Goal, ..lead() };
    assert_eq!(refusal(&keyed("form = 'query'"), goal), "goal: is missing; want the goal's number");
    let flow = Source::FlowCode(FlowCode::parse("5FAC-D4E8").unwrap());
    let refused = tell(&keyed(""), flow, lead()).unwrap_err();
    assert_eq!(refused.to_string(), "source: is a flow; Traffic Stars knows clicks alone");
}

#[test]
fn the_parts_of_a_value_are_left_out_with_a_warning() {
    let part = |amount: &str| Some(amount.parse().unwrap());
    let parts = Details { shipping: part("0.5"), tax: part("0.2"), ..lead_worth("2.1") };
    assert_eq!(
        tell(&keyed(""), click(CLICK), parts).unwrap().warnings,
        [
            "shipping: is not told; Traffic Stars takes the total alone",
            "tax: is not told; Traffic Stars takes the total alone",
        ]
    );
}

#[test]
fn a_conversion_that_is_not_won_yet_is_warned_of() {
    let warnings = |status: Status| {
        tell(&keyed(""), click(CLICK), Details { status: Some(status), ..lead() }).unwrap().warnings
    };
    let want = "status: `hold` is not told; Traffic Stars counts the conversion at once";
    assert_eq!(warnings(Status::Hold), [want]);
    assert_eq!(warnings(Status::Approved), [""; 0]);
}

#[test]
fn a_status_change_is_refused() {
    let conversion = conversion(click(CLICK), lead());
    let event = Event::Changed(Change { status: Some(Status::Approved), ..Change::default() });
    let refused = keyed("").call(&Postback { conversion: &conversion, event: &event }).unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "NO_STATUS_CHANGES"));
    assert_eq!(refused.to_string(), "Traffic Stars takes no changes: what it was told once stays");
}

proptest! {
    #[test]
    fn any_click_id_and_lead_code_survive_the_trip(id in "[!-~]{1,60}", key in "[!-~]{1,60}", lead_code in "\\PC{1,30}") {
        let quoted = key.replace('\\', "\\\\").replace('"', "\\\"");
        let account = account(&format!("click_id = 'opaque'\nkey = \"{quoted}\""));
        let Ok(call) = tell(&account, click(&id), Details { fields: code(&lead_code), ..lead() }) else {
            prop_assert!(postback_core::LandingQuery::is_macro(&id) || id == "." || id == "..");
            return Ok(());
        };
        let uri = call.request.uri();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        prop_assert_eq!(decoded(uri.path().strip_prefix("/api/v1/cpa/action/").unwrap()), id);
        let (code, sent) = uri.query().unwrap().split_once('&').unwrap();
        prop_assert_eq!(decoded(code.strip_prefix("lead_code=").unwrap()), lead_code);
        prop_assert_eq!(decoded(sent.strip_prefix("key=").unwrap()), key);
    }
}
