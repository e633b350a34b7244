//! A clock that runs a month ahead for a while and is set right again.

use std::{pin::pin, sync::atomic::Ordering::SeqCst, time::Duration};

use jiff::SignedDuration;
use postback_core::{Change, Kind, Status};
use postback_hub::{ChangeReport, ChangeTarget, ClickBy, Report, SourceBy};
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::doubles::*;

const MONTH: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The sources of a click, by token, by the network's id and by user, that a clock dated which ran ahead.
async fn dated_ahead(house: &House) -> [SourceBy; 3] {
    house.clock.pass(MONTH);
    let token = house.token("a").await;
    house.attach("u", "a").await;
    house.clock.pass(-MONTH);
    [token, near("a"), user("u")]
}

#[tokio::test(start_paused = true)]
async fn a_click_that_a_wrong_clock_dated_brings_conversions_when_the_clock_is_right() {
    let house = house();
    for (number, source) in dated_ahead(&house).await.into_iter().enumerate() {
        house.record(report(source.clone(), order("10", &format!("T-{number}")))).await;
        let occurred_at = Some(house.hub.clock().now() - SignedDuration::from_hours(1));
        house.record(Report { occurred_at, ..report(source, lead()) }).await;
    }
    let now = house.hub.clock().now();
    assert_eq!(house.outbox.conversions().len(), 6);
    for conversion in house.outbox.conversions() {
        assert_eq!(conversion.click_time, Some(conversion.occurred_at));
    }
    for delivery in house.outbox.deliveries() {
        assert!(delivery.expires_at <= now + 30 * DAY, "it ends no later than with a click of now");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_and_a_user_of_such_a_click_last_no_longer_than_with_a_click_of_now() {
    let house = house();
    let [token, ..] = dated_ahead(&house).await;
    let target = ChangeTarget::Key {
        source: token.clone(),
        kind: Kind::Lead,
        goal: None,
        transaction_id: "T-1".parse().unwrap(),
    };
    let change = Change { status: Some(Status::Hold), ..Change::default() };
    house.hub.change(ChangeReport { target, change, request_id: None }).await.unwrap();
    let end = house.hub.clock().now() + 30 * DAY;
    assert_eq!(house.outbox.deliveries()[0].expires_at, end);
    let SourceBy::Token(token) = token else { panic!("a token") };
    assert_eq!(house.hub.attach_user("v", ClickBy::Token(token)).await.unwrap(), end);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_refused_by_a_wrong_clock_is_taken_by_the_right_one() {
    let house = house();
    let asked = under("r-1", report(house.token("a").await, lead()));
    house.clock.pass(MONTH);
    assert_eq!(why(&house.refuse(asked.clone()).await), ("CLICK_EXPIRED", "source.click_token"));
    house.clock.pass(-MONTH);
    assert!(!house.record(asked).await.already);
    assert_eq!(house.outbox.conversions()[0].occurred_at, house.hub.clock().now());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_changes_after_the_clock_was_set_back() {
    let house = house();
    let token = house.token("a").await;
    house.clock.pass(29 * DAY);
    let mut watched = pin!(house.hub.watch(None, None).await.unwrap());
    let first = house.record(report(token.clone(), lead())).await.delivery;
    assert_eq!(watched.next().await.unwrap().unwrap().id, first);
    house.clock.pass(-29 * DAY);
    for _ in 0..2 {
        let next = house.record(report(token.clone(), lead())).await.delivery;
        assert_eq!(watched.next().await.unwrap().unwrap().id, next);
        house.clock.pass(SignedDuration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_swept_by_a_clock_that_leapt_ahead_until_it_is_set_right() {
    let house = house();
    let shutdown = CancellationToken::new();
    let sweeps = || house.outbox.sweeps.load(SeqCst);
    let watched = async {
        sleep(Duration::from_secs(30)).await;
        house.clock.pass(MONTH);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(sweeps(), 1);
        house.clock.pass(-MONTH);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(sweeps(), 2);
        shutdown.cancel();
    };
    tokio::join!(house.hub.run(shutdown.clone()), watched);
}
