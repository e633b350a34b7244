//! Conversions: recorded once, refused at once, the same for every repeat.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use postback_core::{
    Details, ErrorKind, Event, Kind, Refusal,
    ports::{BUCKET, Clock as _, ConversionFilter},
};
use postback_hub::{Pick, Report, SourceBy};
use tokio::task::JoinSet;

use crate::doubles::*;

#[tokio::test(start_paused = true)]
async fn a_conversion_is_recorded_with_its_first_delivery_and_wakes_the_dispatcher() {
    let house = house();
    let landing = house.land("a").await;
    let token = SourceBy::Token(landing.token.unwrap().to_string());
    let recorded = house.record(report(token, order("49.99", "T-1"))).await;
    let (conversion, delivery) = (house.outbox.conversions().remove(0), house.outbox.deliveries().remove(0));
    assert_eq!((recorded.conversion, recorded.delivery), (conversion.id, delivery.id));
    assert_eq!(
        (delivery.conversion, delivery.lane, &delivery.event),
        (conversion.id, conversion.lane, &Event::Created)
    );
    assert_eq!(
        (conversion.id.shard(), delivery.id.shard()),
        (conversion.lane.shard(), conversion.lane.shard())
    );
    assert_eq!(delivery.expires_at.as_second(), landing.click.unwrap().expires_at().as_second());
    assert_eq!(recorded.rendered.call, format!("order of a as {}", conversion.network_key()));
    tokio::time::timeout(std::time::Duration::ZERO, house.wake.notified()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ps_7_one_click_brings_a_lead_then_an_order_then_another_order_in_one_lane() {
    let house = house();
    let token = house.token("a").await;
    for details in [lead(), order("10", "T-1"), order("20", "T-2"), lead()] {
        assert!(!house.record(report(token.clone(), details)).await.already);
    }
    assert_eq!((house.outbox.conversions().len(), house.outbox.lanes().len()), (4, 1));
    let kinds: Vec<Kind> =
        house.outbox.conversions().iter().map(|conversion| conversion.details.kind).collect();
    assert_eq!(kinds, [Kind::Lead, Kind::Order, Kind::Order, Kind::Lead]);
}

#[tokio::test(start_paused = true)]
async fn a_token_attributes_with_no_record_of_its_click() {
    let house = house();
    house.clicks.is(Mode::Hanging);
    let token = house.token("a").await;
    let elsewhere = house_with(postback_hub::Settings::default());
    elsewhere.clicks.is(Mode::Away);
    assert!(!elsewhere.record(report(token, lead())).await.already);
    assert_eq!(elsewhere.outbox.conversions()[0].campaign, None);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_request_brings_the_first_answer_and_other_content_is_refused() {
    let house = house();
    let token = house.token("a").await;
    let first = house.record(under("r-1", report(token.clone(), lead()))).await;
    house.clock.pass(DAY);
    let repeat = house.record(under("r-1", report(token.clone(), lead()))).await;
    assert_eq!(
        (repeat.conversion, repeat.delivery, repeat.already),
        (first.conversion, first.delivery, true)
    );
    assert_eq!(repeat.rendered, first.rendered);
    let by_id = house.record(under("r-1", report(near("a"), lead()))).await;
    assert_eq!(by_id.conversion, first.conversion);
    for other in [report(token, order("1", "T-1")), report(house.token("b").await, lead())] {
        let refused = house.refuse(under("r-1", other)).await;
        assert_eq!((refused.kind(), refused.field()), (ErrorKind::AlreadyExists, Some("request_id")));
    }
    assert_eq!(house.outbox.conversions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_transaction_brings_the_first_answer_and_other_content_is_refused() {
    let house = house();
    let token = house.token("a").await;
    let first = house.record(under("r-1", report(token.clone(), order("49.90", "T-1")))).await;
    for again in
        [report(token.clone(), order("49.9", "T-1")), under("r-2", report(near("a"), order("49.9", "T-1")))]
    {
        let repeat = house.record(again).await;
        assert_eq!(
            (repeat.conversion, repeat.delivery, repeat.already),
            (first.conversion, first.delivery, true)
        );
    }
    let refused = house.refuse(report(token, order("50", "T-1"))).await;
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::AlreadyExists, Some("details.transaction_id")));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_sent_64_times_at_once_is_one_conversion() {
    let house = house();
    let token = house.token("a").await;
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let (hub, report) = (house.hub.clone(), under("r-1", report(token.clone(), lead())));
        calls.spawn(async move { hub.record(&report).await.unwrap() });
    }
    let answers = calls.join_all().await;
    let ids: BTreeSet<_> = answers.iter().map(|answer| (answer.conversion, answer.delivery)).collect();
    let fresh = answers.iter().filter(|answer| !answer.already).count();
    assert_eq!((ids.len(), fresh, house.outbox.conversions().len()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_users_transaction_stays_with_its_first_click_whatever_click_comes_later() {
    for request in [None, Some("r-1")] {
        let house = house();
        house.attach("u", "a").await;
        let asked = Report {
            request_id: request.map(|request: &str| request.parse().unwrap()),
            ..report(user("u"), order("10", "T-1"))
        };
        let first = house.record(asked.clone()).await;
        house.attach("u", "b").await;
        for again in [asked.clone(), report(user("u"), order("10", "T-1")), under("r-2", asked)] {
            let repeat = house.record(again).await;
            assert_eq!((repeat.conversion, repeat.already), (first.conversion, true));
            assert_eq!(repeat.rendered, first.rendered);
        }
        assert!(house.record(report(user("u"), order("10", "T-2"))).await.rendered.call.contains("of b as"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_users_request_stays_with_its_first_click_too() {
    let house = house();
    house.attach("u", "a").await;
    let asked = under("r-1", report(user("u"), lead()));
    let first = house.record(asked.clone()).await;
    house.attach("u", "b").await;
    let repeat = house.record(asked).await;
    assert_eq!(
        (repeat.conversion, repeat.already, &repeat.rendered),
        (first.conversion, true, &first.rendered)
    );
    let refused = house.refuse(under("r-1", report(user("v"), lead()))).await;
    assert_eq!(refused.reason(), "UNKNOWN_USER");
    house.attach("v", "c").await;
    let refused = house.refuse(under("r-1", report(user("v"), lead()))).await;
    assert_eq!(refused.field(), Some("request_id"));
}

#[tokio::test(start_paused = true)]
async fn a_users_repeat_is_judged_by_its_first_click_whatever_network_a_later_one_is_of() {
    let coloured = |mut details: Details| {
        details.fields.insert("colour".into(), "red".into());
        report(user("u"), details)
    };
    for asked in [coloured(order("10", "T-1")), under("r-1", coloured(lead()))] {
        let house = house();
        house.attach("u", "a").await;
        let first = house.record(asked.clone()).await;
        house.clock.pass(DAY);
        house.attach_far("u", "z").await;
        let reservations = house.outbox.reservations();
        assert_eq!(house.hub.validate(&asked).await.unwrap(), first.rendered);
        let repeat = house.record(asked.clone()).await;
        assert_eq!(
            (repeat.delivery, repeat.already, &repeat.rendered),
            (first.delivery, true, &first.rendered)
        );
        let other = under("r-2", coloured(order("10", "T-2")));
        assert_eq!(why(&house.refuse(other).await), ("INVALID_VALUE", "details.fields[colour]"));
        house.clock.pass(29 * DAY);
        let late = house.record(asked.clone()).await;
        assert_eq!((late.delivery, late.already), (first.delivery, true));
        let mut other = asked;
        other.details.fields.clear();
        assert_eq!(house.refuse(other).await.kind(), ErrorKind::AlreadyExists);
        assert_eq!(house.outbox.reservations(), reservations);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_after_the_clicks_life_still_brings_the_first_answer() {
    let house = house();
    let token = house.token("a").await;
    let asked = under("r-1", report(token.clone(), lead()));
    let first = house.record(asked.clone()).await;
    let ordered = report(token.clone(), order("10", "T-1"));
    let second = house.record(ordered.clone()).await;
    house.clock.pass(31 * DAY);
    for (asked, first) in [(asked, first), (ordered, second)] {
        let repeat = house.record(asked).await;
        assert_eq!(
            (repeat.conversion, repeat.delivery, repeat.already),
            (first.conversion, first.delivery, true)
        );
    }
    let other = house.refuse(report(token.clone(), order("20", "T-1"))).await;
    assert_eq!(why(&other), ("CONTENT_DIFFERS", "details.transaction_id"));
    for late in [
        report(token.clone(), order("10", "T-2")),
        report(token.clone(), lead()),
        under("r-2", report(token, lead())),
    ] {
        let refused = house.refuse(late).await;
        assert_eq!(
            (refused.kind(), why(&refused)),
            (ErrorKind::FailedPrecondition, ("CLICK_EXPIRED", "source.click_token"))
        );
    }
    assert_eq!(
        why(&house.refuse(report(near("a"), lead())).await),
        ("UNKNOWN_CLICK", "source.network_click")
    );
    assert_eq!((house.outbox.conversions().len(), house.outbox.reservations()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn leads_of_a_flow_have_lanes_of_their_own_and_repeats_find_theirs() {
    let house = house();
    let asked = under("r-1", report(flow(), lead()));
    let first = house.record(asked.clone()).await;
    assert_eq!(house.record(asked).await.conversion, first.conversion);
    house.record(report(flow(), lead())).await;
    let code = SourceBy::FlowCode { account: id("far"), code: "5FAC-D4E8".parse().unwrap() };
    house.record(report(code, lead())).await;
    assert_eq!((house.outbox.conversions().len(), house.outbox.lanes().len()), (3, 3));
    for conversion in house.outbox.conversions() {
        assert_eq!(conversion.id.shard(), conversion.lane.shard());
    }
    let delivery = house.outbox.deliveries().remove(0);
    assert_eq!(delivery.expires_at, house.hub.clock().now() + 30 * DAY);
}

#[tokio::test(start_paused = true)]
async fn what_can_be_refused_is_refused_at_once_at_the_callers_own_field() {
    let house = house();
    let token = house.token("a").await;
    let details = |edit: fn(&mut Details)| {
        let mut details = order("10", "T-1");
        edit(&mut details);
        report(token.clone(), details)
    };
    let near_flow = SourceBy::Flow { account: id("near"), id: "1".parse().unwrap() };
    let no_account = SourceBy::Flow { account: id("nobody"), id: "1".parse().unwrap() };
    let other = SourceBy::Network { account: "nobody".into(), click_id: "a".into() };
    let cases = [
        (details(|it| (it.kind, it.goal) = (Kind::Goal, None)), "MISSING", "details.goal"),
        (details(|it| it.shipping = Some(11.into())), "INVALID_VALUE", "details.shipping"),
        (
            details(|it| (it.shipping, it.tax) = (Some(9.into()), Some(2.into()))),
            "INVALID_VALUE",
            "details.tax",
        ),
        (details(|it| it.tax = Some((-1).into())), "INVALID_VALUE", "details.tax"),
        (details(|it| (it.value, it.tax) = (None, Some(1.into()))), "INVALID_VALUE", "details.tax"),
        (
            details(|it| drop(it.fields.insert("shape".into(), "x".into()))),
            "INVALID_VALUE",
            "details.fields[shape]",
        ),
        (report(near_flow, lead()), "INVALID_VALUE", "source"),
        (report(no_account, lead()), "UNKNOWN_ACCOUNT", "source.flow.account"),
        (report(other, lead()), "UNKNOWN_ACCOUNT", "source.network_click.account"),
        (report(near("b"), lead()), "UNKNOWN_CLICK", "source.network_click"),
        (report(SourceBy::Token("x".into()), lead()), "INVALID_CLICK_TOKEN", "source.click_token"),
        (report(user("u"), lead()), "UNKNOWN_USER", "source.user"),
    ];
    for (report, reason, field) in cases {
        assert_eq!(why(&house.hub.validate(&report).await.unwrap_err()), (reason, field));
        assert_eq!(why(&house.refuse(under("r-1", report)).await), (reason, field));
    }
    assert_eq!((house.outbox.conversions().len(), house.outbox.reservations()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_conversion_happens_after_its_click_and_not_in_the_future() {
    let house = house();
    let token = house.token("a").await;
    let minutes = SignedDuration::from_mins;
    for (minutes, taken) in
        [(minutes(6), false), (minutes(4), true), (minutes(-4), true), (minutes(-6), false)]
    {
        let occurred_at = Some(house.hub.clock().now() + minutes);
        let answer = house.hub.validate(&Report { occurred_at, ..report(token.clone(), lead()) }).await;
        match answer {
            Ok(_) => assert!(taken, "{minutes}"),
            Err(refused) => assert_eq!((taken, why(&refused)), (false, ("INVALID_VALUE", "occur_time"))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn validate_records_and_settles_nothing() {
    let house = house();
    house.attach("u", "a").await;
    let asked = under("r-1", report(user("u"), order("10", "T-1")));
    assert!(house.hub.validate(&asked).await.unwrap().call.starts_with("order of a as "));
    assert_eq!((house.outbox.conversions().len(), house.outbox.reservations()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_report_is_counted_by_its_account_and_reason_and_one_for_later_is_not() {
    let house = house();
    let late = house.token("a").await;
    house.clock.pass(DAY * 31);
    let nobody = |account: Option<&str>| SourceBy::User {
        user: "nobody".parse().unwrap(),
        account: account.map(id),
        pick: Pick::Last,
    };
    for source in [late, SourceBy::Token("cut".into()), nobody(Some("near")), nobody(None)] {
        house.hub.record(&report(source, lead())).await.unwrap_err();
    }
    let strange = SourceBy::Network { account: "stranger".into(), click_id: "a".into() };
    house.hub.record(&report(strange, lead())).await.unwrap_err();
    house.outbox.goes_away();
    house.hub.record(&report(house.token("b").await, lead())).await.unwrap_err();
    let now = house.clock.now();
    let day = house.hub.history(Some(&id("near")), now - BUCKET, now + BUCKET, DAY).await.unwrap();
    let near: Vec<_> = day[0].accounts[&id("near")].refused.clone().into_iter().collect();
    let nobodys: Vec<_> = day[0].refused.clone().into_iter().collect();
    assert_eq!(near, [(Refusal::ClickExpired, 1), (Refusal::UnknownUser, 1)]);
    assert_eq!(
        nobodys,
        [(Refusal::InvalidClickToken, 1), (Refusal::UnknownUser, 1), (Refusal::UnknownAccount, 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_while_the_outbox_is_away() {
    let house = house();
    let token = house.token("a").await;
    house.outbox.goes_away();
    assert_eq!(house.refuse(report(token, lead())).await.kind(), ErrorKind::Unavailable);
    assert_eq!(house.hub.ready().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn conversions_are_listed_the_latest_first_and_an_unknown_one_is_not_found() {
    let house = house();
    let token = house.token("a").await;
    let first = house.record(report(token.clone(), lead())).await.conversion;
    let second = house.record(report(token, order("1", "T-1"))).await.conversion;
    let ids = async |filter, limit| -> Vec<_> {
        let page = house.hub.conversions(filter, limit, None).await.unwrap();
        page.items.iter().map(|conversion| conversion.id).collect()
    };
    assert_eq!(ids(ConversionFilter::default(), 10).await, [second, first]);
    assert_eq!(ids(ConversionFilter::default(), 0).await, [second]);
    assert_eq!(ids(ConversionFilter { kind: Some(Kind::Lead), ..Default::default() }, 10).await, [first]);
    let nothing = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(why(&house.hub.story(nothing).await.unwrap_err()), ("UNKNOWN_CONVERSION", "conversion_id"));
}
