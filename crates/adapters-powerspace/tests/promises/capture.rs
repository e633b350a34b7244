//! PS-1: the click id in a landing query.

use postback_core::{Adapter, LandingQuery, NoClick};
use proptest::prelude::*;

use crate::powerspace;

fn landing(query: &str) -> Result<String, NoClick> {
    let account = powerspace("");
    let found = account.click_id(&LandingQuery::new(query), account.click_parameter());
    found.map(|id| id.as_str().to_owned())
}

#[test]
fn ps_1_the_click_id_is_read_beside_utm_parameters() {
    assert_eq!(landing("clickId=abc123xyz789&utm_source=powerspace").unwrap(), "abc123xyz789");
    assert_eq!(landing("utm_source=powerspace&clickId=abc123xyz789").unwrap(), "abc123xyz789");
}

#[test]
fn ps_1_the_exact_name_wins_and_then_case_dashes_and_underscores_are_ignored() {
    for name in ["clickid", "CLICKID", "click_id", "Click-ID", "click%5Fid", "cl_ick-Id"] {
        assert_eq!(landing(&format!("{name}=AbC")).unwrap(), "AbC", "{name}");
    }
    assert_eq!(landing("click_id=loose&clickId=exact").unwrap(), "exact");
    assert_eq!(landing("click_id=first&CLICKID=second").unwrap(), "first");
    assert_eq!(landing("clickIds=x&qci=y&click.id=z"), Err(NoClick::Missing));
}

#[test]
fn ps_1_a_campaign_may_name_another_parameter() {
    let query = LandingQuery::new("clickId=a&SUB_1=b");
    assert_eq!(powerspace("").click_id(&query, "sub1").unwrap().as_str(), "b");
}

#[test]
fn ps_1_the_value_is_never_changed() {
    assert_eq!(landing("clickId=%20A+b%2B%26%3D%25%2F%C3%A9%20").unwrap(), " A+b+&=%/é ");
}

#[test]
fn a_landing_without_a_click_id_says_why() {
    assert_eq!(landing(""), Err(NoClick::Missing));
    assert_eq!(landing("clickId="), Err(NoClick::Empty));
    assert_eq!(landing("clickId"), Err(NoClick::Empty));
    assert_eq!(landing("clickId={clickId}"), Err(NoClick::Macro));
    assert_eq!(landing("clickId=%7BclickId%7D"), Err(NoClick::Macro));
    assert_eq!(landing("clickId=a%00b"), Err(NoClick::Malformed));
    assert_eq!(landing("clickId=%FF"), Err(NoClick::Malformed));
    assert_eq!(landing(&format!("clickId={}", "x".repeat(513))), Err(NoClick::Malformed));
}

#[test]
fn powerspace_appends_its_parameter_by_itself() {
    assert_eq!(powerspace("").link_query("clickId"), "");
    assert_eq!(powerspace("").link_query("sub1"), "");
}

proptest! {
    #[test]
    fn any_query_is_read_without_a_panic(query in ".{0,200}") {
        let _ = landing(&query);
    }
}
