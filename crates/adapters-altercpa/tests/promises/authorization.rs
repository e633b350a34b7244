//! AC-1: the token.

use http::{Method, header::CONTENT_TYPE};
use postback_adapters_altercpa::{AlterCpa, Settings};
use postback_core::{Adapter, BaseUrl, Change, Customer, Event, LookUp, LookUpSource, Postback, Status};

use crate::support::*;

const CANARY: &str = "123-CANARY";

fn canary() -> AlterCpa {
    let settings = Settings::new(BaseUrl::parse("https://cpa.example").unwrap(), CANARY.into());
    AlterCpa::new(settings).unwrap()
}

#[test]
fn ac_1_every_call_posts_the_token_in_a_form_and_never_in_its_url() {
    let altercpa = canary();
    let change = Change { status: Some(Status::Approved), ..Change::default() };
    let calls = [
        created(&altercpa, &lead()).unwrap(),
        changed(&altercpa, change).unwrap(),
        altercpa.look_up(&LookUp::Offer(LookUpSource::Offer(1))).unwrap(),
    ];
    for call in calls {
        assert_eq!(call.request.method(), Method::POST);
        assert_eq!(call.request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(value(&call, "token").as_deref(), Some(CANARY));
        assert_eq!(call.request.uri().query(), None);
        assert!(!call.request.uri().to_string().contains("CANARY"));
        assert!(call.shown.contains("token=***") && !call.shown.contains("CANARY"), "{}", call.shown);
    }
}

#[test]
fn ac_1_the_token_is_in_no_debug_and_in_no_error() {
    let altercpa = canary();
    let shown = format!("{altercpa:?}{:?}", created(&altercpa, &lead()).unwrap());
    assert!(!shown.contains("CANARY"), "{shown}");

    let settings = Settings::new(BaseUrl::parse("https://cpa.example").unwrap(), "CANARY with blanks".into());
    assert!(!format!("{settings:?}").contains("CANARY"));
    let error = AlterCpa::new(settings).unwrap_err();
    assert_eq!(error.field(), Some("token"));
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[test]
fn ac_1_the_token_and_what_is_said_of_the_customer_are_private() {
    let (altercpa, conversion) =
        (canary(), lead_with(|it| it.fields = map(&[("comment", "she"), ("exto", "A")])));
    let change = Change { fields: map(&[("comment", "he")]), ..Change::default() };
    let private = |event: &Event| altercpa.private(&Postback { conversion: &conversion, event }).join(" ");
    assert_eq!(private(&Event::Created), format!("{CANARY} she"));
    assert_eq!(private(&Event::Changed(change)), format!("{CANARY} she he"));
}

#[test]
fn ac_1_each_installation_has_its_own_address() {
    let at = |url: &str| {
        let settings = Settings::new(BaseUrl::parse(url).unwrap(), TOKEN.into());
        created(&AlterCpa::new(settings).unwrap(), &lead()).unwrap().request.uri().to_string()
    };
    assert_eq!(at("https://one.example"), "https://one.example/api/site/click.json");
    assert_eq!(at("https://two.example:8443/cpa/"), "https://two.example:8443/cpa/api/site/click.json");
}

#[test]
fn a_shown_call_hides_the_customer_and_keeps_the_rest() {
    let conversion = lead_with(|details| {
        details.customer = Customer {
            name: Some("CANARY".into()),
            phone: Some("CANARY".into()),
            email: Some("CANARY".into()),
            country: Some("FR".into()),
        };
        details.fields = map(&[("comment", "CANARY"), ("exto", "A 1")]);
    });
    let call = created(&plain(), &conversion).unwrap();
    assert_eq!(
        call.shown,
        "POST https://cpa.example/api/site/click.json token=***&click=abc&exto=A+1&name=***&phone=***&email=***\
         &country=FR&time=1767225600&comment=***"
    );
}

#[test]
fn a_lead_in_debug_names_its_fields_and_shows_none() {
    let altercpa = plain();
    let origin = postback_adapters_altercpa::Origin::order("1234");
    let debug = format!("{:?}", altercpa.change(origin).field("comment", "CANARY"));
    assert!(debug.contains("comment") && !debug.contains("CANARY"), "{debug}");
}
