//! AC-6 and the money of AC-8: who pays what.

use postback_core::{Call, Change, Result};

use crate::support::*;

const PAID: [&str; 5] = ["wm", "pay", "pd", "pp", "cc"];
const SPENT: [&str; 3] = ["base", "curr", "currency"];

fn paid(payout: Option<(&str, &str)>, fields: &[(&str, &str)]) -> Result<Call> {
    created(
        &plain(),
        &lead_with(|details| {
            details.payout = payout.and_then(|(amount, currency)| money(amount, currency));
            details.fields = map(fields);
        }),
    )
}

#[test]
fn ac_6_a_payout_is_wm_with_its_currency() {
    assert_eq!(values(&paid(Some(("12.50", "USD")), &[]).unwrap(), PAID), ["12.50", "-", "-", "-", "USD"]);
    assert_eq!(values(&paid(None, &[]).unwrap(), PAID), ["-"; 5]);
}

#[test]
fn ac_6_pay_is_the_advertisers_alone_and_stands_beside_wm() {
    let pay = [("pay", "20"), ("cc", "EUR")];
    assert_eq!(values(&paid(None, &pay).unwrap(), PAID), ["-", "20", "-", "-", "EUR"]);
    assert_eq!(values(&paid(Some(("15", "EUR")), &pay).unwrap(), PAID), ["15", "20", "-", "-", "EUR"]);
    assert_eq!(
        values(&paid(Some(("15", "EUR")), &pay[..1]).unwrap(), PAID),
        ["15", "20", "-", "-", "EUR"],
        "the payout's currency is that of both"
    );
}

#[test]
fn ac_6_the_networks_commission_is_an_amount_or_a_percentage_of_either_sign() {
    let sent = |name, said| value(&paid(Some(("15", "EUR")), &[(name, said)]).unwrap(), name).unwrap();
    assert_eq!(
        [sent("pd", "1.5"), sent("pd", "-1.5"), sent("pp", "10"), sent("pp", "-10")],
        ["1.5", "-1.5", "10", "-10"]
    );
    assert_eq!(fault(paid(Some(("15", "EUR")), &[("pd", "1"), ("pp", "1")])), "fields.pp");
    assert_eq!(fault(paid(Some(("15", "EUR")), &[("pp", "100.1")])), "fields.pp");
}

#[test]
fn ac_6_an_amount_needs_its_currency_and_has_one() {
    for name in ["pay", "pd"] {
        let refusal = refused(paid(None, &[(name, "1")]));
        assert_eq!((refusal.field(), refusal.reason()), (Some("fields.cc"), "MISSING"));
    }
    assert_eq!(fault(paid(Some(("15", "EUR")), &[("cc", "USD")])), "fields.cc");
    assert!(paid(Some(("15", "EUR")), &[("cc", "EUR")]).is_ok());
}

#[test]
fn ac_6_what_is_no_decimal_is_refused() {
    for name in ["pay", "pd", "pp", "base"] {
        for said in ["", "1,5", "1e3", "+1", " 1", "--1", "-", "NaN", "0x1", ".5", "1.0000000001"] {
            assert_eq!(fault(paid(None, &[(name, said), ("cc", "EUR")])), format!("fields.{name}"), "{said}");
        }
    }
    for name in ["pay", "base"] {
        assert_eq!(fault(paid(None, &[(name, "-1"), ("cc", "EUR")])), format!("fields.{name}"));
    }
    for currency in ["", "eur", "EURO"] {
        assert_eq!(fault(paid(None, &[("cc", currency)])), "fields.cc");
    }
}

#[test]
fn ac_8_a_value_is_the_price_and_pays_nobody() {
    let call = created(&plain(), &lead_with(|details| details.value = money("49.99", "EUR"))).unwrap();
    assert_eq!(values(&call, SPENT), ["49.99", "-", "EUR"]);
    assert_eq!(values(&call, PAID), ["-"; 5]);
}

#[test]
fn ac_8_a_price_can_name_a_currency_of_the_platform() {
    let sent = |fields| values(&with_fields(&plain(), fields).unwrap(), SPENT);
    assert_eq!(sent(&[("base", "10"), ("curr", "3")]), ["10", "3", "-"]);
    assert_eq!(sent(&[("base", "10"), ("currency", "PLN")]), ["10", "-", "PLN"]);
    assert_eq!(sent(&[("base", "10")]), ["10", "-", "-"]);
    assert_eq!(
        fault(with_fields(&plain(), &[("base", "1"), ("curr", "3"), ("currency", "PLN")])),
        "fields.curr"
    );
    assert_eq!(fault(with_fields(&plain(), &[("currency", "PLN")])), "fields.base");
}

#[test]
fn ac_8_a_price_is_said_once() {
    for field in [("base", "1"), ("curr", "1"), ("currency", "EUR")] {
        let conversion = lead_with(|details| {
            details.value = money("49.99", "EUR");
            details.fields = map(&[field]);
        });
        assert_eq!(fault(created(&plain(), &conversion)), format!("fields.{}", field.0));
    }
}

#[test]
fn ac_11_a_change_tells_the_same_money() {
    let change = Change {
        payout: money("12.50", "USD"),
        value: money("49.99", "EUR"),
        fields: map(&[("pay", "20"), ("pd", "-1")]),
        ..Change::default()
    };
    let call = changed(&plain(), change).unwrap();
    assert_eq!(values(&call, PAID), ["12.50", "20", "-1", "-", "USD"]);
    assert_eq!(values(&call, SPENT), ["49.99", "-", "EUR"]);
}

#[test]
fn what_the_network_has_no_parameter_for_is_warned_of() {
    let conversion = lead_with(|details| {
        details.value = money("49.99", "EUR");
        details.tax = Some("8.33".parse().unwrap());
    });
    let call = created(&plain(), &conversion).unwrap();
    assert_eq!(call.warnings, ["tax: AlterCPA has no parameter for it; only the total is told"]);
}
