//! A store that would lose conversions, at the start and later.

use std::time::Duration;

use postback_core::{Change, Error, ErrorKind, Status};
use postback_hub::{ChangeReport, ChangeTarget};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::doubles::*;

async fn refused(house: &House) -> Option<(ErrorKind, &'static str)> {
    let source = house.token("a").await;
    let recorded = house.hub.record(&report(source, lead())).await;
    recorded.err().map(|error: Error| (error.kind(), error.reason()))
}

const LOSES: Option<(ErrorKind, &str)> = Some((ErrorKind::Unavailable, "EVICTION_POLICY"));

/// Runs the hub beside a test.
async fn beside(house: &House, test: impl Future<Output = ()>) {
    let shutdown = CancellationToken::new();
    let test = async {
        test.await;
        shutdown.cancel();
    };
    tokio::join!(house.hub.run(shutdown.clone()), test);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_would_lose_conversions_is_given_none_until_it_is_mended() {
    let house = house();
    house.outbox.loses(true);
    assert_eq!(house.hub.promise().await.unwrap_err().kind(), ErrorKind::FailedPrecondition);
    beside(&house, async {
        assert_eq!(refused(&house).await, LOSES);
        let change = Change { status: Some(Status::Approved), ..Change::default() };
        let target = ChangeTarget::Conversion("00000000-0000-7000-8000-000000000000".parse().unwrap());
        let change = ChangeReport { target, change, request_id: None };
        assert_eq!(house.hub.change(change).await.unwrap_err().reason(), "EVICTION_POLICY");
        assert_eq!(house.hub.ready().await.unwrap_err().reason(), "EVICTION_POLICY");
        assert!(house.land("b").await.token.is_some(), "a visitor is sent on all the same");
        assert!(house.outbox.conversions().is_empty());

        house.outbox.loses(false);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(refused(&house).await, None);
        house.hub.ready().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_changes_later_is_noticed_within_half_a_minute() {
    let house = house();
    beside(&house, async {
        assert_eq!(refused(&house).await, None);
        house.outbox.loses(true);
        sleep(Duration::from_secs(31)).await;
        assert_eq!(refused(&house).await, LOSES);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_started_without_its_store_asks_it_before_the_first_conversion() {
    let house = house();
    house.outbox.goes_away();
    assert_eq!(house.hub.promise().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(refused(&house).await, Some((ErrorKind::Unavailable, "STORE_UNAVAILABLE")));
    house.outbox.comes_back();
    house.outbox.loses(true);
    assert_eq!(refused(&house).await, LOSES);
    assert_eq!(house.outbox.reservations(), 0);
}
