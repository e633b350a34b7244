//! AC-2, AC-3, AC-10: by what a lead is named.

use postback_adapters_altercpa::Origin;
use postback_core::{
    Call, Change, ClickId, Details, FlowCode, FlowId, Kind, OnAmbiguous, Repeat, Result, Source, Status,
};

use crate::support::*;

fn by_click() -> Origin {
    Origin::click(ClickId::parse("abc").unwrap())
}

fn by_flow() -> Origin {
    Origin::flow(FlowId::parse("1234").unwrap())
}

fn by_code() -> Origin {
    Origin::code(FlowCode::parse("5FAC-D4E8").unwrap())
}

fn create(origin: Origin) -> Result<Call> {
    plain().lead(origin).call()
}

fn change(origin: Origin) -> Result<Call> {
    plain().change(origin).status(Status::Approved).call()
}

/// What names the lead.
fn named(call: &Call) -> String {
    let names = ["click", "flow", "code", "order", "exto"];
    let pairs = form(call).into_iter().filter(|(name, _)| names.contains(&name.as_str()));
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[test]
fn ac_2_a_lead_is_created_by_each_documented_combination() {
    for (origin, want) in [
        (by_click(), "click=abc"),
        (by_click().exto("A-1"), "click=abc&exto=A-1"),
        (by_flow(), "flow=1234"),
        (by_code(), "code=5FAC-D4E8"),
        (by_flow().exto("A-1"), "flow=1234&exto=A-1"),
        (by_code().exto("A-1"), "code=5FAC-D4E8&exto=A-1"),
    ] {
        let call = create(origin).unwrap();
        assert_eq!((path(&call), named(&call).as_str()), ("/api/site/click.json", want));
    }
}

#[test]
fn ac_2_other_combinations_are_refused_before_anything_is_sent() {
    assert_eq!(fault(create(Origin::order("1234"))), "order");
    assert_eq!(fault(create(Origin::order("1234").exto("A-1"))), "order");
    assert_eq!(fault(create(by_click().exto(""))), "exto");
    assert_eq!(fault(create(by_click().exto("a\nb"))), "exto");
    assert_eq!(fault(create(by_click().exto("x".repeat(129)))), "exto");
    assert_eq!(fault(create(Origin::click(ClickId::parse("{click}").unwrap()))), "click_id");
    assert_eq!(fault(plain().lead(by_click()).field("flow", "1234").call()), "fields.flow");
    for origin in [by_click(), by_click().exto("B-2")] {
        let refusal = refused(plain().lead(origin).field("exto", "A-1").call());
        assert_eq!(refusal.to_string(), "fields.exto: does not name the lead; want it as `Origin::exto`");
    }
}

#[test]
fn ac_2_a_lead_without_exto_cannot_be_repeated_and_one_of_a_flow_not_changed() {
    for origin in [by_click(), by_flow(), by_code()] {
        assert_eq!(create(origin).unwrap().repeat, Repeat::Unkeyed(OnAmbiguous::Hold));
    }
    for origin in [by_flow(), by_code()] {
        assert_eq!(fault(change(origin)), "exto");
    }
}

#[test]
fn ac_3_the_hub_always_sets_exto_and_a_repeat_is_the_same_call() {
    let sources =
        [click("abc"), Source::Flow("1234".parse().unwrap()), Source::FlowCode("5FAC-D4E8".parse().unwrap())];
    for source in sources {
        let conversion = conversion(source, Details::new(Kind::Lead));
        let (first, again) =
            (created(&plain(), &conversion).unwrap(), created(&plain(), &conversion).unwrap());
        let exto = value(&first, "exto").unwrap();
        assert_eq!(exto, conversion.network_key());
        assert_eq!(first.repeat, Repeat::Keyed(exto));
        assert_eq!(first.request.body(), again.request.body());
    }
}

#[test]
fn ac_3_an_exto_of_the_callers_own_is_kept() {
    let call = with_fields(&plain(), &[("exto", "A-1")]).unwrap();
    assert_eq!(named(&call), "click=abc&exto=A-1");
    assert_eq!(call.repeat, Repeat::Keyed("A-1".into()));
}

#[test]
fn ac_3_a_wrong_exto_of_the_callers_own_is_refused_where_it_was_given() {
    for wrong in ["", "a\nb", &"x".repeat(129)] {
        assert_eq!(fault(with_fields(&plain(), &[("exto", wrong)])), "fields.exto");
    }
}

#[test]
fn ac_3_a_change_names_the_lead_as_its_creation_did() {
    let sources =
        [click("abc"), Source::Flow("12".parse().unwrap()), Source::FlowCode("5F".parse().unwrap())];
    for (source, own) in
        sources.into_iter().flat_map(|source| [(source.clone(), None), (source, Some("A-1"))])
    {
        let mut details = Details::new(Kind::Lead);
        details.fields.extend(own.map(|exto| ("exto".to_owned(), exto.to_owned())));
        let conversion = conversion(source, details);
        let event =
            postback_core::Event::Changed(Change { status: Some(Status::Trash), ..Change::default() });
        let postback = postback_core::Postback { conversion: &conversion, event: &event };
        let change = postback_core::Adapter::call(&plain(), &postback).unwrap();
        assert_eq!(named(&change), named(&created(&plain(), &conversion).unwrap()));
        assert_eq!(change.repeat, Repeat::Keyed(value(&change, "exto").unwrap()));
    }
}

#[test]
fn ac_3_a_change_cannot_name_another_lead() {
    let other = Change { fields: map(&[("exto", "B-2")]), ..Change::default() };
    assert_eq!(fault(changed(&plain(), other)), "fields.exto");
}

#[test]
fn ac_10_a_lead_is_changed_by_each_documented_combination() {
    for (origin, want) in [
        (by_click(), "click=abc"),
        (by_click().exto("A-1"), "click=abc&exto=A-1"),
        (Origin::order("1234"), "order=1234"),
        (by_flow().exto("A-1"), "flow=1234&exto=A-1"),
        (by_code().exto("A-1"), "code=5FAC-D4E8&exto=A-1"),
    ] {
        let call = change(origin).unwrap();
        assert_eq!((path(&call), named(&call).as_str()), ("/api/site/status.json", want));
        assert!(matches!(call.repeat, Repeat::Keyed(_)));
    }
}

#[test]
fn ac_10_other_combinations_are_refused_before_anything_is_sent() {
    assert_eq!(fault(change(Origin::order("1234").exto("A-1"))), "exto");
    for id in ["", "12a", "-1", "1234567890123456789"] {
        assert_eq!(fault(change(Origin::order(id))), "order", "{id}");
    }
}
