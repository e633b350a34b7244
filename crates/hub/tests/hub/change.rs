//! Changes: of what is recorded, and of what is still to come.

use postback_core::{Change, ConversionId, DeliveryState, ErrorKind, Event, Kind, Status};
use postback_hub::{ChangeReport, ChangeTarget, SourceBy};

use crate::doubles::*;

fn to(status: Status, target: ChangeTarget) -> ChangeReport {
    ChangeReport { target, change: Change { status: Some(status), ..Change::default() }, request_id: None }
}

fn key(source: SourceBy, transaction: &str) -> ChangeTarget {
    ChangeTarget::Key { source, kind: Kind::Order, goal: None, transaction_id: transaction.parse().unwrap() }
}

fn under_request(request: &str, report: ChangeReport) -> ChangeReport {
    ChangeReport { request_id: Some(request.parse().unwrap()), ..report }
}

async fn recorded(house: &House) -> ConversionId {
    let token = house.token("a").await;
    house.record(report(token, order("10", "T-1"))).await.conversion
}

#[tokio::test(start_paused = true)]
async fn a_change_joins_its_conversions_lane() {
    let house = house();
    let conversion = recorded(&house).await;
    for target in [ChangeTarget::Conversion(conversion), key(near("a"), "T-1")] {
        let changed = house.hub.change(to(Status::Approved, target)).await.unwrap();
        assert_eq!((changed.conversion, changed.waiting, changed.already), (conversion, false, false));
        assert!(changed.rendered.call.starts_with("change to approved of a as "));
        let delivery = house.hub.delivery(changed.delivery).await.unwrap();
        assert!(matches!(delivery.event, Event::Changed(_)));
    }
    assert_eq!(house.outbox.lanes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_its_conversion_which_takes_the_id_that_was_given() {
    let house = house();
    let token = house.token("a").await;
    let early = house.hub.change(to(Status::Approved, key(token.clone(), "T-1"))).await.unwrap();
    assert!(early.waiting);
    let second = house.hub.change(to(Status::Trash, key(near("a"), "T-1"))).await.unwrap();
    assert_eq!(second.conversion, early.conversion);
    let recorded = house.record(report(token, order("10", "T-1"))).await;
    assert_eq!((recorded.conversion, recorded.already), (early.conversion, false));
    assert!(house.outbox.deliveries().iter().all(|delivery| delivery.state == DeliveryState::Pending));
    assert_eq!(early.rendered.call.split(" as ").nth(1), recorded.rendered.call.split(" as ").nth(1));
}

#[tokio::test(start_paused = true)]
async fn a_change_by_user_goes_where_the_conversion_went_or_will_go() {
    let house = house();
    house.attach("u", "a").await;
    let recorded = house.record(report(user("u"), order("10", "T-1"))).await;
    let early = house.hub.change(to(Status::Approved, key(user("u"), "T-2"))).await.unwrap();
    house.attach("u", "b").await;
    let changed = house.hub.change(to(Status::Approved, key(user("u"), "T-1"))).await.unwrap();
    assert_eq!((changed.conversion, changed.waiting), (recorded.conversion, false));
    assert!(changed.rendered.call.contains("of a as"));
    let awaited = house.record(report(user("u"), order("10", "T-2"))).await;
    assert_eq!((awaited.conversion, awaited.already), (early.conversion, false));
}

#[tokio::test(start_paused = true)]
async fn a_change_by_user_finds_its_conversion_however_that_was_named() {
    for account in [None, Some(id("near"))] {
        let house = house();
        let by_user =
            |account| SourceBy::User { user: "u".parse().unwrap(), account, pick: Default::default() };
        house.attach("u", "a").await;
        let by_click = house.record(report(near("a"), order("10", "T-1"))).await;
        let recorded = house.record(report(user("u"), order("10", "T-2"))).await;
        house.attach("u", "b").await;
        house.attach_far("u", "z").await;
        for (transaction, conversion) in [("T-1", by_click.conversion), ("T-2", recorded.conversion)] {
            let asked = to(Status::Approved, key(by_user(account.clone()), transaction));
            let rendered = house.hub.validate_change(asked.clone()).await.unwrap();
            let changed = house.hub.change(under_request(transaction, asked.clone())).await.unwrap();
            assert_eq!((changed.conversion, changed.waiting), (conversion, false));
            assert_eq!(changed.rendered, rendered);
            let repeat = house.hub.change(under_request(transaction, asked)).await.unwrap();
            assert_eq!((repeat.delivery, repeat.already), (changed.delivery, true));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_by_user_is_judged_by_its_conversions_click_whatever_click_comes_later() {
    let house = house();
    house.attach("u", "a").await;
    let recorded = house.record(report(user("u"), order("10", "T-1"))).await;
    house.clock.pass(DAY);
    house.attach_far("u", "z").await;
    let asked = under_request("r-1", to(Status::Approved, key(user("u"), "T-1")));
    let rendered = house.hub.validate_change(asked.clone()).await.unwrap();
    assert!(rendered.call.starts_with("change to approved of a as "));
    let changed = house.hub.change(asked.clone()).await.unwrap();
    assert_eq!((changed.conversion, changed.waiting), (recorded.conversion, false));
    assert_eq!(changed.rendered, rendered);
    house.clock.pass(29 * DAY);
    let late = house.hub.change(asked).await.unwrap();
    assert_eq!((late.delivery, late.already, &late.rendered), (changed.delivery, true, &rendered));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_change_brings_the_first_answer_and_other_content_is_refused() {
    let house = house();
    let conversion = recorded(&house).await;
    let asked = under_request("r-1", to(Status::Approved, ChangeTarget::Conversion(conversion)));
    let first = house.hub.change(asked.clone()).await.unwrap();
    let repeat = house.hub.change(asked.clone()).await.unwrap();
    assert_eq!((repeat.delivery, repeat.already), (first.delivery, true));
    let other = under_request("r-1", to(Status::Trash, ChangeTarget::Conversion(conversion)));
    let refused = house.hub.change(other).await.unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::AlreadyExists, Some("request_id")));
    house.clock.pass(31 * DAY);
    let late = house.hub.change(asked).await.unwrap();
    assert_eq!((late.delivery, late.already), (first.delivery, true));
    assert_eq!(house.outbox.deliveries().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_refused_at_the_callers_own_field() {
    let house = house();
    let conversion = recorded(&house).await;
    house.attach_far("v", "z").await;
    let nothing = ChangeReport {
        target: ChangeTarget::Conversion(conversion),
        change: Change::default(),
        request_id: None,
    };
    let nobody = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    let goal = ChangeTarget::Key {
        source: near("a"),
        kind: Kind::Goal,
        goal: None,
        transaction_id: "T-1".parse().unwrap(),
    };
    let flow = SourceBy::Flow { account: id("near"), id: "1".parse().unwrap() };
    for (report, reason, field) in [
        (nothing, "MISSING", "status"),
        (to(Status::Hold, ChangeTarget::Conversion(nobody)), "UNKNOWN_CONVERSION", "conversion_id"),
        (to(Status::Hold, goal), "MISSING", "key.goal"),
        (to(Status::Hold, key(near("b"), "T-1")), "UNKNOWN_CLICK", "key.source.network_click"),
        (to(Status::Hold, key(user("u"), "T-1")), "UNKNOWN_USER", "key.source.user"),
        (to(Status::Hold, key(flow, "T-1")), "INVALID_VALUE", "conversion"),
        (to(Status::Hold, key(user("v"), "T-1")), "NO_STATUS_CHANGES", ""),
    ] {
        assert_eq!(why(&house.hub.validate_change(report.clone()).await.unwrap_err()), (reason, field));
        let refused = house.hub.change(under_request("r-1", report)).await.unwrap_err();
        assert_eq!(why(&refused), (reason, field));
    }
    assert_eq!((house.outbox.deliveries().len(), house.outbox.reservations()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_after_the_clicks_life() {
    let house = house();
    let token = house.token("a").await;
    let conversion = house.record(report(token.clone(), order("10", "T-1"))).await.conversion;
    house.clock.pass(31 * DAY);
    for (target, field) in [
        (ChangeTarget::Conversion(conversion), "conversion_id"),
        (key(token, "T-1"), "key.source.click_token"),
    ] {
        let asked = to(Status::Approved, target);
        for asked in [asked.clone(), under_request("r-1", asked)] {
            let refused = house.hub.change(asked).await.unwrap_err();
            assert_eq!(
                (refused.kind(), why(&refused)),
                (ErrorKind::FailedPrecondition, ("CLICK_EXPIRED", field))
            );
        }
    }
    assert_eq!(house.outbox.reservations(), 0);
}

#[tokio::test(start_paused = true)]
async fn validating_a_change_records_and_settles_nothing() {
    let house = house();
    house.attach("u", "a").await;
    let asked = under_request("r-1", to(Status::Hold, key(user("u"), "T-1")));
    assert!(house.hub.validate_change(asked).await.unwrap().call.starts_with("change to hold of a"));
    assert_eq!((house.outbox.deliveries().len(), house.outbox.reservations()), (0, 0));
}
