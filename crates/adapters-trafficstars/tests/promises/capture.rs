//! TS-1 and TS-2: the click id in a landing query.

use postback_core::{Adapter, LandingQuery, NoClick};
use proptest::prelude::*;

use crate::{CLICK, account};

fn landing(settings: &str, query: &str) -> Result<String, NoClick> {
    let found = account(settings).click_id(&LandingQuery::new(query), "tracking_param");
    found.map(|id| id.as_str().to_owned())
}

fn id(settings: &str, id: &str) -> Result<String, NoClick> {
    landing(settings, &format!("tracking_param={id}"))
}

#[test]
fn ts_1_the_click_id_is_in_the_parameter_that_the_campaign_names() {
    let query = format!("some_param=1234567&tracking_param={CLICK}&some_another_param=test");
    assert_eq!(landing("", &query).unwrap(), CLICK);
    assert_eq!(landing("", &format!("Tracking_Param={CLICK}&click_id={CLICK}")), Err(NoClick::Missing));
    assert_eq!(account("").click_parameter(), "click_id");
}

#[test]
fn ts_1_the_campaigns_link_carries_the_macro() {
    assert_eq!(account("").link_query("click_id"), "click_id={click_id}");
    assert_eq!(account("").link_query("tracking_param"), "tracking_param={click_id}");
    assert_eq!(account("").link_query("a&b"), "a%26b={click_id}");
}

#[test]
fn ts_2_a_click_id_is_40_lower_case_hex_digits() {
    assert_eq!(id("", CLICK).unwrap(), CLICK);
    for wrong in [&CLICK[1..], &format!("{CLICK}0"), &CLICK.to_uppercase(), &CLICK.replace('c', "g")] {
        assert_eq!(id("", wrong), Err(NoClick::Malformed), "{wrong}");
    }
    assert_eq!(id("", &format!("%20{CLICK}")), Err(NoClick::Malformed));
}

#[test]
fn ts_2_an_opaque_click_id_is_1_to_512_visible_characters_kept_as_they_are() {
    let opaque = "click_id = 'opaque'";
    let longest = "Ab".repeat(256);
    for right in ["x", &longest, CLICK, "A.b-C~d", "..."] {
        assert_eq!(id(opaque, right).unwrap(), right);
    }
    assert_eq!(id(opaque, "a%2Fb+c%3D").unwrap(), "a/b+c=");
    for wrong in [&format!("{longest}x"), "a%20b", "%C3%A9", "%FF", "a%00", ".", "%2E%2E"] {
        assert_eq!(id(opaque, wrong), Err(NoClick::Malformed), "{wrong}");
    }
}

#[test]
fn ts_2_an_empty_id_and_an_unreplaced_macro_are_no_click_id() {
    for settings in ["click_id = 'hex40'", "click_id = 'opaque'"] {
        assert_eq!(id(settings, ""), Err(NoClick::Empty));
        for unreplaced in ["{click_id}", "%7Bclick_id%7D", "%s", "${CLICK_ID}", "[CLICKID]", "<click>"] {
            assert_eq!(id(settings, unreplaced), Err(NoClick::Macro), "{unreplaced}");
        }
    }
}

proptest! {
    #[test]
    fn ts_2_whatever_is_taken_for_a_click_id_is_of_its_form(value in "[0-9a-gA-F]{38,42}") {
        let right = value.len() == 40 && !value.contains(|c: char| c == 'g' || c.is_ascii_uppercase());
        prop_assert_eq!(id("", &value).is_ok(), right);
    }
}
