//! An account's limits: so many at once, so many a second, none while the breaker is open.

use std::time::Duration;

use postback_core::{DeliveryState, Outcome};

use super::{
    adapter::{HOLD, keyed},
    leaf::{Answer, TestNetwork, WELL},
    log::Log,
    outbox::State,
    rig::{MAIN, Rig, account, limited},
};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("c{n:03}")).collect()
}

#[tokio::test(start_paused = true)]
async fn no_more_is_claimed_or_sent_at_once_than_the_account_allows() {
    let network = TestNetwork::always(Answer::Says(200, "ok", Duration::from_secs(1)));
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 3, None)]);
    let rig = rig.leads(MAIN, names(9)).run(network.leaf());
    rig.settled().await;
    assert_eq!(network.most_at_once(), 3);
    assert_eq!(network.seconds(), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    let most = rig.outbox.state().claimed.iter().map(|(_, count)| *count).max();
    assert_eq!(most, Some(3));
}

#[tokio::test(start_paused = true)]
async fn no_more_begin_in_a_second_than_the_account_allows() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 50, Some(2))]);
    let rig = rig.leads(MAIN, names(60)).run(network.leaf());
    rig.settled().await;
    let seconds = network.seconds();
    for second in 0..seconds[59] {
        let begun = seconds.iter().filter(|at| **at == second).count();
        assert!(begun <= 2, "{begun} in second {second}");
    }
    assert!(seconds[59] <= 38, "the limit is used: {seconds:?}");
    assert!(rig.outbox.state().released.is_empty(), "no claim waits so long that its lease runs out");
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_for_every_second_whenever_it_begins() {
    for rate in [10, 500] {
        let network = TestNetwork::always(WELL);
        let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 1_000, Some(rate))]);
        let rig = rig.leads(MAIN, ["first"]).run(network.leaf());
        rig.settled().await;
        tokio::time::sleep(Duration::from_millis(980)).await;
        names(3 * rate as usize).iter().for_each(|name| rig.add(MAIN, name));
        rig.wake.notify_one();
        rig.settled().await;
        let begun: Vec<Duration> = network.calls().into_iter().map(|(_, at)| at).collect();
        let most = rate as usize + rate as usize / 50;
        let spans = begun.windows(most + 1).map(|calls| calls[most] - calls[0]);
        assert!(spans.min().unwrap() >= Duration::from_secs(1), "more than {most} in a second");
        assert!(*begun.last().unwrap() <= Duration::from_millis(4_500), "the limit is used");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_breaker_is_open_nothing_is_claimed_and_no_attempt_is_burnt() {
    let network = TestNetwork::always(Answer::Says(503, "", Duration::ZERO));
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 1, None)]);
    let rig = rig.leads(MAIN, names(40)).run(network.leaf());
    let attempts = |state: &State| state.lanes.iter().map(|lane| lane.delivery.attempts.len()).sum::<usize>();
    rig.outbox.until(|state| attempts(state) == 12).await;
    let (mut waits, claimed) = (Vec::new(), rig.outbox.state().claimed.clone());
    for pair in claimed.windows(2) {
        waits.push(pair[1].0.duration_since(pair[0].0).as_millis());
    }
    assert_eq!(waits[..6], [0; 6], "seven fail at once");
    for (wait, rest) in waits[6..].iter().zip([1_000_i128, 2_000, 4_000, 8_000, 16_000]) {
        assert!((rest * 8 / 10..=rest * 12 / 10 + 1).contains(wait), "{wait} ms instead of {rest}");
    }
    assert!(claimed.iter().all(|(_, count)| *count == 1), "half open, one is claimed");
    assert_eq!((claimed.len(), network.calls().len()), (12, 12), "each claim was a call and an attempt");
    assert!(rig.outbox.state().released.is_empty());
}

#[tokio::test(start_paused = true)]
async fn half_open_one_is_claimed_however_many_places_are_free() {
    let network = TestNetwork::always(Answer::Says(503, "", Duration::from_millis(10)));
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, names(40)).run(network.leaf());
    rig.outbox.until(|state| state.claimed.len() == 6).await;
    let state = rig.outbox.state();
    let counts: Vec<usize> = state.claimed.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [8, 1, 1, 1, 1, 1]);
    assert!(state.released.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_probe_that_succeeds_opens_the_way_for_all() {
    let network =
        TestNetwork::new(|_, number| if number <= 7 { Answer::Says(500, "", Duration::ZERO) } else { WELL });
    let (log, _guard) = Log::catch();
    let rig = Rig::new([limited(account(MAIN, "https://a.example", keyed()), 1, None)]);
    let rig = rig.leads(MAIN, names(40)).run(network.leaf());
    rig.settled().await;
    let calls = network.calls();
    assert_eq!(calls[6].1, Duration::ZERO);
    assert!(calls[7].1 >= Duration::from_millis(800), "{:?}", calls[7].1);
    assert_eq!(calls[8].1, calls[7].1, "the next follows the probe at once");
    assert_eq!(log.saying("breaker opened").len(), 1);
    assert_eq!(log.saying("breaker closed").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_before_the_breaker_opened_is_given_back_without_an_attempt() {
    let network = TestNetwork::always(Answer::Refuses);
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 20, Some(8))]);
    let rig = rig.leads(MAIN, names(24)).run(network.leaf());
    rig.outbox.until(|state| !state.released.is_empty()).await;
    let state = rig.outbox.state();
    let tried = state.lanes.iter().filter(|lane| !lane.delivery.attempts.is_empty());
    assert!(tried.count() <= 8, "only those that were sent have an attempt");
    assert!(state.lanes.iter().all(|lane| lane.delivery.state == DeliveryState::Pending));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_single_conversions_do_not_open_the_breaker() {
    let network = TestNetwork::always(Answer::Says(400, "", Duration::ZERO));
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 1, None)]);
    let rig = rig.leads(MAIN, names(20)).run(network.leaf());
    rig.settled().await;
    assert_eq!(network.seconds(), [0; 20]);
    assert_eq!(rig.outbox.delivery("c019").attempts[0].outcome, Outcome::Rejected);
}
