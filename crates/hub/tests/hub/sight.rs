//! What the hub sees by itself: accounts, clicks that end, stores that are away, a clock that is set.

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;
use postback_core::{Accounts, DeliveryState, ports::Clock as _};
use postback_hub::{Registry, Settings, Sight};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::doubles::*;

fn watched(house: &House) -> (watch::Receiver<Option<Sight>>, DropGuard) {
    let stop = CancellationToken::new();
    let (hub, ended) = (house.hub.clone(), stop.clone());
    tokio::spawn(async move { hub.run(ended).await });
    (house.hub.sights(), stop.drop_guard())
}

async fn until(sights: &mut watch::Receiver<Option<Sight>>, enough: impl Fn(&Sight) -> bool) -> Sight {
    sights.wait_for(|sight| sight.as_ref().is_some_and(&enough)).await.unwrap().clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_hub_sees_where_accounts_stand_and_whose_clicks_end_within_three_days() {
    let house = house();
    let token = house.token("a").await;
    house.record(report(token, lead())).await;
    let (mut sights, _run) = watched(&house);
    let sight = until(&mut sights, |_| true).await;
    assert_eq!(sight.accounts.as_ref().unwrap().iter().map(|it| it.stats.pending).sum::<u64>(), 1);
    assert_eq!((sight.ending[&id("near")], sight.away, sight.broken, sight.leap), (0, vec![], None, None));
    house.clock.pass(SignedDuration::from_hours(27 * 24));
    let sight = until(&mut sights, |sight| sight.leap.is_some()).await;
    assert!(
        sight.leap.unwrap() > SignedDuration::from_hours(26 * 24),
        "a clock that is set leaps: {sight:?}"
    );
    let (leapt_at, leap) = sight.leapt.unwrap();
    assert_eq!((leapt_at, Some(leap)), (sight.at, sight.leap));
    house.clock.pass(SignedDuration::from_mins(1));
    let sight = until(&mut sights, |sight| sight.ending[&id("near")] > 0).await;
    assert_eq!((sight.leap, sight.leapt), (None, Some((leapt_at, leap))), "it is remembered");
    assert_eq!((sight.ending[&id("near")], sight.ending[&id("far")]), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn clicks_that_end_are_seen_behind_more_than_ten_thousand_later_deliveries() {
    let house = house();
    let late = house.token("late").await;
    for click in ["a", "b", "c"] {
        house.record(report(house.token(click).await, lead())).await;
    }
    house.clock.pass(SignedDuration::from_hours(27 * 24 + 1));
    for click in 0..10_001 {
        house.record(report(house.token(&click.to_string()).await, lead())).await;
        if click == 1_000 {
            house.record(report(late.clone(), lead())).await;
        }
    }
    let (mut sights, _run) = watched(&house);
    let sight = until(&mut sights, |sight| !sight.ending.is_empty()).await;
    assert_eq!(sight.ending[&id("near")], 4, "those reported long ago, and one of an old click behind 9,000");
}

#[tokio::test(start_paused = true)]
async fn the_hub_sees_a_store_that_is_away_and_knows_of_no_account_then() {
    let house = house();
    let (mut sights, _run) = watched(&house);
    until(&mut sights, |sight| sight.away.is_empty()).await;
    house.outbox.goes_away();
    let sight = until(&mut sights, |sight| !sight.away.is_empty()).await;
    assert_eq!((sight.away, sight.accounts), (vec!["outbox"], None));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_removed_is_seen_until_nothing_of_it_is_left_and_then_its_gauges_fall() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let gauges = |of: &str| {
        let of = format!("account=\"{of}\"");
        let metrics = recorder.handle().render();
        let of_account = |line: &&str| line.contains(&of) && !line.contains("_total");
        let set = |line: &str| !line.ends_with(" 0");
        let lines: Vec<_> = metrics.lines().filter(of_account).map(set).collect();
        (lines.len(), lines.iter().filter(|set| **set).count())
    };
    let house = house();
    let token = house.token("a").await;
    let delivery = house.record(report(token, lead())).await.delivery;
    house.hub.pause(&id("near"), "", &operator()).await.unwrap();
    house.clock.pass(SignedDuration::from_hours(28 * 24));
    let (mut sights, _run) = watched(&house);
    until(&mut sights, |sight| sight.ending.get(&id("near")) == Some(&1)).await;
    assert_eq!(gauges("near"), (8, 3), "one is pending and ends soon, and the account is paused");
    house.hub.replace(Registry::new(Accounts::new(), Vec::new()).unwrap());
    let sight = until(&mut sights, |sight| sight.accounts.as_ref().is_some_and(|all| all.len() < 2)).await;
    let left = &sight.accounts.unwrap()[0];
    assert_eq!((left.id.as_str(), left.network, left.stats.pending), ("near", "", 1));
    assert_eq!((sight.ending.len(), gauges("near")), (1, (8, 3)));
    house.outbox.set(delivery, DeliveryState::Delivered, house.clock.now());
    until(&mut sights, |sight| sight.accounts.as_ref().is_some_and(Vec::is_empty)).await;
    assert!(sights.borrow().as_ref().unwrap().ending.is_empty());
    assert_eq!(gauges("near"), (8, 0));
}

#[tokio::test(start_paused = true)]
async fn the_hub_remembers_when_clicks_were_dropped_that_waited_for_their_store() {
    let house = house_with(Settings { buffered_clicks: 1, ..Settings::default() });
    house.clicks.is(Mode::Away);
    house.land("a").await;
    let (mut sights, _run) = watched(&house);
    assert_eq!(until(&mut sights, |_| true).await.dropped, None);
    house.land("b").await;
    let seen = until(&mut sights, |sight| sight.dropped.is_some()).await;
    house.clock.pass(SignedDuration::from_secs(30));
    let later = until(&mut sights, |sight| sight.at > seen.at).await;
    assert_eq!(later.dropped, seen.dropped);
}
