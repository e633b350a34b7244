//! AC-7, AC-8, AC-11: goals, the customer, and the rest.

use postback_core::{Change, Customer, Details, Goal, Kind, Status};

use crate::support::*;

fn goal(name: &str) -> Option<Goal> {
    Some(Goal::parse(name).unwrap())
}

#[test]
fn ac_7_a_goal_goes_by_its_name_or_by_its_number() {
    for kind in [Kind::Lead, Kind::Order, Kind::Goal] {
        let mut details = Details::new(kind);
        details.goal = goal("registration");
        let call = created(&plain(), &conversion(click("abc"), details)).unwrap();
        assert_eq!(values(&call, ["goal", "gid"]), ["registration", "-"], "{kind}");
    }
    let by_number = with_fields(&plain(), &[("gid", "12")]).unwrap();
    assert_eq!(values(&by_number, ["goal", "gid"]), ["-", "12"]);
    assert_eq!(fault(with_fields(&plain(), &[("gid", "reg")])), "fields.gid");
}

#[test]
fn ac_7_a_conversion_of_kind_goal_names_its_goal() {
    let mut details = Details::new(Kind::Goal);
    assert_eq!(fault(created(&plain(), &conversion(click("abc"), details.clone()))), "goal");
    details.fields = map(&[("gid", "12")]);
    assert_eq!(fault(created(&plain(), &conversion(click("abc"), details.clone()))), "goal");
    details.goal = goal("reg");
    assert_eq!(fault(created(&plain(), &conversion(click("abc"), details))), "fields.gid");
}

#[test]
fn ac_7_a_change_can_move_a_lead_to_another_goal() {
    let call = changed(&plain(), Change { goal: goal("deposit"), ..Change::default() }).unwrap();
    assert_eq!(path(&call), "/api/site/status.json");
    assert_eq!(values(&call, ["goal", "status"]), ["deposit", "-"]);
}

#[test]
fn ac_8_the_customer_is_told() {
    let conversion = lead_with(|details| {
        details.customer = Customer {
            name: Some("Zoë & Co".into()),
            phone: Some("+33 1 23".into()),
            email: Some("zoe@mail.example".into()),
            country: Some("FR".into()),
        };
    });
    let call = created(&plain(), &conversion).unwrap();
    assert_eq!(
        values(&call, ["name", "phone", "email", "country"]),
        ["Zoë & Co", "+33 1 23", "zoe@mail.example", "FR"]
    );
}

#[test]
fn ac_8_a_wrong_customer_is_refused_and_not_shown() {
    let told = |customer: Customer| created(&plain(), &lead_with(|details| details.customer = customer));
    let wrong = |text: &str| Some(text.to_owned());
    for (field, customer) in [
        ("customer.name", Customer { name: wrong("CANARY\0"), ..Customer::default() }),
        ("customer.phone", Customer { phone: wrong(""), ..Customer::default() }),
        ("customer.email", Customer { email: wrong(&"CANARY".repeat(50)), ..Customer::default() }),
        ("customer.country", Customer { country: wrong("FRA"), ..Customer::default() }),
    ] {
        let refusal = refused(told(customer));
        assert_eq!(refusal.field(), Some(field));
        assert!(!refusal.to_string().contains("CANARY"));
    }
}

#[test]
fn ac_8_the_time_of_a_creation_is_told_in_seconds() {
    assert_eq!(value(&created(&plain(), &lead()).unwrap(), "time").unwrap(), "1767225600");
    assert_eq!(
        value(&with_fields(&plain(), &[("time", "1767000000")]).unwrap(), "time").unwrap(),
        "1767000000"
    );
    assert_eq!(fault(with_fields(&plain(), &[("time", "yesterday")])), "fields.time");
    let change = Change { status: Some(Status::Approved), ..Change::default() };
    assert_eq!(value(&changed(&plain(), change).unwrap(), "time"), None);
}

