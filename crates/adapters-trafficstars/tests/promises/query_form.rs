//! TS-7: the calls in the query form.

use postback_core::{Details, Goal, Kind, Repeat};

use crate::{CLICK, KEY, account, click, keyed, lead, lead_worth, money, refusal, tell, url};

const BASE: &str = "https://tsyndicate.com/api/v1/cpa/action";

fn query() -> postback_adapters_trafficstars::TrafficStars {
    keyed("form = 'query'")
}

#[test]
fn ts_7_the_query_form_carries_goal_value_and_price() {
    let goal = Details {
        kind: Kind::Goal,
        goal: Some(Goal::parse("3").unwrap()),
        payout: Some(money("0.75")),
        ..lead_worth("2.1")
    };
    let call = tell(&query(), click(CLICK), goal).unwrap();
    let rest = format!("{BASE}?clickid={CLICK}&goalid=3&value=2.1&price=0.75&lead_code=abcd1234567890&key=");
    assert_eq!(call.request.uri().to_string(), format!("{rest}{KEY}"));
    assert_eq!(call.shown, format!("GET {rest}***"));
    assert_eq!(call.repeat, Repeat::Keyed("abcd1234567890".to_owned()));
}

#[test]
fn ts_7_what_the_caller_did_not_give_is_not_sent() {
    assert_eq!(url(&query(), lead()), format!("{BASE}?clickid={CLICK}&lead_code=abcd1234567890&key={KEY}"));
    let single = account("form = 'query'");
    assert_eq!(url(&single, Details::new(Kind::Order)), format!("{BASE}?clickid={CLICK}"));
}

#[test]
fn ts_7_an_opaque_click_id_and_a_goal_are_percent_encoded() {
    let account = keyed("form = 'query'\nclick_id = 'opaque'");
    let goal = Details { goal: Some(Goal::parse("a&b é").unwrap()), ..lead() };
    let call = tell(&account, click("+&=%/"), goal).unwrap();
    let sent = call.request.uri().to_string();
    assert!(sent.contains("?clickid=%2B%26%3D%25%2F&goalid=a%26b%20%C3%A9&lead_code="), "{sent}");
}

#[test]
fn ts_7_a_price_obeys_the_currency_and_the_range() {
    let euros = postback_core::Money::parse("1", "EUR").unwrap();
    assert_eq!(
        refusal(&query(), Details { payout: Some(euros), ..lead() }),
        "payout.currency: `EUR` is not the account's currency `USD`"
    );
    assert_eq!(
        refusal(&query(), Details { payout: Some(money("200.01")), ..lead() }),
        "payout: `200.01 USD` is outside of what Traffic Stars takes: 0.01 to 200.0 USD"
    );
    let keyless = Details { payout: Some(money("1")), ..Details::new(Kind::Lead) };
    assert_eq!(
        refusal(&account("form = 'query'"), keyless),
        "payout: cannot be told without the account's key; want the key in the settings, or none"
    );
}
