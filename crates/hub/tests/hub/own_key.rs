//! A caller's own key of a conversion at its network: one conversion's alone.

use postback_core::{Details, Error, ErrorKind, Kind};
use postback_hub::{Report, SourceBy};

use crate::doubles::*;

fn under_code(code: &str, source: &SourceBy, mut details: Details) -> Report {
    details.fields.insert("code".into(), code.into());
    report(source.clone(), details)
}

fn taken(refused: &Error) -> bool {
    let told = (refused.kind(), refused.reason(), refused.field());
    told == (ErrorKind::AlreadyExists, "NETWORK_KEY_TAKEN", Some("details.fields[code]"))
}

#[tokio::test(start_paused = true)]
async fn two_conversions_of_a_click_under_one_key_of_the_callers_own_are_refused() {
    let house = house();
    let token = house.token("a").await;
    let first = house.record(under_code("K-1", &token, order("10", "T-1"))).await;
    let repeat = house.record(under_code("K-1", &token, order("10", "T-1"))).await;
    assert_eq!((repeat.conversion, repeat.already), (first.conversion, true));

    let lead = Details { kind: Kind::Lead, ..order("10", "T-1") };
    let anew = Details { transaction_id: None, ..lead.clone() };
    for other in [lead.clone(), order("10", "T-2"), anew.clone()] {
        assert!(taken(&house.refuse(under_code("K-1", &token, other)).await));
    }
    assert_eq!(house.outbox.conversions().len(), 1);

    let elsewhere = house.token("b").await;
    assert!(!house.record(under_code("K-1", &elsewhere, order("10", "T-1"))).await.already);

    house.record(under_code("K-1", &flow(), lead)).await;
    assert!(taken(&house.refuse(under_code("K-1", &flow(), anew)).await));
}

#[tokio::test(start_paused = true)]
async fn of_two_conversions_reported_at_once_under_one_own_key_one_is_taken() {
    let house = house();
    let token = house.token("a").await;
    let (one, other) = (order("10", "T-1"), order("20", "T-2"));
    let (one, other) = (under_code("K-1", &token, one), under_code("K-1", &token, other));
    let (one, other) = tokio::join!(house.hub.record(&one), house.hub.record(&other));
    assert!(one.is_ok());
    assert!(taken(&other.unwrap_err()));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_was_refused_after_it_took_its_own_key_holds_it() {
    let house = house();
    let token = house.token("a").await;
    house.record(under_code("K-1", &token, order("10", "T-1"))).await;
    let mistaken = house.refuse(under_code("K-2", &token, order("99", "T-1"))).await;
    assert_eq!(mistaken.field(), Some("details.transaction_id"));
    let refused = house.refuse(under_code("K-2", &token, order("20", "T-2"))).await;
    assert!(taken(&refused) && refused.message().contains("or of a report that was refused"), "{refused}");
    assert!(!house.record(under_code("K-3", &token, order("20", "T-2"))).await.already);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_without_a_transaction_passes_under_its_own_key() {
    let house = house();
    for source in [house.token("a").await, flow()] {
        let asked = under_code("K-1", &source, lead());
        house.record(asked.clone()).await;
        house.record(asked).await;
        let other = Details { kind: Kind::Order, ..lead() };
        assert!(taken(&house.refuse(under_code("K-1", &source, other)).await));
        let asked = under("r-1", under_code("K-2", &source, lead()));
        house.record(asked.clone()).await;
        assert!(house.record(asked).await.already);
    }
}