#[test]
fn ac_8_the_other_parameters_are_checked_and_told() {
    for (name, said) in [
        ("count", "3"),
        ("comment", "two lines\nof = & text"),
        ("comment", &"x".repeat(1_024)),
        ("mobile", "0"),
        ("mobile", "desktop"),
        ("mobile", "tablet"),
        ("bad", "1"),
    ] {
        let call = with_fields(&plain(), &[(name, said)]).unwrap();
        assert_eq!(value(&call, name).as_deref(), Some(said));
        assert!(call.warnings.is_empty(), "{name}={said}");
    }
    for (name, wrong) in [
        ("count", "0"),
        ("count", "-1"),
        ("count", "1.5"),
        ("comment", ""),
        ("comment", "\0"),
        ("comment", "a\tb"),
        ("comment", "two lines\r\nof text"),
        ("comment", &"x".repeat(1_025)),
        ("mobile", ""),
        ("mobile", "a\nb"),
        ("bad", "2"),
    ] {
        assert_eq!(fault(with_fields(&plain(), &[(name, wrong)])), format!("fields.{name}"), "{wrong}");
    }
    assert_eq!(value(&with_fields(&plain(), &[("bad", "0")]).unwrap(), "bad"), None);
}

#[test]
fn ac_8_an_unknown_device_is_mobile_and_is_warned_of() {
    let call = with_fields(&plain(), &[("mobile", "destkop")]).unwrap();
    assert_eq!(value(&call, "mobile").unwrap(), "destkop");
    assert_eq!(call.warnings, ["fields.mobile: `destkop` is taken as mobile"]);
    assert!(with_fields(&plain(), &[("mobile", "Desktop")]).unwrap().warnings.is_empty());
}

#[test]
fn ac_11_a_change_takes_what_a_creation_takes() {
    let fields = [
        ("reason", "2"),
        ("gid", "12"),
        ("pay", "20"),
        ("cc", "EUR"),
        ("base", "10"),
        ("curr", "3"),
        ("count", "2"),
        ("comment", "late"),
        ("mobile", "pc"),
        ("bad", "1"),
        ("time", "1767000000"),
    ];
    let change = Change { status: Some(Status::Cancelled), fields: map(&fields), ..Change::default() };
    let call = changed(&plain(), change).unwrap();
    for (name, said) in fields {
        assert_eq!(value(&call, name).as_deref(), Some(said), "{name}");
    }
}

#[test]
fn a_change_of_nothing_is_refused() {
    assert_eq!(fault(changed(&plain(), Change::default())), "status");
    let only =
        |field| changed(&account("auto = true"), Change { fields: map(&[field]), ..Change::default() });
    assert_eq!(fault(only(("auto", "1"))), "status");
    assert_eq!(fault(only(("bad", "0"))), "status");
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let refusal = refused(with_fields(&plain(), &[("lead_code", "1")]));
    assert_eq!((refusal.field(), refusal.reason()), (Some("fields.lead_code"), "UNKNOWN_FIELD"));
    assert!(refusal.message().starts_with("is not known to AlterCPA; want one of exto, accept, stid, "));
}

#[test]
fn what_is_said_elsewhere_is_no_field_and_the_refusal_says_where() {
    for (name, place) in [
        ("token", "the account's settings"),
        ("click", "the conversion's source"),
        ("order", "the conversion's source"),
        ("wm", "`payout`"),
        ("goal", "`goal`"),
        ("phone", "`customer.phone`"),
    ] {
        let refusal = refused(with_fields(&plain(), &[(name, "CANARY")]));
        assert_eq!(refusal.to_string(), format!("fields.{name}: is not a field; it is said by {place}"));
    }
}

#[test]
fn ac_11_a_change_has_no_customer_and_its_refusal_says_so() {
    for name in ["name", "phone", "email", "country"] {
        let change = Change { fields: map(&[(name, "CANARY")]), ..Change::default() };
        let refusal = refused(changed(&plain(), change));
        let want = format!("fields.{name}: is not a field; the customer is told at creation only");
        assert_eq!((refusal.to_string(), refusal.reason()), (want, "UNKNOWN_FIELD"));
    }
}
