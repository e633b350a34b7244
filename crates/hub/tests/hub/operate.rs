//! What operators see and decide, and what the hub does by itself.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;
use postback_core::{
    CampaignId, Delivery, DeliveryState, ErrorKind, Found, LookUp, LookUpSource, Reason, Result, Series,
    ports::{CHANGES_TOLD, Clock as _, DeliveryFilter, Resolution},
};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::doubles::*;

/// The states that a watcher is told, until nothing comes for a minute.
async fn told(watched: impl Stream<Item = Result<Delivery>>) -> Vec<&'static str> {
    let mut watched = std::pin::pin!(watched);
    let mut told = Vec::new();
    while let Ok(Some(next)) = tokio::time::timeout(Duration::from_secs(60), watched.next()).await {
        told.push(next.unwrap().state.as_str());
    }
    told
}

fn dead() -> DeliveryState {
    DeliveryState::Dead(Reason::new("rejected", "no"))
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_each_change_once() {
    let house = house();
    let token = house.token("a").await;
    let mut watched = std::pin::pin!(house.hub.watch(None, None).await.unwrap());
    let first = house.record(report(token.clone(), lead())).await.delivery;
    assert_eq!(watched.next().await.unwrap().unwrap().id, first);
    house.outbox.set(first, dead(), house.hub.clock().now() + SignedDuration::from_secs(1));
    assert_eq!(watched.next().await.unwrap().unwrap().state, dead());
    let second = house.record(report(token, lead())).await.delivery;
    assert_eq!(watched.next().await.unwrap().unwrap().id, second);
    assert!(told(watched).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_goes_on_from_a_time_and_sees_one_account_alone() {
    let house = house();
    let token = house.token("a").await;
    house.record(report(token, lead())).await;
    house.clock.pass(DAY);
    let far = house.hub.capture(visit("app", "sub=z")).await.unwrap().token.to_string();
    house.record(report(postback_hub::SourceBy::Token(far), lead())).await;
    let start = START.parse().ok();
    assert_eq!(told(house.hub.watch(None, start).await.unwrap()).await.len(), 2);
    assert_eq!(told(house.hub.watch(Some(id("far")), start).await.unwrap()).await.len(), 1);
    assert_eq!(told(house.hub.watch(None, None).await.unwrap()).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_from_now_on_is_told_of_each_change_though_the_stores_clock_is_behind() {
    let house = house();
    let token = house.token("a").await;
    let before = house.record(report(token, lead())).await.delivery;
    let now = house.clock.now();
    for behind in [SignedDuration::from_secs(1), SignedDuration::from_secs(20), SignedDuration::from_mins(4)]
    {
        house.outbox.set(before, DeliveryState::Pending, now - behind);
        let mut watched = std::pin::pin!(house.hub.watch(None, None).await.unwrap());
        house.outbox.set(before, dead(), now - behind + SignedDuration::from_millis(1));
        assert_eq!(watched.next().await.unwrap().unwrap().state, dead(), "behind by {behind}");
        assert!(told(watched).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_refused_what_is_no_longer_kept_and_what_is_to_come() {
    let house = house();
    let now = house.clock.now();
    // The caller's clock may be a little behind.
    let bound = now - CHANGES_TOLD - SignedDuration::from_mins(5);
    assert!(house.hub.watch(None, Some(bound)).await.is_ok());
    let before = Some(bound - SignedDuration::from_secs(1));
    let refused = house.hub.watch(None, before).await.map(drop).unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::InvalidArgument, Some("start_time")));
    assert!(refused.message().contains("25 hours"), "{refused}");
    let to_come = now + SignedDuration::from_mins(5);
    assert!(house.hub.watch(None, Some(to_come)).await.is_ok());
    let to_come = Some(to_come + SignedDuration::from_secs(1));
    let refused = house.hub.watch(None, to_come).await.map(drop).unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::InvalidArgument, Some("start_time")));
    assert!(refused.message().contains("in the future"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_of_more_changes_of_one_instant_than_are_read_at_once() {
    let house = house();
    let token = house.token("a").await;
    for _ in 0..1_200 {
        house.record(report(token.clone(), lead())).await;
    }
    let start = START.parse().ok();
    assert_eq!(told(house.hub.watch(None, start).await.unwrap()).await.len(), 1_200);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_the_stores_error() {
    let house = house();
    let mut watched = std::pin::pin!(house.hub.watch(None, None).await.unwrap());
    house.outbox.goes_away();
    assert_eq!(watched.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(watched.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_replayed_and_a_doubt_resolved() {
    let house = house();
    let delivery = house.record(report(house.token("a").await, lead())).await.delivery;
    let now = house.hub.clock().now();
    for refused in [
        house.hub.replay(delivery, None, &operator()).await,
        house.hub.resolve(delivery, Resolution::Resend, None, &operator()).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind(), refused.field()), (ErrorKind::FailedPrecondition, Some("delivery_id")));
    }
    house.outbox.set(delivery, dead(), now);
    assert_eq!(house.hub.replay(delivery, None, &operator()).await.unwrap().state, DeliveryState::Pending);
    house.outbox.set(delivery, DeliveryState::InDoubt(Reason::new("timeout", "?")), now);
    let resolved = house.hub.resolve(delivery, Resolution::Delivered, None, &operator()).await.unwrap();
    assert_eq!(resolved.state, DeliveryState::Delivered);
    let nothing = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(why(&house.hub.delivery(nothing).await.unwrap_err()), ("UNKNOWN_DELIVERY", "delivery_id"));
    let filter = DeliveryFilter { state: Some("delivered"), ..DeliveryFilter::default() };
    assert_eq!(house.hub.deliveries(filter, 10, None).await.unwrap().items[0].id, delivery);
}

#[tokio::test(start_paused = true)]
async fn a_decision_on_what_changed_since_it_was_looked_at_is_refused() {
    let house = house();
    let delivery = house.record(report(house.token("a").await, lead())).await.delivery;
    let seen = house.clock.now();
    let doubt = || DeliveryState::InDoubt(Reason::new("timeout", "?"));
    house.outbox.set(delivery, doubt(), seen);
    let resend = async || house.hub.resolve(delivery, Resolution::Resend, Some(seen), &operator()).await;
    assert_eq!(resend().await.unwrap().state, DeliveryState::Pending);
    house.outbox.set(delivery, doubt(), seen + SignedDuration::from_secs(1));
    assert_eq!(why(&resend().await.unwrap_err()), ("DELIVERY_CHANGED", "delivery_id"));
    house.outbox.set(delivery, dead(), seen + SignedDuration::from_secs(2));
    let replayed = house.hub.replay(delivery, Some(seen), &operator()).await;
    assert_eq!(why(&replayed.unwrap_err()), ("DELIVERY_CHANGED", "delivery_id"));
    let now = house.hub.delivery(delivery).await.unwrap().updated_at;
    house.hub.replay(delivery, Some(now), &operator()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_is_paused_with_a_reason_and_goes_on() {
    let house = house();
    let near = id("near");
    let paused = house.hub.pause(&near, " new\nkey ", &operator()).await.unwrap().paused.unwrap();
    assert_eq!((paused.reason.code.as_str(), paused.reason.message.as_str()), ("operator", "newkey"));
    assert!(house.hub.resume(&near, &operator()).await.unwrap().paused.is_none());
    assert!(
        !house.hub.pause(&near, "", &operator()).await.unwrap().paused.unwrap().reason.message.is_empty()
    );
    let long = house.hub.pause(&near, &"ö".repeat(513), &operator()).await.unwrap_err();
    assert_eq!(long.to_string(), "reason: has 513 characters; want at most 512");
    let nobody = id("nobody");
    for refused in
        [house.hub.pause(&nobody, "", &operator()).await, house.hub.resume(&nobody, &operator()).await]
    {
        assert_eq!(why(&refused.unwrap_err()), ("UNKNOWN_ACCOUNT", "account"));
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_show_where_their_deliveries_stand() {
    let house = house();
    house.record(report(house.token("a").await, lead())).await;
    let standings = house.hub.stats(None).await.unwrap();
    let seen: Vec<_> = standings.iter().map(|it| (it.id.as_str(), it.network, it.stats.pending)).collect();
    assert_eq!(seen, [("far", "fake", 0), ("near", "fake", 1)]);
    assert_eq!(house.hub.stats(Some(&id("near"))).await.unwrap(), [standings[1].clone()]);
    assert!(house.hub.stats(Some(&id("nobody"))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_goes_over_the_accounts_own_line() {
    let house = house();
    let ask = LookUp::Flow(LookUpSource::Flow("17".parse().unwrap()));
    let Found::Flow(flow) = house.hub.look_up(&id("far"), ask.clone()).await.unwrap() else {
        panic!("a flow")
    };
    assert_eq!(flow.id, 17);
    let said = house.line.0.lock().unwrap().clone();
    assert_eq!(said, [(id("far"), "which flow?".into())]);
    assert!(house.hub.look_up(&id("nobody"), ask).await.is_err());
}

#[test]
fn a_campaigns_link_holds_the_networks_macro_verbatim() {
    let registry = registry(&["spring", "app"]).unwrap();
    let base = "https://go.example/in/".parse().unwrap();
    let link = |campaign: &str| registry.link(&base, &CampaignId::parse(campaign).unwrap());
    assert_eq!(link("spring").unwrap(), "https://go.example/in/c/spring?click={click_id}");
    assert_eq!(link("app").unwrap(), "https://go.example/in/c/app?sub={click_id}");
    assert_eq!(link("autumn").unwrap_err().reason(), "UNKNOWN_CAMPAIGN");
}

#[tokio::test(start_paused = true)]
async fn stores_are_swept_every_minute_and_sooner_while_there_is_work() {
    let house = house();
    house.outbox.work.store(3, SeqCst);
    let shutdown = CancellationToken::new();
    let watched = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(house.outbox.sweeps.load(SeqCst), 4);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(house.outbox.sweeps.load(SeqCst), 5);
        shutdown.cancel();
    };
    tokio::join!(house.hub.run(shutdown.clone()), watched);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_a_sweep_lets_die_is_counted_as_one_that_ended() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let house = house();
    let shutdown = CancellationToken::new();
    let shows = |died: u64| {
        let line = format!("postback_deliveries_total{{account=\"near\",outcome=\"dead\"}} {died}\n");
        let text = recorder.handle().render();
        assert!(text.contains(&line), "{line} in\n{text}");
    };
    let watched = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        shows(0);
        house.outbox.work.store(1, SeqCst);
        tokio::time::sleep(Duration::from_secs(60)).await;
        shows(1);
        shutdown.cancel();
    };
    tokio::join!(house.hub.run(shutdown.clone()), watched);
    assert_eq!(house.logbook.counted(&Series::Dead(id("near"))), 1);
}
