//! The click id in a landing query.

use postback_core::{Adapter, LandingQuery, NoClick};

use crate::support::plain;

fn read(query: &str) -> Result<String, NoClick> {
    plain().click_id(&LandingQuery::new(query), "click").map(|id| id.as_str().to_owned())
}

#[test]
fn a_click_id_is_opaque() {
    for (query, id) in [
        ("click=1234", "1234"),
        ("utm_source=x&click=AbC-1_2", "AbC-1_2"),
        ("click=a%2B%26%3D%25%2F%C3%A9+b", "a+&=%/é+b"),
        ("click=first&click=second", "first"),
    ] {
        assert_eq!(read(query).as_deref(), Ok(id), "{query}");
    }
    let long = "x".repeat(512);
    assert_eq!(read(&format!("click={long}")), Ok(long));
}

#[test]
fn what_is_no_click_says_why() {
    for (query, why) in [
        ("", NoClick::Missing),
        ("subid=1", NoClick::Missing),
        ("click", NoClick::Empty),
        ("click=", NoClick::Empty),
        ("click={click}", NoClick::Macro),
        ("click=%7Bclick%7D", NoClick::Macro),
        ("click=%FF", NoClick::Malformed),
        ("click=a%00b", NoClick::Malformed),
    ] {
        assert_eq!(read(query), Err(why), "{query}");
    }
    assert_eq!(read(&format!("click={}", "x".repeat(513))), Err(NoClick::Malformed));
}

#[test]
fn a_link_brings_the_click_under_the_campaigns_parameter() {
    let altercpa = plain();
    assert_eq!(altercpa.click_parameter(), "click");
    assert_eq!(altercpa.link_query("click"), "click={click}");
    assert_eq!(altercpa.link_query("subid"), "subid={click}");
    assert_eq!(altercpa.network(), "altercpa");
}
